//! After `101 Switching Protocols`: a tunnel, both ways, half-close kept. Either of its ends is a whole
//! connection of HTTP/1 or a stream of HTTP/2.

use crate::{
    fault::{extensions::Contexts, frames::is_carried_by},
    proxy::{
        ctl::{Stand, lock},
        drain::Ending,
        http::{
            hop,
            tunnel::{self, End, Tunnel},
        },
        http2::{Duplex, Switch},
        record::Draft,
        reply::Reply,
        socket::Stream as _,
        timer::Timer,
        upstream::{Opened, Tunnelled},
    },
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::oneshot;
use tokio_util::either::Either;

/// One end of a tunnel.
type Side = Either<TokioIo<Upgraded>, Duplex>;

impl End for Side {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            // What hyper has taken the socket into does not tell.
            Self::Left(_) => Poll::Pending,
            Self::Right(stream) => stream.poll_gone(cx),
        }
    }
}

/// The client's end, which is there when the answer has left that says so.
pub(super) enum Downstream {
    One(OnUpgrade),
    Two(oneshot::Receiver<Duplex>),
}

impl Downstream {
    /// That of a request.
    pub(super) fn of<B>(request: &mut Request<B>) -> Self {
        match request.extensions_mut().remove::<Switch>().and_then(|switch| switch.take()) {
            Some(stream) => Self::Two(stream),
            None => Self::One(hyper::upgrade::on(request)),
        }
    }

    async fn end(self) -> Option<Side> {
        match self {
            Self::One(upgrade) => upgrade.await.ok().map(TokioIo::new).map(Either::Left),
            Self::Two(stream) => stream.await.ok().map(Either::Right),
        }
    }
}

/// Takes all extensions out of the offer of a WebSocket that a fault may take messages out of:
/// compressed ones might need those.
pub(super) fn simplify(headers: &mut HeaderMap, protocol: &HeaderValue, draft: &Draft) {
    if is_carried_by(protocol.as_bytes()) {
        let targets = lock(&draft.exchange).targets;
        if draft.ctl.injector().may_lose_messages(targets) {
            headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        }
    }
}

/// The upstream's 101 for the client; once it is written, bytes flow.
pub(super) fn tunnel(
    mut response: Response<Reply>,
    downstream: Downstream,
    draft: &Draft,
    ending: &Ending,
    timer: Timer,
) -> Response<Reply> {
    let upstream = upstream_of(&mut response);
    let to = response.headers().get(header::UPGRADE);
    let is_websocket = to.is_some_and(|to| is_carried_by(to.as_bytes()));
    let extensions = response.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS);
    let extensions = extensions.iter().map(HeaderValue::as_bytes);
    let agreed = is_websocket.then(|| Contexts::agreed(extensions));
    hop::strip(response.headers_mut(), true);
    draft.ctl.set_stand(Stand::Tunnel);
    let (draft, bounds) = (draft.clone(), ending.clone());
    let opened = draft.opening(response.status());
    ending.tasks.spawn(async move {
        let ctl = Arc::clone(&draft.ctl);
        let (Some(client), Some((upstream, _open))) = tokio::join!(downstream.end(), upstream)
        else {
            // Of an answer that a fault put in its place nobody heard that it opens one.
            if lock(&draft.exchange).status == StatusCode::SWITCHING_PROTOCOLS.as_u16() {
                tunnel::never_began(opened, &ctl);
            }
            return;
        };
        drop(draft);
        Tunnel::new(client, upstream, ctl, opened, agreed, &timer).carry(&bounds).await;
    });
    response
}

/// The upstream's end, and what keeps it open.
fn upstream_of(
    response: &mut Response<Reply>,
) -> impl Future<Output = Option<(Side, Box<dyn Send>)>> + Send + use<> {
    let stream = response.extensions_mut().remove::<Opened>();
    let connection = response.extensions_mut().remove::<Arc<Tunnelled>>();
    let upgrade = hyper::upgrade::on(response);
    async move {
        if let Some(stream) = stream {
            let (stream, place) = stream.take()?;
            return Some((Either::Right(stream), Box::new(place) as Box<dyn Send>));
        }
        let upgraded = TokioIo::new(upgrade.await.ok()?);
        Some((Either::Left(upgraded), Box::new(connection) as Box<dyn Send>))
    }
}
