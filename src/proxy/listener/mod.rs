//! The listening socket: accepts, refuses, or leaves callers hanging.
//!
//! A real refusal and a real silence are made by the kernel, so that clients see the very errors
//! they would see in life (`ECONNREFUSED`, a connect that times out). Nothing here needs a
//! privilege.

mod port;
mod tcp;
#[cfg(unix)]
mod unix;

use crate::{
    engine::Injector,
    fault::Gate,
    proxy::{arrive::Arrival, conn::Shared, introduce::Ends},
    units::Place,
};
use port::{Caller, Port};
use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::time::{sleep, sleep_until};

/// The kernel's queue of connections not yet accepted.
const BACKLOG: i32 = 4096;
/// After a change of the listener that failed, when to try again.
const AGAIN: Duration = Duration::from_secs(1);
/// After an accept that failed for want of something (files, memory), how long to wait for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Who is at the other end of a Unix socket, where an address is asked for: this machine, and no port.
const UNIX_PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A place that is listened on, before anybody is let in.
#[derive(Debug)]
pub struct Door {
    port: Port,
}

impl Door {
    /// Listens at a place. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be listened at.
    pub fn open(place: &Place) -> io::Result<Self> {
        Ok(Self { port: Port::bind(place)? })
    }

    /// Where it listens.
    pub fn place(&self) -> Place {
        self.port.place()
    }
}

/// Accepts connections until the proxy drains.
#[derive(Debug)]
pub(super) struct Listener {
    port: Port,
    injector: Injector,
    shared: Arc<Shared>,
    next_id: u64,
    gate: Option<Gate>,
    /// What the gate says could not be done.
    failed: bool,
}

impl Listener {
    pub(super) fn new(door: Door, injector: Injector, shared: Arc<Shared>) -> Self {
        Self { port: door.port, injector, shared, next_id: 0, gate: None, failed: false }
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
                accepted = self.port.accept(), if self.gate.is_none() => match accepted {
                    Ok(caller) => self.welcome(caller),
                    Err(error) => accept_failed(&error).await,
                },
            }
        }
    }

    fn welcome(&mut self, caller: Caller) {
        self.next_id += 1;
        let (id, accepted) = (self.next_id, self.injector.micros());
        match caller {
            Caller::Tcp(stream, peer) => {
                // Fails only on a socket that is gone already.
                let ends = stream.local_addr().ok().map(|server| Ends { client: peer, server });
                let arrival = Arrival { id, peer, ends, accepted };
                arrival.welcome(stream, &self.injector, &self.shared);
            }
            #[cfg(unix)]
            Caller::Unix(stream) => {
                let arrival = Arrival { id, peer: UNIX_PEER, ends: None, accepted };
                arrival.welcome(stream, &self.injector, &self.shared);
            }
        }
    }

    async fn set_gate(&mut self, gate: Option<Gate>) {
        if gate == self.gate && !self.failed && (gate.is_some() || self.port.is_open()) {
            return;
        }
        if gate.is_some() && gate != self.gate {
            self.injector.gate_came();
        }
        self.gate = gate;
        let done = match gate {
            None => self.port.open(BACKLOG),
            Some(Gate::Refuse) => self.let_in_who_waits().and_then(|()| self.port.shut()),
            Some(Gate::Unreachable) => self.fill_queue().await,
        };
        self.failed = done.is_err();
        if let Err(error) = done {
            tracing::error!(%error, ?gate, "cannot change what the listener does");
        }
    }

    /// Leaves room for one in the accept queue and fills it ourselves: later callers wait.
    async fn fill_queue(&mut self) -> io::Result<()> {
        // From a shut door the queue has to be opened first.
        self.port.open(0)?;
        self.let_in_who_waits()?;
        self.port.fill().await
    }

    /// Whoever connected before the door closed is not to be turned away. Who comes meanwhile may
    /// be; to wait for a pause would leave the door open to a crowd for ever.
    fn let_in_who_waits(&mut self) -> io::Result<()> {
        for _ in 0..BACKLOG {
            let Some(caller) = self.port.waiting()? else { break };
            self.welcome(caller);
        }
        Ok(())
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
