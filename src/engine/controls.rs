//! The face of a run that commands.

use crate::{
    engine::{
        armed::FaultTally,
        shared::{Change, Shared},
    },
    fault::Tick,
    timeline::{Clock, Position, Speed, Timeline},
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
    /// How fast the phases go by.
    pub speed: Speed,
    /// Whether the drill is over.
    pub over: bool,
    /// Whether somebody [aborted](Controls::abort) it.
    pub aborted: bool,
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
            speed: clock.speed(),
            over: self.shared.over.load(Ordering::Acquire),
            aborted: self.shared.aborted.load(Ordering::Acquire),
        }
    }

    /// The timeline as it is played.
    pub fn timeline(&self) -> &Timeline {
        &self.shared.timeline
    }

    /// What each of the scenario's faults was asked to do and did so far, over all proxies.
    pub fn tallies(&self) -> Vec<FaultTally> {
        self.shared.tallies()
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

    /// Waits until what was commanded is in force: the phase in which the clock stands is published.
    pub async fn settled(&self) {
        let mut changes = self.changes();
        loop {
            let published = *changes.borrow_and_update();
            let status = self.status();
            // A clock that waits for the first request puts nothing in force wherever it stands.
            let waits = self.shared.waiting.load(Ordering::Acquire) && !status.playing;
            let phase = status.position.map(|position| position.phase);
            if published.over || waits || published.phase == phase {
                return;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// As [`stop`](Self::stop), before its time: the drill says nothing of its clients then. Does
    /// nothing to a drill that is over.
    pub fn abort(&self) {
        if !self.shared.over.load(Ordering::Acquire) {
            // First, so that whoever learns of the end learns of this too.
            self.shared.aborted.store(true, Ordering::Release);
            self.stop();
        }
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
