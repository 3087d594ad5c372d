//! What is said of times: when a client gives up, and when it comes again.

use super::{
    Truth,
    finding::{Finding, Grade, wrong_if},
};
use crate::row::{Cell, Span};

/// Times that a record and a verdict may tell apart, in seconds: the one ends a failure when it was
/// sent, the other when its end was noted; and the one begins an attempt with its first byte, the other with
/// its connection.
const SLACK: f64 = 0.15;

/// A wait below this is none, in seconds.
const IMMEDIATE: f64 = 0.05;

fn lies_in(told: f64, [least, most]: Span<f64>) -> bool {
    least - SLACK <= told && told <= most * 1.02 + SLACK
}

/// Each of them gives up in the end, and those that are held for as long as they can be seen.
pub(super) fn give_up(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    if finding.count("never") > 0.0 {
        return Some("it gives up".to_owned());
    }
    if truth.class.is_silence || !finding.is_sure() {
        return None;
    }
    let long = |cell: &Cell| cell.gaps.iter().map(|gap| gap[1] + SLACK).sum::<f64>();
    let most = truth.cells().map(long).into_iter().fold(0.0, f64::max) + 1.0;
    let told = finding.count("longest");
    (told > most).then(|| format!("it went on for {most} s at most, not {told}"))
}

pub(super) fn timeout(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    if !truth.class.is_silence {
        return wrong_if(finding.grade != Grade::NotApplicable, "nothing was held");
    }
    let (is_drip, held) = (truth.class.name == "drip", truth.row.held);
    let patience = truth.cells().map(|cell| cell.patience);
    let told = finding.figure(if is_drip { "deadline" } else { "timeout" });
    let spans: Vec<Span<f64>> = patience.into_iter().flatten().collect();
    if spans.is_empty() {
        let stayed = if is_drip {
            finding.count("drips_endured") > 0.0
        } else {
            let up_to = finding.count("no_timeout_up_to");
            held - 1.5 <= up_to && up_to <= held + 0.5
        };
        let is_fair = finding.grade
            == if held > 60.0 && !is_drip {
                Grade::Fail
            } else if held > 10.0 && !is_drip {
                Grade::Warn
            } else {
                Grade::Inconclusive
            };
        return wrong_if(
            told.is_some() || finding.count("drips_cut") > 0.0 || !stayed || !is_fair,
            &format!("it stayed for {held} s"),
        );
    }
    let Some(told) = told else { return Some(format!("it went away after {spans:?} s")) };
    if !spans.iter().any(|span| lies_in(told, *span)) {
        return Some(format!("it went away after {spans:?} s, not after {told}"));
    }
    if is_drip {
        return None;
    }
    let longest = spans.iter().map(|span| span[0]).fold(0.0, f64::max);
    let fair = match longest {
        ..=10.2 => Grade::Pass,
        ..=60.6 => Grade::Warn,
        _ => Grade::Fail,
    };
    (finding.grade != fair).then(|| format!("{longest} s is to be graded {fair:?}"))
}

pub(super) fn backoff(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    if !finding.is_sure() {
        return wrong_if(
            finding.grade == Grade::NotApplicable
                && truth.retries()
                && !truth.class.name.ends_with("-after"),
            "it tried again",
        );
    }
    let medians: Vec<f64> = finding.list("medians").iter().filter_map(|v| v.as_f64()).collect();
    let shape = finding.word("shape").unwrap_or_default();
    let judged = |gaps: &[Span<f64>]| -> Option<String> {
        let fits = medians.iter().zip(gaps).all(|(told, gap)| lies_in(*told, *gap));
        let is_shaped = match shape {
            "immediate" => gaps.iter().all(|gap| gap[0] < SLACK),
            "constant" => {
                let most = gaps.iter().map(|gap| gap[0]).fold(0.0, f64::max);
                let least = gaps.iter().map(|gap| gap[1]).fold(f64::INFINITY, f64::min);
                most <= least * 1.2 + SLACK
            }
            "linear" | "growing" | "exponential" => {
                let pairs = gaps.iter().enumerate();
                pairs
                    .clone()
                    .any(|(at, one)| gaps[at..].iter().any(|later| later[1] > one[0] * 1.2))
            }
            _ => true,
        };
        let immediate = gaps.iter().filter(|gap| gap[0] < SLACK).count();
        let waiting = gaps.iter().filter(|gap| gap[1] > 2.0 * IMMEDIATE).count();
        let is_graded = match finding.grade {
            Grade::Fail => immediate >= 2,
            Grade::Pass => waiting > 0,
            _ => true,
        };
        (!fits || !is_shaped || !is_graded).then(|| format!("gaps are {gaps:?}"))
    };
    // One pool has both methods.
    match truth.all_gaps() {
        gaps if gaps.is_empty() => Some("nothing was tried again".to_owned()),
        gaps => judged(&gaps),
    }
}

pub(super) fn jitter(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    if !finding.is_sure() {
        return None;
    }
    // Half of a span, by its middle: no deviation is more than that, and none that was seen at its two
    // ends is much less.
    let spread = |gap: &Span<f64>| (gap[1] - gap[0] + 0.01) / (gap[0] + gap[1]);
    let waits = truth.all_gaps().into_iter().filter(|gap| gap[1] >= IMMEDIATE);
    let (least, most) = waits
        .map(|gap| spread(&gap))
        .fold((f64::INFINITY, 0.0_f64), |(low, high), spread| (low.min(spread), high.max(spread)));
    let cv = finding.figure("cv").unwrap_or_default();
    let in_step = finding.count("herd_100ms") > 0.4;
    let is_wrong = cv > most * 1.1 + 0.01
        || finding.grade == Grade::Pass && most < 0.05
        || finding.grade == Grade::Fail && least > 0.15 && !in_step;
    is_wrong.then(|| format!("gaps deviate by {least:.2} to {most:.2} of their length at most"))
}

pub(super) fn retry_after(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    if !truth.class.name.ends_with("-after") {
        return wrong_if(finding.grade != Grade::NotApplicable, "no answer had a Retry-After");
    }
    let waits: Vec<bool> = truth.cells().into_iter().filter_map(Cell::waits).collect();
    let (is_obeyed, is_ignored) =
        (waits.iter().all(|waits| *waits), waits.iter().all(|waits| !*waits));
    match finding.grade {
        _ if waits.is_empty() => {
            wrong_if(finding.grade != Grade::NotApplicable, "nothing was tried again")
        }
        Grade::NotApplicable => Some("it tried again".to_owned()),
        Grade::Fail => wrong_if(is_obeyed, "it waited"),
        Grade::Pass | Grade::Warn => wrong_if(is_ignored, "it did not wait"),
        Grade::Inconclusive => None,
    }
}
