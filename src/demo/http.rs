//! One request and its answer over HTTP/1.1, with no second try.
//!
//! Nothing is spawned: a connection is driven by whoever waits for its answer, so that dropping
//! the wait closes the socket and no task can outlive its client.

use crate::demo::io::{Io, Stream};
use bytes::Bytes;
use futures_util::future::{Fuse, FutureExt};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use std::{fmt, io, net::SocketAddr, pin::Pin, pin::pin, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// The longest answer a client reads.
const LONGEST_BODY: usize = 64 * 1024;

/// A future in a box, as long-lived as what it borrows.
pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long a client waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// For the whole answer, connecting included.
    Total(Duration),
    /// For the next sign of life: a slow answer that never falls silent may take forever.
    Idle(Duration),
    /// For ever.
    Endless,
}

impl Patience {
    /// The longest silence it stands.
    const fn step(self) -> Duration {
        match self {
            Self::Idle(step) => step,
            Self::Total(_) | Self::Endless => Duration::MAX,
        }
    }

    /// The longest exchange it stands.
    pub(super) const fn total(self) -> Duration {
        match self {
            Self::Total(total) => total,
            Self::Idle(_) | Self::Endless => Duration::MAX,
        }
    }
}

type AnyStream = Box<dyn Stream>;

/// How to get a new connection.
#[derive(Clone)]
pub struct Dialer(Arc<dyn Fn() -> Boxed<'static, io::Result<AnyStream>> + Send + Sync>);

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A whole answer came.
    Answered(StatusCode),
    /// No connection was to be had.
    Refused,
    /// The client's patience ended first.
    TimedOut,
    /// The connection ended before an answer began.
    Lost,
    /// An answer began and broke off, was too long, or was not HTTP.
    Broken,
}

/// What a client takes from an answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// The seconds of a `Retry-After`; its date form is not read, nothing here sends it.
    pub(super) retry_after: Option<Duration>,
}

type Driver = http1::Connection<Io<AnyStream>, Full<Bytes>>;

/// An open connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Fuse<Driver>,
}

impl Dialer {
    /// Connections that `dial` makes, one for each call.
    pub fn new<F, Fut, S>(dial: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: Stream,
    {
        Self(Arc::new(move || {
            let dialled = dial();
            Box::pin(async move { Ok(Box::new(dialled.await?) as AnyStream) })
        }))
    }

    /// Connections over TCP.
    pub fn tcp(to: SocketAddr) -> Self {
        Self::new(move || async move {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) async fn open(dialer: &Dialer) -> Result<Self, Ending> {
        let stream = (dialer.0)().await.map_err(|_| Ending::Refused)?;
        let handshake = http1::handshake(Io::new(stream)).await;
        let (sender, driver) = handshake.map_err(|_| Ending::Refused)?;
        Ok(Self { sender, driver: driver.fuse() })
    }

    /// The same, if it can carry another request: a server may have closed it while nobody looked.
    pub(super) async fn ready(mut self) -> Option<Self> {
        let ready = tokio::select! {
            biased;
            _ = &mut self.driver => false,
            ready = self.sender.ready() => ready.is_ok(),
        };
        ready.then_some(self)
    }

    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        patience: Patience,
    ) -> Result<Reply, Ending> {
        let mut reply = pin!(read(self.sender.send_request(request), patience.step()));
        tokio::select! {
            biased;
            reply = &mut reply => reply,
            // A server that closes after its answer has still answered.
            _ = &mut self.driver => reply.await,
        }
    }
}

async fn read(
    answer: impl Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>>,
    step: Duration,
) -> Result<Reply, Ending> {
    let answer = timeout(step, answer).await.map_err(|_| Ending::TimedOut)?;
    let response = answer.map_err(|error| {
        let began = error.is_parse();
        if began { Ending::Broken } else { Ending::Lost }
    })?;
    let (head, body) = response.into_parts();
    let mut body = Limited::new(body, LONGEST_BODY);
    while let Some(frame) = timeout(step, body.frame()).await.map_err(|_| Ending::TimedOut)? {
        frame.map_err(|_| Ending::Broken)?;
    }
    let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| {
        let seconds = value.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    });
    Ok(Reply { status: head.status, retry_after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// What a client makes of a server that says `answer` and hangs up.
    async fn ending(answer: String) -> Ending {
        let dialer = Dialer::new(move || {
            let (near, mut far) = duplex(256 * 1024);
            let answer = answer.clone();
            tokio::spawn(async move {
                drop(far.read(&mut [0; 4096]).await);
                drop(far.write_all(answer.as_bytes()).await);
            });
            async { Ok(near) }
        });
        let mut connection = Connection::open(&dialer).await.expect("a pipe");
        let reply = connection.exchange(Request::new(Full::default()), Patience::Endless).await;
        reply.map_or_else(|ending| ending, |reply| Ending::Answered(reply.status))
    }

    #[tokio::test]
    async fn every_way_to_fail_has_its_name() {
        let sized = |size: usize, body: &str| {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n{body}")
        };
        let long = "x".repeat(LONGEST_BODY + 1);
        for (answer, expected) in [
            (sized(2, "hi"), Ending::Answered(StatusCode::OK)),
            (String::new(), Ending::Lost),
            (sized(9, "hi"), Ending::Broken),
            (sized(long.len(), &long), Ending::Broken),
            ("no HTTP at all\r\n\r\n".to_owned(), Ending::Broken),
        ] {
            assert_eq!(ending(answer.clone()).await, expected, "{answer:.60}");
        }

        let nowhere = Dialer::new(|| async { Err::<Box<dyn Stream>, _>(io::Error::other("no")) });
        assert_eq!(Connection::open(&nowhere).await.err(), Some(Ending::Refused));
    }
}
