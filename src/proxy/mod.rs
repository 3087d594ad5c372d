//! The data plane: between the client (downstream) and the service (upstream).
//!
//! It asks the [`Injector`] what is dealt, carries it out, and tells the [`Recorder`] what came of
//! it. It names no fault: it knows [`Effect`](crate::fault::Effect)s and
//! [`ByteFilter`](crate::fault::ByteFilter)s.

mod arrive;
mod ask;
mod calls;
mod conn;
mod ctl;
mod cut;
mod drain;
mod edges;
mod edit;
mod error;
mod events;
mod http;
mod http2;
mod inbound;
mod inject;
mod introduce;
mod listener;
mod memory;
mod meters;
mod record;
mod reply;
mod rescue;
mod rest;
mod second;
mod shaper;
mod socket;
mod stand;
mod streams;
mod tcp;
mod tee;
mod timer;
mod tls;
mod tunnel;
mod upload;
mod upstream;

pub use crate::config::{Forwarded, HostHeader, ProxyVersion, UpstreamHttp};
pub use listener::Door;
pub use memory::MemoryClient;
pub use meters::{Metered, Meters};
pub use tls::Terminator;
pub use upstream::{Connector, Dial, TlsClient, TlsError, TlsRoots, TlsSettings, UpstreamIo};

use self::http::Forward;
use crate::{
    engine::Injector, event::Recorder, fault::catalog::Protocol, select::Network, units::Place,
};
use arrive::Arrival;
use conn::{Carry, Shared};
use ctl::ConnCtl;
use drain::Ending;
use introduce::{Ends, Refusals};
use listener::Listener;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use timer::Timer;
use tls::Routes;
use tokio::{io::DuplexStream, task::JoinHandle};
use upstream::{Asked, Upstream};

/// A proxy's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether injected answers say by a header that they are.
    pub mark: bool,
    /// What becomes of a request's `host`.
    pub host: HostHeader,
    /// Speaks TLS with its clients; without it they speak none.
    pub terminator: Option<Arc<Terminator>>,
    /// Speaks TLS inside the tunnels of a forward proxy; without it their bytes are passed on.
    pub intercept: Option<Arc<Terminator>>,
    /// Which version of HTTP the upstream is spoken to in.
    pub http: UpstreamHttp,
    /// Who has to begin with a PROXY header, is believed, and may connect; with none of them everybody
    /// may, and nobody has to.
    pub accept: Vec<Network>,
    /// Which header fields tell the upstream who the client is.
    pub forwarded: Forwarded,
    /// Where TLS goes that is passed on untouched, by the name or `*.name` that its client asks for;
    /// other names go where all bytes go.
    pub sni: Vec<(String, Arc<Connector>)>,
    /// What counts its bytes, also over several lives of it.
    pub meters: Arc<Meters>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mark: true,
            host: HostHeader::Keep,
            terminator: None,
            intercept: None,
            http: UpstreamHttp::Same,
            accept: Vec::new(),
            forwarded: Forwarded::None,
            sni: Vec::new(),
            meters: Arc::default(),
        }
    }
}

/// A proxy in front of one upstream. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    injector: Injector,
    place: Option<Place>,
    listening: Option<JoinHandle<()>>,
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
        let door = Door::open(&address.into())?;
        Ok(Self::behind(door, upstream, settings, injector, recorder))
    }

    /// Takes whoever comes to a door, and passes on to `upstream`.
    pub fn behind(
        door: Door,
        upstream: Connector,
        settings: Settings,
        injector: Injector,
        recorder: Arc<Recorder>,
    ) -> Self {
        let (timer, place) = (Timer::fine(), Some(door.place()));
        let mut proxy = Self::with_timer(upstream, settings, injector, recorder, timer, place);
        let listener = Listener::new(door, proxy.injector.clone(), Arc::clone(&proxy.shared));
        proxy.listening = Some(proxy.shared.ending.tasks.spawn(listener.run()));
        proxy
    }

    /// A proxy without a listener, for connections that are made in memory.
    pub fn detached(
        upstream: Connector,
        settings: Settings,
        injector: Injector,
        recorder: Arc<Recorder>,
    ) -> Self {
        // Their time may be a test's own, which the kernel knows nothing of.
        Self::with_timer(upstream, settings, injector, recorder, Timer::Coarse, None)
    }

    fn with_timer(
        upstream: Connector,
        settings: Settings,
        injector: Injector,
        recorder: Arc<Recorder>,
        timer: Timer,
        place: Option<Place>,
    ) -> Self {
        let ending = Ending::default();
        let Settings {
            meters,
            mark,
            host,
            terminator,
            intercept,
            http,
            accept,
            forwarded,
            sni: routes,
        } = settings;
        let carry = match (injector.protocol(), upstream.routes()) {
            (Protocol::Tcp, _) if routes.is_empty() => Carry::Tcp(upstream),
            (Protocol::Tcp, _) => Carry::Sni(Routes::new(routes, upstream)),
            (Protocol::Http | Protocol::Forward, Some(ways)) => {
                let own = place.as_ref().and_then(Place::tcp);
                let how = (http, intercept.is_some());
                let asked = Asked::new(ways.clone(), own, how, Arc::clone(&meters));
                Carry::Http(Forward::asked(asked, ending.clone(), timer.clone()))
            }
            (Protocol::Http | Protocol::Forward, None) => {
                let upstream = Upstream::new(upstream, http, Arc::clone(&meters));
                let ending = ending.clone();
                Carry::Http(Forward::new(upstream, host, forwarded, ending, timer.clone()))
            }
        };
        let refusals = Refusals::default();
        let shared = Shared {
            recorder,
            carry,
            terminator,
            intercept,
            meters,
            mark,
            ending,
            timer,
            accept,
            refusals,
        };
        Self { shared: Arc::new(shared), injector, place, listening: None }
    }

    /// Where it listens, if it does, and has an address there.
    pub fn address(&self) -> Option<SocketAddr> {
        self.place.as_ref().and_then(Place::tcp)
    }

    /// What went through it so far.
    pub fn meters(&self) -> &Meters {
        &self.shared.meters
    }

    /// Serves one connection that was made in memory, as if `peer` were at its other end.
    pub fn serve(&self, id: u64, io: DuplexStream, peer: SocketAddr) {
        conn::spawn(io, self.ctl(id, peer), &self.shared);
    }

    /// The same, for a client whose going is noticed at once, as it is on a socket.
    pub fn connect(&self, id: u64, peer: SocketAddr) -> MemoryClient {
        let (near, far) = memory::pair();
        conn::spawn(far, self.ctl(id, peer), &self.shared);
        near
    }

    fn ctl(&self, id: u64, peer: SocketAddr) -> Arc<ConnCtl> {
        let server = match peer.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let ends = Some(Ends { client: peer, server: SocketAddr::new(server, 0) });
        let accepted = self.injector.micros();
        Arrival { id, peer, ends, accepted }.ctl(&self.injector, &self.shared)
    }

    /// Takes no new connections, waits for exchanges under way for at most `patience`, then ends
    /// them. Says how many connections had to be ended.
    pub async fn drain(&self, patience: Duration) -> usize {
        self.shared.ending.drain(patience).await
    }
}

impl Proxy {
    /// Ends at once: the port is free when this returns, and connections that are open are being
    /// closed. It waits for no peer.
    pub async fn close(mut self) {
        let listening = self.listening.take();
        // Everything that is served sees this.
        drop(self);
        if let Some(listening) = listening {
            // Whatever it waits for, a filler's connection or a pause after a failed accept.
            listening.abort();
            let _ended = listening.await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ending.draining.cancel();
        self.shared.ending.stopping.cancel();
    }
}
