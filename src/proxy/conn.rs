//! One client's connection, from its acceptance to its end.

use crate::{
    event::{Connection, EndedBy, Event, Recorder},
    fault::{Close, Tick},
    proxy::{
        ctl::ConnCtl,
        drain::Ending,
        http::{Forward, stack},
        socket::{Socket, Stream},
        timer::Timer,
    },
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// How long a client may take for a request's head, idle time before it included. Browsers and
/// pools keep idle connections for about a minute; a slow-loris holds a slot no longer than this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// More header fields than this are refused with 431.
const MAX_HEADERS: usize = 256;
/// A head larger than this is refused with 431; it also bounds what is read ahead of a body.
const MAX_BUFFER: usize = 64 * 1024;

/// What all connections of a proxy have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) forward: Forward,
    pub(crate) mark: bool,
    pub(crate) ending: Ending,
    pub(crate) timer: Timer,
}

/// Serves a connection to its end. `hold` and `close` are what was dealt to it when it was
/// accepted.
pub(crate) async fn serve<S: Stream>(
    io: S,
    ctl: Arc<ConnCtl>,
    shared: Arc<Shared>,
    hold: Tick,
    close: Option<Close>,
) {
    let mut ended_by = EndedBy::ProxyFin;
    if !hold.is_zero() {
        held(&ctl, hold).await;
    }
    if let Some(close) = close {
        if close == Close::Reset {
            io.reset_on_close();
            ended_by = EndedBy::ProxyRst;
        }
    } else {
        http(io, &ctl, &shared).await;
        ended_by = ctl.ended_by();
    }
    // A connection that carried exchanges is told of by them.
    if ctl.exchanges() == 0 && (!ctl.welcome.is_empty() || ctl.killed().is_some()) {
        shared.recorder.say(Event::Connection(Connection {
            id: ctl.id,
            peer: ctl.peer,
            accepted: ctl.accepted,
            ended: ctl.injector().micros(),
            phase: ctl.injector().phase(),
            dealt: ctl.welcome.clone(),
            ended_by,
        }));
    }
}

/// Holds a connection's first byte, as a lost SYN would have held the connection.
async fn held(ctl: &ConnCtl, hold: Tick) {
    let mut changes = ctl.injector().changes();
    tokio::select! {
        () = sleep(hold) => {}
        // The drill's end lets go; so does the loss of the run.
        _over = changes.wait_for(|change| change.over) => {}
    }
}

async fn http<S: Stream>(io: S, ctl: &Arc<ConnCtl>, shared: &Shared) {
    let socket = TokioIo::new(Socket::new(io, Arc::clone(ctl)));
    let service = stack(ctl, shared);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that closed its sending side may still want its answer; the socket itself finds
        // out whether it does.
        .half_close(true)
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER)
        .preserve_header_case(true)
        .auto_date_header(false)
        .serve_connection(socket, TowerToHyperService::new(service))
        .with_upgrades();
    let mut changes = ctl.injector().changes();
    let mut seen = *changes.borrow_and_update();
    let mut draining = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %ctl.peer, %error, "a connection ended early");
                }
                break;
            }
            // A kill ends it; anything else only has it polled again.
            () = ctl.called() => if ctl.killed().is_some() { break },
            // An edge has it polled again too, so that bytes held by a fault that is over leave.
            Ok(()) = changes.changed() => {
                let before = std::mem::replace(&mut seen, *changes.borrow_and_update());
                if seen.resets > before.resets {
                    ctl.kill(Close::Reset);
                    break;
                }
                if seen.drains > before.drains {
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
            () = shared.ending.draining.cancelled(), if !draining => {
                draining = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            () = shared.ending.stopping.cancelled() => {
                ctl.kill(Close::Fin);
                break;
            }
        }
    }
    // `None` if it lives on as a tunnel.
    if let Some(parts) = connection.into_parts() {
        let mut socket = parts.io.into_inner();
        ctl.closed();
        tokio::select! {
            () = socket.linger() => {}
            () = shared.ending.stopping.cancelled() => {}
        }
    }
}
