//! The service behind the proxy: dial, pool, send, and give the answer back as it comes.
//!
//! Never a retry: a request that may have reached the upstream is not sent again. Only one that
//! never left, because its pooled connection turned out to be closed, goes out on a fresh one.
//!
//! Over HTTP/1 each connection carries one request at a time, over HTTP/2 many ([`session`]). Which it
//! is, the settings say; if it is to be what the client speaks, TLS has the upstream choose.
//!
//! The pool is our own, over hyper's connections, since we need what a client library hides: which
//! connection carried what, whether it was fresh, and its end together with the client's.

mod asked;
mod body;
mod connect;
mod interim;
mod metered;
mod pool;
mod session;
mod tls;
mod two;
mod websocket;

pub(crate) use asked::Asked;
pub(crate) use body::Body;
pub use connect::{Connector, Dial, UpstreamIo};
pub use tls::{TlsClient, TlsError, TlsRoots, TlsSettings};
pub(crate) use websocket::Opened;

use crate::{
    config::UpstreamHttp,
    grpc::is_grpc,
    proxy::{
        ask::Ask, ctl::lock, error::UpstreamError, inbound::Inbound, introduce::Who,
        meters::Meters, record::Draft, reply::Reply,
    },
};
use body::Held;
use connect::Offer;
use http::{Method, Request, Response, StatusCode, Version, uri::Scheme};
use interim::Interims;
use metered::Metered;
pub(crate) use pool::Tunnelled;
use pool::{Pool, Pooled};
use session::{Place, Session, Sessions};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// How long a connection to the upstream may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the head of an answer may take after the upload, and how long an upload may be left
/// unread. Long polling lives below it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// The way to the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    connector: Arc<Connector>,
    pool: Arc<Pool>,
    sessions: Arc<Sessions>,
    http: UpstreamHttp,
    /// Whether the upstream chose HTTP/1 when it was last offered both.
    chose_one: Arc<AtomicBool>,
    /// Counts the bytes of its connections.
    meters: Arc<Meters>,
}

impl Upstream {
    pub(crate) fn new(connector: Connector, http: UpstreamHttp, meters: Arc<Meters>) -> Self {
        Self {
            connector: Arc::new(connector),
            pool: Arc::default(),
            sessions: Arc::default(),
            http,
            chose_one: Arc::default(),
            meters,
        }
    }

    /// With so many idle connections kept at most.
    pub(crate) fn keeping(self, idle: usize) -> Self {
        Self { pool: Arc::new(Pool::of(idle)), ..self }
    }

    /// The authority to put into `host` where one is needed.
    pub(crate) fn authority(&self) -> &http::HeaderValue {
        self.connector.authority()
    }

    /// Sends a request and gives back the answer's head; its body follows as it comes.
    pub(crate) async fn send(
        &self,
        mut request: Request<Ask>,
        draft: &Draft,
    ) -> Result<Response<Reply>, UpstreamError> {
        let interims = Interims::new(&mut request, &draft.ctl);
        let two = match self.http {
            UpstreamHttp::Same => {
                request.version() == Version::HTTP_2 && self.may_be_two(&request, draft)
            }
            UpstreamHttp::Http1 => false,
            UpstreamHttp::Http2 => true,
        };
        if two {
            // In a box of its own: it is big, and most have no need of it.
            return Box::pin(self.send_two(request, interims, draft)).await;
        }
        interims.attach(&mut request);
        self.send_one(request, None, draft).await
    }

    /// Whether the upstream may be expected to speak HTTP/2 with a client that does. Over TLS it says so
    /// itself. In plain text whoever speaks HTTP/2 with us would speak it with the upstream; whoever came
    /// over TLS chose it for us, and services behind what terminates TLS speak HTTP/1, except for gRPC.
    fn may_be_two(&self, request: &Request<Ask>, draft: &Draft) -> bool {
        self.connector.is_tls() || !draft.ctl.is_over_tls() || is_grpc(request.headers())
    }

    /// Sends it over HTTP/1, at first on this connection if there is one.
    async fn send_one(
        &self,
        mut request: Request<Ask>,
        mut dialled: Option<Pooled>,
        draft: &Draft,
    ) -> Result<Response<Reply>, UpstreamError> {
        if request.method() == Method::CONNECT {
            let why = "the upstream speaks HTTP/1, which has another way to other protocols";
            return Err(UpstreamError::Refused(StatusCode::NOT_IMPLEMENTED, why.into()));
        }
        let is_socket = websocket::is_asked_for(request.headers());
        let accept = (request.version() == Version::HTTP_2 && is_socket)
            .then(|| websocket::with_key(request.headers_mut()))
            .flatten();
        // An HTTP/1.0 client may not read what HTTP/1.1 allows, so it is passed on as what it is;
        // such a connection carries one request. So does one that was to become a socket: what its
        // upstream takes it for now is not sure enough for somebody else's request.
        let is_old = request.version() == Version::HTTP_10;
        let last = is_old || is_socket;
        if !is_old {
            *request.version_mut() = Version::HTTP_11;
        }
        let who = Who::Client(draft.ctl.ends);
        loop {
            let (mut connection, reused) = match dialled.take() {
                Some(connection) => (connection, false),
                None => match self.pool.take(self.connector.key(who)) {
                    Some(connection) => (connection, true),
                    // In a box of its own: it is big, and needed once for many requests.
                    None => (Box::pin(self.dial(who)).await?, false),
                },
            };
            lock(&draft.exchange).t_forwarded = draft.ctl.injector().micros();
            let answer = connection.sender.try_send_request(request);
            let since = upload_end(draft);
            match connection.patience.wait(ANSWER_TIMEOUT, since, answer).await {
                None => {
                    draft.no_reply();
                    return Err(UpstreamError::Timeout(ANSWER_TIMEOUT));
                }
                Some(Ok(response)) => {
                    if let Some(accept) = &accept
                        && let Err(error) = websocket::check(&response, accept)
                    {
                        draft.answered(response.status(), response.headers());
                        return Err(error);
                    }
                    return Ok(self.answered(response, connection, last, draft));
                }
                Some(Err(mut error)) => match error.take_message() {
                    // It never left: the pooled connection was closed under us.
                    Some(unsent) if reused => request = unsent,
                    unsent => {
                        if unsent.is_none() {
                            draft.no_reply();
                        }
                        return Err(UpstreamError::broken(error.into_error()));
                    }
                },
            }
        }
    }

    /// Sends it over HTTP/2, unless TLS has the upstream choose and it chooses HTTP/1.
    async fn send_two(
        &self,
        mut request: Request<Ask>,
        interims: Interims,
        draft: &Draft,
    ) -> Result<Response<Reply>, UpstreamError> {
        let scheme = if self.connector.is_tls() { Scheme::HTTPS } else { Scheme::HTTP };
        // A session that turns out to be closed is no reason to fail; one that was just made is.
        for again in [true, true, false] {
            let place = match self.place(Who::Client(draft.ctl.ends)).await? {
                Dialled::Two(place) => place,
                Dialled::One(connection) => {
                    interims.attach(&mut request);
                    return self.send_one(request, Some(*connection), draft).await;
                }
            };
            let authority = self.connector.authority();
            let sent =
                two::send(place, request, &interims, draft, scheme.clone(), authority, again);
            match sent.await {
                two::Sent::Answered(response, held) => {
                    let telling = draft.answered(response.status(), response.headers());
                    return Ok(response.map(|body| {
                        let (body, held) = (Inbound::Two(body), Held::Two(held));
                        Reply::Upstream(Body::new(body, held, draft.clone(), telling))
                    }));
                }
                two::Sent::Switched(response) => {
                    draft.answered(response.status(), response.headers());
                    return Ok(response.map(|()| Reply::empty()));
                }
                // Most services have their WebSockets over HTTP/1.
                two::Sent::NoSockets(mut request) if self.http == UpstreamHttp::Same => {
                    interims.attach(&mut request);
                    return self.send_one(*request, None, draft).await;
                }
                two::Sent::NoSockets(_) => return Err(UpstreamError::NoSockets),
                two::Sent::Failed(error) => return Err(error),
                two::Sent::Unsent(unsent) => request = *unsent,
            }
        }
        Err(UpstreamError::Unready)
    }

    /// A connection over HTTP/2 with room for a request.
    async fn place(&self, who: Who) -> Result<Dialled, UpstreamError> {
        let whose = self.connector.key(who);
        if let Some(place) = self.sessions.with_room(whose) {
            return Ok(Dialled::Two(place));
        }
        let _one_at_a_time = self.sessions.dialling.lock().await;
        if let Some(place) = self.sessions.with_room(whose) {
            return Ok(Dialled::Two(place));
        }
        // Of those over HTTP/1 one may be idle, if that is what the upstream chose before.
        if self.chose_one.load(Ordering::Acquire)
            && let Some(pooled) = self.pool.take(whose)
        {
            return Ok(Dialled::One(Box::new(pooled)));
        }
        let offer = if self.http == UpstreamHttp::Http2 { Offer::Two } else { Offer::Both };
        let (io, two) = self.connected(offer, who).await?;
        self.chose_one.store(!two, Ordering::Release);
        if !two {
            let pooled = Pooled::new(io, whose).await.map_err(UpstreamError::Broken)?;
            return Ok(Dialled::One(Box::new(pooled)));
        }
        let session = Session::new(io, whose).await.map_err(UpstreamError::Stream)?;
        Ok(Dialled::Two(self.sessions.put(session)))
    }

    fn answered(
        &self,
        mut response: Response<hyper::body::Incoming>,
        connection: Pooled,
        last: bool,
        draft: &Draft,
    ) -> Response<Reply> {
        let telling = draft.answered(response.status(), response.headers());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            response.extensions_mut().insert(Arc::new(connection.into_tunnel()));
            return response.map(|_| Reply::empty());
        }
        let pool = (!last).then(|| Arc::clone(&self.pool));
        response.map(|body| {
            let held = Held::One(connection, pool);
            Reply::Upstream(Body::new(body.into(), held, draft.clone(), telling))
        })
    }

    async fn dial(&self, who: Who) -> Result<Pooled, UpstreamError> {
        let (io, _one) = self.connected(Offer::One, who).await?;
        Pooled::new(io, self.connector.key(who)).await.map_err(UpstreamError::Broken)
    }

    /// A new connection, and whether HTTP/2 is to be spoken on it.
    async fn connected(&self, offer: Offer, who: Who) -> Result<(Metered, bool), UpstreamError> {
        let (io, two) = timeout(CONNECT_TIMEOUT, self.connector.connect_as(offer, who))
            .await
            .map_err(|_| UpstreamError::ConnectTimeout(CONNECT_TIMEOUT))??;
        Ok((Metered::new(io, Arc::clone(&self.meters)), two))
    }
}

/// A connection that was made for a request over HTTP/2.
enum Dialled {
    Two(Place),
    /// The upstream chose HTTP/1.
    One(Box<Pooled>),
}

/// When the upload ended from which on an answer is waited for; `None` while it goes on. An upload
/// that the upstream doesn't take ends nothing, so it counts as ended before. A gRPC call is waited for as
/// long as its client does: of a stream there may be no head before the first message, hours later.
fn upload_end(draft: &Draft) -> impl FnMut() -> Option<Instant> {
    let start = Instant::now();
    let (mut seen, is_call) = {
        let exchange = lock(&draft.exchange);
        (exchange.received, exchange.grpc.is_some() && draft.ctl.is_stream())
    };
    move || {
        if is_call {
            return None;
        }
        let ctl = &draft.ctl;
        // Before the exchange, in which the end is noted first.
        let done = ctl.body_done();
        let (received, at) = {
            let exchange = lock(&draft.exchange);
            (exchange.received, exchange.t_received)
        };
        if done {
            return Some(start.max(ctl.injector().instant(Duration::from_micros(at))));
        }
        let moves = std::mem::replace(&mut seen, received) != received;
        (!moves && !ctl.upload_held()).then_some(start)
    }
}
