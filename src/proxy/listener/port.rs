//! What is listened on, of either kind.

#[cfg(unix)]
use crate::proxy::listener::unix::UnixPort;
use crate::{proxy::listener::tcp::TcpPort, units::Place};
use std::{io, net::SocketAddr};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// A port or a Unix socket.
#[derive(Debug)]
pub(super) enum Port {
    Tcp(TcpPort),
    #[cfg(unix)]
    Unix(UnixPort),
}

/// Who connected.
#[derive(Debug)]
pub(super) enum Caller {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Port {
    pub(super) fn bind(place: &Place) -> io::Result<Self> {
        match place {
            Place::Tcp(address) => TcpPort::bind(*address).map(Self::Tcp),
            #[cfg(unix)]
            Place::Unix(path) => UnixPort::bind(path).map(Self::Unix),
            #[cfg(not(unix))]
            Place::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(super) fn place(&self) -> Place {
        match self {
            Self::Tcp(port) => port.address().into(),
            #[cfg(unix)]
            Self::Unix(port) => Place::Unix(port.path().to_owned()),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Tcp(port) => port.is_open(),
            #[cfg(unix)]
            Self::Unix(port) => port.is_open(),
        }
    }

    /// The next caller; none comes while it is shut.
    pub(super) async fn accept(&mut self) -> io::Result<Caller> {
        match self {
            Self::Tcp(port) => port.accept().await.map(|(io, peer)| Caller::Tcp(io, peer)),
            #[cfg(unix)]
            Self::Unix(port) => port.accept().await.map(Caller::Unix),
        }
    }

    /// A caller that is there already.
    pub(super) fn waiting(&mut self) -> io::Result<Option<Caller>> {
        match self {
            Self::Tcp(port) => Ok(port.waiting()?.map(|(io, peer)| Caller::Tcp(io, peer))),
            #[cfg(unix)]
            Self::Unix(port) => Ok(port.waiting()?.map(Caller::Unix)),
        }
    }

    /// Listens, with room for `backlog` callers in the queue.
    pub(super) fn open(&mut self, backlog: i32) -> io::Result<()> {
        match self {
            Self::Tcp(port) => port.open(backlog),
            #[cfg(unix)]
            Self::Unix(port) => port.open(backlog),
        }
    }

    /// Refuses callers, and keeps its place.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(port) => port.shut(),
            #[cfg(unix)]
            Self::Unix(port) => port.shut(),
        }
    }

    /// Takes the one place in the queue of an open port, so that callers wait.
    pub(super) async fn fill(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(port) => port.fill().await,
            #[cfg(unix)]
            Self::Unix(port) => port.fill(),
        }
    }
}
