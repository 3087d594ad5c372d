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
mod injector;
mod ordinals;
mod shared;
mod ticket;

pub use armed::{FaultCount, FaultTally};
pub use chain::Chain;
pub use controls::{Controls, Status};
pub use counted::Counted;
pub use injector::{ConnKey, Injector, Welcome};
pub use shared::Change;
pub use ticket::{Dealing, Hold, Ticket};

use crate::{
    dice::Seed,
    event::Recorder,
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
    director: JoinHandle<()>,
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
        Self { shared, director }
    }

    /// The face that asks.
    pub fn injector(&self) -> Injector {
        Injector::new(Arc::clone(&self.shared))
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
        // The director ends by itself and does not panic; an abort is an end as well.
        let _ended = (&mut self.director).await;
    }
}

impl Drop for Run {
    /// A fault never outlives its drill, whatever ends it.
    fn drop(&mut self) {
        self.director.abort();
        self.shared.end(self.shared.tick());
    }
}
