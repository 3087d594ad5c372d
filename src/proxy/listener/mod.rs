//! The listening socket: accepts, refuses, or leaves callers hanging.
//!
//! A real refusal and a real silence are made by the kernel, so that clients see the very errors
//! they would see in life (`ECONNREFUSED`, a connect that times out). Nothing here needs a
//! privilege.

use crate::{
    engine::Injector,
    fault::Gate,
    proxy::{arrive::Arrival, conn::Shared, introduce::Ends},
};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::{
    collections::VecDeque,
    future::pending,
    io,
    net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, sleep_until, timeout},
};

/// The kernel's queue of connections not yet accepted.
const BACKLOG: i32 = 4096;
/// How long a connection may be quiet before its other end is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// After a change of the listener that failed, when to try again.
const AGAIN: Duration = Duration::from_secs(1);
/// After an accept that failed for want of something (files, memory), how long to wait for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A port that is listened on, before anybody is let in.
#[derive(Debug)]
pub struct Door {
    socket: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Listens on an address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be listened on.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
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

/// Accepts connections until the proxy drains.
#[derive(Debug)]
pub(super) struct Listener {
    /// While it listens.
    open: Option<TcpListener>,
    /// While it does not, and keeps its port. It is out of the runtime's hands then: to those a
    /// socket that was shut down once is ready for ever, and an accept would spin.
    shut: Option<std::net::TcpListener>,
    address: SocketAddr,
    injector: Injector,
    shared: Arc<Shared>,
    next_id: u64,
    gate: Option<Gate>,
    /// What the gate says could not be done.
    failed: bool,
    /// Our own connections that fill the accept queue while callers are to hang.
    fillers: VecDeque<TcpStream>,
}

impl Listener {
    pub(super) fn new(door: Door, injector: Injector, shared: Arc<Shared>) -> Self {
        Self {
            open: Some(door.socket),
            shut: None,
            address: door.address,
            injector,
            shared,
            next_id: 0,
            gate: None,
            failed: false,
            fillers: VecDeque::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut changes = self.injector.changes();
        let draining = self.shared.ending.draining.clone();
        loop {
            let (gate, again) = self.injector.gate();
            self.set_gate(gate).await;
            let again = async {
                match again {
                    Some(tick) => sleep_until(self.injector.instant(tick)).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = draining.cancelled() => return,
                Ok(()) = changes.changed() => {}
                () = again => {}
                () = sleep(AGAIN), if self.failed => {}
                accepted = accept(self.open.as_ref()), if self.gate.is_none() => match accepted {
                    Ok((stream, peer)) => self.welcome(stream, peer),
                    Err(error) => accept_failed(&error).await,
                },
            }
        }
    }

    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.is_filler(peer) {
            return;
        }
        // Nagle and delayed ACKs together would add 40 ms that nobody asked for.
        let _best_effort = stream.set_nodelay(true);
        // A client that is gone for good is found out even while nothing may be said to it.
        let _best_effort = SockRef::from(&stream).set_tcp_keepalive(&keepalive());
        self.next_id += 1;
        // Fails only on a socket that is gone already.
        let ends = stream.local_addr().ok().map(|server| Ends { client: peer, server });
        let accepted = self.injector.micros();
        let arrival = Arrival { id: self.next_id, peer, ends, accepted };
        arrival.welcome(stream, &self.injector, &self.shared);
    }

    /// Whether a connection that was accepted is one of our own fillers; forgets it if so.
    fn is_filler(&mut self, peer: SocketAddr) -> bool {
        let before = self.fillers.len();
        self.fillers.retain(|filler| filler.local_addr().map_or(true, |address| address != peer));
        self.fillers.len() < before
    }

    async fn set_gate(&mut self, gate: Option<Gate>) {
        if gate == self.gate && !self.failed && (gate.is_some() || self.open.is_some()) {
            return;
        }
        if gate.is_some() && gate != self.gate {
            self.injector.gate_came();
        }
        self.gate = gate;
        let done = match gate {
            None => self.open(BACKLOG),
            Some(Gate::Refuse) => self.shut(),
            Some(Gate::Unreachable) => self.fill_queue().await,
        };
        self.failed = done.is_err();
        if let Err(error) = done {
            tracing::error!(%error, ?gate, "cannot change what the listener does");
        }
    }

    /// Listens, with room for `backlog` callers in the queue.
    fn open(&mut self, backlog: i32) -> io::Result<()> {
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
    fn shut(&mut self) -> io::Result<()> {
        self.let_in_who_waits()?;
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

    /// Leaves room for one in the accept queue and fills it ourselves: later SYNs are dropped.
    async fn fill_queue(&mut self) -> io::Result<()> {
        // From a shut door the queue has to be opened first.
        self.open(0)?;
        self.let_in_who_waits()?;
        let connect = TcpStream::connect(self.address);
        if let Ok(filler) = timeout(Duration::from_millis(200), connect).await {
            self.fillers.push_back(filler?);
        }
        Ok(())
    }

    /// Whoever connected before the door closed is not to be turned away. Who comes meanwhile may
    /// be; to wait for a pause would leave the door open to a crowd for ever.
    fn let_in_who_waits(&mut self) -> io::Result<()> {
        for _ in 0..BACKLOG {
            // The kernel is asked itself: what the runtime knows of the queue may be old.
            let Some(Ok((stream, peer))) =
                self.open.as_ref().map(|open| SockRef::from(open).accept())
            else {
                break;
            };
            stream.set_nonblocking(true)?;
            if let Some(peer) = peer.as_socket() {
                self.welcome(TcpStream::from_std(stream.into())?, peer);
            }
        }
        Ok(())
    }
}

const fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE)
}

async fn accept(socket: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match socket {
        Some(socket) => socket.accept().await,
        None => pending().await,
    }
}

async fn accept_failed(error: &io::Error) {
    // A connection that was gone before it was accepted is nobody's trouble.
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    ) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections");
    sleep(ACCEPT_PAUSE).await;
}
