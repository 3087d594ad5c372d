//! A port that is listened on.

use crate::proxy::listener::BACKLOG;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::{
    collections::VecDeque,
    future::pending,
    io,
    net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// How long a connection may be quiet before its other end is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct TcpPort {
    /// While it listens.
    open: Option<TcpListener>,
    /// While it does not, and keeps its port. It is out of the runtime's hands then: to those a
    /// socket that was shut down once is ready for ever, and an accept would spin.
    shut: Option<std::net::TcpListener>,
    address: SocketAddr,
    /// Our own connections that fill the accept queue while callers are to hang.
    fillers: VecDeque<TcpStream>,
}

impl TcpPort {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self { open: Some(socket), shut: None, address, fillers: VecDeque::new() })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (stream, peer) = match &self.open {
                Some(socket) => socket.accept().await?,
                None => pending().await,
            };
            if self.is_caller(&stream, peer) {
                return Ok((stream, peer));
            }
        }
    }

    pub(super) fn waiting(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        loop {
            // The kernel is asked itself: what the runtime knows of the queue may be old.
            let Some(Ok((stream, peer))) =
                self.open.as_ref().map(|open| SockRef::from(open).accept())
            else {
                return Ok(None);
            };
            stream.set_nonblocking(true)?;
            let stream = TcpStream::from_std(stream.into())?;
            if let Some(peer) = peer.as_socket()
                && self.is_caller(&stream, peer)
            {
                return Ok(Some((stream, peer)));
            }
        }
    }

    /// Whether a connection that was accepted is a client's; a filler of our own is forgotten.
    fn is_caller(&mut self, stream: &TcpStream, peer: SocketAddr) -> bool {
        let before = self.fillers.len();
        self.fillers.retain(|filler| filler.local_addr().map_or(true, |address| address != peer));
        if self.fillers.len() < before {
            return false;
        }
        // Nagle and delayed ACKs together would add 40 ms that nobody asked for.
        let _best_effort = stream.set_nodelay(true);
        // A client that is gone for good is found out even while nothing may be said to it.
        let _best_effort = SockRef::from(stream).set_tcp_keepalive(&keepalive());
        true
    }

    pub(super) fn open(&mut self, backlog: i32) -> io::Result<()> {
        if let Some(socket) = self.shut.take() {
            let door = SockRef::from(&socket);
            door.set_reuse_address(true)?;
            door.listen(backlog)?;
            self.open = Some(TcpListener::from_std(socket)?);
        }
        match &self.open {
            Some(socket) => SockRef::from(socket).listen(backlog)?,
            None => self.open = Some(bind(self.address)?),
        }
        Ok(())
    }

    /// Shuts the door and, on Linux, keeps the port: callers get a RST, and nobody else can take
    /// the port while we are away from it.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        if let Some(socket) = self.open.take() {
            let socket = socket.into_std()?;
            let door = SockRef::from(&socket);
            // Others may bind what does not listen, as long as both sides say that they share.
            door.set_reuse_address(false)?;
            door.shutdown(Shutdown::Read)?;
            self.shut = Some(socket);
        }
        Ok(())
    }

    /// Fills the one place of the queue: later SYNs are dropped.
    pub(super) async fn fill(&mut self) -> io::Result<()> {
        let connect = TcpStream::connect(self.address);
        if let Ok(filler) = timeout(Duration::from_millis(200), connect).await {
            self.fillers.push_back(filler?);
        }
        Ok(())
    }
}

const fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE)
}

/// Binds a listening socket.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address)?;
    let socket = if address.port() == 0 {
        // A port that the kernel chose would be given back whenever the door is shut, one that was
        // asked for is not. So the choice is asked for, while it is still held.
        let chosen = socket.local_addr()?.as_socket().unwrap_or(address);
        bound(chosen)?
    } else {
        socket
    };
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A drill that follows another must not wait for its closed connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // All addresses are those of both kinds, whatever the system's default is.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}
