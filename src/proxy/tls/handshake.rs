//! The handshake with a client, from its first byte.

use crate::{
    fault::{Close, Flaw},
    proxy::{
        conn::{Call, Calls},
        ctl::ConnCtl,
        drain::Ending,
        socket::{Front as _, Socket, Stream},
        tls::{
            Alpn, Terminator,
            failure::{self, Failure},
        },
    },
};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rustls::server::{Accepted, Acceptor};
use std::{
    future::{Future, pending},
    io::{self, ErrorKind},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{sleep, sleep_until},
};
use tokio_rustls::{StartHandshake, server::TlsStream};

/// What is read of a client's first words at a time.
const CHUNK: usize = 4 * 1024;

/// A fatal alert: there is no version that both sides speak (RFC 8446, 6).
const VERSION: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 70];
/// A fatal alert: there is no set of parameters that both sides take.
const HANDSHAKE: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 40];

/// What somebody is told who speaks plain HTTP with us.
const PLAIN_HTTP: &str =
    "This port speaks TLS, and got plain HTTP: write https:// before its address.\n";

/// What comes of a wait, unless the connection is called to its end before.
pub(super) async fn heeding<T>(
    ctl: &Arc<ConnCtl>,
    ending: &Ending,
    mut wait: impl Future<Output = T> + Unpin,
) -> Option<T> {
    let mut calls = FuturesUnordered::new();
    calls.push(Calls::new(ctl, ending).next());
    loop {
        let (call, more) = tokio::select! {
            biased;
            out = &mut wait => return Some(out),
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
    let hands = Box::pin(shake(socket, ctl, terminator, local));
    let (failure, mut socket) = match heeding(ctl, ending, hands).await? {
        Ok(spoken) => return Some(spoken),
        Err(failed) => failed,
    };
    tracing::debug!(peer = %ctl.peer, error = %failure, cause = ?failure, "no TLS with a client");
    // How most first tries end.
    if failure.is_distrust() && ctl.welcome.flaw.is_none() && terminator.tells() {
        tracing::warn!(
            peer = %ctl.peer,
            "a client does not trust who signed our certificate, which is said once: `firedrill ca --help` \
             has how it can trust those that are made up"
        );
    }
    failure.note(ctl);
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

/// Shakes hands, as far as what was dealt to the connection lets it.
pub(super) async fn shake<S: Stream>(
    mut socket: Socket<S>,
    ctl: &ConnCtl,
    terminator: &Terminator,
    local: Option<IpAddr>,
) -> Result<(TlsStream<Socket<S>>, Alpn), (Failure, Socket<S>)> {
    let Some((flaw, fault)) = ctl.flaw() else {
        return accept(socket, terminator, local, None).await;
    };
    let hello = match hello(&mut socket).await {
        Ok(hello) => hello,
        Err(failure) => return Err((failure, socket)),
    };
    match flaw {
        Flaw::Stall { limit } => {
            let hold = Hold { ctl, is_over: false };
            let left = tokio::select! {
                () = socket.until_left() => true,
                () = stalled(ctl, fault, *limit) => false,
            };
            let shaken = if left {
                let error = io::Error::from(ErrorKind::UnexpectedEof);
                Err((Failure::Gone(error), socket))
            } else {
                socket.begin_anew();
                answer(hello, socket, terminator, local, Some(*flaw)).await
            };
            hold.end();
            return shaken;
        }
        Flaw::Reset => ctl.kill(Close::Reset),
        Flaw::NoCommonVersion | Flaw::NoCommonCipher => {
            let alert = if *flaw == Flaw::NoCommonVersion { VERSION } else { HANDSHAKE };
            let _best_effort = say(&mut socket, &alert).await;
        }
        Flaw::Expired
        | Flaw::NotYetValid
        | Flaw::WrongName
        | Flaw::Untrusted
        | Flaw::NoCloseNotify => {}
    }
    match flaw {
        Flaw::Reset | Flaw::NoCommonVersion | Flaw::NoCommonCipher => Err((Failure::Dealt, socket)),
        _ => answer(hello, socket, terminator, local, Some(*flaw)).await,
    }
}

/// A handshake that is held, until hands are shaken after all. If the connection is ended before, that is
/// what became of it.
struct Hold<'c> {
    ctl: &'c ConnCtl,
    is_over: bool,
}

impl Hold<'_> {
    fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.ctl.set_tls_error(failure::DEALT);
        }
    }
}

/// Over when a fault lets go, or after `limit`.
async fn stalled(ctl: &ConnCtl, fault: &str, limit: Option<Duration>) {
    let injector = ctl.injector();
    let mut changes = injector.changes();
    let lets_go = async {
        loop {
            changes.mark_unchanged();
            let (holds, again) = injector.is_in_force(fault);
            if !holds || injector.is_over() {
                return;
            }
            let again = async {
                match again {
                    Some(tick) => sleep_until(injector.instant(tick)).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = again => {}
            }
        }
    };
    let limit = async {
        match limit {
            Some(limit) => sleep(limit).await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = lets_go => {}
        () = limit => {}
    }
}

/// Accepts TLS on a stream of any kind; gives the stream back if that fails.
async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(
    mut io: IO,
    terminator: &Terminator,
    local: Option<IpAddr>,
    flaw: Option<Flaw>,
) -> Result<(TlsStream<IO>, Alpn), (Failure, IO)> {
    match hello(&mut io).await {
        Ok(hello) => answer(hello, io, terminator, local, flaw).await,
        Err(failure) => Err((failure, io)),
    }
}

/// Answers a client's first words.
async fn answer<IO: AsyncRead + AsyncWrite + Unpin>(
    hello: Accepted,
    io: IO,
    terminator: &Terminator,
    local: Option<IpAddr>,
    flaw: Option<Flaw>,
) -> Result<(TlsStream<IO>, Alpn), (Failure, IO)> {
    let config = match terminator.config(hello.client_hello().server_name(), local, flaw) {
        Ok(config) => config,
        Err(error) => return Err((Failure::Ours(error), io)),
    };
    let hands = StartHandshake::from_parts(hello, io).into_stream(config).into_fallible();
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
        let count = match io.read(&mut chunk).await {
            Ok(0) if is_first => return Err(Failure::Silent(ErrorKind::UnexpectedEof.into())),
            Err(error) if is_first => return Err(Failure::Silent(error)),
            read => read?,
        };
        if count == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
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
                return Err(Failure::Tls(ErrorKind::InvalidData.into()));
            }
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut words = Vec::new();
                alert.write_all(&mut words)?;
                let _best_effort = say(io, &words).await;
                return Err(Failure::Tls(io::Error::new(ErrorKind::InvalidData, error)));
            }
        }
    }
}

async fn say<IO: AsyncWrite + Unpin>(io: &mut IO, words: &[u8]) -> io::Result<()> {
    io.write_all(words).await?;
    io.flush().await
}
