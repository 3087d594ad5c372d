//! When: phases laid end to end, and the playhead that moves over them.
//!
//! Three times are told apart. *Scenario time* is where the playhead stands in the story, at the
//! story's own pace. *Run time* is what a drill at the present speed would have played to get
//! there; injected latencies and a link's weather live in it, since the client's own timers do.
//! *Real time* is the machine's monotonic clock, and enters only as an argument.

mod clock;
mod moving;
mod pattern;

pub use clock::{Clock, Edge, Speed};
pub use moving::Moving;
pub use pattern::Pattern;

use std::time::Duration;

/// Where in its phase a decision falls; everything that moves is a function of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Scenario time since the phase began.
    pub elapsed: Duration,
    /// Scenario time the phase takes.
    pub length: Duration,
    /// Run time since the drill's start: real time, not compressed.
    pub run: Duration,
}

/// One stretch of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Scenario time it takes.
    pub length: Duration,
    /// Whether `--speed` applies to it.
    pub compress: bool,
}

/// Where the playhead stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The phase, by its place in the file.
    pub phase: usize,
    /// Scenario time since that phase began.
    pub elapsed: Duration,
}

/// Phases laid end to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    stretches: Vec<Stretch>,
    /// Where each stretch begins, and at the end where the last one ends.
    starts: Vec<Duration>,
}

impl Timeline {
    /// Lays stretches end to end.
    pub fn new(stretches: Vec<Stretch>) -> Self {
        let mut starts = Vec::with_capacity(stretches.len() + 1);
        let mut at = Duration::ZERO;
        for stretch in &stretches {
            starts.push(at);
            at += stretch.length;
        }
        starts.push(at);
        Self { stretches, starts }
    }

    /// Scenario time from the first phase's start to the last one's end.
    pub fn length(&self) -> Duration {
        self.starts[self.stretches.len()]
    }

    /// How many phases there are.
    pub fn phases(&self) -> usize {
        self.stretches.len()
    }

    /// When a phase begins.
    pub fn start_of(&self, phase: usize) -> Duration {
        self.starts[phase.min(self.stretches.len())]
    }

    /// How long a phase is.
    pub fn length_of(&self, phase: usize) -> Duration {
        self.stretches.get(phase).map_or(Duration::ZERO, |s| s.length)
    }

    /// The position at `time`; `None` once the timeline is over. An edge belongs to the phase that
    /// begins there.
    pub fn position(&self, time: Duration) -> Option<Position> {
        if time >= self.length() {
            return None;
        }
        let phase = self.starts.partition_point(|start| *start <= time) - 1;
        Some(Position { phase, elapsed: time.saturating_sub(self.starts[phase]) })
    }

    /// Run time from the start of the timeline to `time`, played at `speed`.
    pub fn run_time(&self, time: Duration, speed: Speed) -> Duration {
        let mut run = Duration::ZERO;
        for (stretch, start) in self.stretches.iter().zip(&self.starts) {
            if time <= *start {
                break;
            }
            let played = time.saturating_sub(*start).min(stretch.length);
            run += stretch.rate(speed).compress(played);
        }
        run
    }

    /// Scenario time reached when `run` time is played from `from` at `speed`; stops at the end.
    pub fn advance(&self, from: Duration, run: Duration, speed: Speed) -> Duration {
        let mut at = from;
        let mut left = run;
        while let Some(position) = self.position(at) {
            let stretch = &self.stretches[position.phase];
            let rate = stretch.rate(speed);
            let to_edge = stretch.length.saturating_sub(position.elapsed);
            let cost = rate.compress(to_edge);
            if cost > left {
                // Not past the edge: rounding must never reach a phase early.
                return at
                    + rate.stretch(left).min(to_edge.saturating_sub(Duration::from_nanos(1)));
            }
            left -= cost;
            at = self.starts[position.phase + 1];
        }
        self.length()
    }
}

impl Stretch {
    fn rate(&self, speed: Speed) -> Speed {
        if self.compress { speed } else { Speed::REAL }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timeline() -> Timeline {
        Timeline::new(vec![
            Stretch { length: 60 * SECOND, compress: true },
            Stretch { length: 10 * SECOND, compress: false },
            Stretch { length: 120 * SECOND, compress: true },
        ])
    }

    #[test]
    fn an_edge_belongs_to_the_phase_that_begins() {
        let at = timeline().position(60 * SECOND);
        assert_eq!(at, Some(Position { phase: 1, elapsed: Duration::ZERO }));
        assert_eq!(timeline().position(190 * SECOND), None);
    }

    #[test]
    fn speed_spares_what_is_not_to_be_compressed() {
        let sixty = Speed::new(60.0).expect("a speed");
        assert_eq!(timeline().run_time(190 * SECOND, sixty), 13 * SECOND);
        assert_eq!(timeline().advance(Duration::ZERO, 6 * SECOND, sixty), 65 * SECOND);
    }

    #[test]
    fn advancing_and_run_time_are_inverse() {
        let speed = Speed::new(7.0).expect("a speed");
        for seconds in [0, 1, 59, 60, 61, 70, 100, 189] {
            let time = seconds * SECOND;
            let run = timeline().run_time(time, speed);
            let back = timeline().advance(Duration::ZERO, run, speed);
            let off = back.max(time).saturating_sub(back.min(time));
            assert!(off < Duration::from_micros(1), "{time:?} came back as {back:?}");
        }
    }
}
