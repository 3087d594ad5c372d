//! The playhead: play, pause, resume, seek, skip, speed. It is told the time, never asks for it.

use crate::timeline::{Moment, Position, Timeline};
use std::{fmt, sync::Arc, time::Duration};

/// How many times faster than life the phases go by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// As in life.
    pub const REAL: Self = Self(1.0);

    /// A speed between a tenth and a hundred thousand times life; `None` outside.
    pub fn new(factor: f64) -> Option<Self> {
        (0.1..=100_000.0).contains(&factor).then_some(Self(factor))
    }

    /// The factor.
    pub const fn factor(self) -> f64 {
        self.0
    }

    /// Run time that `scenario` time takes.
    pub fn compress(self, scenario: Duration) -> Duration {
        if self == Self::REAL { scenario } else { scenario.div_f64(self.0) }
    }

    /// Scenario time that goes by in `run` time.
    pub fn stretch(self, run: Duration) -> Duration {
        if self == Self::REAL { run } else { run.mul_f64(self.0) }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "×{}", self.0)
    }
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim_start_matches('×')
            .trim_end_matches(['x', '×'])
            .parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| "write a number from 0.1 to 100000, such as 60".to_owned())
    }
}

/// The next change of phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Real time at which it is due.
    pub at: Duration,
    /// The phase that begins; `None` when the timeline ends.
    pub phase: Option<usize>,
}

/// The playhead of a timeline.
///
/// Its position is a pure function of real time: an anchor (this scenario time at that real time),
/// a speed, and whether it stands still. Every command sets a new anchor. Real time is a
/// [`Duration`] since any fixed origin of a monotonic clock, so a wall clock that jumps is nothing
/// to it.
#[derive(Clone, Debug)]
pub struct Clock {
    timeline: Arc<Timeline>,
    anchor_scenario: Duration,
    anchor_real: Duration,
    speed: Speed,
    playing: bool,
}

impl Clock {
    /// A clock that stands at `start`, waiting for [`Clock::resume`].
    pub fn new(timeline: Arc<Timeline>, start: Duration, speed: Speed) -> Self {
        Self {
            timeline,
            anchor_scenario: start,
            anchor_real: Duration::ZERO,
            speed,
            playing: false,
        }
    }

    /// The timeline it moves over.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The present speed.
    pub const fn speed(&self) -> Speed {
        self.speed
    }

    /// Whether it moves.
    pub const fn is_playing(&self) -> bool {
        self.playing
    }

    /// Scenario time at `now`.
    pub fn time(&self, now: Duration) -> Duration {
        if !self.playing {
            return self.anchor_scenario;
        }
        let run = now.saturating_sub(self.anchor_real);
        self.timeline.advance(self.anchor_scenario, run, self.speed)
    }

    /// Where the playhead stands at `now`; `None` once the timeline is over.
    pub fn position(&self, now: Duration) -> Option<Position> {
        self.timeline.position(self.time(now))
    }

    /// What a fault of the present phase needs to know about `now`.
    pub fn moment(&self, now: Duration) -> Option<(usize, Moment)> {
        let time = self.time(now);
        let position = self.timeline.position(time)?;
        let moment = Moment {
            elapsed: position.elapsed,
            length: self.timeline.length_of(position.phase),
            run: self.timeline.run_time(time, self.speed),
        };
        Some((position.phase, moment))
    }

    /// The next edge, if the clock plays and has not reached the end.
    pub fn next_edge(&self, now: Duration) -> Option<Edge> {
        let position = self.playing.then(|| self.position(now)).flatten()?;
        let next = position.phase + 1;
        Some(Edge {
            at: self.due(self.timeline.start_of(next)),
            phase: (next < self.timeline.phases()).then_some(next),
        })
    }

    /// Real time at which the playhead reaches `scenario` time, if it plays on undisturbed.
    pub fn due(&self, scenario: Duration) -> Duration {
        let run = self
            .timeline
            .run_time(scenario, self.speed)
            .saturating_sub(self.timeline.run_time(self.anchor_scenario, self.speed));
        self.anchor_real + run
    }

    /// Moves on from where it stands.
    pub fn resume(&mut self, now: Duration) {
        self.anchor(now);
        self.playing = true;
    }

    /// Stands still.
    pub fn pause(&mut self, now: Duration) {
        self.anchor(now);
        self.playing = false;
    }

    /// Jumps to `scenario` time; past the end is the end.
    pub fn seek(&mut self, now: Duration, scenario: Duration) {
        self.anchor(now);
        self.anchor_scenario = scenario.min(self.timeline.length());
    }

    /// Jumps to the next phase, or to the end from the last one.
    pub fn skip(&mut self, now: Duration) {
        if let Some(position) = self.position(now) {
            self.seek(now, self.timeline.start_of(position.phase + 1));
        }
    }

    /// Changes the speed from here on.
    pub fn set_speed(&mut self, now: Duration, speed: Speed) {
        self.anchor(now);
        self.speed = speed;
    }

    fn anchor(&mut self, now: Duration) {
        self.anchor_scenario = self.time(now);
        self.anchor_real = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Stretch;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn clock(speed: f64) -> Clock {
        let timeline = Timeline::new(vec![
            Stretch { length: 60 * SECOND, compress: true },
            Stretch { length: 30 * SECOND, compress: true },
        ]);
        let speed = Speed::new(speed).expect("a speed");
        Clock::new(Arc::new(timeline), Duration::ZERO, speed)
    }

    #[test]
    fn a_clock_waits_until_it_is_told_to_play() {
        let mut clock = clock(1.0);
        assert_eq!(clock.time(100 * SECOND), Duration::ZERO);
        assert_eq!(clock.next_edge(100 * SECOND), None);

        clock.resume(100 * SECOND);

        assert_eq!(clock.time(110 * SECOND), 10 * SECOND);
        let edge = Edge { at: 160 * SECOND, phase: Some(1) };
        assert_eq!(clock.next_edge(110 * SECOND), Some(edge));
    }

    #[test]
    fn a_pause_shifts_every_later_edge() {
        let mut clock = clock(1.0);
        clock.resume(Duration::ZERO);
        clock.pause(10 * SECOND);
        assert_eq!(clock.time(15 * SECOND), 10 * SECOND);

        clock.resume(20 * SECOND);

        assert_eq!(clock.next_edge(20 * SECOND).map(|e| e.at), Some(70 * SECOND));
    }

    #[test]
    fn skipping_the_last_phase_ends_the_timeline() {
        let mut clock = clock(1.0);
        clock.resume(Duration::ZERO);
        clock.skip(SECOND);
        assert_eq!(clock.position(SECOND).map(|p| p.phase), Some(1));

        clock.skip(2 * SECOND);

        assert_eq!(clock.position(2 * SECOND), None);
    }

    #[test]
    fn a_change_of_speed_does_not_move_the_playhead() {
        let mut clock = clock(1.0);
        clock.resume(Duration::ZERO);
        clock.set_speed(30 * SECOND, Speed::new(10.0).expect("a speed"));

        assert_eq!(clock.time(30 * SECOND), 30 * SECOND);
        assert_eq!(clock.time(33 * SECOND), 60 * SECOND);
    }

    #[test]
    fn a_real_time_before_the_anchor_is_the_anchor() {
        let mut clock = clock(1.0);
        clock.resume(10 * SECOND);
        assert_eq!(clock.time(5 * SECOND), Duration::ZERO);
    }

    proptest! {
        /// Seeking to a time and playing to it are the same place.
        #[test]
        fn seeking_equals_playing(millis in 0_u64..100_000, speed in 0.5_f64..100.0) {
            let mut played = clock(speed);
            played.resume(Duration::ZERO);
            let real = Duration::from_millis(millis);
            let there = played.time(real);

            let mut sought = clock(speed);
            sought.seek(Duration::ZERO, there);
            sought.resume(real);

            prop_assert_eq!(played.position(real), sought.position(real));
        }

        /// However it is played, the playhead never moves backwards by itself.
        #[test]
        fn time_never_runs_backwards(a in 0_u64..200_000, b in 0_u64..200_000, speed in 0.1_f64..500.0) {
            let mut clock = clock(speed);
            clock.resume(Duration::ZERO);
            let (early, late) = (a.min(b), a.max(b));
            prop_assert!(clock.time(Duration::from_millis(early)) <= clock.time(Duration::from_millis(late)));
        }
    }
}
