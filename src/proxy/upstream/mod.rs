//! The service behind the proxy: dial, pool, send, and give the answer back as it comes.
//!
//! Never a retry: a request that may have reached the upstream is not sent again. Only one that
//! never left, because its pooled connection turned out to be closed, goes out on a fresh one.
//!
//! The pool is our own, over hyper's connections, since we need what a client library hides: which
//! connection carried what, whether it was fresh, and its end together with the client's.

mod body;
mod connect;
mod pool;
mod tls;

pub(crate) use body::Body;
pub use connect::{Connector, Dial, UpstreamAddr, UpstreamIo, UpstreamUrlError};
pub use tls::{TlsError, TlsRoots, TlsSettings};

use crate::proxy::{
    ask::Ask, ctl::lock, error::UpstreamError, patience::Patience, record::Draft, reply::Reply,
};
use http::{Request, Response, Version};
pub(crate) use pool::Tunnelled;
use pool::{Pool, Pooled};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a connection to the upstream may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the head of an answer may take. Long polling lives below it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// The way to the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    connector: Arc<Connector>,
    pool: Arc<Pool>,
}

impl Upstream {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector: Arc::new(connector), pool: Arc::default() }
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
                None => (self.dial().await?, false),
            };
            lock(&draft.exchange).t_forwarded = draft.ctl.injector().micros();
            let answer = connection.sender.try_send_request(request);
            match await_answer(&mut connection.patience, answer, draft).await {
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
        draft.answered(response.status());
        if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            response.extensions_mut().insert(Arc::new(connection.into_tunnel()));
            return response.map(|_| Reply::empty());
        }
        let pool = (!last).then(|| Arc::clone(&self.pool));
        response.map(|body| Reply::Upstream(Body::new(body, connection, pool, draft.clone())))
    }

    async fn dial(&self) -> Result<Pooled, UpstreamError> {
        let io = timeout(CONNECT_TIMEOUT, self.connector.connect())
            .await
            .map_err(|_| UpstreamError::ConnectTimeout(CONNECT_TIMEOUT))??;
        Pooled::new(io).await.map_err(UpstreamError::Broken)
    }
}

/// Waits for an answer for as long as the upstream may take: since it has the whole request, or, as
/// long as it has not, since some of it came last. A silence that is a fault's is not the upstream's.
async fn await_answer<T>(
    patience: &mut Patience,
    answer: impl Future<Output = T>,
    draft: &Draft,
) -> Option<T> {
    tokio::pin!(answer);
    let mut left = ANSWER_TIMEOUT;
    let mut seen = None;
    loop {
        if let Some(answer) = patience.wait(left, answer.as_mut()).await {
            return Some(answer);
        }
        let ctl = &draft.ctl;
        let exchange = lock(&draft.exchange);
        let since = Duration::from_micros(exchange.t_received.max(exchange.t_forwarded));
        let received = exchange.received;
        drop(exchange);
        left = if ctl.body_done() {
            (since + ANSWER_TIMEOUT).saturating_sub(ctl.injector().tick())
        } else if seen.replace(received) != Some(received) || ctl.is_held_back() {
            ANSWER_TIMEOUT
        } else {
            Duration::ZERO
        };
        // Times are noted in microseconds.
        if left < Duration::from_millis(1) {
            return None;
        }
    }
}
