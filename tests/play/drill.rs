//! A bundled scenario being played in front of a service.

use crate::support::upstream::Upstream;
use firedrill::{
    diag::Problems,
    dice::Seed,
    engine::{Controls, Play, Run},
    event::Recorder,
    proxy::{Connector, Proxy, Settings, TlsSettings},
    scenario::{Scenario, bundled},
    timeline::Speed,
};
use std::{net::SocketAddr, sync::Arc, thread, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// How long the way to a hold takes, or a little more.
const LEG: Duration = Duration::from_millis(300);
/// How much of the drill is left behind a hold at least: so late may its end be noticed.
const SLACK: Duration = Duration::from_millis(700);

/// A drill.
pub(crate) struct Drill {
    pub(crate) upstream: Upstream,
    pub(crate) address: SocketAddr,
    pub(crate) controls: Controls,
    scenario: Arc<Scenario>,
    run: Run,
    proxy: Proxy,
    runtime: Runtime,
}

impl Drill {
    /// Plays a scenario that will be held: it stands at its start.
    pub(crate) fn held(name: &str) -> Self {
        let drill = Self::start(name, 1.0, None);
        drill.controls.pause();
        drill.controls.seek(Duration::ZERO);
        drill
    }

    /// Plays a scenario as `firedrill run --speed … --longest-phase …` does.
    pub(crate) fn start(name: &str, speed: f64, longest_phase: Option<Duration>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let entered = runtime.enter();
        let source = bundled::find(name).expect("a bundled scenario").source();
        let mut problems = Problems::default();
        let scenario = Scenario::read(&source, None, &mut problems).expect("it is good");
        let scenario = Arc::new(scenario);
        let seed: Seed = scenario.seed.expect("it has one");
        let speed = Speed::new(speed).expect("a speed");
        let play = Play { speed, longest_phase, ..Play::with_seed(seed) };
        let recorder = Arc::new(Recorder::new(1 << 12, false));
        let upstream = Upstream::start();
        let url = upstream.url().parse().expect("a URL");
        let connector = Connector::new(&url, &TlsSettings::default()).expect("a connector");
        let run = Run::start(Arc::clone(&scenario), &play, Arc::clone(&recorder));
        let any = "127.0.0.1:0".parse().expect("an address");
        let proxy = Proxy::listen(any, connector, Settings::default(), run.injector(), recorder);
        let proxy = proxy.expect("a port");
        let address = proxy.address().expect("it listens");
        let controls = run.controls();
        drop(entered);
        Self { upstream, address, controls, scenario, run, proxy, runtime }
    }

    /// Plays on to a time within a phase, as a part of its length, and stands still there.
    pub(crate) fn hold_at(&self, phase: &str, part: f64) {
        let timeline = self.run.timeline();
        let at = self.scenario.phases.iter().position(|p| p.name == phase).expect("a phase");
        let time = timeline.start_of(at) + timeline.length_of(at).mul_f64(part);
        let leg = time.saturating_sub(self.controls.status().time);
        let rest = timeline.length().saturating_sub(time);
        // Half of the way is played in any case; the other half only if the end of the drill is far
        // enough away for this thread to be late by the slack.
        let fast = leg.div_duration_f64(LEG).min((rest + leg / 2).div_duration_f64(SLACK));
        let stop = time.min(timeline.length().saturating_sub(SLACK.mul_f64(fast)));
        self.play_on(fast);
        while self.controls.status().time < stop {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!self.controls.status().over, "it was over before it could be held");
        self.controls.pause();
        // Exactly there, however late this was noticed.
        self.controls.seek(time);
    }

    fn play_on(&self, fast: f64) {
        self.controls.speed(Speed::new(fast.clamp(1.0, 100_000.0)).expect("a speed"));
        self.controls.resume();
    }

    /// The name of the phase that plays; `None` when it is over.
    pub(crate) fn phase(&self) -> Option<&str> {
        let position = self.controls.status().position?;
        Some(&self.scenario.phases[position.phase].name)
    }

    /// Plays to the end of the timeline.
    pub(crate) fn play_out(&mut self) {
        let left = self.run.timeline().length().saturating_sub(self.controls.status().time);
        self.play_on(left.div_duration_f64(LEG));
        self.runtime.block_on(self.run.finished());
        assert!(self.controls.status().over);
    }

    /// Ends the proxy; whatever was still held has been let go by then.
    pub(crate) fn end(mut self) {
        self.play_out();
        let cut = self.runtime.block_on(self.proxy.drain(Duration::from_secs(10)));
        assert_eq!(cut, 0, "connections outlived the drill");
    }
}
