//! What can be seen of a drill while it runs: a live line on a terminal, a line per phase in a
//! pipe.

use crate::{
    cli::{run::words, terminal, voice},
    engine::{Controls, Status},
    observe::{Collector, Listener, Observations},
    report,
    scenario::Scenario,
    units::show_duration,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    collections::{BTreeSet, VecDeque},
    io::IsTerminal,
    sync::Arc,
    time::Duration,
};

/// How often the live line is drawn.
pub(super) const FRAME: Duration = Duration::from_millis(FRAME_MILLIS);
const FRAME_MILLIS: u64 = 250;
/// The rates of the live line are means of so many frames: two seconds. Over a shorter time a few
/// requests a second would flicker between none and many.
const FRAMES: usize = 8;
/// Columns of a line that no terminal shows.
const WIDTH: usize = 100;

/// Shows a drill on standard error.
#[derive(Debug)]
pub(super) struct View {
    scenario: Arc<Scenario>,
    bar: Option<ProgressBar>,
    quiet: bool,
    /// The counts at the last frames, the oldest first.
    counts: VecDeque<Counts>,
    /// The phase whose beginning was said last.
    phase: Option<usize>,
    /// Genuine failures that were told of.
    told: BTreeSet<&'static str>,
}

/// What the live line makes rates of.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    exchanges: u64,
    ok: u64,
    injected: u64,
}

impl View {
    pub(super) fn new(scenario: Arc<Scenario>, quiet: bool) -> Self {
        let live = !quiet && std::io::stderr().is_terminal() && !voice::is_for_machines();
        let bar = live.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        let counts = VecDeque::from([Counts::default()]);
        Self { scenario, bar, quiet, counts, phase: None, told: BTreeSet::new() }
    }

    /// Says something above the live line.
    pub(super) fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        self.above(|| crate::cli::say(line));
    }

    /// Says what is wrong, which a quiet drill does as well.
    pub(super) fn error(&self, message: &str) {
        self.above(|| crate::cli::error(message));
    }

    fn above(&self, say: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Says something that happened at a time of the drill.
    fn say_at(&self, took: Duration, what: &str) {
        // Nobody reads the milliseconds by which an edge is late.
        let tenths = u64::try_from((took.as_millis() + 50) / 100).unwrap_or(0);
        let time = show_duration(Duration::from_millis(tenths * 100));
        self.say(&format!("{time:>9}  {what}"));
    }

    /// A phase began, or the timeline ended. Said once, however often it is told.
    pub(super) fn phase(&mut self, at: Option<usize>, took: Duration) {
        if at.is_some() && self.phase == at {
            return;
        }
        self.phase = at;
        let Some(phase) = at.and_then(|at| self.scenario.phases.get(at)) else {
            return self.say_at(took, "the end: nothing is injected any more");
        };
        let room = terminal::columns().unwrap_or(WIDTH).saturating_sub(11);
        self.say_at(took, &words::phase(phase, room));
    }

    /// Draws the live line, and tells of genuine failures when they first happen.
    pub(super) fn frame<L: Listener>(
        &mut self,
        controls: &Controls,
        collector: &Collector<L>,
        took: Duration,
    ) {
        let (now, genuine) = collector.look(|seen: &Observations| {
            let now = Counts { exchanges: seen.exchanges, ok: seen.ok, injected: seen.injected };
            (now, seen.genuine.keys().copied().collect::<Vec<_>>())
        });
        for word in genuine {
            if self.told.insert(word) {
                self.say_at(took, &format!("the upstream fails by itself: {word}"));
            }
        }
        let Some(bar) = &self.bar else {
            return;
        };
        self.counts.push_back(now);
        let frames = self.counts.len() - 1;
        let then = self.counts.front().copied().unwrap_or_default();
        if frames == FRAMES {
            self.counts.pop_front();
        }
        let rates = rates(then, now, FRAME * u32::try_from(frames).unwrap_or(1));
        // Room for the spinner, and for the `^C` that a terminal writes behind the line: a line that
        // it breaks in two cannot be taken away.
        let room = terminal::columns().unwrap_or(WIDTH).saturating_sub(6);
        bar.set_message(report::shorten(&self.live(&controls.status(), &rates), room));
        bar.tick();
    }

    /// Takes the live line away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Where the drill stands, figures first: a narrow terminal cuts the end off.
    fn live(&self, status: &Status, rates: &str) -> String {
        let phase = status.position.and_then(|at| self.scenario.phases.get(at.phase));
        let Some(phase) = phase else {
            return format!("nothing is injected any more · {rates}");
        };
        let left = match status.left {
            Some(left) => format!("{} left", show_duration(Duration::from_secs(left.as_secs()))),
            None if status.time.is_zero() => "waiting for traffic".to_owned(),
            None => "paused".to_owned(),
        };
        format!("{}, {left} · {rates} · {}", phase.name, words::names(phase))
    }
}

/// What went on between two frames.
fn rates(then: Counts, now: Counts, time: Duration) -> String {
    let per_second = |count: u64| {
        let rate = count as f64 / time.as_secs_f64().max(f64::EPSILON);
        if rate < 10.0 && rate > 0.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
    };
    let asked = now.exchanges - then.exchanges;
    let ok = ((now.ok - then.ok) * 100).checked_div(asked);
    let ok = ok.map_or("–".to_owned(), |share| format!("{share} %"));
    let injected = per_second(now.injected - then.injected);
    format!("{} req/s · {ok} ok · {injected}/s injected", per_second(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_whatever_the_time_between_frames() {
        let then = Counts { exchanges: 10, ok: 10, injected: 0 };
        let now = Counts { exchanges: 110, ok: 85, injected: 25 };
        let said = rates(then, now, Duration::from_secs(2));
        assert_eq!(said, "50 req/s · 75 % ok · 12/s injected");
    }

    #[test]
    fn without_requests_nothing_is_said_of_their_outcome() {
        let idle = rates(Counts::default(), Counts::default(), FRAME);
        assert_eq!(idle, "0 req/s · – ok · 0/s injected");
    }
}
