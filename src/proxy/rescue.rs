//! Middleware that turns a genuine upstream failure into an answer that says so.
//!
//! Below `Inject`, so that an injected end is never mistaken for one.

use crate::proxy::{
    ask::Ask,
    ctl::lock,
    error::{Aborted, UpstreamError},
    record::Draft,
    reply::Reply,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// The header by which our own answers are known.
pub(crate) const MARK: &str = "x-firedrill";

/// Wraps services in [`Rescue`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RescueLayer;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Rescue<S> {
    inner: S,
}

impl<S> Layer<S> for RescueLayer {
    type Service = Rescue<S>;

    fn layer(&self, inner: S) -> Rescue<S> {
        Rescue { inner }
    }
}

impl<S> Service<Request<Ask>> for Rescue<S>
where
    S: Service<Request<Ask>, Response = Response<Reply>, Error = UpstreamError>,
    S::Future: Send + 'static,
{
    type Response = Response<Reply>;
    type Error = Aborted;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Aborted>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Aborted>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Ask>) -> Self::Future {
        let draft = request.body().draft().clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            match answer.await {
                Ok(response) => Ok(response),
                Err(error) => {
                    // What is not allowed is said once of each host.
                    if !matches!(error, UpstreamError::NotAllowed { .. }) {
                        tracing::warn!(error = %error.with_causes(), "no answer from the upstream");
                    }
                    note(&draft, &error);
                    if let Some(reason) = error.reset().filter(|_| draft.ctl.is_stream()) {
                        // A reset says more than an answer could, such as that nothing was done.
                        draft.ctl.reset_by_upstream(reason);
                        return Err(Aborted);
                    }
                    Ok(answer_for(&error))
                }
            }
        })
    }
}

fn note(draft: &Draft, error: &UpstreamError) {
    let mut exchange = lock(&draft.exchange);
    exchange.upstream_error = error.is_the_upstreams().then(|| error.word());
    if error.was_never_sent() {
        exchange.t_forwarded = 0;
    }
}

fn answer_for(error: &UpstreamError) -> Response<Reply> {
    let text = format!("firedrill: {}\n", error.with_causes());
    let mut response = Response::new(Reply::Whole(Some(Bytes::from(text))));
    *response.status_mut() = error.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Ok(mark) = HeaderValue::try_from(format!("genuine={}", error.word())) {
        headers.insert(MARK, mark);
    }
    response
}
