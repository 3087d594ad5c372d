//! The face of a run that commands.

use crate::{
    engine::shared::{Change, Shared},
    fault::Tick,
    timeline::{Clock, Position, Speed},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::watch;

/// Commands to a run. Each takes effect at once; requests that are already being delayed keep what
/// they were dealt, unless the drill ends.
#[derive(Clone, Debug)]
pub struct Controls {
    shared: Arc<Shared>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    /// The phase and the time in it; `None` once the timeline is over.
    pub position: Option<Position>,
    /// Scenario time.
    pub time: Duration,
    /// Real time until the present phase ends, if the clock plays.
    pub left: Option<Duration>,
    /// Whether the clock moves.
    pub playing: bool,
    /// Whether the drill is over.
    pub over: bool,
}

impl Controls {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Where the run stands.
    pub fn status(&self) -> Status {
        let clock = self.shared.clock.load();
        let now = self.shared.tick();
        Status {
            position: clock.position(now),
            time: clock.time(now),
            left: clock.next_edge(now).map(|edge| edge.at.saturating_sub(now)),
            playing: clock.is_playing(),
            over: self.shared.over.load(Ordering::Acquire),
        }
    }

    /// Announces every edge.
    pub fn changes(&self) -> watch::Receiver<Change> {
        self.shared.change.subscribe()
    }

    /// Real time since the start.
    pub fn tick(&self) -> Tick {
        self.shared.tick()
    }

    /// Stands still: the phase's faults stay in force.
    pub fn pause(&self) {
        self.command(|clock, now| clock.pause(now));
    }

    /// Plays on.
    pub fn resume(&self) {
        self.command(|clock, now| clock.resume(now));
    }

    /// Goes on to the next phase, or from the last one to the end.
    pub fn skip(&self) {
        self.command(|clock, now| clock.skip(now));
    }

    /// Goes to a scenario time.
    pub fn seek(&self, time: Duration) {
        self.command(|clock, now| clock.seek(now, time));
    }

    /// Changes how fast the phases go by.
    pub fn speed(&self, speed: Speed) {
        self.command(|clock, now| clock.set_speed(now, speed));
    }

    /// Ends the drill: injection stops at once, and what is held is let go.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.end(self.shared.tick());
        self.shared.commanded.notify_one();
    }

    fn command(&self, change: impl Fn(&mut Clock, Duration)) {
        let now = self.shared.tick();
        self.shared.clock.rcu(|clock| {
            let mut clock = (**clock).clone();
            change(&mut clock, now);
            clock
        });
        self.shared.moved();
    }
}
