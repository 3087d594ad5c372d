//! `expect:` compared with what was found.
//!
//! A figure passes if its upper bound keeps the limit and fails if its lower bound breaks it; in
//! between nobody can say. What was counted has no bounds and is compared as it is.

use crate::{
    scenario::{Bound, Expectation, Scenario},
    select::RequestView,
    verdict::{
        finding::{Grade, Measured, Opens},
        stats::{holm, normal_cdf, normal_quantile},
    },
};
use http::{HeaderMap, Method, Version};
use serde::Serialize;
use std::{fmt::Write as _, net::IpAddr, time::Duration};

/// An expectation and how it came out.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Its name in the vocabulary.
    pub name: &'static str,
    /// The limit, as the file writes it.
    pub limit: String,
    /// What it is narrowed to, in words; empty if to nothing.
    pub scope: String,
    /// How it came out.
    pub grade: Grade,
    /// What was measured, in words, with what it rests on.
    pub said: String,
    /// What would settle it, if nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// What was measured, in base units, if it is a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Its bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<(f64, f64)>,
    /// The probability of this by chance if the limit were kept.
    #[serde(skip)]
    pub(super) p: Option<f64>,
}

/// Compares one expectation with what is known.
pub(super) fn judge(
    expectation: &Expectation,
    measured: Option<Measured>,
    scenario: &Scenario,
    level: f64,
) -> Judged {
    let mut judged = Judged {
        name: expectation.name,
        limit: expectation.limit.clone(),
        scope: scope(expectation, scenario),
        grade: Grade::NotApplicable,
        said: String::new(),
        needs: None,
        value: None,
        bounds: None,
        p: None,
    };
    let show = |value: f64| expectation.show(value);
    match measured {
        None => {
            judged.grade = Grade::Inconclusive;
            judged.said.push_str("nothing measures it");
        }
        Some(Measured::NotExercised(why)) => judged.said = why,
        Some(Measured::TooFew { said, needs }) => {
            judged.grade = Grade::Inconclusive;
            judged.said = said;
            judged.needs = Some(needs);
        }
        Some(Measured::Number { low, value, high, sample }) => {
            judged.value = Some(value);
            judged.bounds = (low < high).then_some((low, high));
            judged.grade = within(&expectation.bound, low, high);
            judged.p = p_value(&expectation.bound, low, value, high, level);
            let bounds = match judged.bounds {
                Some(_) => format!("{:.0} %: {} to {}; ", level * 100.0, show(low), show(high)),
                None => String::new(),
            };
            judged.said = format!("{} ({bounds}{sample})", show(value));
            if judged.grade == Grade::Inconclusive {
                judged.needs =
                    Some("more operations: the limit lies between the bounds".to_owned());
            }
        }
        Some(Measured::Word { word, sample }) => {
            judged.said = format!("{word} ({sample})");
            judged.grade = word_grade(&expectation.bound, word);
        }
        Some(Measured::Breaker { opens, sample }) => {
            judged.grade = breaker_grade(&expectation.bound, &opens);
            judged.said = format!("{} ({sample})", breaker_said(&opens));
        }
        Some(Measured::Routes { routes, sample }) => {
            judged.grade = route_grade(&expectation.bound, &routes);
            let said = if routes.is_empty() { "none".to_owned() } else { routes.join(", ") };
            judged.said = format!("{said} ({sample})");
        }
        Some(Measured::Flag { is, sample }) => {
            judged.said = format!("{} ({sample})", if is { "yes" } else { "no" });
            let wanted = expectation.bound == Bound::Flag(is)
                // Not doing what is merely allowed is no fault.
                || expectation.name == "first_retry_immediate" && !is;
            judged.grade = if wanted { Grade::Pass } else { Grade::Fail };
        }
    }
    judged
}

/// Takes back failures that several comparisons would bring about by chance: fifteen rules at 5 %
/// would fail a good client every other time. Holm's step-down over those that rest on an interval;
/// their probabilities follow from the bounds as if errors were normal.
pub(super) fn correct(expectations: &mut [Judged], alpha: f64) {
    let statistical: Vec<usize> =
        (0..expectations.len()).filter(|at| expectations[*at].p.is_some()).collect();
    let ps: Vec<f64> = statistical.iter().filter_map(|at| expectations[*at].p).collect();
    for (at, holds) in statistical.iter().zip(holm(&ps, alpha)) {
        let judged = &mut expectations[*at];
        if judged.grade == Grade::Fail && !holds {
            judged.grade = Grade::Inconclusive;
            judged.needs = Some(format!(
                "more operations: with {} expectations at once this may be chance",
                ps.len()
            ));
        }
    }
}

/// The probability of seeing as much or more beyond the limit if the limit were kept.
fn p_value(bound: &Bound, low: f64, value: f64, high: f64, level: f64) -> Option<f64> {
    let reach = normal_quantile(level);
    let (beyond, deviation) = match bound {
        Bound::AtMost(limit) => (value - limit, (value - low) / reach),
        Bound::AtLeast(limit) => (limit - value, (high - value) / reach),
        _ => return None,
    };
    (deviation > 0.0 && deviation.is_finite()).then(|| 1.0 - normal_cdf(beyond / deviation))
}

fn within(bound: &Bound, low: f64, high: f64) -> Grade {
    // What is printed as the limit is the limit: rounding in the eleventh digit decides nothing.
    let near = |limit: f64| limit.abs().max(1.0) * 1e-9;
    let (holds, breaks) = match bound {
        Bound::AtMost(limit) => (high <= limit + near(*limit), low > limit + near(*limit)),
        Bound::AtLeast(limit) => (low >= limit - near(*limit), high < limit - near(*limit)),
        Bound::Within(least, most) => {
            (low >= *least && high <= *most, high < *least || low > *most)
        }
        // Terms of these are not measured in numbers.
        Bound::Word(_) | Bound::Flag(_) | Bound::Route(_) | Bound::Breaker(_) => (false, false),
    };
    match (holds, breaks) {
        (true, _) => Grade::Pass,
        (_, true) => Grade::Fail,
        _ => Grade::Inconclusive,
    }
}

/// Whether a word is the one that is wanted, or better.
fn word_grade(bound: &Bound, word: &str) -> Grade {
    let Bound::Word(wanted) = bound else { return Grade::Inconclusive };
    let better: &[&str] = match *wanted {
        "growing" => &["growing", "exponential", "linear"],
        "optional" => &["optional", "required", "stable"],
        "required" => &["required", "stable"],
        _ => &[],
    };
    if word == *wanted || better.contains(&word) {
        Grade::Pass
    } else if word == "ambiguous" || (word == "growing" && *wanted == "exponential") {
        Grade::Inconclusive
    } else {
        Grade::Fail
    }
}

/// Whether a circuit breaker does all that is asked of one. Seconds are as fine as it is measured.
fn breaker_grade(bound: &Bound, opens: &Opens) -> Grade {
    let Bound::Breaker(wanted) = bound else { return Grade::Inconclusive };
    let grade = |keeps: Option<bool>| match keeps {
        Some(true) => Grade::Pass,
        Some(false) => Grade::Fail,
        None => Grade::Inconclusive,
    };
    let soon = |limit: Duration, took: f64| took <= limit.as_secs_f64() + 0.5;
    let parts = [
        wanted.opens_within.map(|limit| Some(soon(limit, opens.opens))),
        wanted.after_failures.map(|limit| Some(opens.failures <= limit)),
        wanted
            .probe_interval
            .map(|least| opens.probe.map(|probe| probe + 1.0 >= least.as_secs_f64())),
        wanted.closes_within.map(|limit| opens.closes.map(|took| soon(limit, took))),
    ];
    parts.into_iter().flatten().map(grade).max().unwrap_or(Grade::Pass)
}

fn breaker_said(opens: &Opens) -> String {
    let mut said = format!("opens after {:.0} s and {} failures", opens.opens, opens.failures);
    if let Some(probe) = opens.probe {
        let _ = write!(said, ", probes every {probe:.0} s");
    }
    match opens.closes {
        Some(closes) if closes.is_finite() => {
            let _ = write!(said, ", closes after {closes:.0} s");
        }
        Some(_) => said.push_str(", never closes"),
        None => {}
    }
    said
}

/// Whether one of these routes is the one that is asked for.
fn route_grade(bound: &Bound, routes: &[String]) -> Grade {
    let Bound::Route(wanted) = bound else { return Grade::Inconclusive };
    let headers = HeaderMap::new();
    let is_it = |route: &String| {
        let (method, path) = route.split_once(' ').unwrap_or(("GET", route));
        let Ok(method) = method.parse::<Method>() else { return false };
        wanted.matches(&RequestView {
            method: &method,
            path,
            query: None,
            version: Version::HTTP_11,
            headers: &headers,
            peer: IpAddr::from([127, 0, 0, 1]),
            body: None,
        })
    };
    if routes.iter().any(is_it) { Grade::Pass } else { Grade::Fail }
}

fn scope(expectation: &Expectation, scenario: &Scenario) -> String {
    let phase = expectation.phase.and_then(|at| scenario.phases.get(at));
    let target = expectation.target.and_then(|at| scenario.targets.get(at));
    let parts = [
        phase.map(|phase| format!("phase {}", phase.name)),
        target.map(|target| format!("target {}", target.name)),
        expectation.client.as_ref().map(|client| format!("client {client}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
