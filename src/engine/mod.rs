//! A scenario in motion.
//!
//! A [`Run`] has two faces. The data plane holds an [`Injector`], which can only ask; whoever
//! commands holds [`Controls`]. One task, the director, walks the timeline and publishes which
//! faults are in force; what moves inside a phase is worked out at the moment of each decision.

mod active;
mod armed;
mod chain;
mod controls;
mod counted;
mod director;
mod forecast;
mod hand;
mod injector;
mod ordinals;
mod shared;
mod socket;
mod station;
mod ticket;

pub use armed::{FaultCount, FaultTally, Tunnel};
pub use chain::Chain;
pub use controls::{Controls, Status};
pub use counted::Counted;
pub use forecast::Forecast;
pub use hand::{ByHand, Hand, HandError, HandFault, MOST_BY_HAND, Memo};
pub use injector::{ConnKey, Injector, Welcome};
pub use shared::Change;
pub use socket::Socket;
pub use station::Site;
pub use ticket::{Dealing, Hold, Ticket};

use crate::{
    dice::Seed,
    event::Recorder,
    fault::catalog::Protocol,
    scenario::Scenario,
    timeline::{Speed, Timeline},
};
use shared::Shared;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// How a scenario is to be played.
#[derive(Clone, Debug)]
pub struct Play {
    /// What all choices follow from.
    pub seed: Seed,
    /// How many times faster than life the phases go by.
    pub speed: Speed,
    /// Where to start, in scenario time.
    pub start_at: Duration,
    /// Plateaus longer than this are cut down to it.
    pub longest_phase: Option<Duration>,
    /// Whether to stand still until the first request.
    pub wait_for_traffic: bool,
}

impl Play {
    /// As in life, from the start, at once.
    pub fn with_seed(seed: Seed) -> Self {
        Self {
            seed,
            speed: Speed::REAL,
            start_at: Duration::ZERO,
            longest_phase: None,
            wait_for_traffic: false,
        }
    }
}

/// A scenario being played.
#[derive(Debug)]
pub struct Run {
    shared: Arc<Shared>,
    /// `None` for a run without phases, which nothing but a command ends.
    director: Option<JoinHandle<()>>,
}

impl Run {
    /// Starts to play. Must be called inside a tokio runtime.
    pub fn start(scenario: Arc<Scenario>, play: &Play, recorder: Arc<Recorder>) -> Self {
        let timeline = Arc::new(scenario.timeline(play.longest_phase));
        let shared = Arc::new(Shared::new(scenario, timeline, play, recorder));
        if !play.wait_for_traffic {
            // Before the director is scheduled, so that the drill begins with its start.
            director::play(&shared, Duration::ZERO);
        }
        let director = tokio::spawn(director::direct(Arc::clone(&shared)));
        Self { shared, director: Some(director) }
    }

    /// A run without phases: nothing is in force but what is put on a proxy by hand.
    pub fn idle(seed: Seed, recorder: Arc<Recorder>) -> Self {
        let scenario = Arc::new(Scenario::empty());
        let timeline = Arc::new(scenario.timeline(None));
        let shared = Shared::new(scenario, timeline, &Play::with_seed(seed), recorder);
        Self { shared: Arc::new(shared), director: None }
    }

    /// A proxy without TLS whose users are those of the scenario.
    pub fn site(&self, name: &str, protocol: Protocol) -> Site {
        let users = Arc::new(self.shared.scenario.users.clone());
        Site { name: name.into(), protocol, tls: false, users }
    }

    /// Takes a proxy in: the face that asks what is dealt on it, and the one that deals by hand.
    pub fn open(&self, site: Site) -> (Injector, Hand) {
        self.stations().open(site)
    }

    /// The face that asks, for a run with one HTTP proxy: the first that was opened, or one called
    /// `default`.
    pub fn injector(&self) -> Injector {
        let first = self.shared.first();
        let station =
            first.unwrap_or_else(|| self.shared.add(self.site(Site::ONLY, Protocol::Http)));
        Injector::new(Arc::clone(&self.shared), station)
    }

    /// The face that takes proxies in and lets them go.
    pub fn stations(&self) -> Stations {
        Stations { shared: Arc::clone(&self.shared) }
    }

    /// The face that commands.
    pub fn controls(&self) -> Controls {
        Controls::new(Arc::clone(&self.shared))
    }

    /// The name of this run, as injected answers carry it.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The timeline as it is played.
    pub fn timeline(&self) -> &Timeline {
        &self.shared.timeline
    }

    /// What each fault was asked to do and did so far.
    pub fn tallies(&self) -> Vec<FaultTally> {
        self.shared.tallies()
    }

    /// Waits for the end of the timeline, or of the drill.
    pub async fn finished(&mut self) {
        if let Some(director) = &mut self.director {
            // It ends by itself and does not panic; an abort is an end as well.
            let _ended = director.await;
        } else {
            let mut changes = self.shared.change.subscribe();
            let _over = changes.wait_for(|change| change.over).await;
        }
    }
}

/// The face of a run that takes proxies in and lets them go.
#[derive(Clone, Debug)]
pub struct Stations {
    shared: Arc<Shared>,
}

impl Stations {
    /// Takes a proxy in: the face that asks what is dealt on it, and the one that deals by hand.
    pub fn open(&self, site: Site) -> (Injector, Hand) {
        let station = self.shared.add(site);
        let shared = Arc::clone(&self.shared);
        let hand = Hand { shared: Arc::clone(&shared), station: Arc::clone(&station) };
        (Injector::new(shared, station), hand)
    }

    /// Lets a proxy go: what it would be asked for changes no more.
    pub fn close(&self, hand: &Hand) {
        hand.clear();
        self.shared.remove(&hand.station);
    }
}

impl Drop for Run {
    /// A fault never outlives its drill, whatever ends it.
    fn drop(&mut self) {
        if let Some(director) = &self.director {
            director.abort();
        }
        self.shared.end(self.shared.tick());
    }
}
