//! One client's connection, from its acceptance to its end.

use crate::{
    engine::Change,
    event::{Connection, Dealt, EndedBy, Event, Recorder, Relay},
    fault::Close,
    proxy::{
        ctl::{ConnCtl, Stand, lock},
        drain::Ending,
        http::{Forward, stack},
        http2,
        introduce::Refusals,
        meters::Meters,
        socket::{Front, Socket, Stream},
        tcp,
        timer::Timer,
        tls::{self, Alpn, Routes, Secure, Terminator},
        tunnel,
        upstream::Connector,
    },
    select::Network,
};
use futures_util::{
    future::OptionFuture,
    stream::{FuturesUnordered, StreamExt},
};
use h2::Reason;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Sleep, sleep},
};

/// More header fields than this are refused with 431.
const MAX_HEADERS: usize = 256;
/// A head larger than this is refused with 431; it also bounds what is read ahead of a body.
const MAX_BUFFER: usize = 64 * 1024;

/// How long what a client still sends is read from a connection that was closed while it was idle.
/// Pools keep idle connections for a minute or so.
const LATE: Duration = Duration::from_secs(60);

/// What all connections of a proxy have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) carry: Carry,
    /// Speaks TLS with its clients, if anybody does.
    pub(crate) terminator: Option<Arc<Terminator>>,
    /// Speaks TLS inside of tunnels, if anybody does.
    pub(crate) intercept: Option<Arc<Terminator>>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) mark: bool,
    pub(crate) ending: Ending,
    pub(crate) timer: Timer,
    /// Who has to say whom a connection is from; with none of them nobody has to.
    pub(crate) accept: Vec<Network>,
    pub(crate) refusals: Refusals,
}

/// How what comes on a connection is carried to the upstream.
#[derive(Debug)]
pub(crate) enum Carry {
    /// Request by request.
    Http(Forward),
    /// Byte by byte.
    Tcp(Connector),
    /// Byte by byte, to the upstream of the name that the client asks for.
    Sni(Routes),
}

/// Serves a connection to its end, after what was dealt to it when it was accepted.
pub(crate) fn spawn<S: Stream>(io: S, ctl: Arc<ConnCtl>, shared: &Arc<Shared>) {
    let tasks = &shared.ending.tasks;
    // Each in a task of its own size: what HTTP needs is several times what bytes do.
    match &shared.carry {
        Carry::Http(_) if shared.terminator.is_some() => {
            tasks.spawn(serve_https(io, ctl, Arc::clone(shared)))
        }
        Carry::Http(_) => tasks.spawn(serve_http(io, ctl, Arc::clone(shared))),
        Carry::Tcp(_) | Carry::Sni(_) => tasks.spawn(serve_tcp(io, ctl, Arc::clone(shared))),
    };
}

async fn serve_http<S: Stream>(io: S, ctl: Arc<ConnCtl>, shared: Arc<Shared>) {
    if let (Some(io), Carry::Http(forward)) = (welcomed(io, &ctl, &shared).await, &shared.carry) {
        http(Socket::new(io, Arc::clone(&ctl)).open(), &ctl, forward, &shared).await;
    }
    let granted = lock(&ctl.granted).take();
    if let Some(granted) = granted {
        // In a box of its own: it is big, and most connections never need it.
        return Box::pin(tunnel::through::<S>(*granted, &ctl, &shared)).await;
    }
    farewell(&ctl, &shared);
}

async fn serve_https<S: Stream>(io: S, ctl: Arc<ConnCtl>, shared: Arc<Shared>) {
    if let (Some(io), Carry::Http(forward), Some(terminator)) =
        (welcomed(io, &ctl, &shared).await, &shared.carry, &shared.terminator)
    {
        // In a box of its own: it is big, and gone once hands are shaken.
        match Box::pin(tls::welcome(io, &ctl, terminator, &shared.ending)).await {
            Some((stream, Alpn::Http1)) => {
                http(Secure::new(stream), &ctl, forward, &shared).await;
            }
            Some((stream, Alpn::Http2)) => {
                let front = Secure::new(stream);
                let front = Box::pin(http2::serve(front, &ctl, forward, &shared)).await;
                see_out(front, &ctl, &shared).await;
            }
            None => {}
        }
    }
    let granted = lock(&ctl.granted).take();
    if let Some(granted) = granted {
        return Box::pin(tunnel::through_tls::<S>(*granted, &ctl, &shared)).await;
    }
    farewell(&ctl, &shared);
}

/// Tells of a connection what its exchanges have not told.
pub(super) fn farewell(ctl: &ConnCtl, shared: &Shared) {
    // A tunnel lives on, and is told of by the exchange that became one.
    if ctl.stand() == Stand::Tunnel && ctl.tls_error().is_none() {
        return;
    }
    // Exchanges tell of their connection, and of its welcome the first. What is left is what was
    // dealt to bytes that never became an exchange.
    let mut dealt = ctl.dealt_before(ctl.exchanges() + 1);
    dealt.append(&mut lock(&ctl.wire));
    let is_bare = ctl.exchanges() == 0 && ctl.killed().is_some();
    if ctl.is_drained() {
        tell(ctl, shared, dealt, EndedBy::Drained, None);
    } else if !dealt.is_empty() || is_bare || ctl.tls_error().is_some() || is_unasked(ctl) {
        tell(ctl, shared, dealt, ctl.ended_by(), None);
    }
}

/// Whether hands were shaken for TLS, and the client went without a word after it: some look at names only
/// then.
fn is_unasked(ctl: &ConnCtl) -> bool {
    ctl.secured() > 0 && ctl.is_unasked() && ctl.gone_at() > 0
}

async fn serve_tcp<S: Stream>(io: S, ctl: Arc<ConnCtl>, shared: Arc<Shared>) {
    // Nothing else will ever tell who it is.
    let user = ctl.injector().users().of_peer(ctl.peer.ip()).key;
    let _first = ctl.user.set(user);
    let mut relay = Relay { user, ..Relay::default() };
    let mut ended_by = None;
    match (welcomed(io, &ctl, &shared).await, &shared.carry) {
        (Some(io), Carry::Tcp(connector)) => {
            ended_by = Some(tcp::serve(io, &ctl, connector, &shared, &mut relay).await);
        }
        (Some(io), Carry::Sni(routes)) => {
            // In a box of its own, which those that carry any bytes need not have.
            let routed = Box::pin(tls::route(io, &ctl, routes, &shared.ending)).await;
            if let Some((io, connector)) = routed {
                let served = Box::pin(tcp::serve(io, &ctl, connector, &shared, &mut relay));
                ended_by = Some(served.await);
            }
        }
        _ => {}
    }
    let mut dealt = ctl.welcome.dealt.clone();
    dealt.append(&mut lock(&ctl.wire));
    let ended_by = ended_by.unwrap_or_else(|| ctl.ended_by());
    tell(&ctl, &shared, dealt, ended_by, Some(relay));
}

/// Carries out what was dealt to a connection when it was accepted; gives it back if it lives on.
async fn welcomed<S: Stream>(io: S, ctl: &ConnCtl, shared: &Shared) -> Option<S> {
    if !ctl.welcome.delay.is_zero() {
        held(ctl, &shared.ending).await;
    }
    if let Some(close) = ctl.welcome.close {
        ctl.kill(close);
    }
    match ctl.killed() {
        None => Some(io),
        Some(Close::Reset | Close::ResetStream(_)) => {
            io.reset_on_close();
            None
        }
        Some(Close::Fin) => None,
    }
}

pub(super) fn tell(
    ctl: &ConnCtl,
    shared: &Shared,
    dealt: Vec<Dealt>,
    ended_by: EndedBy,
    relay: Option<Relay>,
) {
    shared.recorder.say(Event::Connection(Connection {
        proxy: ctl.injector().proxy_id(),
        id: ctl.id,
        peer: ctl.peer,
        accepted: ctl.accepted,
        ended: ctl.drained().unwrap_or_else(|| ctl.injector().micros()),
        phase: ctl.welcome.phase,
        dealt,
        ended_by,
        secured: ctl.secured(),
        tls_error: ctl.tls_error(),
        relay,
    }));
}

/// Holds a connection's first byte, as a lost SYN would have held the connection.
async fn held(ctl: &ConnCtl, ending: &Ending) {
    let mut changes = ctl.injector().changes();
    let resets = changes.borrow_and_update().resets;
    tokio::select! {
        () = sleep(ctl.welcome.delay) => {}
        // The drill's end lets go; so does the loss of the run.
        changed = changes.wait_for(|change| change.over || change.resets > resets) => {
            if changed.is_ok_and(|change| change.resets > resets) {
                ctl.kill_by_edge();
            }
        }
        // Nothing is under way on it that could be finished.
        () = ending.draining.cancelled() => ctl.kill(Close::Fin),
        () = ending.stopping.cancelled() => ctl.kill(Close::Fin),
    }
}

pub(super) async fn http(
    front: impl Front,
    ctl: &Arc<ConnCtl>,
    forward: &Forward,
    shared: &Arc<Shared>,
) {
    // `None` if it lives on as a tunnel.
    let mut front = http1(front, ctl, forward, shared).await;
    if let Some(turned) = front.take_if(|front| front.turns_to_http2()) {
        // In a box of its own, since others have no need of it.
        front = Box::pin(http2::serve(turned, ctl, forward, shared)).await;
    }
    see_out(front, ctl, shared).await;
}

/// Ends a connection on which nothing is served any more.
pub(super) async fn see_out(front: Option<impl Front>, ctl: &ConnCtl, shared: &Shared) {
    let Some(mut front) = front else { return };
    ctl.closed();
    tokio::select! {
        () = front.linger() => {}
        () = shared.ending.stopping.cancelled() => {}
    }
}

/// Serves a connection as HTTP/1 until it ends, or turns out to be HTTP/2, and gives its front back
/// unless it became a tunnel.
async fn http1<F: Front>(
    front: F,
    ctl: &Arc<ConnCtl>,
    forward: &Forward,
    shared: &Arc<Shared>,
) -> Option<F> {
    let socket = TokioIo::new(front);
    let service = stack(ctl, forward, shared);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that closed its sending side may still want its answer; the socket itself finds
        // out whether it does.
        .half_close(true)
        // The socket has its own, which knows of faults.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER)
        .preserve_header_case(true)
        .auto_date_header(false)
        .serve_connection(socket, TowerToHyperService::new(service))
        .with_upgrades();
    // Polled only when it was itself woken, not whenever the connection is.
    let mut given_up: OptionFuture<Pin<Box<Sleep>>> = None.into();
    let mut calls = FuturesUnordered::new();
    calls.push(Calls::new(ctl, &shared.ending).next());
    loop {
        let (call, more) = tokio::select! {
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %ctl.peer, %error, "a connection ended early");
                }
                break;
            }
            Some(called) = calls.next() => called,
            Some(()) = &mut given_up => break,
        };
        match call {
            // It is polled again, and sees to it.
            Call::Look => match ctl.take_away() {
                None => {}
                Some(Reason::NO_ERROR) => Pin::new(&mut connection).graceful_shutdown(),
                Some(_) => {
                    ctl.kill(Close::Fin);
                    break;
                }
            },
            // A client that uses it again had every chance to know better: that is told of.
            Call::Drain if !shared.ending.draining.is_cancelled() && ctl.drain() => {
                given_up = Some(Box::pin(sleep(LATE))).into();
            }
            Call::Drain if ctl.is_drained() => break,
            Call::Drain => Pin::new(&mut connection).graceful_shutdown(),
            Call::End => break,
        }
        calls.push(more.next());
    }
    Some(connection.into_parts()?.io.into_inner())
}

/// What a connection is called for from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Something changed: bytes held by a fault that is over may leave, an interim answer waits.
    Look,
    /// It is to end after the exchange it carries.
    Drain,
    /// It is to end now.
    End,
}

/// Listens for whatever a connection is called for.
pub(crate) struct Calls {
    ctl: Arc<ConnCtl>,
    changes: watch::Receiver<Change>,
    seen: Change,
    ending: Ending,
    draining: bool,
}

impl Calls {
    pub(crate) fn new(ctl: &Arc<ConnCtl>, ending: &Ending) -> Self {
        let mut changes = ctl.injector().changes();
        let seen = *changes.borrow_and_update();
        Self { ctl: Arc::clone(ctl), changes, seen, ending: ending.clone(), draining: false }
    }

    /// The next call, and the listener to hear the one after it.
    pub(crate) async fn next(mut self) -> (Call, Self) {
        let call = tokio::select! {
            () = self.ctl.called() => match self.ctl.killed() {
                Some(_) => Call::End,
                None => Call::Look,
            },
            Ok(()) = self.changes.changed() => {
                let now = *self.changes.borrow_and_update();
                let before = std::mem::replace(&mut self.seen, now);
                if self.seen.resets > before.resets {
                    self.ctl.kill_by_edge();
                    Call::End
                } else if self.seen.drains > before.drains {
                    Call::Drain
                } else {
                    Call::Look
                }
            }
            () = self.ending.draining.cancelled(), if !self.draining => {
                self.draining = true;
                Call::Drain
            }
            () = self.ending.stopping.cancelled() => {
                self.ctl.kill(Close::Fin);
                Call::End
            }
        };
        (call, self)
    }
}
