//! A drill in front of an upstream.

use crate::support::{
    Message, Upstream, Wire,
    several::{Place, Several},
};
use firedrill::{
    diag::{Look, Problems, Source, render},
    dice::Seed,
    engine::{Controls, FaultTally, Hand, Injector, Play, Run, Site},
    event::{Event, Exchange, Recorder},
    fault::catalog::Protocol,
    proxy::{Connector, Proxy, Settings, TlsSettings},
    scenario::Scenario,
    timeline::Speed,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::DuplexStream,
    net::TcpStream,
    time::{Instant, sleep},
};

/// Waits until something is there, and fails the test if it does not come.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < patience, "in vain: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Connects to a proxy in memory, as from the address 10.0.0.`host`.
pub(super) fn in_memory(proxy: &Proxy, id: u64, host: u8) -> Wire<DuplexStream> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    proxy.serve(id, far, SocketAddr::from(([10, 0, 0, host], 40_000)));
    Wire::memory(near)
}

/// A drill that has not begun.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    text: String,
    play: Play,
    pub(crate) settings: Settings,
    pub(crate) protocol: Protocol,
}

/// A drill that plays.
#[derive(Debug)]
pub(crate) struct Drill {
    run: Run,
    pub(crate) hand: Hand,
    pub(crate) proxy: Proxy,
    recorder: Arc<Recorder>,
    heard: Mutex<Vec<Event>>,
    next_id: AtomicU64,
}

impl Drill {
    /// Ten minutes without a fault.
    pub(crate) fn calm() -> Setup {
        Setup::read("phases: [{ name: calm, for: 10m }]")
    }

    /// Ten minutes of these faults, as entries of a list: `respond: 503, share: 10%`.
    pub(crate) fn of(faults: &[&str]) -> Setup {
        let faults: Vec<String> = faults.iter().map(|fault| format!("{{ {fault} }}")).collect();
        Setup::read(&format!(
            "phases: [{{ name: outage, for: 10m, faults: [{}] }}]",
            faults.join(", ")
        ))
    }

    /// These phases, each a mapping in braces.
    pub(crate) fn phases(phases: &[&str]) -> Setup {
        Setup::read(&format!("phases: [{}]", phases.join(", ")))
    }
}

impl Setup {
    /// A whole scenario, its name aside.
    pub(crate) fn read(text: &str) -> Self {
        Self {
            text: format!("name: test\n{text}\n"),
            play: Play::with_seed(Seed(7)),
            settings: Settings::default(),
            protocol: Protocol::Http,
        }
    }

    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.play = Play::with_seed(Seed(seed));
        self
    }

    /// Phases go by so many times faster.
    pub(crate) fn speed(mut self, factor: f64) -> Self {
        self.play.speed = Speed::new(factor).expect("a speed");
        self
    }

    /// The clock stands still until the first request.
    pub(crate) fn waiting(mut self) -> Self {
        self.play.wait_for_traffic = true;
        self
    }

    pub(crate) fn unmarked(mut self) -> Self {
        self.settings.mark = false;
        self
    }

    /// Bytes are passed on as they come, by a proxy called `db`.
    pub(crate) fn tcp(mut self) -> Self {
        self.protocol = Protocol::Tcp;
        self
    }

    /// Begins on several proxies in memory: the name of each, what it understands of its traffic,
    /// and the way to what is behind it.
    pub(crate) fn on(self, places: Vec<(&str, Protocol, Connector)>) -> Several {
        let recorder = Arc::new(Recorder::new(1_000_000, true));
        let run = self.run(Arc::clone(&recorder));
        let place = |(name, protocol, connector): (&str, Protocol, Connector)| {
            let (injector, hand) = run.open(run.site(name, protocol));
            let settings = Settings::default();
            let proxy = Proxy::detached(connector, settings, injector, Arc::clone(&recorder));
            Place::new(hand, proxy)
        };
        let places = places.into_iter().map(place).collect();
        Several { run, places }
    }

    /// Only the run, without a proxy.
    pub(crate) fn run(&self, recorder: Arc<Recorder>) -> Run {
        let source = Source::new("test.yaml", self.text.clone());
        let mut problems = Problems::default();
        let scenario = Scenario::read(&source, None, &mut problems);
        let scenario =
            scenario.unwrap_or_else(|| panic!("{}", render(&source, &problems, Look::Plain)));
        Run::start(Arc::new(scenario), &self.play, recorder)
    }

    /// Begins in front of `upstream`.
    pub(crate) fn before(self, upstream: &Upstream) -> Drill {
        self.at(&format!("http://{}", upstream.address))
    }

    /// Begins in front of a URL.
    pub(crate) fn at(self, url: &str) -> Drill {
        let url = url.parse().expect("a URL");
        let connector = Connector::new(&url, &TlsSettings::default()).expect("a connector");
        self.through(connector)
    }

    /// Begins in front of an address, whatever is spoken there.
    pub(crate) fn facing(self, address: SocketAddr) -> Drill {
        self.tcp().through(Connector::tcp(&address.to_string()))
    }

    /// Begins in front of what a connector leads to, behind a real listener.
    pub(crate) fn through(self, connector: Connector) -> Drill {
        self.begin(|settings, injector, recorder| {
            let address = "127.0.0.1:0".parse().expect("an address");
            Proxy::listen(address, connector, settings, injector, recorder).expect("a port")
        })
    }

    /// Begins in front of what a connector leads to, all in memory.
    pub(crate) fn detached(self, connector: Connector) -> Drill {
        self.begin(|settings, injector, recorder| {
            Proxy::detached(connector, settings, injector, recorder)
        })
    }

    fn begin(self, proxy: impl FnOnce(Settings, Injector, Arc<Recorder>) -> Proxy) -> Drill {
        let recorder = Arc::new(Recorder::new(1_000_000, true));
        let run = self.run(Arc::clone(&recorder));
        let name = if self.protocol == Protocol::Tcp { "db" } else { "default" };
        let tls = self.settings.terminator.is_some() || self.settings.intercept.is_some();
        let (injector, hand) = run.open(Site { tls, ..run.site(name, self.protocol) });
        let proxy = proxy(self.settings, injector, Arc::clone(&recorder));
        Drill { run, hand, proxy, recorder, heard: Mutex::default(), next_id: AtomicU64::new(1) }
    }
}

impl Drill {
    pub(crate) fn address(&self) -> SocketAddr {
        self.proxy.address().expect("it listens")
    }

    /// Connects.
    pub(crate) async fn client(&self) -> Wire<TcpStream> {
        Wire::tcp(TcpStream::connect(self.address()).await.expect("it accepts"))
    }

    /// Connects in memory, as from the address 10.0.0.`host`.
    pub(crate) fn memory_client(&self, host: u8) -> Wire<DuplexStream> {
        let id = self.next_id.fetch_add(1, Ordering::SeqCst);
        in_memory(&self.proxy, id, host)
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        self.client().await.ask(request).await
    }

    pub(crate) fn controls(&self) -> Controls {
        self.run.controls()
    }

    pub(crate) fn injector(&self) -> Injector {
        self.run.injector()
    }

    /// Waits until a phase plays.
    pub(crate) async fn phase(&self, phase: usize) {
        let mut changes = self.injector().changes();
        changes.wait_for(|change| change.phase == Some(phase)).await.expect("the run goes on");
    }

    /// Waits for the end of the drill.
    pub(crate) async fn over(&self) {
        let mut changes = self.injector().changes();
        changes.wait_for(|change| change.over).await.expect("the run goes on");
    }

    /// What happened so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut heard = self.heard.lock().expect("no panic");
        let said = self.recorder.fetch().events.into_iter();
        heard.extend(said.filter(|event| !matches!(event, Event::Proxy { .. })));
        heard.clone()
    }

    /// The exchanges that are over.
    pub(crate) fn finished(&self) -> Vec<Exchange> {
        let exchanges = self.events().into_iter().filter_map(|event| match event {
            Event::Exchange(exchange) => Some(*exchange),
            _ => None,
        });
        exchanges.collect()
    }

    /// Waits until so many exchanges are over.
    pub(crate) async fn exchanges(&self, count: usize) -> Vec<Exchange> {
        let over = || Some(self.finished()).filter(|exchanges| exchanges.len() >= count);
        let exchanges = eventually("the exchanges are recorded", over).await;
        assert_eq!(exchanges.len(), count, "{exchanges:?}");
        exchanges
    }

    /// Waits for the only exchange.
    pub(crate) async fn exchange(&self) -> Exchange {
        self.exchanges(1).await.remove(0)
    }

    /// Waits until a fault has hit so many times.
    pub(crate) async fn hits(&self, fault: &str, count: u64) {
        let hit = || {
            let tallies = self.tallies();
            let tally = tallies.iter().find(|tally| &*tally.name == fault);
            let tally = tally.unwrap_or_else(|| panic!("no `{fault}` among {tallies:?}"));
            (tally.hit >= count).then_some(())
        };
        eventually(fault, hit).await;
    }

    /// What the faults did.
    pub(crate) fn tallies(&self) -> Vec<FaultTally> {
        self.run.tallies()
    }
}
