//! One stream: its request through the services, its answer back.

use crate::proxy::{
    conn::Shared,
    ctl::{ConnCtl, Stand, lock},
    error::BodyError,
    http::{Forward, is_tunnel, stack},
    http2::{Duplex, Outcome, Parcel, Sending, head},
    inbound::{Inbound, Received},
    record::Recorded,
    socket::Timer,
    tunnel,
};
use h2::{Reason, RecvStream, server::SendResponse};
use http::{Request, Response, StatusCode, header};
use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::sync::oneshot;
use tower::Service as _;

/// How long after the last of an answer that a fault breaks off its stream is reset.
const MOMENT: Duration = Duration::from_millis(20);

/// Tells what became of a stream's exchange, however it is left.
struct Open {
    ctl: Arc<ConnCtl>,
    shared: Arc<Shared>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.ctl.closed();
        if self.ctl.stand() == Stand::Tunnel
            && let Some(granted) = lock(&self.ctl.granted).take()
        {
            tunnel::never_began(*granted, &self.ctl, &self.shared);
        }
    }
}

/// A stream that is to carry another protocol, for whoever speaks it: it is there when the answer has
/// left that says so.
#[derive(Clone, Debug)]
pub(crate) struct Switch(Arc<Mutex<Option<oneshot::Receiver<Duplex>>>>);

impl Switch {
    /// The stream, once.
    pub(crate) fn take(&self) -> Option<oneshot::Receiver<Duplex>> {
        lock(&self.0).take()
    }
}

/// How a stream ended before all of its answer was sent.
enum End {
    /// With a reset of ours.
    Ours(Reason),
    /// With the client's.
    Theirs,
    /// With its connection.
    Gone,
}

impl End {
    /// With a reset of ours. Noted at once: the exchange is told of as soon as its services are gone.
    fn ours(ctl: &ConnCtl, reason: Reason) -> Self {
        ctl.reset_with(reason);
        Self::Ours(reason)
    }

    /// With the client's.
    fn theirs(ctl: &ConnCtl, reason: Reason) -> Self {
        if ctl.is_over() {
            return Self::Gone;
        }
        ctl.reset_with(reason);
        ctl.client_gone(true);
        Self::Theirs
    }
}

/// Serves a stream to its end.
pub(super) async fn serve(
    request: Request<RecvStream>,
    mut respond: SendResponse<Parcel>,
    ctl: Arc<ConnCtl>,
    forward: &Forward,
    shared: &Arc<Shared>,
) {
    // Dropped last, when all have noted what they have to say.
    let open = Open { ctl, shared: Arc::clone(shared) };
    let ctl = &open.ctl;
    match exchange(request, &mut respond, ctl, forward, shared).await {
        Ok(()) => ctl.flushed(),
        Err(End::Ours(reason)) => respond.send_reset(reason),
        Err(End::Theirs | End::Gone) => {}
    }
}

async fn exchange(
    request: Request<RecvStream>,
    respond: &mut SendResponse<Parcel>,
    ctl: &Arc<ConnCtl>,
    forward: &Forward,
    shared: &Arc<Shared>,
) -> Result<(), End> {
    let is_asked = forward.ways().is_some() && forward.place().is_none();
    let Ok(request) = head::inward(request, is_asked) else {
        let mut refusal = Response::new(());
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return respond.send_response(refusal, true).map(drop).map_err(|_| End::Gone);
    };
    let becomes_tunnel = is_tunnel(&request);
    let (mut parts, body) = request.into_parts();
    let (switch, body) = if becomes_tunnel || parts.headers.contains_key(header::UPGRADE) {
        // What comes on it is no body.
        let (give, take) = oneshot::channel();
        parts.extensions.insert(Switch(Arc::new(Mutex::new(Some(take)))));
        (Some((give, body)), Inbound::Nothing)
    } else {
        (None, Received::new(body, &parts.headers).into())
    };
    let mut answer = pin!(stack(ctl, forward, shared).call(Request::from_parts(parts, body)));
    let response = poll_fn(|cx| {
        if let Poll::Ready(end) = poll_end(ctl, cx) {
            return Poll::Ready(Err(end));
        }
        let answer = answer.as_mut().poll(cx);
        inform(respond, ctl);
        if let Poll::Ready(Ok(response)) = answer {
            return Poll::Ready(Ok(response));
        }
        // It may have ended it itself.
        if let Poll::Ready(end) = poll_end(ctl, cx) {
            return Poll::Ready(Err(end));
        }
        if ctl.ends_after_flush().is_some() {
            return Poll::Ready(Err(End::ours(ctl, Reason::PROTOCOL_ERROR)));
        }
        respond
            .poll_reset(cx)
            .map(|reset| Err(reset.map_or(End::Gone, |reason| End::theirs(ctl, reason))))
    });
    let (mut parts, body) = response.await?.into_parts();
    // What a fault answers in its place grants nothing.
    let is_granted = switch.is_some() && parts.status.is_success() && lock(&ctl.granted).is_some();
    let switches = parts.status == StatusCode::SWITCHING_PROTOCOLS || is_granted;
    if let Some((give, received)) = switch.filter(|_| switches) {
        parts.status = StatusCode::OK;
        head::switched(&mut parts.headers);
        let head = Response::from_parts(parts, ());
        let stream = respond.send_response(head, false).map_err(|_| End::Gone)?;
        let (stream, over) = Duplex::of_client(received, stream, ctl);
        match lock(&ctl.granted).take() {
            // In a task of its own, since it is told of even when its connection is gone.
            Some(granted) => {
                let (ctl, kept) = (Arc::clone(ctl), Arc::clone(shared));
                let through = tunnel::on_stream(stream, *granted, ctl, kept);
                shared.ending.tasks.spawn(through);
            }
            None => drop(give.send(stream)),
        }
        let _over = over.await;
        return Ok(());
    }
    head::outward(&mut parts.headers);
    let over = body.is_over();
    let head = Response::from_parts(parts, ());
    let stream = respond.send_response(head, over).map_err(|_| End::Gone)?;
    if over {
        return Ok(());
    }
    send(Sending::new(stream, body), ctl).await
}

/// Sends the answer's body. What comes of it before a break is the client's: many a client (curl, grpc-js)
/// throws away what it has not looked at when it reads of a reset, so that is left a moment behind.
async fn send(mut sending: Sending<Recorded>, ctl: &ConnCtl) -> Result<(), End> {
    let mut moment = Timer::default();
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(end) = poll_end(ctl, cx) {
                return Poll::Ready(Err(end));
            }
            let end = match sending.poll(cx) {
                Poll::Pending => {
                    if ctl.ends_after_flush().is_some() && sending.poll_left(cx).is_ready() {
                        ready!(moment.poll_after(MOMENT, cx));
                        return Poll::Ready(Err(End::ours(ctl, reason(ctl))));
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Outcome::Sent) => return Poll::Ready(Ok(())),
                Poll::Ready(Outcome::Stalled) if ctl.upload_held() => {
                    // That is our doing: the word that there is room is held, too.
                    sending.patience();
                    continue;
                }
                Poll::Ready(Outcome::Stalled) => End::ours(ctl, Reason::CANCEL),
                Poll::Ready(Outcome::Reset(reason)) => End::theirs(ctl, reason),
                Poll::Ready(Outcome::Gone) => End::Gone,
                Poll::Ready(Outcome::Broken(BodyError::Reset(code))) => End::ours(ctl, code.into()),
                Poll::Ready(Outcome::Broken(_)) => End::ours(ctl, Reason::INTERNAL_ERROR),
            };
            return Poll::Ready(Err(end));
        }
    })
    .await
}

/// Sends interim answers on their way.
fn inform(respond: &mut SendResponse<Parcel>, ctl: &ConnCtl) {
    while let Some(mut interim) = ctl.next_informed() {
        head::outward(interim.headers_mut());
        // Fails only if the stream is gone, which is found out anyway.
        let _gone = respond.send_informational(interim);
    }
}

/// Whether the stream is to end now.
fn poll_end(ctl: &ConnCtl, cx: &mut Context<'_>) -> Poll<End> {
    ctl.stream_wakes(cx.waker());
    if ctl.killed_itself().is_some() {
        return Poll::Ready(End::ours(ctl, reason(ctl)));
    }
    if ctl.killed().is_some() { Poll::Ready(End::Gone) } else { Poll::Pending }
}

/// The code of a reset of ours.
fn reason(ctl: &ConnCtl) -> Reason {
    ctl.reset_code().map_or(Reason::INTERNAL_ERROR, Reason::from)
}
