//! D10, asking again for what will not get better.
//!
//! Over answers that are final (400, 401, 403, 404, 405, 410 to 422, 501, 505 and their kin; exempt are
//! 408, 409, 423, 425 and 429, which may change by themselves), the share that was followed by an
//! identical attempt: the same method, path, query, body and header fields, the credential included,
//! but for those that change by themselves. Of gRPC, `INVALID_ARGUMENT`, `NOT_FOUND` and their kin are
//! final, and whatever comes with a pushback that forbids another attempt. A login with another credential after a 401 is none.
//!
//! Fail: three or more, and the lower bound of their share above ρ + 1 percentage point. Pass: an upper
//! bound below that, which chance explains, or none; a universal claim, with an upper bound of 1 − (1 − level)^(1/n) on the rate. Least sample: 5 answers.
//!
//! Sources: RFC 9110 §15.5; of real clients, retry wrappers round "raise for any error" do it.

use crate::verdict::{
    attempt::{Answer, Attempt, Class},
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
    operation::Operation,
    phases::Phases,
    stats::{Interval, unseen_upper, wilson_at},
    words::counted,
};
use std::collections::BTreeMap;

/// The least number of answers that clear a client.
const LEAST: u64 = 5;
/// The least number of retries.
const RETRIES: u64 = 3;
/// By how much they must be more than chance.
const ABOVE_CHANCE: f64 = 0.01;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct FinalErrors {
    /// By status: final answers, and those that were followed by the same again.
    seen: Phases<BTreeMap<Answer, (u64, u64)>>,
    retries: Sightings,
}

/// What was seen in the phases asked about.
struct Total {
    answers: u64,
    retried: u64,
    by_status: BTreeMap<Answer, (u64, u64)>,
}

impl Total {
    /// Whether that is no more than chance.
    fn is_chance(&self, cx: &Cx<'_>) -> bool {
        let share = wilson_at(self.retried, self.answers, cx.level);
        self.answers >= LEAST && share.is_some_and(|share| share.high <= cx.rho + ABOVE_CHANCE)
    }

    /// Whether that is more than chance.
    fn is_sure(&self, cx: &Cx<'_>) -> bool {
        let share = wilson_at(self.retried, self.answers, cx.level);
        self.retried >= RETRIES && share.is_some_and(|share| share.low > cx.rho + ABOVE_CHANCE)
    }

    /// How many were; none of them for certain, if they may be chance.
    fn measured(&self, cx: &Cx<'_>) -> Measured {
        if self.answers == 0 {
            let why = "no answer was final (400, 401, 403, 404 and their kin)";
            return Measured::NotExercised(why.to_owned());
        }
        let retried = self.retried as f64;
        if retried > 0.0 && self.is_chance(cx) {
            let sample = format!("no more than chance links: {}", self.ways());
            return Measured::count(0, sample);
        }
        if retried > 0.0 {
            let low = if self.is_sure(cx) { retried } else { 0.0 };
            return Measured::interval(
                Interval { low, value: retried, high: retried },
                self.ways(),
            );
        }
        if self.answers < LEAST {
            let needs = format!("{LEAST} final answers under faults");
            return Measured::too_few(counted(self.answers, "final answer"), needs);
        }
        let bound = unseen_upper(self.answers, cx.level) * 100.0;
        let sample = format!(
            "0 of {} (rate below {bound:.1} % at {:.0} %; {})",
            self.answers,
            cx.level * 100.0,
            self.ways()
        );
        Measured::count(0, sample)
    }

    fn ways(&self) -> String {
        let ways = self.by_status.iter();
        let ways = ways.map(|(status, (all, retried))| format!("{status} {retried} of {all}"));
        ways.collect::<Vec<_>>().join(", ")
    }
}

impl Detector for FinalErrors {
    fn name(&self) -> &'static str {
        "final_errors"
    }

    fn code(&self) -> &'static str {
        "D10"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn operation(&mut self, operation: &Operation, _now: Now<'_>) {
        let attempts = operation.attempts();
        if !attempts.iter().any(is_final) {
            return;
        }
        let seen = self.seen.at(operation.first().phase);
        for attempt in attempts.iter().filter(|attempt| is_final(attempt)) {
            seen.entry(attempt.answer()).or_default().0 += 1;
        }
        // One that began before the answer was there knew nothing of it.
        for gap in operation.gaps().filter(|gap| is_final(gap.before)) {
            if gap.after.whole_print == gap.before.whole_print {
                seen.entry(gap.before.answer()).or_default().1 += 1;
                self.retries.note(|| {
                    Sighting::of(
                        gap.after,
                        format!("the same again after a {}", gap.before.answer()),
                    )
                });
            }
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let total = self.total(None, cx);
        let figures = |finding: Finding| {
            let by = total.by_status.iter().map(|(status, (answers, retried))| {
                (status.to_string(), serde_json::json!({ "answers": answers, "retried": retried }))
            });
            finding
                .figure("answers", total.answers)
                .figure("retried", total.retried)
                .figure("by_status", by.collect::<serde_json::Map<_, _>>())
        };
        figures(match total.measured(cx) {
            Measured::Number { low, sample, .. } if low > 0.0 => {
                let said = format!(
                    "{} of {} were asked for again as they were ({sample})",
                    total.retried,
                    counted(total.answers, "final answer")
                );
                Finding::new(Grade::Fail, Claim::Quantitative, said)
                    .advice("retry what may get better: 408, 425, 429, 5xx, and broken connections")
                    .seen(self.retries.all())
            }
            Measured::Number { high, sample, .. } if high <= 0.0 => {
                let said = format!("nothing final was asked for again: {sample}");
                Finding::new(Grade::Pass, Claim::Universal, said)
            }
            Measured::Number { sample, .. } => {
                let said = format!(
                    "{} of {} were asked for again, which may be chance ({sample})",
                    total.retried,
                    counted(total.answers, "final answer")
                );
                Finding::inconclusive(said, "more final answers").seen(self.retries.all())
            }
            Measured::TooFew { said, needs } => Finding::inconclusive(said, needs),
            Measured::NotExercised(why) => Finding::not_applicable(why),
            _ => Finding::not_applicable(""),
        })
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        (term == "retries_final_errors").then(|| self.total(phase, cx).measured(cx))
    }
}

impl FinalErrors {
    fn total(&self, phase: Option<usize>, cx: &Cx<'_>) -> Total {
        let mut total = Total { answers: 0, retried: 0, by_status: BTreeMap::new() };
        for (status, (answers, retried)) in self.seen.asked(cx.course, phase).flatten() {
            let of = total.by_status.entry(*status).or_default();
            of.0 += answers;
            of.1 += retried;
            total.answers += answers;
            total.retried += retried;
        }
        total
    }
}

fn is_final(attempt: &Attempt) -> bool {
    attempt.class == Some(Class::Final)
}

#[cfg(test)]
mod tests {
    use crate::verdict::{finding::Grade, fixture::Drill};

    fn drill(operations: u32, status: u16, attempts: u32) -> Drill {
        let mut drill = Drill::new(10.0, 100.0, 60.0);
        for at in 0..operations {
            let mut op = drill.op(11.0 + f64::from(at)).fails(status);
            for _ in 1..attempts {
                op = op.after(0.5).fails(status);
            }
        }
        drill
    }

    #[test]
    fn asking_again_for_what_is_not_there_fails() {
        let drill = drill(6, 404, 3);
        let found = drill.finding("final_errors");
        assert_eq!(found.grade, Grade::Fail, "{}", found.said);
        assert_eq!(
            (&found.figures["answers"], &found.figures["retried"]),
            (&18.into(), &12.into())
        );
        assert_eq!(drill.expect("retries_final_errors: 0").grade, Grade::Fail);
        assert_eq!(drill.expect("retries_final_errors: 12").grade, Grade::Pass);
    }

    #[test]
    fn taking_no_for_an_answer_passes() {
        let drill = drill(6, 403, 1);
        let found = drill.finding("final_errors");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        assert_eq!(drill.expect("retries_final_errors: 0").grade, Grade::Pass);
    }

    #[test]
    fn what_may_change_by_itself_is_exempt() {
        for status in [408, 409, 423, 425, 429, 503] {
            let found = drill(6, status, 3).finding("final_errors");
            assert_eq!(found.grade, Grade::NotApplicable, "{status}: {}", found.said);
        }
    }

    #[test]
    fn another_credential_is_another_question() {
        let mut drill = Drill::new(10.0, 100.0, 60.0);
        for at in 0..6 {
            drill.op(11.0 + f64::from(at)).auth(1).fails(401).after(0.1).auth(2).served();
        }
        let found = drill.finding("final_errors");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
    }

    /// One of 2,000 was asked for again: as likely as not the next of its kind.
    #[test]
    fn what_chance_explains_is_no_retry() {
        let mut drill = Drill::new(10.0, 3_000.0, 60.0);
        for at in 0..2_000 {
            drill.op(11.0 + f64::from(at)).fails(404);
        }
        drill.op(2_020.0).path("/items/2000").fails(404);
        let found = drill.finding("final_errors");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        assert!(found.said.contains("404 1 of 2001"), "{}", found.said);
        assert_eq!(drill.expect("retries_final_errors: 0").grade, Grade::Pass);
    }

    #[test]
    fn few_are_too_few() {
        let found = drill(4, 404, 1).finding("final_errors");
        assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
        assert_eq!(found.needs.as_deref(), Some("5 final answers under faults"));
        // Twice is not yet a habit.
        let mut drill = drill(20, 404, 1);
        drill.op(90.0).fails(404).after(1.0).fails(404);
        drill.op(91.0).fails(404).after(1.0).fails(404);
        assert_eq!(drill.finding("final_errors").grade, Grade::Inconclusive);
        assert_eq!(drill.expect("retries_final_errors: 0").grade, Grade::Inconclusive);
    }
}
