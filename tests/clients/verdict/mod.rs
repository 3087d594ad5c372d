//! What the program says of a run by itself, held against what was measured from its record: each
//! request has an operation of its own in its path there, which the verdict may not look at.
//!
//! A detector may say that it has seen too little; it may not be sure of what is not so.

mod finding;
mod load;
mod safety;
mod waits;

use crate::{
    class::Class,
    row::{METHODS, Row, Told},
};
use finding::{Finding, Grade};
use serde_json::Value;

/// What was measured in a class, as far as it decides what may be said.
#[derive(Clone, Copy, Debug)]
struct Truth<'t> {
    row: &'t Row,
    class: &'t Class,
}

/// Says what is wrong with a finding.
type Rule = fn(Truth<'_>, &Finding) -> Option<String>;

/// The detectors that say something which a row knows.
const RULES: &[(&str, Rule)] = &[
    ("retries", load::retries),
    ("amplification", load::amplification),
    ("saturation", load::saturation),
    ("give_up", waits::give_up),
    ("layers", load::layers),
    ("timeout", waits::timeout),
    ("backoff", waits::backoff),
    ("jitter", waits::jitter),
    ("retry_after", waits::retry_after),
    ("final_errors", safety::final_errors),
    ("duplicates", safety::duplicates),
    ("breaker", load::breaker),
    ("hedging", load::hedging),
    ("fallback", load::fallback),
    ("recovery", load::recovery),
];

/// The detectors that are held to the rows.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// Holds the JSON of a run (`--json`), of so many operations of each method, against what was measured:
/// what each detector could say of it, or what does not agree.
pub(crate) fn verdict_matches(
    row: &Row,
    class: &Class,
    operations: usize,
    json: &Value,
) -> Result<Told, String> {
    counts_match(row, class, operations, json)?;
    let (mut told, mut wrong) = (Told::default(), Vec::new());
    let findings = Finding::all(json);
    for (name, rule) in RULES {
        let Some(finding) = findings.iter().find(|finding| finding.detector == *name) else {
            wrong.push(format!("{name} says nothing"));
            continue;
        };
        if let Some(what) = rule(Truth { row, class }, finding) {
            let (grade, said) = (finding.grade, &finding.said);
            wrong.push(format!("{name} is wrong, since {what}: {grade:?}, {said:?}"));
        }
        match finding.grade {
            Grade::NotApplicable => {}
            Grade::Inconclusive => told.open.push((*name).to_owned()),
            Grade::Pass | Grade::Warn | Grade::Fail => told.right.push((*name).to_owned()),
        }
    }
    if wrong.is_empty() { Ok(told) } else { Err(wrong.join("; ")) }
}

fn counts_match(row: &Row, class: &Class, operations: usize, json: &Value) -> Result<(), String> {
    let cells = METHODS.map(|method| row.cell(class.name, method));
    let [least, most]: [u64; 2] =
        [0, 1].map(|end| cells.iter().map(|cell| (cell.attempts[end] * operations) as u64).sum());
    for (what, told) in [
        ("met the fault", &json["faults"][0]["hit"]),
        ("came in it", &json["phases"][1]["targets"]["all"]["requests"]),
    ] {
        if !told.as_u64().is_some_and(|told| (least..=most).contains(&told)) {
            return Err(format!("{least} to {most} attempts {what}, and the summary says {told}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
