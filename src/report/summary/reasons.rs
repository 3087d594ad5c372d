//! Why a drill shows less than it was to show.

use crate::{
    engine::FaultTally,
    fault::catalog::{self, Layer},
    report::{rounded, summary::Summary},
    scenario::FaultEntry,
    select::{Matcher, Unit},
    units::show_duration,
};
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
    let silent =
        summary.tallies.iter().filter(|tally| tally.hit == 0 && !is_skipped(summary, tally));
    silent
        .map(|tally| Silence { fault: Arc::clone(&tally.name), why: why(summary, tally) })
        .collect()
}

/// Whether all its phases lie before the point at which the drill started: nobody asked for it.
fn is_skipped(summary: &Summary<'_>, tally: &FaultTally) -> bool {
    let phases = summary.scenario.phases.iter().enumerate();
    let mut asked = phases.filter(|(_, phase)| phase.faults.iter().any(|e| e.name == *tally.name));
    asked.all(|(at, _)| summary.is_left_out(at))
}

fn why(summary: &Summary<'_>, tally: &FaultTally) -> String {
    let begun =
        |phase: usize| summary.observations.edges.iter().any(|edge| edge.phase == Some(phase));
    let phases = summary.scenario.phases.iter().enumerate();
    let phases: Vec<(usize, String)> = phases
        .filter(|(_, phase)| phase.faults.iter().any(|entry| entry.name == *tally.name))
        .map(|(at, phase)| (at, format!("`{}`", phase.name)))
        .collect();
    if let Some((_, first)) = phases.first()
        && !phases.iter().any(|(at, _)| begun(*at))
    {
        return format!("the drill ended before {first} began");
    }
    let what = noun(summary, tally);
    if tally.considered == 0 {
        let names: Vec<String> = phases.into_iter().map(|(_, name)| name).collect();
        return format!("no {what}{} came by in {}", whose(summary, &tally.name), names.join(", "));
    }
    let plural = if tally.considered == 1 { "" } else { "s" };
    let is_all = |e: &FaultEntry| e.share.is_all() && e.pattern.is_none() && e.times.is_none();
    let why = if summary.chief(&tally.name).is_some_and(is_all) {
        // A rate that nobody exceeded, a body that is too short to cut, a head without the field, a body that is compressed.
        format!("it found nothing to do on any: see `firedrill faults {}`", tally.kind)
    } else {
        "its share fell on none of them".to_owned()
    };
    format!("{} {what}{plural} came by, and {why}", tally.considered)
}

/// What a fault is counted in.
fn noun(summary: &Summary<'_>, tally: &FaultTally) -> &'static str {
    let by_unit = || summary.chief(&tally.name).is_some_and(|e| e.share.unit == Unit::Connections);
    let of_connections = catalog::find(tally.kind)
        .is_some_and(|e| !matches!(e.layer, Layer::Message | Layer::Socket));
    if of_connections || by_unit() { "connection" } else { "request" }
}

/// The targets of a fault, with what they match, since a route that nobody calls is the usual
/// reason.
fn whose(summary: &Summary<'_>, fault: &str) -> String {
    let targets = summary.chief(fault).map_or(&[][..], |entry| &entry.targets);
    let names: Vec<String> = targets
        .iter()
        .filter_map(|at| summary.scenario.targets.get(*at))
        .map(|target| {
            let matchers: Vec<String> = target.matchers.iter().map(Matcher::show).collect();
            let matchers = matchers.join(" or ");
            // A matcher written in place is its own name.
            if matchers == target.name {
                format!("`{matchers}`")
            } else {
                format!("`{}` ({matchers}; bind it with `--target`)", target.name)
            }
        })
        .collect();
    if names.is_empty() { String::new() } else { format!(" for {}", names.join(" or ")) }
}

pub(super) fn cautions(summary: &Summary<'_>) -> Vec<String> {
    let seen = summary.observations;
    let mut cautions = summary.origin.doubts.clone();
    if seen.dropped > 0 {
        cautions.push(format!(
            "{} events came faster than they could be kept: the figures lack them",
            seen.dropped
        ));
    }
    if seen.by_hand > 0 {
        cautions.push(format!(
            "{} {} put on by hand meanwhile, which the table of faults lacks: the record has them",
            seen.by_hand,
            if seen.by_hand == 1 { "fault was" } else { "faults were" },
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
            rounded(gap),
            names.join(", ")
        ));
    }
    for (word, count) in &seen.genuine {
        let failures = if *count == 1 { "failure" } else { "failures" };
        cautions.push(format!(
            "{count} genuine {failures} of the upstream ({word}), not of the drill's making"
        ));
    }
    if seen.handshakes_dealt > 0 {
        cautions.push(format!(
            "{} of TLS failed as was dealt to them: what was wanted was never asked, and no figure of \
             requests or operations has it",
            if seen.handshakes_dealt == 1 {
                "a handshake".to_owned()
            } else {
                format!("{} handshakes", seen.handshakes_dealt)
            }
        ));
    }
    cautions.extend(seen.handshakes_failed.iter().map(|(word, count)| handshakes(word, *count)));
    cautions.extend(summary.verdict.cautions.iter().cloned());
    cautions.extend(not_done(summary));
    cautions
}

/// Handshakes of TLS that failed, and what is to be done about it.
fn handshakes(word: &str, count: u64) -> String {
    let why = match word {
        "alert_unknown_ca" | "alert_bad_certificate" | "alert_certificate_unknown" => {
            "the client does not trust who signed: `firedrill ca --help`"
        }
        "plain_http" => "the client spoke plain HTTP: write https:// before the address",
        "no_certificate" => "the client showed no certificate, and `client_ca` wants one",
        "bad_certificate" => "the client's certificate is not one that `client_ca` signed",
        "nothing_in_common" => "no version or cipher of TLS is spoken by both",
        "no_tls" => "what came is no TLS",
        "nothing_to_show" => "there was no certificate to show: the log has why",
        "timeout" => "the client stopped in the middle",
        _ => "the client would not",
    };
    let handshakes = if count == 1 { "handshake" } else { "handshakes" };
    format!("{count} {handshakes} of TLS failed, not of the drill's making ({word}): {why}")
}

/// What the scenario asks for and this version does not do: silence about it would read as done.
fn not_done(summary: &Summary<'_>) -> Vec<String> {
    let scenario = summary.scenario;
    let mut all = Vec::new();
    if !scenario.stop_when.is_empty() {
        all.push("`stop_when` is not watched by this version".to_owned());
    }
    all
}
