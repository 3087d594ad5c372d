//! A drill in front of the service, and what is told of it.

use crate::service::{Client, Counting, start};
use firedrill::{
    diag::{Look, Problems, Source, render},
    dice::Seed,
    engine::{Controls, Play, Run},
    event::{Event, Exchange, Recorder},
    fault::catalog::Protocol,
    proxy::{Connector, Proxy, Settings, TlsSettings},
    scenario::Scenario,
    verdict::{Judge, Verdict},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A drill that plays.
#[derive(Debug)]
pub(crate) struct Drill {
    /// Plays as long as it is there.
    run: Run,
    pub(crate) proxy: Proxy,
    pub(crate) upstream: Counting,
    scenario: Arc<Scenario>,
    recorder: Arc<Recorder>,
    heard: Mutex<Vec<Event>>,
}

/// Ten minutes of these faults, as entries of a list.
pub(crate) fn faults(faults: &str) -> String {
    format!("name: test\nphases: [{{ name: outage, for: 10m, faults: [{faults}] }}]\n")
}

/// Ten minutes without any.
pub(crate) const CALM: &str = "name: test\nphases: [{ name: calm, for: 10m }]\n";

/// Ten hours without any.
pub(crate) const CALM_FOR_HOURS: &str = "name: test\nphases: [{ name: calm, for: 10h }]\n";

impl Drill {
    /// Plays a scenario in front of a service of its own, behind a real listener.
    pub(crate) async fn of(text: &str) -> Self {
        let (address, upstream) = start().await;
        let url = format!("http://{address}").parse().expect("a URL");
        let connector = Connector::new(&url, &TlsSettings::default()).expect("a connector");
        Self::begin(text, upstream, |injector, recorder| {
            let address = "127.0.0.1:0".parse().expect("an address");
            let settings = Settings::default();
            Proxy::listen(address, connector, settings, injector, recorder).expect("a port")
        })
    }

    pub(crate) fn begin(
        text: &str,
        upstream: Counting,
        proxy: impl FnOnce(firedrill::engine::Injector, Arc<Recorder>) -> Proxy,
    ) -> Self {
        let source = Source::new("test.yaml", text.to_owned());
        let mut problems = Problems::default();
        let scenario = Scenario::read(&source, None, &mut problems);
        let scenario =
            scenario.unwrap_or_else(|| panic!("{}", render(&source, &problems, Look::Plain)));
        let scenario = Arc::new(scenario);
        let recorder = Arc::new(Recorder::new(1_000_000, true));
        let run =
            Run::start(Arc::clone(&scenario), &Play::with_seed(Seed(7)), Arc::clone(&recorder));
        let (injector, _hand) = run.open(run.site("default", Protocol::Http));
        let proxy = proxy(injector, Arc::clone(&recorder));
        Self { run, proxy, upstream, scenario, recorder, heard: Mutex::default() }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::to(self.proxy.address().expect("it listens")).await
    }

    pub(crate) fn controls(&self) -> Controls {
        self.run.controls()
    }

    fn events(&self) -> Vec<Event> {
        let mut heard = self.heard.lock().expect("no panic");
        heard.extend(self.recorder.fetch().events);
        heard.clone()
    }

    /// Waits until so many exchanges are over.
    pub(crate) async fn exchanges(&self, count: usize) -> Vec<Exchange> {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let exchanges: Vec<Exchange> = self
                .events()
                .into_iter()
                .filter_map(|event| match event {
                    Event::Exchange(exchange) => Some(*exchange),
                    _ => None,
                })
                .collect();
            if exchanges.len() >= count {
                assert_eq!(exchanges.len(), count, "{exchanges:?}");
                return exchanges;
            }
            assert!(Instant::now() < patience, "{} of {count}", exchanges.len());
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// What is thought of it, once so many exchanges are over.
    pub(crate) async fn verdict(&self, count: usize) -> Verdict {
        self.exchanges(count).await;
        let sources = self.scenario.users.sources.len();
        let mut judge = Judge::new(Arc::clone(&self.scenario), Seed(1), sources, Box::new(()));
        for event in self.events() {
            judge.fold(&event);
        }
        judge.finish(0)
    }
}
