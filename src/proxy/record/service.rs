//! The service: opens the draft, hands it on with the request, and sees the answer out.

use crate::{
    event::{Capture, Detail, EndedBy, Exchange, Http2, Upstream, retry_wait},
    proxy::{
        ask::Ask,
        ctl::{ConnCtl, Stand, lock},
        error::Aborted,
        http::path_of,
        inbound::Inbound,
        record::{Draft, Recorded, Teller, call},
        reply::Reply,
    },
    select::{RequestView, UserSource},
};
use http::{HeaderValue, Request, Response, Version, header};
use http_body::Body as _;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// Wraps services in [`Record`].
#[derive(Clone, Debug)]
pub(crate) struct RecordLayer {
    ctl: Arc<ConnCtl>,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Record<S> {
    inner: S,
    ctl: Arc<ConnCtl>,
}

impl RecordLayer {
    pub(crate) fn new(ctl: Arc<ConnCtl>) -> Self {
        Self { ctl }
    }
}

impl<S> Layer<S> for RecordLayer {
    type Service = Record<S>;

    fn layer(&self, inner: S) -> Record<S> {
        Record { inner, ctl: Arc::clone(&self.ctl) }
    }
}

impl<S, B> Service<Request<B>> for Record<S>
where
    B: Into<Inbound>,
    S: Service<Request<Ask>, Response = Response<Reply>, Error = Aborted>,
    S::Future: Send + 'static,
{
    type Response = Response<Recorded>;
    type Error = Aborted;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Aborted>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Aborted>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let http11 = request.version() >= Version::HTTP_11;
        let (parts, body) = request.into_parts();
        let body = body.into();
        let seq = self.ctl.begin(http11, !body.is_end_stream());
        let exchange = open(&self.ctl, &parts, seq, self.ctl.recorder().wants_details());
        let capture = exchange.detail.is_some().then(|| Capture::of(&parts.headers));
        let draft = Draft::new(Arc::clone(&self.ctl), exchange);
        let teller = Teller { draft: draft.clone() };
        let body = Ask::new(body, &parts.headers, draft.clone(), capture);
        let answer = self.inner.call(Request::from_parts(parts, body));
        Box::pin(async move {
            let mut response = answer.await?;
            // What it would send now, a body or another request, only the client knows.
            if draft.ctl.body_withheld() && !draft.ctl.is_stream() {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            // The service may have made a tunnel of it, which it stays.
            if draft.ctl.stand() != Stand::Tunnel {
                draft.ctl.set_stand(Stand::Responding);
            }
            let mut exchange = lock(&draft.exchange);
            exchange.t_sent_first = draft.ctl.injector().micros();
            exchange.status = response.status().as_u16();
            if let Some(detail) = &mut exchange.detail {
                detail.retry_after = response
                    .headers()
                    .get(header::RETRY_AFTER)
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned);
                detail.retry_wait = detail.retry_after.as_deref().and_then(retry_wait);
            }
            call::told(&mut exchange, response.headers());
            drop(exchange);
            let (parts, body) = response.into_parts();
            let body = Recorded::new(body, &parts.headers, draft, teller);
            Ok(Response::from_parts(parts, body))
        })
    }
}

/// What is known of an exchange when its head was read.
fn open(ctl: &ConnCtl, parts: &http::request::Parts, seq: u32, details: bool) -> Exchange {
    let injector = ctl.injector();
    let view = RequestView {
        method: &parts.method,
        path: path_of(&parts.uri),
        query: parts.uri.query(),
        headers: &parts.headers,
        version: parts.version,
        peer: ctl.peer.ip(),
        body: None,
    };
    // The first request starts a clock that waits for traffic, before anything is asked of it.
    injector.notice_traffic();
    let user = injector.users().identify(&view);
    let _first = ctl.user.set(user.key);
    let (now, first) = (injector.micros(), ctl.take_first_byte());
    Exchange {
        proxy: injector.proxy_id(),
        conn: ctl.id,
        seq,
        peer: ctl.peer,
        accepted: ctl.accepted,
        secured: ctl.secured(),
        phase: injector.phase(),
        user: user.key,
        user_source: user.source,
        nth: injector.nth(user),
        method: parts.method.clone(),
        targets: injector.targets(&view),
        dealt: ctl.connection().dealt_before(seq),
        upstream: Upstream::NotSent,
        upstream_error: None,
        status: 0,
        received: 0,
        sent: 0,
        complete: false,
        ended_by: EndedBy::Completed,
        http2: (parts.version == Version::HTTP_2).then(Http2::default),
        // What else came on a connection of many streams tells nothing of this one.
        t_first: if ctl.is_stream() { now } else { first },
        t_head: now,
        t_received: 0,
        t_forwarded: 0,
        t_answered: 0,
        t_upstream_end: 0,
        t_sent_first: 0,
        t_client_gone: 0,
        t_end: 0,
        grpc: call::open(&parts.method, &parts.headers),
        detail: details.then(|| {
            let sources = &injector.users().sources;
            let is_identity = |name: &str| {
                sources.iter().any(|s| matches!(s, UserSource::Query(query) if query == name))
            };
            Box::new(Detail::of(view.path, view.query, &parts.headers, is_identity))
        }),
    }
}
