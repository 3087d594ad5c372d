//! A verdict on what was perhaps not all of it.
//!
//! A record that was cut off, or whose times cannot be, shows what it shows: an effect too many was
//! seen, wherever the rest is. Everything else might have come out differently, and is graded
//! inconclusive.

use crate::{
    scenario::vocabulary::{self, Measure},
    verdict::{
        finding::{Claim, Finding, Grade},
        outcome::{Part, Verdict},
    },
};

impl Verdict {
    /// Grades everything inconclusive that what is doubtful could have changed; `why` says what that
    /// is, in a sentence.
    pub fn doubt(&mut self, why: &str) {
        for judged in &mut self.expectations {
            let was_counted =
                judged.value.is_some() && judged.bounds.is_none() && is_count(judged.name);
            if is_open(judged.grade, was_counted) {
                judged.grade = Grade::Inconclusive;
                judged.said = format!("{} (but: {why})", judged.said);
                judged.needs = Some(NEEDS.to_owned());
            }
        }
        for part in &mut self.parts {
            part.findings.iter_mut().for_each(|finding| doubt(finding, why));
            part.grade = Part::grade_of(&part.findings);
        }
        let worst = self.expectations.iter().map(|judged| judged.grade).max();
        let found = || self.parts.iter().map(|part| part.grade).max().unwrap_or_default();
        self.grade = worst.unwrap_or_else(found);
    }
}

/// What would settle it.
const NEEDS: &str = "a record that is whole and in order";

pub(super) fn is_count(name: &str) -> bool {
    vocabulary::find(name).is_some_and(|term| matches!(term.measure, Measure::Count))
}

fn doubt(finding: &mut Finding, why: &str) {
    let was_seen = finding.claim == Claim::Existential;
    if finding.claim != Claim::Informational && is_open(finding.grade, was_seen) {
        finding.grade = Grade::Inconclusive;
        finding.said = format!("{} (but: {why})", finding.said);
        finding.needs = Some(NEEDS.to_owned());
    }
}

/// Whether a grade might be another if all were known: not that of what was seen to go wrong.
fn is_open(grade: Grade, was_seen: bool) -> bool {
    match grade {
        Grade::Pass => true,
        Grade::Warn | Grade::Fail => !was_seen,
        Grade::NotApplicable | Grade::Inconclusive => false,
    }
}
