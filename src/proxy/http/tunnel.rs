//! A connection that switched protocols: bytes both ways, half-close kept, and of a WebSocket its
//! messages, through the faults that act on them.
//!
//! It knows nothing of how its two ends came to be. It is over with either side's breaking off, with
//! both sides' ends, when a fault ends it, or when the connection is ended by a phase's edge or by the
//! proxy's own end; then it is told of.

use crate::{
    engine::{Chain, Socket},
    event::{ClosedBy, Dealt, EndedBy, Event, Exchange, Flow, SocketClose, Tunnel as Told},
    fault::{Close, Way, extensions::Contexts, frames::Sum},
    proxy::{
        ctl::ConnCtl,
        drain::Ending,
        meters::Counter,
        tcp::{Pipe, Plain, Stop, see_out},
        timer::Timer,
    },
};
use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout},
};

/// How long what both sides still send is read after an end that a fault made.
const LINGER: Duration = Duration::from_secs(2);

/// How long the one side of a WebSocket may take to end its connection when both have said that they
/// are done, and the other has.
const FAREWELL: Duration = Duration::from_secs(5);

/// How far a tunnel has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    /// All that is missing is the end of one side.
    Leaving,
    /// It is over.
    Over,
}

/// One of its ends.
pub(super) trait End: AsyncRead + AsyncWrite + Unpin {
    /// As [`Stream::poll_gone`](crate::proxy::socket::Stream::poll_gone).
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// See the module's documentation.
pub(super) struct Tunnel<C, U> {
    client: Plain<C>,
    upstream: Plain<U>,
    ctl: Arc<ConnCtl>,
    up: Pipe,
    down: Pipe,
    /// Who was the first to end something.
    ended_by: Option<EndedBy>,
    /// A fault ended it so.
    closed: Option<Close>,
    /// The first close frame.
    close: Option<SocketClose>,
    /// The exchange that opened it.
    opened: Box<Exchange>,
    /// What the ends of a WebSocket agreed on.
    agreed: Option<Contexts>,
    /// Nobody's: both ends count their own bytes.
    counter: Counter,
}

impl<C: End, U: End> Tunnel<C, U> {
    pub(super) fn new(
        client: C,
        upstream: U,
        ctl: Arc<ConnCtl>,
        opened: Box<Exchange>,
        agreed: Option<Contexts>,
        timer: &Timer,
    ) -> Self {
        let socket = Socket::new(opened.user, opened.nth, opened.targets, agreed);
        let socket = Arc::new(socket);
        let pipe = |way| {
            let chain = Chain::of_socket(ctl.injector(), ctl.key, &socket, way);
            Pipe::through(chain, &ctl, timer.clone())
        };
        Self {
            client: Plain(client),
            upstream: Plain(upstream),
            up: pipe(Way::Up),
            down: pipe(Way::Down),
            ctl,
            ended_by: None,
            closed: None,
            close: None,
            opened,
            agreed,
            counter: Counter::default(),
        }
    }

    /// Carries it to its end, and tells of it.
    pub(super) async fn carry(mut self, bounds: &Ending) {
        let ctl = Arc::clone(&self.ctl);
        let mut changes = ctl.injector().changes();
        let resets = changes.borrow_and_update().resets;
        let mut is_drained = false;
        // A peer that was told goodbye and has answered is not waited for as long as it likes.
        let mut patience = pin!(sleep(FAREWELL));
        let mut is_leaving = false;
        loop {
            tokio::select! {
                end = poll_fn(|cx| self.poll(is_leaving, cx)) => match end {
                    Moved::Over => break,
                    Moved::Leaving => {
                        is_leaving = true;
                        patience.as_mut().reset(Instant::now() + FAREWELL);
                    }
                },
                () = patience.as_mut(), if is_leaving => break,
                // An edge has it polled again, so that bytes held by a fault that is over leave.
                Ok(()) = changes.changed() => {
                    self.say_what_is_spared();
                    if changes.borrow_and_update().resets > resets {
                        ctl.kill_by_edge();
                        break;
                    }
                }
                // A tunnel has no end of its own that a drain could wait for.
                () = bounds.draining.cancelled() => {
                    is_drained = true;
                    ctl.kill(Close::Fin);
                    break;
                }
                () = ctl.until_killed() => break,
            }
        }
        if self.closed == Some(Close::Reset) {
            ctl.kill(Close::Reset);
        }
        self.tell(is_drained);
        if self.closed == Some(Close::Fin) {
            let both = async { tokio::join!(see_out(self.client.0), see_out(self.upstream.0)) };
            tokio::select! {
                _late = timeout(LINGER, both) => {}
                () = bounds.stopping.cancelled() => {}
            }
        }
    }

    /// Ready when it is over, or once when nothing but one side's end is missing.
    fn poll(&mut self, is_leaving: bool, cx: &mut Context<'_>) -> Poll<Moved> {
        loop {
            let steps = (self.up.steps(), self.down.steps());
            let counters = (&self.counter, &self.counter);
            let stop = self.up.poll(&mut self.client, &mut self.upstream.0, counters, cx);
            if let Poll::Ready(stop) = stop
                && self.stopped(stop, EndedBy::ClientFin, EndedBy::ClientRst, EndedBy::UpstreamFin)
            {
                return Poll::Ready(Moved::Over);
            }
            let counters = (&self.counter, &self.counter);
            let stop = self.down.poll(&mut self.upstream, &mut self.client.0, counters, cx);
            if let Poll::Ready(stop) = stop
                && self.stopped(
                    stop,
                    EndedBy::UpstreamFin,
                    EndedBy::UpstreamRst,
                    EndedBy::ClientRst,
                )
            {
                return Poll::Ready(Moved::Over);
            }
            self.note_close();
            match (self.up.is_over(), self.down.is_over()) {
                (true, true) => return Poll::Ready(Moved::Over),
                (false, false) => {}
                // Of the one that has ended nothing is read any more.
                (true, false) if self.client.0.poll_gone(cx).is_ready() => {
                    return Poll::Ready(Moved::Over);
                }
                (false, true) if self.upstream.0.poll_gone(cx).is_ready() => {
                    return Poll::Ready(Moved::Over);
                }
                _ if !is_leaving && self.said_goodbye() => return Poll::Ready(Moved::Leaving),
                _ => {}
            }
            // What one direction did may set the other going: a close, an end.
            if steps == (self.up.steps(), self.down.steps()) {
                return Poll::Pending;
            }
        }
    }

    /// A direction carries no more: who did that, and whether it is the end of both.
    fn stopped(&mut self, stop: Stop, end: EndedBy, broke: EndedBy, refused: EndedBy) -> bool {
        let by = match stop {
            Stop::End => end,
            Stop::Broken => broke,
            Stop::NotTaken => refused,
            Stop::Closed(close) => {
                self.closed = Some(close);
                return true;
            }
            Stop::Emptied | Stop::Before => return false,
        };
        self.ended_by.get_or_insert(by);
        // Either side may break off at any time; that is how tunnels end.
        stop != Stop::End
    }

    const fn is_websocket(&self) -> bool {
        self.agreed.is_some()
    }

    /// A fault that came when it was open may be meant to take messages out that others need.
    fn say_what_is_spared(&self) {
        let needed = |agreed: Contexts| agreed.are_kept(Way::Up) || agreed.are_kept(Way::Down);
        let injector = self.ctl.injector();
        if self.agreed.is_some_and(needed)
            && injector.may_lose_messages(self.opened.targets)
            && injector.tells_of_spared()
        {
            tracing::warn!(
                "`drop` spares compressed messages of WebSockets that were open before: later ones need them"
            );
        }
    }

    /// What came from both sides and what was passed on, if its messages are understood.
    fn sums(&mut self) -> Option<[(Sum, Sum); 2]> {
        Some([self.up.chain().sums()?, self.down.chain().sums()?])
    }

    /// Whether close frames went both ways.
    fn said_goodbye(&mut self) -> bool {
        let is_closed = |(_, left): &(Sum, Sum)| left.close.is_some();
        self.is_websocket() && self.sums().is_some_and(|sums| sums.iter().all(is_closed))
    }

    fn note_close(&mut self) {
        if self.close.is_some() || !self.is_websocket() {
            return;
        }
        let Some([(up, _), (down, sent)]) = self.sums() else { return };
        let by = |by| move |code| SocketClose { code, by };
        let injected = sent.close.filter(|_| down.close.is_none()).map(by(ClosedBy::Fault));
        let own = || down.close.map(by(ClosedBy::Upstream)).or(up.close.map(by(ClosedBy::Client)));
        self.close = injected.or_else(own);
    }

    /// Tells of it, now that it is over.
    fn tell(&mut self, is_drained: bool) {
        self.note_close();
        self.up.take_dealt(&self.ctl);
        self.down.take_dealt(&self.ctl);
        let dealt: Vec<Dealt> = self.ctl.take_wire();
        let sums = self.sums().unwrap_or_default();
        let [up, down] = sums.map(|(came, left)| Flow {
            bytes: came.bytes,
            frames: if self.is_websocket() { came.frames } else { 0 },
            messages: if self.is_websocket() { came.messages } else { 0 },
            passed: if self.is_websocket() { left.messages } else { 0 },
        });
        let ended_by = match (self.closed, self.ctl.killed(), self.ended_by) {
            (Some(Close::Fin), ..) => EndedBy::ProxyFin,
            (Some(Close::Reset), ..) => EndedBy::ProxyRst,
            _ if is_drained => EndedBy::ProxyFin,
            (None, None, Some(by)) => by,
            _ => self.ctl.ended_by(),
        };
        let is_ours =
            matches!(ended_by, EndedBy::ProxyFin | EndedBy::ProxyRst | EndedBy::PhaseEdge);
        let by_client = matches!(ended_by, EndedBy::ClientFin | EndedBy::ClientRst);
        // The client heard of the end in the socket's own words.
        let was_told = self.is_websocket() && sums[1].1.close.is_some();
        let complete = if is_ours {
            is_drained
        } else if by_client {
            was_told || dealt.is_empty()
        } else {
            was_told || (!self.is_websocket() && ended_by == EndedBy::UpstreamFin)
        };
        let injector = self.ctl.injector();
        let exchange = Exchange {
            phase: injector.phase(),
            dealt,
            complete,
            ended_by,
            t_client_gone: self.ctl.gone_at(),
            t_end: injector.micros(),
            ..(*self.opened).clone()
        };
        let told = Told { exchange, up, down, close: self.close };
        self.ctl.recorder().say(Event::Tunnel(Box::new(told)));
    }
}

/// Tells of one that never began: a side went before the answer left that opens it.
pub(super) fn never_began(opened: Box<Exchange>, ctl: &ConnCtl) {
    let injector = ctl.injector();
    let exchange = Exchange {
        phase: injector.phase(),
        complete: false,
        ended_by: ctl.ended_by(),
        t_client_gone: ctl.gone_at(),
        t_end: injector.micros(),
        ..*opened
    };
    let (up, down) = (Flow::default(), Flow::default());
    ctl.recorder().say(Event::Tunnel(Box::new(Told { exchange, up, down, close: None })));
}
