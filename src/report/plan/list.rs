//! The phases of a plan in words: when each begins, and what happens to whom.

use super::{paint::Paint, words};
use crate::{
    report,
    scenario::{FaultEntry, OpenConnections, Phase, Scenario, Touched},
    timeline::{Speed, Timeline},
    units::show_duration,
};

/// One paragraph for each phase, and a last line for the end.
pub(super) fn phases(
    scenario: &Scenario,
    timeline: &Timeline,
    speed: Speed,
    width: usize,
    paint: Paint,
) -> Vec<String> {
    let edges: Vec<(String, String)> = (0..=timeline.phases())
        .map(|at| {
            let start = timeline.start_of(at);
            (show_duration(start), words::about(timeline.run_time(start, speed)))
        })
        .collect();
    let at_speed = speed.to_string();
    let first = 1 + edges.iter().map(|(time, _)| time.chars().count()).max().unwrap_or(0);
    let second = edges.iter().map(|(_, run)| run.chars().count()).max().unwrap_or(0);
    let second = 1 + second.max(at_speed.chars().count());
    let when = |time: &str, run: &str| {
        if speed == Speed::REAL {
            format!("{time:<first$} ")
        } else {
            format!("{time:<first$} {run:<second$} ")
        }
    };

    let mut lines = Vec::new();
    if speed != Speed::REAL {
        lines.push(paint.faint(&when("at", &at_speed)));
    }
    for (at, phase) in scenario.phases.iter().enumerate() {
        let (time, run) = &edges[at];
        let when = when(time, run);
        let indent = when.chars().count();
        let heading = heading(phase, &show_duration(timeline.length_of(at)));
        let mut block = report::wrap(&heading, width.saturating_sub(indent), 0).into_iter();
        let top = block.next().unwrap_or_default();
        lines.push(format!("{when}{}", paint.strong(&top)));
        let margin = " ".repeat(indent);
        lines.extend(block.map(|line| format!("{margin}{}", paint.strong(&line))));
        for text in happenings(at, phase, scenario) {
            let wrapped = report::wrap(&text, width.saturating_sub(indent + 2), 2);
            lines.extend(wrapped.into_iter().map(|line| format!("{margin}  {line}")));
        }
    }
    let (time, run) = &edges[timeline.phases()];
    lines.push(format!("{}end", when(time, run)));
    lines
}

fn heading(phase: &Phase, length: &str) -> String {
    let mut text = format!("{}, {length}", phase.name);
    if !phase.compress {
        text.push_str(" in real time");
    }
    if let Some(about) = &phase.about {
        text.push_str(": ");
        text.push_str(about.trim());
    }
    text
}

fn happenings(at: usize, phase: &Phase, scenario: &Scenario) -> Vec<String> {
    let edge = match phase.connections {
        OpenConnections::Keep => None,
        OpenConnections::Drain => Some("open connections end after the exchange they carry"),
        OpenConnections::Reset => Some("open connections are reset"),
    };
    let faults = phase.faults.iter().map(|entry| one(entry, scenario));
    let mut all: Vec<String> = edge.map(str::to_owned).into_iter().chain(faults).collect();
    if all.is_empty() {
        return vec!["nothing is wrong".to_owned()];
    }
    all.extend(altogether(&scenario.touched(at), scenario));
    all
}

/// The effective rates, but for those that go without saying.
fn altogether(lines: &[Touched], scenario: &Scenario) -> Vec<String> {
    let told = |line: &Touched| line.once.0 < 1.0 || line.twice.1 > 0.0;
    let rates = report::rates(lines, told, scenario);
    rates.into_iter().map(|(whose, rate)| format!("altogether on {whose}: {rate}")).collect()
}

fn one(entry: &FaultEntry, scenario: &Scenario) -> String {
    let whom = words::whom(entry, scenario);
    let what = entry.fault.describe();
    // A name that was made from the kind would say the same twice.
    if entry.name.starts_with(entry.kind) {
        format!("{} on {whom}: {what}", entry.kind)
    } else {
        format!("{}: {} on {whom}: {what}", entry.name, entry.kind)
    }
}
