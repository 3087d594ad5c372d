//! The other side of the admin listener: one command, one connection.

use crate::config::Secret;
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header, uri::Authority};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take. The other side waits for nobody's traffic.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer: ten thousand faults fit into it many times.
const MOST_ANSWER: usize = 256 * 1024 * 1024;

/// Gives commands to one admin listener.
#[derive(Debug)]
pub struct Client {
    authority: Authority,
    port: u16,
    token: Option<Secret>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// Whether the command was carried out.
    pub status: StatusCode,
    /// What was said.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("`{0}` is no address of an admin listener; write `http://127.0.0.1:8474`")]
    Address(String),
    /// Nobody is there.
    #[error("cannot reach {0}")]
    Connect(Authority, #[source] io::Error),
    /// Somebody is, and says nothing.
    #[error("{0} does not answer")]
    Silent(Authority),
    /// Somebody is, and says something else.
    #[error("{0} does not speak as an admin listener does")]
    Broken(Authority, #[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Client {
    /// A client of the listener at a URL, or at an address as it is listened on: a port alone is one
    /// on loopback.
    ///
    /// # Errors
    ///
    /// Fails if the URL is none, has a path, or asks for TLS, which the listener does not speak.
    pub fn new(url: &str, token: Option<Secret>) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(url.to_owned());
        let whole = match url.parse::<u16>() {
            Ok(port) => format!("http://127.0.0.1:{port}"),
            Err(_) if url.contains("://") => url.to_owned(),
            Err(_) => format!("http://{url}"),
        };
        let uri: Uri = whole.parse().map_err(|_| wrong())?;
        let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/");
        let authority = uri.authority().filter(|a| plain && !a.as_str().contains('@'));
        let authority = authority.cloned().ok_or_else(wrong)?;
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self { authority, port, token })
    }

    /// Gives a command.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer. One that says no is one.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Answer, ClientError> {
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
            ClientError::Broken(self.authority.clone(), error)
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.authority.as_str())
            .header(header::USER_AGENT, concat!("firedrill/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.bearer());
        }
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| broken(error.into()))?;
        let io = self.connect().await?;
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
            let connection = tokio::spawn(connection);
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_ANSWER).collect().await?;
            connection.abort();
            Ok((status, body.to_bytes()))
        };
        let answered = timeout(ANSWER_TIMEOUT, exchange).await;
        let answered = answered.map_err(|_| ClientError::Silent(self.authority.clone()))?;
        let (status, body) = answered.map_err(broken)?;
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let host = self.authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let connect = timeout(CONNECT_TIMEOUT, TcpStream::connect((bare, self.port)));
        let io = connect.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        io.map_err(|error| ClientError::Connect(self.authority.clone(), error))
    }
}
