//! What retries are said to come to.

use super::{
    Truth,
    finding::{Finding, Grade, wrong_if},
};

pub(super) fn retries(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    match finding.flag("retries") {
        Some(told) if told != truth.retries() => Some(format!("retries: {}", truth.retries())),
        // Never a word on what was there to be seen.
        None => wrong_if(truth.fails(), "operations failed"),
        _ => None,
    }
}

pub(super) fn amplification(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    if !finding.is_sure() {
        return None;
    }
    let [least, most] = truth.amplification();
    let told = finding.figure("amplification")?;
    let is_off = told < least - 0.01 || told > most + 0.01;
    let grade = finding.grade;
    let is_misjudged = grade == Grade::Pass && least > 1.2
        || grade == Grade::Fail && most <= 3.0
        || grade != Grade::Pass && most <= 1.05;
    (is_off || is_misjudged).then(|| format!("{least} to {most} attempts were made"))
}

pub(super) fn saturation(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    let [least, most] = truth.amplification();
    let told = finding.figure("saturated_amplification")?;
    let is_off = told < least - 0.01 || told > most + 0.01;
    is_off.then(|| format!("{least} to {most} attempts were made"))
}

/// None of them has a retry loop in another one.
pub(super) fn layers(_: Truth<'_>, finding: &Finding) -> Option<String> {
    wrong_if(finding.is_bad(), "there is one layer")
}

/// None of them has a circuit breaker; one that is held stalls.
pub(super) fn breaker(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    let stalls = finding.count("stalled") > 0.0 && !truth.class.is_silence;
    wrong_if(finding.count("opened") > 0.0 || stalls, "there is no breaker")
}

/// Nothing is sent while the same is on its way.
pub(super) fn hedging(_: Truth<'_>, finding: &Finding) -> Option<String> {
    wrong_if(finding.is_bad() || finding.count("hedged") > 0.0, "nothing was hedged")
}

/// There is one route.
pub(super) fn fallback(_: Truth<'_>, finding: &Finding) -> Option<String> {
    wrong_if(!finding.list("fallbacks").is_empty() || finding.is_bad(), "there is no fallback")
}

/// The driver ends a second after the fault, so there is nothing that a client has not done.
pub(super) fn recovery(_: Truth<'_>, finding: &Finding) -> Option<String> {
    let is_bad = finding.is_bad() || finding.count("never") + finding.count("clients_late") > 0.0;
    wrong_if(is_bad, "nobody stayed away")
}
