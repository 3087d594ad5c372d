//! What can be seen of a drill while it runs: a live line on a terminal, a line per phase in a
//! pipe.

use crate::{
    cli::voice,
    engine::{Controls, Status},
    observe::{Collector, Observations},
    scenario::{FaultEntry, Phase, Scenario},
    units::show_duration,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{io::IsTerminal, sync::Arc, time::Duration};

/// How often the live line is drawn.
pub(super) const FRAME: Duration = Duration::from_millis(FRAME_MILLIS);
const FRAME_MILLIS: u64 = 250;

/// Shows a drill on standard error.
#[derive(Debug)]
pub(super) struct View {
    scenario: Arc<Scenario>,
    bar: Option<ProgressBar>,
    quiet: bool,
    last: (u64, u64, u64),
}

impl View {
    pub(super) fn new(scenario: Arc<Scenario>, quiet: bool) -> Self {
        let live = !quiet && std::io::stderr().is_terminal() && !voice::is_for_machines();
        let bar = live.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        Self { scenario, bar, quiet, last: (0, 0, 0) }
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

    /// A phase began.
    pub(super) fn phase(&self, at: Option<usize>, took: Duration) {
        let time =
            show_duration(Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(0)));
        match at.and_then(|at| self.scenario.phases.get(at)) {
            Some(phase) => self.say(&format!("{time:>9}  {}: {}", phase.name, what(phase))),
            None => self.say(&format!("{time:>9}  the end: nothing is injected any more")),
        }
    }

    /// Draws the live line.
    pub(super) fn frame(&mut self, controls: &Controls, collector: &Collector) {
        let Some(bar) = &self.bar else {
            return;
        };
        let status = controls.status();
        let now = collector.look(|seen: &Observations| (seen.exchanges, seen.ok, seen.injected));
        let per_second = |now: u64, last: u64| (now - last) * 1000 / FRAME_MILLIS;
        let rate = per_second(now.0, self.last.0);
        let (asked, ok) = (now.0 - self.last.0, now.1 - self.last.1);
        let well =
            (ok * 100).checked_div(asked).map_or("–".to_owned(), |share| format!("{share} %"));
        let injected = per_second(now.2, self.last.2);
        self.last = now;
        bar.set_message(format!(
            "{}  {rate} req/s, {well} ok, {injected}/s injected",
            self.place(&status)
        ));
        bar.tick();
    }

    /// Takes the live line away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn place(&self, status: &Status) -> String {
        let Some(position) = status.position else {
            return "over".to_owned();
        };
        let Some(phase) = self.scenario.phases.get(position.phase) else {
            return "over".to_owned();
        };
        let left = match status.left {
            Some(left) => format!("{} left", show_duration(Duration::from_secs(left.as_secs()))),
            None if status.time.is_zero() => "waiting for traffic".to_owned(),
            None => "paused".to_owned(),
        };
        format!("{} ({left}): {}", phase.name, what(phase))
    }
}

/// What is wrong in a phase, in a line.
fn what(phase: &Phase) -> String {
    if phase.faults.is_empty() {
        return "nothing injected".to_owned();
    }
    let faults: Vec<String> = phase.faults.iter().map(fault).collect();
    faults.join(" · ")
}

fn fault(entry: &FaultEntry) -> String {
    let what = entry.fault.describe();
    let mut text =
        if what.starts_with(entry.kind) { what } else { format!("{} {what}", entry.kind) };
    let share = entry.share.amount.show();
    if share != "100%" {
        text.push_str(&format!(" for {share} of {}", entry.share.unit.name()));
    }
    text
}
