//! Why a drill shows less than it was to show.

use crate::{report::summary::Summary, units::show_duration};
use std::sync::Arc;

/// A fault that hit nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its name.
    pub fault: Arc<str>,
    /// Why, in a sentence.
    pub why: String,
}

pub(super) fn silences(summary: &Summary<'_>) -> Vec<Silence> {
    let begun =
        |phase: usize| summary.observations.edges.iter().any(|edge| edge.phase == Some(phase));
    let silent = summary.tallies.iter().filter(|tally| tally.hit == 0);
    silent
        .map(|tally| {
            let phases = summary.scenario.phases.iter().enumerate();
            let in_phases: Vec<(usize, &str)> = phases
                .filter(|(_, phase)| phase.faults.iter().any(|entry| entry.name == *tally.name))
                .map(|(at, phase)| (at, phase.name.as_str()))
                .collect();
            let names: Vec<String> =
                in_phases.iter().map(|(_, name)| format!("`{name}`")).collect();
            let names = names.join(", ");
            let why = if !in_phases.iter().any(|(at, _)| begun(*at)) {
                format!("the drill ended before its phase {names} began")
            } else if tally.considered == 0 {
                let targets = targets(summary, &tally.name);
                format!("nothing it is meant for came by in {names}{targets}")
            } else {
                let (what, it) = if tally.considered == 1 {
                    ("request or connection", "its")
                } else {
                    ("requests or connections", "its")
                };
                format!("{} {what} came by, and {it} share fell on none of them", tally.considered)
            };
            Silence { fault: Arc::clone(&tally.name), why }
        })
        .collect()
}

/// The targets of a fault, with what they match, since a route that nobody calls is the usual
/// reason.
fn targets(summary: &Summary<'_>, fault: &str) -> String {
    let entries = summary.scenario.phases.iter().flat_map(|phase| &phase.faults);
    let Some(entry) = entries.into_iter().find(|entry| entry.name == fault) else {
        return String::new();
    };
    let mut names = Vec::new();
    for at in &entry.targets {
        let target = &summary.scenario.targets[*at];
        let matchers: Vec<String> = target.matchers.iter().map(ToString::to_string).collect();
        names.push(format!("`{}` ({})", target.name, matchers.join(" or ")));
    }
    match names.as_slice() {
        [] => String::new(),
        [name] => format!(": no request for {name}; bind it with `--target`"),
        _ => format!(": no request for {}; bind them with `--target`", names.join(", ")),
    }
}

pub(super) fn cautions(summary: &Summary<'_>) -> Vec<String> {
    let seen = summary.observations;
    let mut cautions = Vec::new();
    if seen.dropped > 0 {
        cautions.push(format!(
            "{} events came faster than they could be kept: the figures lack them",
            seen.dropped
        ));
    }
    let gap = seen.longest_retry_gap();
    let short = summary.scenario.phases.iter().enumerate().filter(|(at, phase)| {
        let full = phase.length;
        let played = summary.timeline.length_of(*at);
        let played = if phase.compress { summary.speed.compress(played) } else { played };
        !phase.faults.is_empty() && played < full && played < 2 * gap
    });
    let names: Vec<String> = short.map(|(_, phase)| format!("`{}`", phase.name)).collect();
    if !names.is_empty() {
        cautions.push(format!(
            "clients waited up to {} between attempts, and {} took less than twice that: client \
             timers do not compress, so this was another test than the full length would be",
            show_duration(gap),
            names.join(", ")
        ));
    }
    for (word, count) in &seen.genuine {
        cautions
            .push(format!("{count} genuine upstream failures ({word}): not of the drill's making"));
    }
    cautions
}
