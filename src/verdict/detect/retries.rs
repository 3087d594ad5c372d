//! D1, whether a client retries at all, how often, and after what.
//!
//! Told, not graded: what retries do is judged by the others. Over the operations under faults whose
//! first attempt failed, the share that had another attempt, with its Wilson interval; "retries" is
//! claimed only if the lower 99 % bound exceeds ρ, the probability that a link by content joins what
//! does not belong together, by a percentage point. Least sample: none; one operation that fails five
//! times over shows a retry.
//!
//! Source: the share of false links is measured in the calm phase of the same drill, see
//! [`Windows`](crate::verdict::Windows).

use crate::verdict::{
    attempt::Wrong,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Weight},
    operation::Operation,
    phases::Phases,
    waits::surely_retried,
    words,
};
use std::collections::BTreeMap;

/// Upper bounds of the numbers of attempts that are told apart.
const BOUNDS: [u64; 7] = [1, 2, 3, 4, 5, 10, u64::MAX];
/// How they are told.
const NAMES: [&str; 7] = ["1", "2", "3", "4", "5", "6 to 10", "more"];
/// Kinds of failure told apart.
const KINDS: usize = 32;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Retries {
    seen: Phases<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    operations: u64,
    /// Of those that failed at first, how many had so many attempts.
    attempts: [u64; BOUNDS.len()],
    /// How many failed at first in what way, and how many of them were tried again.
    kinds: BTreeMap<Wrong, (u64, u64)>,
}

impl Detector for Retries {
    fn name(&self) -> &'static str {
        "retries"
    }

    fn code(&self) -> &'static str {
        "D1"
    }

    fn weight(&self) -> Weight {
        Weight::Note
    }

    fn operation(&mut self, operation: &Operation, _now: Now<'_>) {
        let seen = self.seen.at(operation.first().phase);
        seen.operations += 1;
        let Some(wrong) = operation.first().wrong else { return };
        let at = BOUNDS.iter().position(|bound| operation.count() <= *bound);
        seen.attempts[at.unwrap_or(BOUNDS.len() - 1)] += 1;
        if seen.kinds.len() < KINDS || seen.kinds.contains_key(&wrong) {
            let (failed, retried) = seen.kinds.entry(wrong).or_default();
            *failed += 1;
            *retried += u64::from(operation.count() > 1);
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let mut total = Seen::default();
        for seen in self.seen.asked(cx.course, None) {
            total.operations += seen.operations;
            for (sum, count) in total.attempts.iter_mut().zip(seen.attempts) {
                *sum += count;
            }
            for (wrong, (failed, retried)) in &seen.kinds {
                let sum = total.kinds.entry(*wrong).or_default();
                sum.0 += failed;
                sum.1 += retried;
            }
        }
        let failed: u64 = total.attempts.iter().sum();
        let retried = failed - total.attempts[0];
        if failed == 0 {
            return Finding::not_applicable("no operation failed at first");
        }
        let retries = surely_retried(retried, failed, cx.rho);
        let kinds = total.kinds.iter().map(|(wrong, (failed, retried))| {
            format!("{} {retried} of {failed}", words::wrong(*wrong))
        });
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let of = format!("{retried} of {}", words::counted(failed, "operation"));
        let said = if retries {
            format!("it retries: {of} that failed at first were tried again (after {kinds})")
        } else if retried == 0 {
            format!("it does not retry: {of} that failed at first were tried again")
        } else {
            format!(
                "nothing shows that it retries: {of} that failed at first were asked for again, and \
                 {:.1} % would be by chance",
                cx.rho * 100.0
            )
        };
        let by_count: serde_json::Map<_, _> = NAMES
            .iter()
            .zip(total.attempts)
            .map(|(name, n)| ((*name).to_owned(), n.into()))
            .collect();
        let by_kind: serde_json::Map<_, _> = (total.kinds.iter())
            .map(|(wrong, (failed, retried))| {
                (words::wrong(*wrong), serde_json::json!({ "failed": failed, "retried": retried }))
            })
            .collect();
        Finding::new(Grade::Pass, Claim::Informational, said)
            .figure("retries", retries)
            .figure("operations", total.operations)
            .figure("failed_at_first", failed)
            .figure("retried", retried)
            .figure("rho", cx.rho)
            .figure("attempts", by_count)
            .figure("after", by_kind)
    }

    fn measure(&self, _: &str, _: Option<usize>, _: &Cx<'_>) -> Option<Measured> {
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::verdict::{finding::Grade, fixture::Drill};

    #[test]
    fn it_tells_what_is_retried_and_how_often() {
        let mut drill = Drill::new(10.0, 60.0, 10.0);
        for at in 0..10 {
            drill.op(11.0 + f64::from(at)).fails(503).after(1.0).fails(503).after(1.0).served();
            drill.op(31.0 + f64::from(at)).reset();
        }
        let found = drill.finding("retries");
        assert_eq!(found.figures["retries"], true, "{}", found.said);
        assert_eq!(found.figures["attempts"]["3"], 10);
        assert_eq!(found.figures["attempts"]["1"], 10);
        assert_eq!(found.figures["after"]["reset"]["retried"], 0);
        assert!(found.said.contains("503 10 of 10"), "{}", found.said);
    }

    /// A third of what is asked for recurs in calm, so that some recur after a failure by chance.
    #[test]
    fn chance_is_no_retry() {
        let mut drill = Drill::new(300.0, 300.0, 10.0);
        for at in 0..100 {
            let path = format!("/news/{}", at % 50);
            drill.op(f64::from(at) * 2.9 + 0.5).path(&path).served();
        }
        for at in 0..50 {
            drill.op(301.0 + 4.0 * f64::from(at)).path(&format!("/news/{at}")).fails(503);
        }
        drill.op(310.0).path("/news/0").served();
        let found = drill.finding("retries");
        assert_eq!(found.figures["retries"], false, "{}", found.said);
    }

    #[test]
    fn without_a_failure_there_is_nothing_to_tell() {
        let mut drill = Drill::new(10.0, 60.0, 10.0);
        drill.op(11.0).served();
        assert_eq!(drill.finding("retries").grade, Grade::NotApplicable);
    }
}
