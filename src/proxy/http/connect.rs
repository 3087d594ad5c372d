//! `CONNECT`: the request that a connection becomes a tunnel by.

use crate::{
    engine::Tunnel,
    proxy::{
        ask::Ask,
        ctl::{Stand, lock},
        error::UpstreamError,
        reply::Reply,
        upstream::{Asked, UpstreamIo},
    },
    units::HostPort,
};
use http::{Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;

/// A tunnel that was granted, and begins when that is written.
#[derive(Debug)]
pub(crate) struct Granted {
    /// The client's side, once the answer has left.
    pub(crate) client: OnUpgrade,
    /// Where it leads.
    pub(crate) place: HostPort,
    /// The other end, and when that took the connection, in microseconds. Without it what is inside is
    /// for us to read.
    pub(crate) upstream: Option<(UpstreamIo, u64)>,
    /// What faults in the tunnel go by.
    pub(crate) tunnel: Tunnel,
}

/// Dials what is asked for; if it is there, the connection becomes a tunnel to it. If requests inside
/// are to be read each of them finds out by itself what is there.
pub(super) async fn answer(
    mut request: Request<Ask>,
    place: HostPort,
    asked: &Asked,
) -> Result<Response<Reply>, UpstreamError> {
    if request.version() == Version::HTTP_2 && asked.is_read() {
        let why = "what is inside of tunnels is read of those over HTTP/1.1 alone; have the client speak that \
                   with its proxy, or leave `intercept` out";
        return Err(UpstreamError::Refused(StatusCode::NOT_IMPLEMENTED, why.into()));
    }
    let draft = request.body().draft().clone();
    let ctl = &draft.ctl;
    let upstream = if asked.is_read() {
        asked.check(&place)?;
        // What the client wants is inside. A judge who counted the way there as well would take it for
        // something else that was asked for, and served.
        lock(&draft.exchange).detail = None;
        None
    } else {
        let upstream = asked.dial(&place).await?;
        Some((upstream, ctl.injector().micros()))
    };
    let tunnel = {
        let exchange = lock(&draft.exchange);
        Tunnel { nth: exchange.nth, targets: exchange.targets }
    };
    let client = hyper::upgrade::on(&mut request);
    if upstream.is_some() {
        ctl.set_stand(Stand::Tunnel);
    }
    *lock(&ctl.granted) = Some(Box::new(Granted { client, place, upstream, tunnel }));
    Ok(Response::new(Reply::empty()))
}
