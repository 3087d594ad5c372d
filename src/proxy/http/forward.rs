//! The innermost service: rewrite what belongs to a hop, send upstream, give back.

use crate::{
    config::{Forwarded, HostHeader},
    proxy::{
        ask::Ask,
        drain::Ending,
        error::UpstreamError,
        http::{
            connect, forwarded, hop,
            target::Target,
            upgrade::{self, Downstream},
        },
        reply::Reply,
        timer::Timer,
        upstream::{Asked, Upstream},
    },
    units::HostPort,
};
use h2::ext::Protocol;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;

/// Passes requests on to the upstream. Cloned for every request, so it is one pointer.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    hop: Arc<Hop>,
    /// The place that the requests of a tunnel go to.
    within: Option<Arc<HostPort>>,
}

#[derive(Debug)]
struct Hop {
    way: Way,
    host: HostHeader,
    forwarded: Forwarded,
    ending: Ending,
    timer: Timer,
}

/// Where requests go.
#[derive(Debug)]
enum Way {
    /// All to one upstream.
    One(Upstream),
    /// Each where it says.
    Asked(Asked),
}

impl Forward {
    pub(crate) fn new(
        upstream: Upstream,
        host: HostHeader,
        forwarded: Forwarded,
        ending: Ending,
        timer: Timer,
    ) -> Self {
        let way = Way::One(upstream);
        Self { hop: Arc::new(Hop { way, host, forwarded, ending, timer }), within: None }
    }

    /// To whatever each request names.
    pub(crate) fn asked(asked: Asked, ending: Ending, timer: Timer) -> Self {
        let (way, host, forwarded) = (Way::Asked(asked), HostHeader::Keep, Forwarded::None);
        Self { hop: Arc::new(Hop { way, host, forwarded, ending, timer }), within: None }
    }

    /// The same for requests inside a tunnel.
    pub(crate) fn within(&self, place: HostPort) -> Self {
        Self { hop: Arc::clone(&self.hop), within: Some(Arc::new(place)) }
    }

    /// The ways to whatever requests name, if they do.
    pub(crate) fn ways(&self) -> Option<&Asked> {
        match &self.hop.way {
            Way::One(_) => None,
            Way::Asked(ways) => Some(ways),
        }
    }

    /// The place that all of them go to, if they are inside a tunnel.
    pub(in crate::proxy) const fn place(&self) -> Option<&Arc<HostPort>> {
        self.within.as_ref()
    }
}

impl Service<Request<Ask>> for Forward {
    type Response = Response<Reply>;
    type Error = UpstreamError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, UpstreamError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Ask>) -> Self::Future {
        Box::pin(Arc::clone(&self.hop).forward(request))
    }
}

impl Hop {
    async fn forward(
        self: Arc<Self>,
        mut request: Request<Ask>,
    ) -> Result<Response<Reply>, UpstreamError> {
        let draft = request.body().draft().clone();
        let asked;
        let upstream = match &self.way {
            Way::One(upstream) => {
                check(&request)?;
                upstream
            }
            Way::Asked(ways) => {
                let target = request.extensions_mut().remove::<Target>();
                match target.unwrap_or_else(|| Target::Wrong("nobody read its target".into())) {
                    Target::Wrong(why) => return Err(UpstreamError::bad_request(why)),
                    Target::Tunnel(place) => return connect::answer(request, place, ways).await,
                    Target::Upstream(place, tls) => {
                        check(&request)?;
                        hop::drop_credentials(request.headers_mut());
                        asked = ways.at(&place, tls)?;
                        &asked
                    }
                }
            }
        };
        let protocol = hop::upgrade(request.headers());
        hop::strip(request.headers_mut(), protocol.is_some());
        if let Some(protocol) = &protocol {
            upgrade::simplify(request.headers_mut(), protocol, &draft);
        }
        forwarded::add(&mut request, self.forwarded, &draft.ctl);
        if let Some(host) = self.host_of(&request) {
            request.headers_mut().insert(header::HOST, host);
        }
        let target = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
        let downstream = protocol.map(|_| Downstream::of(&mut request));
        let mut response = upstream.send(request, &draft).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if let Some(downstream) = downstream {
                let timer = self.timer.clone();
                return Ok(upgrade::tunnel(response, downstream, &draft, &self.ending, timer));
            }
            return Err(UpstreamError::Switched);
        }
        hop::strip(response.headers_mut(), false);
        Ok(response)
    }

    /// The `host` to write into a request, if it is not to keep its own or its lack of one.
    fn host_of(&self, request: &Request<Ask>) -> Option<HeaderValue> {
        if self.host == HostHeader::Rewrite
            && let Way::One(upstream) = &self.way
        {
            return Some(upstream.authority().clone());
        }
        // A target that names the host overrules the field (RFC 9112 §3.2.2).
        let named = request.uri().authority()?;
        HeaderValue::from_str(named.as_str()).ok()
    }
}

/// Refuses what could be read in two ways, or is not ours to do.
fn check(request: &Request<Ask>) -> Result<(), UpstreamError> {
    let bare =
        request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_none();
    let (status, why) = if bare {
        (StatusCode::NOT_IMPLEMENTED, "`CONNECT` is for a forward proxy")
    } else if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
        (StatusCode::BAD_REQUEST, "it names more than one host")
    } else if request.uri().authority().is_some() && request.uri().scheme().is_none() {
        (StatusCode::BAD_REQUEST, "its target is no path")
    } else {
        return Ok(());
    };
    Err(UpstreamError::Refused(status, why.into()))
}
