//! TLS that is passed on untouched, to the upstream of the name that the client asks for.
//!
//! The name stands in the client's first words, in the clear. They are read, looked into, and passed
//! on with all that follows, through the faults of the connection as any bytes. Whoever speaks no TLS,
//! names no name, or takes too long is passed on to the upstream that is for all others.

use crate::proxy::{
    conn::{Call, Calls},
    ctl::ConnCtl,
    drain::Ending,
    socket::{Presence, Sent, Stream},
    upstream::Connector,
};
use bytes::{Buf as _, BytesMut};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rustls::server::Acceptor;
use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    time::timeout,
};

/// How long a client may take to say whom it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest first words that are looked into. They take some hundred bytes, with keys that resist
/// quantum computers two thousand.
const LONGEST: usize = 32 * 1024;
/// What is read at a time.
const CHUNK: usize = 4 * 1024;

/// Upstreams by name.
#[derive(Debug)]
pub(crate) struct Routes {
    /// By name in lower case.
    exact: Vec<(String, Arc<Connector>)>,
    /// By what follows the star, its dot included; the longest first.
    wild: Vec<(String, Arc<Connector>)>,
    others: Connector,
}

impl Routes {
    /// Routes to connectors by name or by `*.name`; `others` is for whatever has none.
    pub(crate) fn new(routes: Vec<(String, Arc<Connector>)>, others: Connector) -> Self {
        let (mut exact, mut wild) = (Vec::new(), Vec::new());
        for (name, connector) in routes {
            match name.to_ascii_lowercase().strip_prefix('*') {
                Some(rest) => wild.push((rest.to_owned(), connector)),
                None => exact.push((name.to_ascii_lowercase(), connector)),
            }
        }
        wild.sort_by_key(|(rest, _)| std::cmp::Reverse(rest.len()));
        Self { exact, wild, others }
    }

    fn to(&self, name: Option<&str>) -> &Connector {
        let Some(name) = name.map(str::to_ascii_lowercase) else {
            return &self.others;
        };
        let exact = self.exact.iter().find(|(known, _)| *known == name);
        let wild = || {
            self.wild.iter().find(|(rest, _)| name.len() > rest.len() && name.ends_with(&**rest))
        };
        exact.or_else(wild).map_or(&self.others, |(_, connector)| connector)
    }
}

/// Finds out where a client wants to go; gives back its connection, with what was read of it. `None`
/// if it is to end before that is known.
pub(crate) async fn route<'r, S: Stream>(
    mut io: S,
    ctl: &Arc<ConnCtl>,
    routes: &'r Routes,
    ending: &Ending,
) -> Option<(Prefixed<S>, &'r Connector)> {
    let mut calls = FuturesUnordered::new();
    calls.push(Calls::new(ctl, ending).next());
    let mut read = BytesMut::new();
    let name = {
        let name = timeout(PATIENCE, name(&mut io, &mut read));
        tokio::pin!(name);
        loop {
            tokio::select! {
                biased;
                name = &mut name => break name.ok().flatten(),
                Some((call, more)) = calls.next() => match call {
                    Call::Look => calls.push(more.next()),
                    Call::Drain | Call::End => {
                        ctl.kill(crate::fault::Close::Fin);
                        break None;
                    }
                },
            }
        }
    };
    if let Some(close) = ctl.killed() {
        if close == crate::fault::Close::Reset {
            io.reset_on_close();
        }
        return None;
    }
    Some((Prefixed { read, io }, routes.to(name.as_deref())))
}

/// The name that a client asks for, in what it says first. What is read is kept.
async fn name<S: Stream>(io: &mut S, read: &mut BytesMut) -> Option<String> {
    let mut acceptor = Acceptor::default();
    while read.len() < LONGEST {
        let seen = read.len();
        read.reserve(CHUNK);
        // An end or a break is found again by whoever reads next.
        if !matches!(io.read_buf(read).await, Ok(1..)) {
            return None;
        }
        let mut new = &read[seen..];
        while !new.is_empty() {
            if !matches!(acceptor.read_tls(&mut new), Ok(1..)) {
                return None;
            }
        }
        match acceptor.accept() {
            Ok(Some(hello)) => return hello.client_hello().server_name().map(str::to_owned),
            Ok(None) => {}
            Err(_) => return None,
        }
    }
    None
}

/// A connection of which something was read already, and is read once more.
#[derive(Debug)]
pub(crate) struct Prefixed<S> {
    read: BytesMut,
    io: S,
}

impl<S: Stream> Stream for Prefixed<S> {
    fn reset_on_close(&self) {
        self.io.reset_on_close();
    }

    fn local(&self) -> Option<IpAddr> {
        self.io.local()
    }

    fn presence(&self) -> Presence {
        self.io.presence()
    }

    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.read.is_empty() { self.io.poll_has_input(cx) } else { Poll::Ready(()) }
    }

    fn all_sent(&self) -> Sent {
        self.io.all_sent()
    }
}

impl<S: Stream> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let take = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..take]);
        self.read.advance(take);
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
