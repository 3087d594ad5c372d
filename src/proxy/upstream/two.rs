//! A request over HTTP/2.

use crate::{
    fault::frames::PROTOCOL,
    proxy::{
        ask::Ask,
        ctl::lock,
        error::{BodyError, UpstreamError},
        http2::{Duplex, Outcome, Parcel, Sending, is_of_a_hop},
        inbound::Received,
        record::Draft,
        socket::Timer,
        upload::Word,
        upstream::{
            ANSWER_TIMEOUT,
            interim::Interims,
            pool::{Patience, TaskGuard},
            session::Place,
            upload_end, websocket,
        },
    },
};
use h2::{Reason, SendStream, client::SendRequest, ext::Protocol};
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::Body as _;
use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::Poll,
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// How long after the last of an upload that a fault breaks off its stream is reset. Servers throw away
/// what of a stream they have not read when it is reset, and those that meet too many that are reset as soon as
/// they come end the whole connection (CVE-2023-44487), for all that share it.
const GRACE: Duration = Duration::from_millis(20);

/// How long what goes before such a break may take to leave.
const LAST_BYTES: Duration = Duration::from_secs(10);

/// What goes on of a request when its answer has begun, and ends with that.
#[derive(Debug)]
pub(super) struct Held {
    _place: Place,
    upload: Option<TaskGuard>,
}

/// What the halves of an exchange tell each other.
#[derive(Debug, Default)]
struct Told {
    /// How the upload broke off.
    broken: OnceLock<BodyError>,
    /// That the answer has begun.
    heard: Notify,
}

impl Held {
    fn new(place: Place, upload: Option<TaskGuard>, told: &Told) -> Self {
        told.heard.notify_one();
        Self { _place: place, upload }
    }

    /// Waits until nothing of the request is under way any more.
    pub(super) async fn over(&mut self) {
        if let Some(upload) = &mut self.upload {
            upload.over().await;
        }
    }
}

/// What came of sending a request.
pub(super) enum Sent {
    Answered(Box<Response<Received>>, Held),
    /// It opened a WebSocket.
    Switched(Box<Response<()>>),
    /// It opens none over HTTP/2.
    NoSockets(Box<Request<Ask>>),
    Failed(UpstreamError),
    /// It never left, or the upstream says that it did nothing about it (RFC 9113 §8.7).
    Unsent(Box<Request<Ask>>),
}

/// Sends a request on a connection. One that may be sent `again` is given back where that is safe.
pub(super) async fn send(
    place: Place,
    request: Request<Ask>,
    interims: &Interims,
    draft: &Draft,
    scheme: Scheme,
    authority: &HeaderValue,
    again: bool,
) -> Sent {
    let Ok(mut sender) = place.ready().await else {
        place.forget();
        return Sent::Unsent(Box::new(request));
    };
    let is_socket = websocket::is_asked_for(request.headers());
    // Asked of those alone that want it: it takes a lock that all on the connection share.
    if is_socket && !sender.is_extended_connect_protocol_enabled() {
        return Sent::NoSockets(Box::new(request));
    }
    if let Some(refused) = refused(&sender, &request, is_socket) {
        return Sent::Failed(refused);
    }
    lock(&draft.exchange).t_forwarded = draft.ctl.injector().micros();
    let (parts, ask) = request.into_parts();
    let ended = ask.is_end_stream();
    let head = match outward(&parts, is_socket, scheme, authority) {
        Ok(head) => head,
        Err(refused) => return Sent::Failed(refused),
    };
    let (mut answer, stream) = match sender.send_request(head, ended && !is_socket) {
        Ok(sent) => sent,
        Err(_) if again => {
            place.forget();
            return Sent::Unsent(Box::new(Request::from_parts(parts, ask)));
        }
        Err(error) => return Sent::Failed(UpstreamError::Stream(error)),
    };
    drop(sender);
    let told = Arc::<Told>::default();
    let word = ask.word();
    // What is kept to be sent again, if there is nothing to it but the head.
    let mut socket = None;
    let (upload, kept) = if is_socket {
        socket = Some((stream, parts.headers.get(header::SEC_WEBSOCKET_KEY).cloned()));
        (None, ended.then(|| Request::from_parts(parts, ask)))
    } else if ended {
        (None, Some(Request::from_parts(parts, ask)))
    } else {
        let task = tokio::spawn(upload(Sending::new(stream, ask), word, Arc::clone(&told)));
        (Some(TaskGuard::new(task)), None)
    };
    let mut patience = Patience::new();
    let answered = poll_fn(|cx| {
        while let Poll::Ready(Some(Ok(interim))) = answer.poll_informational(cx) {
            interims.pass(interim.status(), interim.headers());
        }
        Pin::new(&mut answer).poll(cx)
    });
    match patience.wait(ANSWER_TIMEOUT, upload_end(draft), answered).await {
        None => {
            // It may be the connection that is dead.
            place.forget();
            draft.no_reply();
            Sent::Failed(UpstreamError::Timeout(ANSWER_TIMEOUT))
        }
        Some(Ok(response)) => {
            let held = Held::new(place, upload, &told);
            match socket.filter(|_| response.status().is_success()) {
                Some(opened) => switched(response, opened, held, draft),
                None => Sent::Answered(Box::new(response_of(response)), held),
            }
        }
        Some(Err(error)) => {
            if is_no_use_to_others(&error) {
                place.forget();
            }
            // Only what its last word does not cover ends so; the others end with the connection.
            let unseen = error.is_go_away() && error.is_remote();
            if unseen
                && again
                && let Some(request) = kept
            {
                return Sent::Unsent(Box::new(request));
            }
            draft.no_reply();
            Sent::Failed(match told.broken.get() {
                Some(error) => UpstreamError::Upload(*error),
                None => UpstreamError::Stream(error),
            })
        }
    }
}

/// Whether other requests had better go elsewhere than on the connection that failed so.
fn is_no_use_to_others(error: &h2::Error) -> bool {
    // One that is told to calm down is left alone, with all that it remembers.
    let is_angry = error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
    error.is_go_away() || error.is_io() || is_angry
}

async fn upload(mut sending: Sending<Ask>, word: Option<Word>, told: Arc<Told>) {
    let mut patience = Timer::default();
    let outcome = poll_fn(|cx| match sending.poll(cx) {
        // A reset would take with it what has not left yet; what the upstream does not take is not waited
        // for, or there would be no break.
        Poll::Pending if word.as_ref().is_some_and(Word::is_due) => {
            let late = patience.poll_after(LAST_BYTES, cx).is_ready();
            let left = sending.poll_left(cx).is_ready();
            if left || late { Poll::Ready(None) } else { Poll::Pending }
        }
        outcome => outcome.map(Some),
    });
    match outcome.await {
        Some(Outcome::Broken(error)) => {
            let _first = told.broken.set(error);
            sending.reset(Reason::CANCEL);
        }
        Some(Outcome::Stalled) => sending.reset(Reason::CANCEL),
        Some(Outcome::Sent | Outcome::Reset(_) | Outcome::Gone) => {}
        None => {
            // Unless the upstream ends it first, which it does behind an answer that is still to be heard.
            let ended = async {
                poll_fn(|cx| sending.poll(cx)).await;
                told.heard.notified().await;
            };
            let _ended = timeout(GRACE, ended).await;
            // First, since what the upstream makes of the reset is not what happened.
            drop(word);
            sending.reset(Reason::CANCEL);
        }
    }
}

/// Why a request for another protocol cannot be passed on, if it cannot.
fn refused(
    sender: &SendRequest<Parcel>,
    request: &Request<Ask>,
    is_socket: bool,
) -> Option<UpstreamError> {
    if is_socket {
        let why = "it asks for a WebSocket with a body, for which there is no place over HTTP/2";
        return (!request.body().is_end_stream()).then(|| UpstreamError::bad_request(why));
    }
    let extends = request.extensions().get::<Protocol>().is_some();
    // HTTP/1 has no word for it.
    let why = "the upstream takes no extended CONNECT";
    (extends && !sender.is_extended_connect_protocol_enabled())
        .then(|| UpstreamError::Refused(StatusCode::NOT_IMPLEMENTED, why.into()))
}

/// A stream that carries a WebSocket from now on.
fn switched(
    response: Response<h2::RecvStream>,
    (stream, key): (SendStream<Parcel>, Option<HeaderValue>),
    held: Held,
    draft: &Draft,
) -> Sent {
    let (head, body) = response.into_parts();
    let stream = Duplex::of_upstream(body, stream, &draft.ctl);
    let head = websocket::switched(Response::from_parts(head, ()), key.as_ref(), (stream, held));
    Sent::Switched(Box::new(head))
}

fn response_of(response: Response<h2::RecvStream>) -> Response<Received> {
    let (parts, body) = response.into_parts();
    let body = Received::new(body, &parts.headers);
    Response::from_parts(parts, body)
}

/// A request's head as HTTP/2 has it: whom it asks in its target, no field of a hop.
fn outward(
    parts: &http::request::Parts,
    is_socket: bool,
    scheme: Scheme,
    upstream: &HeaderValue,
) -> Result<Request<()>, UpstreamError> {
    let refused = |why: &'static str| UpstreamError::bad_request(why);
    let mut head = Request::new(());
    *head.method_mut() = parts.method.clone();
    *head.version_mut() = Version::HTTP_2;
    let host = parts.headers.get(header::HOST).unwrap_or(upstream);
    let authority = Authority::try_from(host.as_bytes());
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(scheme);
    uri.authority = Some(authority.map_err(|_| refused("its `host` is none"))?);
    let target = parts.uri.path_and_query().cloned();
    uri.path_and_query = Some(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    *head.uri_mut() = Uri::from_parts(uri).map_err(|_| refused("its target is none"))?;
    let headers = head.headers_mut();
    headers.reserve(parts.headers.len());
    for (name, value) in &parts.headers {
        // What comes on its stream is no body.
        let is_of_one =
            is_socket && [header::SEC_WEBSOCKET_KEY, header::CONTENT_LENGTH].contains(name);
        if name != header::HOST && !is_of_a_hop(name) && !is_of_one {
            headers.append(name, value.clone());
        }
    }
    if is_socket {
        *head.method_mut() = Method::CONNECT;
        head.extensions_mut().insert(Protocol::from_static(PROTOCOL));
    } else if let Some(protocol) = parts.extensions.get::<Protocol>() {
        head.extensions_mut().insert(protocol.clone());
    }
    Ok(head)
}
