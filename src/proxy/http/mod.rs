//! What every request goes through, top to bottom.

mod connect;
mod forward;
mod forwarded;
mod hop;
mod target;
mod tunnel;
mod upgrade;

pub(crate) use connect::Granted;
pub(crate) use forward::Forward;
pub(crate) use target::{is_tunnel, path_of};

use crate::proxy::{
    conn::Shared,
    ctl::ConnCtl,
    error::Aborted,
    inbound::Inbound,
    inject::InjectLayer,
    record::{RecordLayer, Recorded},
    rescue::RescueLayer,
};
use http::{Request, Response};
use std::sync::Arc;
use tower::{Service, ServiceBuilder};

/// The services that one connection's requests go through.
pub(crate) fn stack<B: Into<Inbound>>(
    ctl: &Arc<ConnCtl>,
    forward: &Forward,
    shared: &Arc<Shared>,
) -> impl Service<Request<B>, Response = Response<Recorded>, Error = Aborted, Future: Send + 'static>
+ Clone
+ Send
+ 'static {
    let (is_asked, within) = (forward.ways().is_some(), forward.place().cloned());
    ServiceBuilder::new()
        // Before anybody sees it: a forward proxy's requests are to be like all others.
        .map_request(move |request| match &within {
            Some(place) => target::inside(request, place),
            None if is_asked => target::name(request),
            None => request,
        })
        // Outermost, so that it sees every exchange, also the ones a fault kills.
        .layer(RecordLayer::new(Arc::clone(ctl)))
        // Above `Rescue`: an injected end must reach the connection, not become a 502.
        .layer(InjectLayer::new(Arc::clone(shared)))
        // Below `Inject`: only what really went wrong upstream is turned into an answer.
        .layer(RescueLayer)
        .service(forward.clone())
}
