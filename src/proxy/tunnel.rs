//! A forward proxy's connection after `CONNECT`: bytes both ways, or, where what is inside is to be read
//! and is TLS, requests once more.

use crate::{
    engine::Tunnel,
    event::Relay,
    proxy::{
        conn::{Carry, Shared, farewell, http, see_out, tell},
        ctl::{ConnCtl, Stand, lock},
        http::{Forward, Granted},
        http2::{self, Duplex},
        socket::{Front, Socket, Stream},
        tcp,
        tls::{self, Alpn, Inside, Secure},
        upstream::UpstreamIo,
    },
    units::HostPort,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;

/// Serves the tunnel that a connection became, to its end.
pub(super) async fn through<S: Stream>(granted: Granted, ctl: &Arc<ConnCtl>, shared: &Arc<Shared>) {
    let Granted { client, place, upstream, tunnel } = granted;
    let Some((socket, ahead)) = left_of::<Socket<S>>(client) else {
        return untold(upstream.map(|(_, at)| at), ctl, shared);
    };
    match (upstream, &shared.carry) {
        (Some((upstream, at)), _) => {
            relay(socket, ahead, (upstream, at, tunnel), ctl, shared).await;
        }
        (None, Carry::Http(forward)) => {
            inside(socket, ahead, (place, tunnel), forward, ctl, shared).await;
        }
        (None, Carry::Tcp(_) | Carry::Sni(_)) => farewell(ctl, shared),
    }
}

/// The same for a connection on which TLS is spoken. What is inside is not read.
pub(super) async fn through_tls<S: Stream>(granted: Granted, ctl: &Arc<ConnCtl>, shared: &Shared) {
    let Granted { client, upstream, tunnel, .. } = granted;
    match (left_of::<Secure<S>>(client), upstream) {
        (Some((front, ahead)), Some((upstream, at))) => {
            relay(front, ahead, (upstream, at, tunnel), ctl, shared).await;
        }
        (_, upstream) => untold(upstream.map(|(_, at)| at), ctl, shared),
    }
}

/// The same for one stream of many.
pub(super) async fn on_stream(
    stream: Duplex,
    granted: Granted,
    ctl: Arc<ConnCtl>,
    shared: Arc<Shared>,
) {
    if let Some((upstream, at)) = granted.upstream {
        relay(stream, Bytes::new(), (upstream, at, granted.tunnel), &ctl, &shared).await;
    }
}

/// The same for one whose stream broke before the answer left that grants it.
pub(super) fn never_began(granted: Granted, ctl: &ConnCtl, shared: &Shared) {
    untold(granted.upstream.map(|(_, at)| at), ctl, shared);
}

/// What HTTP/1 was spoken on, and what was read of it beyond. It is there by now, or never will be: the
/// answer did not leave.
fn left_of<F: Front>(client: OnUpgrade) -> Option<(F, Bytes)> {
    let client = client.now_or_never()?.ok()?;
    let parts = client.downcast::<TokioIo<F>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}

/// Passes bytes on.
async fn relay<C: Stream>(
    client: C,
    ahead: Bytes,
    (upstream, t_connected, tunnel): (UpstreamIo, u64, Tunnel),
    ctl: &Arc<ConnCtl>,
    shared: &Shared,
) {
    let mut relay = Relay { t_connected, ..begun(ctl) };
    let served = tcp::tunnel(client, ahead, ctl, (upstream, tunnel), shared, &mut relay);
    let ended_by = served.await;
    let dealt = ctl.take_wire();
    tell(ctl, shared, dealt, ended_by, Some(relay));
}

/// Serves the requests inside, if it is TLS that they come in; else passes bytes on.
async fn inside<S: Stream>(
    socket: Socket<S>,
    ahead: Bytes,
    (place, tunnel): (HostPort, Tunnel),
    forward: &Forward,
    ctl: &Arc<ConnCtl>,
    shared: &Arc<Shared>,
) {
    let (Some(terminator), Some(ways)) = (&shared.intercept, forward.ways()) else {
        return farewell(ctl, shared);
    };
    let ending = &shared.ending;
    let looked =
        tls::look(socket, &ahead, (ctl, &place), terminator, ending, || ways.tells(&place));
    match looked.await {
        Inside::Tls(stream, alpn) => {
            let (front, forward) = (Secure::new(*stream), forward.within(place));
            match alpn {
                Alpn::Http1 => http(front, ctl, &forward, shared).await,
                Alpn::Http2 => {
                    let front = Box::pin(http2::serve(front, ctl, &forward, shared)).await;
                    see_out(front, ctl, shared).await;
                }
            }
            farewell(ctl, shared);
        }
        Inside::Other(socket) => {
            ctl.set_stand(Stand::Tunnel);
            match ways.dial(&place).await {
                Ok(upstream) => {
                    let at = ctl.injector().micros();
                    relay(*socket, Bytes::new(), (upstream, at, tunnel), ctl, shared).await;
                }
                Err(error) => {
                    tracing::warn!(%place, error = %error.with_causes(), "no way out of a tunnel");
                    let failed = Relay { upstream_error: Some(error.word()), ..begun(ctl) };
                    let dealt = std::mem::take(&mut *lock(&ctl.wire));
                    tell(ctl, shared, dealt, ctl.ended_by(), Some(failed));
                }
            }
        }
        Inside::Nobody => farewell(ctl, shared),
    }
}

/// Tells of a tunnel that never began.
fn untold(t_connected: Option<u64>, ctl: &ConnCtl, shared: &Shared) {
    let Some(t_connected) = t_connected else {
        return farewell(ctl, shared);
    };
    let dealt = ctl.take_wire();
    let relay = Relay { t_connected, ..begun(ctl) };
    tell(ctl, shared, dealt, ctl.ended_by(), Some(relay));
}

fn begun(ctl: &ConnCtl) -> Relay {
    Relay { user: ctl.user.get().copied().unwrap_or_default(), ..Relay::default() }
}
