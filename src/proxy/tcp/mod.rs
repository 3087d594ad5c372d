//! A connection whose bytes are passed on as they come: databases, caches, queues, TLS untouched.
//!
//! The upstream is dialled when the client has connected, by the connection's own task, so that one
//! that does not answer holds nobody else up. Then two [pipes](pipe::Pipe) run side by side, each
//! through the byte faults of its direction. Half-close is kept: the end of one direction is passed
//! on, and the other goes on until its own. A RST on one side becomes a RST on the other.

mod pipe;

pub(crate) use pipe::{Pipe, Plain, Stop};

use crate::{
    engine::Tunnel,
    event::{EndedBy, Relay},
    fault::{Close, Way},
    proxy::{
        conn::{Call, Calls, Shared},
        ctl::ConnCtl,
        error::UpstreamError,
        introduce::Who,
        meters::Counter,
        socket::{Looks, Presence, Sent, Stream},
        upstream::{CONNECT_TIMEOUT, Connector, UpstreamIo},
    },
};
use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    stream::{FuturesUnordered, StreamExt},
};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{sleep, timeout},
};

/// How often a client is looked at, whether it is still there, while its upstream is dialled.
const LOOK: Duration = Duration::from_millis(100);
/// How long what both sides still send is read after an end that a fault made.
const LINGER: Duration = Duration::from_secs(2);

/// Serves a connection to its end; says who ended it, and notes what it carried.
pub(crate) async fn serve<S: Stream>(
    io: S,
    ctl: &Arc<ConnCtl>,
    connector: &Connector,
    shared: &Shared,
    relay: &mut Relay,
) -> EndedBy {
    ctl.injector().notice_traffic();
    let mut calls = FuturesUnordered::new();
    calls.push(Calls::new(ctl, &shared.ending).next());
    let dialled = {
        let dial = async {
            let dialled = timeout(CONNECT_TIMEOUT, connector.connect(Who::Client(ctl.ends))).await;
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
                    return EndedBy::ClientRst;
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
                return EndedBy::UpstreamRst;
            }
            // With bytes unread the kernel makes a RST of our end.
            let unread = poll_fn(|cx| io.poll_has_input(cx)).now_or_never().is_some();
            return if unread { EndedBy::ProxyRst } else { EndedBy::ProxyFin };
        }
        None => {
            if ctl.killed() == Some(Close::Reset) {
                io.reset_on_close();
            }
            return ctl.ended_by();
        }
    };
    relay.t_connected = ctl.injector().micros();
    let pipes = [Way::Up, Way::Down].map(|way| Pipe::new(ctl, way, shared.timer.clone()));
    let pair = Pair::new(io, upstream, ctl, pipes);
    relayed(pair, calls, Calls::next, shared, relay).await
}

/// Serves a tunnel to its end, which begins with what was `ahead` of the answer that granted it: as
/// [`serve`].
pub(crate) async fn tunnel<S: Stream>(
    io: S,
    ahead: Bytes,
    ctl: &Arc<ConnCtl>,
    granted: (UpstreamIo, Tunnel),
    shared: &Shared,
    relay: &mut Relay,
) -> EndedBy {
    let calls = FuturesUnordered::new();
    calls.push(Calls::new(ctl, &shared.ending).next());
    let (upstream, tunnel) = granted;
    let pipe = |way| Pipe::of_tunnel(ctl, tunnel, way, shared.timer.clone());
    let mut pair = Pair::new(io, upstream, ctl, [Way::Up, Way::Down].map(pipe));
    // The socket below counts them.
    pair.uncounted = Some(Counter::default());
    pair.up.begin_with(ahead);
    relayed(pair, calls, Calls::next, shared, relay).await
}

/// Has both ways run to their ends.
async fn relayed<S: Stream, C: Future<Output = (Call, Calls)>>(
    mut pair: Pair<S>,
    mut calls: FuturesUnordered<C>,
    next: impl Fn(Calls) -> C,
    shared: &Shared,
    relay: &mut Relay,
) -> EndedBy {
    loop {
        let call = tokio::select! {
            biased;
            () = poll_fn(|cx| pair.poll(cx)) => break,
            Some((call, more)) = calls.next() => {
                calls.push(next(more));
                call
            }
        };
        match call {
            Call::Look => {}
            Call::Drain => pair.empty(),
            Call::End => break,
        }
    }
    let ctl = Arc::clone(&pair.ctl);
    if pair.is_emptied() {
        ctl.kill(Close::Fin);
    }
    let (ended_by, client, upstream) = pair.finish(relay);
    if ctl.killed() == Some(Close::Fin) {
        say_goodbye(client, upstream, shared);
    }
    ended_by
}

/// Ends both sides, on their own time: the connection is over, and is told of now.
fn say_goodbye<S: Stream>(mut client: S, upstream: UpstreamIo, shared: &Shared) {
    let ending = &shared.ending;
    // Only what is there already is read, if the proxy itself is to go.
    let patience = if ending.draining.is_cancelled() { Duration::ZERO } else { LINGER };
    let stopping = ending.stopping.clone();
    client.say_farewell();
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
pub(crate) async fn see_out<S: AsyncRead + AsyncWrite + Unpin>(mut side: S) {
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
    /// What has to leave before a reset.
    last: Option<Sent>,
    /// At a client that is not read any more.
    looks: Looks,
    /// Nothing more is read.
    emptying: bool,
    /// What the client's side is counted by, if somebody else does so properly.
    uncounted: Option<Counter>,
}

impl<S: Stream> Pair<S> {
    fn new(client: S, upstream: UpstreamIo, ctl: &Arc<ConnCtl>, [up, down]: [Pipe; 2]) -> Self {
        Self {
            client,
            upstream,
            up,
            down,
            ctl: Arc::clone(ctl),
            ended_by: None,
            last: None,
            looks: Looks::default(),
            emptying: false,
            uncounted: None,
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
        if let Some(last) = &mut self.last {
            ready!(Pin::new(last).poll(cx));
            self.ctl.kill(Close::Reset);
            return Poll::Ready(());
        }
        let meters = &self.ctl.meters;
        let read = self.uncounted.as_ref().unwrap_or(&meters.from_clients);
        let counters = (read, &meters.to_upstream);
        if let Poll::Ready(stop) = self.up.poll(&mut self.client, &mut self.upstream, counters, cx)
        {
            let by = match stop {
                Stop::End => Some(EndedBy::ClientFin),
                // The upstream takes no more, which is no end of what it sends.
                Stop::NotTaken => Some(EndedBy::UpstreamFin),
                Stop::Broken => return self.client_gone(),
                Stop::Closed(close) => return self.close(close, Way::Up, cx),
                Stop::Emptied | Stop::Before => None,
            };
            self.ended_by = self.ended_by.or(by);
            self.down.sender_was_ended();
        }
        let meters = &self.ctl.meters;
        let written = self.uncounted.as_ref().unwrap_or(&meters.to_clients);
        let counters = (&meters.from_upstream, written);
        if let Poll::Ready(stop) =
            self.down.poll(&mut self.upstream, &mut self.client, counters, cx)
        {
            let by = match stop {
                Stop::End => Some(EndedBy::UpstreamFin),
                Stop::NotTaken => return self.client_gone(),
                Stop::Broken => {
                    self.client.reset_on_close();
                    self.ended_by.get_or_insert(EndedBy::UpstreamRst);
                    return Poll::Ready(());
                }
                Stop::Closed(close) => return self.close(close, Way::Down, cx),
                Stop::Emptied | Stop::Before => None,
            };
            self.ended_by = self.ended_by.or(by);
            self.up.sender_was_ended();
        }
        self.poll_end(cx)
    }

    /// Whether both ways are done, or nothing can come of what is left.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (up, down) = (&self.up, &self.down);
        if (up.is_over() || up.is_stuck()) && (down.is_over() || down.is_stuck()) {
            return Poll::Ready(());
        }
        // A client that is not read any more is looked at from time to time: a RST, or the silence of
        // a machine that is gone, would not be noticed otherwise. After our own end its plain end
        // looks like a RST.
        if !up.is_unread() || down.is_over() {
            self.looks.reset();
            return Poll::Pending;
        }
        if self.client.poll_gone(cx).is_pending() {
            while self.client.presence() != Presence::Gone {
                ready!(self.looks.poll(cx));
            }
        }
        self.client_gone()
    }

    /// The client broke off, or takes nothing any more.
    fn client_gone(&mut self) -> Poll<()> {
        self.ctl.client_gone(true);
        self.upstream.reset_on_close();
        self.ended_by.get_or_insert(EndedBy::ClientRst);
        Poll::Ready(())
    }

    /// A fault ends it. A RST overtakes what still waits in the kernel, so that is sent before.
    fn close(&mut self, close: Close, way: Way, cx: &mut Context<'_>) -> Poll<()> {
        if close == Close::Fin {
            self.ctl.kill(close);
            return Poll::Ready(());
        }
        let last = self.last.insert(match way {
            Way::Up => self.upstream.all_sent(),
            Way::Down => self.client.all_sent(),
        });
        ready!(Pin::new(last).poll(cx));
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
