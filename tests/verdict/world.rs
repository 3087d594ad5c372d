//! Client, proxy and shop in memory, under a clock of their own.

use crate::cell::{Cell, Played, Truth};
use firedrill::{
    demo::{self, Crowd, Dialer, Shop},
    dice::Seed,
    engine::{Play, Run},
    event::{Event, Recorder},
    proxy::{Connector, Dial, Proxy, Settings, UpstreamIo},
    scenario::Scenario,
};
use std::{
    fmt,
    future::{Future, ready},
    io,
    net::SocketAddr,
    ops::RangeInclusive,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{io::duplex, runtime::Builder, time::sleep};
use tokio_util::sync::CancellationToken;

/// The users of a client, and how often each wants something.
const CROWD: Crowd = Crowd {
    users: 12,
    every: Duration::from_secs(1),
    slots: None,
    named: Some("user"),
    truth: false,
};
/// How long the shop takes for a request.
const SERVICE: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(40);
/// What a pipe holds.
const PIPE: usize = 64 * 1024;
/// How long the proxy has to notice, at the end, that everybody has left.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// The way to the shop.
struct ToShop(Arc<Shop>);

impl fmt::Debug for ToShop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToShop")
    }
}

impl Dial for ToShop {
    fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
        let (near, far) = duplex(PIPE);
        self.0.serve(far);
        Box::pin(ready(Ok(UpstreamIo::Memory(near))))
    }
}

/// Plays a cell from its first second to its last.
pub(crate) fn play(cell: Cell, seed: Seed) -> Played {
    let scenario = Arc::new(cell.scenario());
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let (events, truth) =
        runtime.expect("a runtime").block_on(live(cell, Arc::clone(&scenario), seed));
    Played { events, scenario, truth }
}

async fn live(cell: Cell, scenario: Arc<Scenario>, seed: Seed) -> (Vec<Event>, Truth) {
    let recorder = Arc::new(Recorder::new(10_000_000, true));
    let shop = Arc::new(Shop::taking(SERVICE).await.expect("a loopback port"));
    let dice = scenario.seed.expect("whom its faults hit is part of the scenario");
    let run = Run::start(Arc::clone(&scenario), &Play::with_seed(dice), Arc::clone(&recorder));
    let connector = Connector::custom(Arc::new(ToShop(Arc::clone(&shop))));
    let (settings, injector) = (Settings::default(), run.injector());
    let proxy = Arc::new(Proxy::detached(connector, settings, injector, Arc::clone(&recorder)));
    let doors = [door(&proxy)];
    let stop = CancellationToken::new();
    let crowd = Crowd { slots: slots(cell), ..CROWD };
    let life = demo::crowd(cell.policy(), crowd, &doors, &shop, stop.clone(), seed);
    let ((users, orders), ()) = tokio::join!(life, async {
        sleep(run.timeline().length()).await;
        stop.cancel();
    });
    sleep(AFTERWARDS).await;
    let batch = recorder.fetch();
    assert_eq!(batch.dropped, 0, "a record with gaps judges nobody");
    let ledger = shop.ledger();
    shop.stop().await;
    (batch.events, Truth { users, ledger, orders })
}

/// A client that tries for ever has one operation under way where failures come fast, so that a
/// play has an end.
fn slots(cell: Cell) -> Option<usize> {
    let is_silent = matches!(cell.scenario, "tencent" | "aws" | "blackhole" | "firewall");
    (cell.client == "immediate" && !is_silent).then_some(1)
}

/// A way to the proxy.
fn door(proxy: &Arc<Proxy>) -> Dialer {
    let (proxy, ids) = (Arc::clone(proxy), AtomicU64::new(1));
    Dialer::new(move || {
        let id = ids.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(id % 50_000).expect("a port");
        ready(io::Result::Ok(proxy.connect(id, SocketAddr::from(([10, 0, 0, 1], port)))))
    })
}
