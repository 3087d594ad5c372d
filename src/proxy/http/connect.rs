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
    /// The other end.
    pub(crate) upstream: UpstreamIo,
    /// When that took the connection, in microseconds.
    pub(crate) t_connected: u64,
    /// What faults in the tunnel go by.
    pub(crate) tunnel: Tunnel,
}

/// Dials what is asked for; if it is there, the connection becomes a tunnel to it.
pub(super) async fn answer(
    mut request: Request<Ask>,
    place: &HostPort,
    asked: &Asked,
) -> Result<Response<Reply>, UpstreamError> {
    if request.version() == Version::HTTP_2 {
        let why = "`CONNECT` over HTTP/2 is not spoken here; HTTP/1.1 is";
        return Err(UpstreamError::Refused(StatusCode::NOT_IMPLEMENTED, why.into()));
    }
    let upstream = asked.dial(place).await?;
    let draft = request.body().draft().clone();
    let ctl = &draft.ctl;
    let tunnel = {
        let exchange = lock(&draft.exchange);
        Tunnel { nth: exchange.nth, targets: exchange.targets }
    };
    let client = hyper::upgrade::on(&mut request);
    let t_connected = ctl.injector().micros();
    *lock(&ctl.granted) = Some(Box::new(Granted { client, upstream, t_connected, tunnel }));
    ctl.set_stand(Stand::Tunnel);
    Ok(Response::new(Reply::empty()))
}
