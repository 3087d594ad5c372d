//! The data plane: between the client (downstream) and the service (upstream).
//!
//! It asks the [`Injector`] what is dealt, carries it out, and tells the [`Recorder`] what came of
//! it. It names no fault: it knows [`Effect`](crate::fault::Effect)s and
//! [`ByteFilter`](crate::fault::ByteFilter)s.

mod ask;
mod conn;
mod ctl;
mod drain;
mod edit;
mod error;
mod http;
mod inject;
mod listener;
mod record;
mod reply;
mod rescue;
mod socket;
mod timer;
mod upstream;

pub use self::http::HostHeader;
pub use upstream::{
    Connector, Dial, TlsError, TlsRoots, TlsSettings, UpstreamAddr, UpstreamIo, UpstreamUrlError,
};

use self::http::Forward;
use crate::{engine::Injector, event::Recorder};
use conn::Shared;
use ctl::ConnCtl;
use drain::Ending;
use listener::Listener;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use timer::Timer;
use tokio::io::DuplexStream;
use upstream::Upstream;

/// A proxy's settings.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether injected answers say by a header that they are.
    pub mark: bool,
    /// What becomes of a request's `host`.
    pub host: HostHeader,
}

impl Default for Settings {
    fn default() -> Self {
        Self { mark: true, host: HostHeader::Keep }
    }
}

/// A proxy in front of one upstream. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    injector: Injector,
    address: Option<SocketAddr>,
}

impl Proxy {
    /// Listens on `address` and passes on to `upstream`.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be listened on.
    pub fn listen(
        address: SocketAddr,
        upstream: Connector,
        settings: Settings,
        injector: Injector,
        recorder: Arc<Recorder>,
    ) -> io::Result<Self> {
        let socket = listener::bind(address)?;
        let mut proxy = Self::with_timer(upstream, settings, injector, recorder, Timer::fine());
        proxy.address = Some(socket.local_addr()?);
        let listener = Listener::new(socket, proxy.injector.clone(), Arc::clone(&proxy.shared))?;
        proxy.shared.ending.tasks.spawn(listener.run());
        Ok(proxy)
    }

    /// A proxy without a listener, for connections that are made in memory.
    pub fn detached(
        upstream: Connector,
        settings: Settings,
        injector: Injector,
        recorder: Arc<Recorder>,
    ) -> Self {
        // Their time may be a test's own, which the kernel knows nothing of.
        Self::with_timer(upstream, settings, injector, recorder, Timer::Coarse)
    }

    fn with_timer(
        upstream: Connector,
        settings: Settings,
        injector: Injector,
        recorder: Arc<Recorder>,
        timer: Timer,
    ) -> Self {
        let ending = Ending::default();
        let forward = Forward::new(Upstream::new(upstream), settings.host, ending.clone());
        let shared = Shared { recorder, forward, mark: settings.mark, ending, timer };
        Self { shared: Arc::new(shared), injector, address: None }
    }

    /// Where it listens, if it does.
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Serves one connection that was made in memory, as if `peer` were at its other end.
    pub fn serve(&self, id: u64, io: DuplexStream, peer: SocketAddr) {
        let key = self.injector.connection(peer.ip());
        let welcome = self.injector.welcome(key);
        let injector = self.injector.clone();
        let recorder = Arc::clone(&self.shared.recorder);
        let ctl = Arc::new(ConnCtl::new(id, peer, key, welcome, injector, recorder));
        let served = conn::serve(io, ctl, Arc::clone(&self.shared));
        self.shared.ending.tasks.spawn(served);
    }

    /// Takes no new connections, waits for exchanges under way for at most `patience`, then ends
    /// them. Says how many connections had to be ended.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.shared.ending.drain(patience).await
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ending.draining.cancel();
        self.shared.ending.stopping.cancel();
    }
}
