//! The handshake with a client, from its first byte.

use crate::{
    fault::Close,
    proxy::{
        conn::{Call, Calls},
        ctl::ConnCtl,
        drain::Ending,
        socket::{Front as _, Socket, Stream},
        tls::{Alpn, Terminator},
    },
};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rustls::{
    AlertDescription,
    server::{Accepted, Acceptor},
};
use std::{io, net::IpAddr, sync::Arc};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::{StartHandshake, server::TlsStream};

/// What is read of a client's first words at a time.
const CHUNK: usize = 4 * 1024;

/// What somebody is told who speaks plain HTTP with us.
const PLAIN_HTTP: &str =
    "This port speaks TLS, and got plain HTTP: write https:// before its address.\n";

/// Why there is no TLS with a client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It went, or broke off.
    #[error("the client went")]
    Gone(#[from] io::Error),
    /// It speaks plain HTTP.
    #[error("the client speaks plain HTTP")]
    PlainHttp,
    /// It speaks no TLS, or none that both sides speak.
    #[error("the handshake failed")]
    Tls(#[source] io::Error),
}

impl Failure {
    /// What the client said of it.
    pub(super) fn alert(&self) -> Option<AlertDescription> {
        let Self::Tls(error) = self else { return None };
        match error.get_ref()?.downcast_ref()? {
            rustls::Error::AlertReceived(alert) => Some(*alert),
            _ => None,
        }
    }
}

/// Shakes hands with the client of a connection that was accepted; gives out what to speak with it,
/// and over what. `None` if there is nobody to speak with any more.
pub(crate) async fn welcome<S: Stream>(
    io: S,
    ctl: &Arc<ConnCtl>,
    terminator: &Terminator,
    ending: &Ending,
) -> Option<(TlsStream<Socket<S>>, Alpn)> {
    let local = io.local();
    let socket = Socket::below_tls(io, Arc::clone(ctl));
    let mut calls = FuturesUnordered::new();
    calls.push(Calls::new(ctl, ending).next());
    let mut hands = Box::pin(accept(socket, terminator, local));
    let shaken = loop {
        let (call, more) = tokio::select! {
            biased;
            shaken = &mut hands => break shaken,
            Some(called) = calls.next() => called,
        };
        match call {
            // It is polled again, and what a fault held goes on.
            Call::Look => {}
            // Nothing is under way that could be finished.
            Call::Drain => {
                ctl.kill(Close::Fin);
                return None;
            }
            Call::End => return None,
        }
        calls.push(more.next());
    };
    let (failure, mut socket) = match shaken {
        Ok(spoken) => return Some(spoken),
        Err(failed) => failed,
    };
    tracing::debug!(peer = %ctl.peer, error = %failure, cause = ?failure, "no TLS with a client");
    if matches!(failure, Failure::PlainHttp) {
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{PLAIN_HTTP}",
            PLAIN_HTTP.len()
        );
        let _best_effort = say(&mut socket, answer.as_bytes()).await;
    }
    // What was said last is lost to a client whose own bytes we leave unread.
    tokio::select! {
        () = socket.linger() => {}
        () = ending.stopping.cancelled() => {}
    }
    None
}

/// Accepts TLS on a stream of any kind; gives the stream back if that fails.
pub(crate) async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(
    mut io: IO,
    terminator: &Terminator,
    local: Option<IpAddr>,
) -> Result<(TlsStream<IO>, Alpn), (Failure, IO)> {
    let accepted = match hello(&mut io).await {
        Ok(accepted) => accepted,
        Err(failure) => return Err((failure, io)),
    };
    let config = match terminator.config(accepted.client_hello().server_name(), local) {
        Ok(config) => config,
        Err(error) => return Err((Failure::Tls(io::Error::other(error)), io)),
    };
    let hands = StartHandshake::from_parts(accepted, io).into_stream(config).into_fallible();
    match hands.await {
        Ok(stream) => {
            let alpn = Alpn::of(stream.get_ref().1);
            Ok((stream, alpn))
        }
        Err((error, io)) => Err((Failure::Tls(error), io)),
    }
}

/// Reads what a client begins with. Its length is bounded by rustls, its time by the socket.
async fn hello<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut IO) -> Result<Accepted, Failure> {
    let mut acceptor = Acceptor::default();
    let mut chunk = [0; CHUNK];
    let mut is_first = true;
    loop {
        let count = io.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        // No TLS begins with a letter, and every request does.
        if is_first && chunk[0].is_ascii_alphabetic() {
            return Err(Failure::PlainHttp);
        }
        is_first = false;
        let mut rest = &chunk[..count];
        while !rest.is_empty() {
            // All of it: what were left here would be lost.
            if acceptor.read_tls(&mut rest).map_err(Failure::Tls)? == 0 {
                return Err(Failure::Tls(io::ErrorKind::InvalidData.into()));
            }
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut words = Vec::new();
                alert.write_all(&mut words)?;
                let _best_effort = say(io, &words).await;
                return Err(Failure::Tls(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
    }
}

async fn say<IO: AsyncWrite + Unpin>(io: &mut IO, words: &[u8]) -> io::Result<()> {
    io.write_all(words).await?;
    io.flush().await
}
