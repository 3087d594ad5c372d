//! Why a drill shows less than it was to show.

use crate::{report::summary::Summary, scenario::Phase, units::show_duration};
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
    let mut silences = Vec::new();
    for tally in summary.tallies.iter().filter(|tally| tally.hit == 0) {
        let phases = summary.scenario.phases.iter().enumerate();
        let of = |phase: &Phase| phase.faults.iter().any(|entry| entry.name == *tally.name);
        // Whoever starts later does not miss what came before.
        let asked: Vec<(usize, &Phase)> =
            phases.filter(|(at, phase)| of(phase) && !summary.is_left_out(*at)).collect();
        if asked.is_empty() {
            continue;
        }
        let names: Vec<String> =
            asked.iter().map(|(_, phase)| format!("`{}`", phase.name)).collect();
        let names = names.join(", ");
        let why = if !asked.iter().any(|(at, _)| begun(*at)) {
            let its = if asked.len() == 1 { "its phase" } else { "its phases" };
            format!("the drill ended before {its} {names} began")
        } else if tally.considered == 0 {
            let targets = targets(summary, &tally.name);
            format!("nothing it is meant for came by in {names}{targets}")
        } else {
            let what = if tally.considered == 1 {
                "request or connection"
            } else {
                "requests or connections"
            };
            format!("{} {what} came by, and its share fell on none of them", tally.considered)
        };
        silences.push(Silence { fault: Arc::clone(&tally.name), why });
    }
    silences
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
        [shown] => format!(
            ": no request for {shown}; bind it with `--target {}='POST /your/route'`",
            summary.scenario.targets[entry.targets[0]].name,
        ),
        _ => format!(
            ": no request for {}; bind them with `--target NAME='POST /your/route'`",
            names.join(", "),
        ),
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
    let phases = summary.scenario.phases.iter().enumerate();
    let left_out: Vec<String> = phases
        .filter(|(at, _)| summary.is_left_out(*at))
        .map(|(_, phase)| format!("`{}`", phase.name))
        .collect();
    if !left_out.is_empty() {
        cautions.push(format!(
            "started at {}: {} {} left out",
            show_duration(summary.start_at),
            left_out.join(", "),
            if left_out.len() == 1 { "was" } else { "were" },
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
        let failures = if *count == 1 { "failure" } else { "failures" };
        cautions.push(format!(
            "{count} genuine upstream {failures} ({word}): not of the drill's making"
        ));
    }
    cautions
}
