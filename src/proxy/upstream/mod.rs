//! The service behind the proxy: dial, pool, send, and give the answer back as it comes.
//!
//! Never a retry: a request that may have reached the upstream is not sent again. Only one that
//! never left, because its pooled connection turned out to be closed, goes out on a fresh one.
//!
//! The pool is our own, over hyper's connections, since we need what a client library hides: which
//! connection carried what, whether it was fresh, and its end together with the client's.

mod asked;
mod body;
mod connect;
mod metered;
mod pool;
mod tls;

pub(crate) use asked::Asked;
pub(crate) use body::Body;
pub use connect::{Connector, Dial, UpstreamIo};
pub use tls::{TlsError, TlsRoots, TlsSettings};

use crate::proxy::{
    ask::Ask, ctl::lock, error::UpstreamError, meters::Meters, record::Draft, reply::Reply,
};
use http::{Request, Response, Version};
use metered::Metered;
pub(crate) use pool::Tunnelled;
use pool::{Pool, Pooled};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

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
    /// Counts the bytes of its connections.
    meters: Arc<Meters>,
}

impl Upstream {
    pub(crate) fn new(connector: Connector, meters: Arc<Meters>) -> Self {
        Self { connector: Arc::new(connector), pool: Arc::default(), meters }
    }

    /// With so many idle connections kept at most.
    pub(crate) fn keeping(connector: Connector, meters: Arc<Meters>, idle: usize) -> Self {
        Self { pool: Arc::new(Pool::of(idle)), ..Self::new(connector, meters) }
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
        // An HTTP/1.0 client may not read what HTTP/1.1 allows, so it is passed on as what it is;
        // such a connection carries one request.
        let last = request.version() == Version::HTTP_10;
        loop {
            let (mut connection, reused) = match self.pool.take() {
                Some(connection) => (connection, true),
                // In a box of its own: it is big, and needed once for many requests.
                None => (Box::pin(self.dial()).await?, false),
            };
            lock(&draft.exchange).t_forwarded = draft.ctl.injector().micros();
            let answer = connection.sender.try_send_request(request);
            let since = upload_end(draft);
            match connection.patience.wait(ANSWER_TIMEOUT, since, answer).await {
                None => {
                    draft.no_reply();
                    return Err(UpstreamError::Timeout(ANSWER_TIMEOUT));
                }
                Some(Ok(response)) => return Ok(self.answered(response, connection, last, draft)),
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

    fn answered(
        &self,
        mut response: Response<hyper::body::Incoming>,
        connection: Pooled,
        last: bool,
        draft: &Draft,
    ) -> Response<Reply> {
        let telling = draft.answered(response.status(), response.headers());
        if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            response.extensions_mut().insert(Arc::new(connection.into_tunnel()));
            return response.map(|_| Reply::empty());
        }
        let pool = (!last).then(|| Arc::clone(&self.pool));
        response
            .map(|body| Reply::Upstream(Body::new(body, connection, pool, draft.clone(), telling)))
    }

    async fn dial(&self) -> Result<Pooled, UpstreamError> {
        let io = self.connector.connect_in_time().await?;
        let io = Metered::new(io, Arc::clone(&self.meters));
        Pooled::new(io).await.map_err(UpstreamError::Broken)
    }
}

/// When the upload ended from which on an answer is waited for; `None` while it goes on. An upload
/// that the upstream doesn't take ends nothing, so it counts as ended before.
fn upload_end(draft: &Draft) -> impl FnMut() -> Option<Instant> {
    let start = Instant::now();
    let mut seen = lock(&draft.exchange).received;
    move || {
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
