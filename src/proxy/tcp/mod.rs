//! A connection whose bytes are passed on as they come: databases, caches, queues, TLS untouched.
//!
//! The upstream is dialled when the client has connected, by the connection's own task, so that one
//! that does not answer holds nobody else up. Then two [pipes](pipe::Pipe) run side by side, each
//! through the byte faults of its direction. Half-close is kept: the end of one direction is passed
//! on, and the other goes on until its own. A RST on one side becomes a RST on the other.

mod pipe;

use crate::{
    event::{EndedBy, Relay},
    fault::{Close, Way},
    proxy::{
        conn::{Call, Calls, Shared},
        ctl::ConnCtl,
        error::UpstreamError,
        socket::{Presence, Stream},
        timer::Timer,
        upstream::{CONNECT_TIMEOUT, Connector, UpstreamIo},
    },
};
use futures_util::stream::{FuturesUnordered, StreamExt};
use pipe::{Pipe, Stop};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{sleep, timeout},
};

/// How often a client is looked at, whether it is still there, while its upstream is dialled.
const LOOK: Duration = Duration::from_millis(100);
/// How long what both sides still send is read after an end that a fault made.
const LINGER: Duration = Duration::from_secs(2);

/// Serves a connection to its end; says what it carried and who ended it.
pub(crate) async fn serve<S: Stream>(
    io: S,
    ctl: &Arc<ConnCtl>,
    connector: &Connector,
    shared: &Shared,
) -> (Relay, EndedBy) {
    let injector = ctl.injector();
    let user = injector.users().of_peer(ctl.peer.ip());
    let _first = ctl.user.set(user.key);
    injector.notice_traffic();
    let mut relay = Relay { user: user.key, ..Relay::default() };
    let mut calls = FuturesUnordered::new();
    calls.push(Calls::new(ctl, &shared.ending).next());
    let dialled = {
        let dial = async {
            let dialled = timeout(CONNECT_TIMEOUT, connector.connect()).await;
            dialled.unwrap_or(Err(UpstreamError::ConnectTimeout(CONNECT_TIMEOUT)))
        };
        // In a box of its own: it is big, and gone once the connection stands.
        let mut dial = Box::pin(dial);
        loop {
            tokio::select! {
                biased;
                dialled = &mut dial => break Some(dialled),
                () = gone(&io) => {
                    ctl.client_gone(true);
                    return (relay, EndedBy::ClientRst);
                }
                Some((call, more)) = calls.next() => {
                    if ends(call, ctl) {
                        break None;
                    }
                    calls.push(more.next());
                }
            }
        }
    };
    let upstream = match dialled {
        Some(Ok(upstream)) => upstream,
        Some(Err(error)) => {
            tracing::debug!(peer = %ctl.peer, error = %error.with_causes(), "no upstream");
            relay.upstream_error = Some(error.word());
            if error.is_reset() {
                // It was accepted and reset before we knew that it was accepted.
                io.reset_on_close();
                return (relay, EndedBy::UpstreamRst);
            }
            return (relay, EndedBy::ProxyFin);
        }
        None => {
            if ctl.killed() == Some(Close::Reset) {
                io.reset_on_close();
            }
            return (relay, ctl.ended_by());
        }
    };
    relay.t_connected = injector.micros();
    let mut pair = Pair::new(io, upstream, ctl, &shared.timer);
    loop {
        let call = tokio::select! {
            biased;
            () = poll_fn(|cx| pair.poll(cx)) => break,
            Some((call, more)) = calls.next() => {
                calls.push(more.next());
                call
            }
        };
        match call {
            Call::Look => {}
            Call::Drain => pair.empty(),
            Call::End => break,
        }
    }
    if pair.is_emptied() {
        ctl.kill(Close::Fin);
    }
    let (ended_by, client, upstream) = pair.finish(&mut relay);
    if ctl.killed() == Some(Close::Fin) {
        say_goodbye(client, upstream, shared);
    }
    (relay, ended_by)
}

/// Ends both sides, on their own time: the connection is over, and is told of now.
fn say_goodbye<S: Stream>(client: S, upstream: UpstreamIo, shared: &Shared) {
    let ending = &shared.ending;
    // Only what is there already is read, if the proxy itself is to go.
    let patience = if ending.draining.is_cancelled() { Duration::ZERO } else { LINGER };
    let stopping = ending.stopping.clone();
    ending.tasks.spawn(async move {
        let both = async { tokio::join!(see_out(client), see_out(upstream)) };
        tokio::select! {
            _late = timeout(patience, both) => {}
            () = stopping.cancelled() => {}
        }
    });
}

/// Ends a side with a FIN, and reads what it still sends until it has heard of it: closing with
/// bytes unread would turn the FIN into a RST, and what was sent before it might be lost.
async fn see_out<S: Stream>(mut side: S) {
    let mut scrap = vec![0; 16 * 1024];
    if side.shutdown().await.is_ok() {
        while matches!(side.read(&mut scrap).await, Ok(1..)) {}
    }
}

/// Ready when the client has broken off, as far as that shows while nothing is read.
async fn gone<S: Stream>(io: &S) {
    while io.presence() != Presence::Gone {
        sleep(LOOK).await;
    }
}

/// Whether a call from outside ends a connection that carries nothing yet.
fn ends(call: Call, ctl: &ConnCtl) -> bool {
    match call {
        Call::Look => false,
        Call::Drain => {
            ctl.kill(Close::Fin);
            true
        }
        Call::End => true,
    }
}

/// Both ends of a connection, and the two ways between them.
struct Pair<S> {
    client: S,
    upstream: UpstreamIo,
    ctl: Arc<ConnCtl>,
    up: Pipe,
    down: Pipe,
    /// Who was the first to end something.
    ended_by: Option<EndedBy>,
    /// Nothing more is read.
    emptying: bool,
}

impl<S: Stream> Pair<S> {
    fn new(client: S, upstream: UpstreamIo, ctl: &Arc<ConnCtl>, timer: &Timer) -> Self {
        Self {
            client,
            upstream,
            up: Pipe::new(ctl, Way::Up, timer.clone()),
            down: Pipe::new(ctl, Way::Down, timer.clone()),
            ctl: Arc::clone(ctl),
            ended_by: None,
            emptying: false,
        }
    }

    /// Reads no more, and is over when what is held has left: there is no exchange whose end could
    /// be waited for.
    fn empty(&mut self) {
        self.emptying = true;
        self.up.empty();
        self.down.empty();
    }

    /// Whether it was ended so, and both ways ran dry.
    fn is_emptied(&self) -> bool {
        self.emptying && self.up.is_over() && self.down.is_over()
    }

    /// Ready when it is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let meters = &self.ctl.meters;
        if let Poll::Ready(stop) = self.up.poll(
            &mut self.client,
            &mut self.upstream,
            (&meters.from_clients, &meters.to_upstream),
            cx,
        ) {
            let by = match stop {
                Stop::End => Some(EndedBy::ClientFin),
                // The upstream takes no more, which is no end of what it sends.
                Stop::NotTaken => Some(EndedBy::UpstreamFin),
                Stop::Broken => {
                    self.ctl.client_gone(true);
                    self.upstream.reset_on_close();
                    self.ended_by.get_or_insert(EndedBy::ClientRst);
                    return Poll::Ready(());
                }
                Stop::Closed(close) => return self.close(close),
                Stop::Emptied | Stop::Before => None,
            };
            self.ended_by = self.ended_by.or(by);
            self.down.sender_was_ended();
        }
        if let Poll::Ready(stop) = self.down.poll(
            &mut self.upstream,
            &mut self.client,
            (&meters.from_upstream, &meters.to_clients),
            cx,
        ) {
            let by = match stop {
                Stop::End => Some(EndedBy::UpstreamFin),
                Stop::NotTaken => {
                    self.ctl.client_gone(true);
                    self.upstream.reset_on_close();
                    self.ended_by.get_or_insert(EndedBy::ClientRst);
                    return Poll::Ready(());
                }
                Stop::Broken => {
                    self.client.reset_on_close();
                    self.ended_by.get_or_insert(EndedBy::UpstreamRst);
                    return Poll::Ready(());
                }
                Stop::Closed(close) => return self.close(close),
                Stop::Emptied | Stop::Before => None,
            };
            self.ended_by = self.ended_by.or(by);
            self.up.sender_was_ended();
        }
        if self.up.is_over() && self.down.is_over() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// A fault ends it.
    fn close(&mut self, close: Close) -> Poll<()> {
        self.ctl.kill(close);
        Poll::Ready(())
    }

    /// What it carried and who ended it, and both of its ends.
    fn finish(mut self, relay: &mut Relay) -> (EndedBy, S, UpstreamIo) {
        self.up.take_dealt(&self.ctl);
        self.down.take_dealt(&self.ctl);
        relay.up = self.up.passed();
        relay.down = self.down.passed();
        let by = match self.ctl.killed() {
            Some(close) => {
                if close == Close::Reset {
                    self.client.reset_on_close();
                    self.upstream.reset_on_close();
                }
                self.ctl.ended_by()
            }
            None => self.ended_by.unwrap_or(EndedBy::ProxyFin),
        };
        (by, self.client, self.upstream)
    }
}
