//! D3, saturated amplification: what a client makes of an outage in which everything fails.
//!
//! U are the operations of which nothing was served, which began at least 60 s before the end of
//! their outage and ended at least 20 s before it, so that its end cut none of them short. *A*_sat =
//! Σ attempts / |U|; *n̂* is the 95th percentile of attempts over U (not the maximum, which one false
//! link ruins; besides, operations are [cut](crate::verdict::cut) where a wait is out of all
//! proportion). **ρ\*** = 1/*A*_sat is the utilisation of the service above which retries alone can
//! hold it down after its fault is over. It is necessary for such a collapse, not sufficient. Backoff
//! does not move it, since it spreads load and does not lower it: only a budget or a breaker does.
//!
//! An outage here is a stretch of phases with faults that follow on each other. If too few ended but
//! three or more that began early enough were still being tried as it ended, their attempts are a
//! lower bound.
//!
//! The interval is a cluster bootstrap by client. Pass for ρ\* ≥ 0.8 (*A*_sat ≤ 1.25), warn for ρ\* ≥
//! 0.33 (three attempts), fail below; each of them once the bound is beyond it. Least sample: |U| ≥ 20.
//!
//! Sources: Bronson et al., "Metastable Failures in Distributed Systems" (HotOS 2021); Google SRE,
//! chapter 21 (three attempts, and a budget); Brooker, "Fixing retries with token buckets and circuit
//! breakers" (2022).

use crate::verdict::{
    course::{Course, Stage},
    cut::Cuts,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Weight},
    operation::Operation,
    phases::Phases,
    ratio::Ratio,
    settle::{Settle, Settled},
    stats::Interval,
    words::counted,
};
use std::collections::BTreeMap;

/// ρ\* from which on a client passes.
const PASS: f64 = 0.8;
/// ρ\* from which on it is warned.
const WARN: f64 = 0.33;
/// The least number of operations.
const LEAST: u64 = 20;
/// The least number that were still being tried, for a lower bound.
const STILL: u64 = 3;
/// How long before the end of the outage an operation must have begun, and ended; microseconds.
const BEGUN: u64 = 60_000_000;
const ENDED: u64 = 20_000_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Saturation {
    seen: Phases<Seen>,
    settle: Settle<Failed>,
    cuts: Cuts,
}

/// An operation of which nothing was served.
#[derive(Clone, Copy, Debug)]
struct Failed {
    phase: Option<u16>,
    client: usize,
    begun: u64,
    attempts: u64,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// Operations of which nothing was served in their outage.
    failed: u64,
    /// Attempts per operation of U.
    per_operation: Ratio,
    /// How many operations of U had so many attempts.
    counts: BTreeMap<u64, u64>,
    /// Operations that began early enough and were still being tried at the end.
    still: u64,
    still_attempts: u64,
    still_most: u64,
}

/// What is known at the end.
enum Found {
    Nothing(&'static str),
    TooFew(u64),
    /// *A*_sat, *n̂*, and what they rest on.
    Counted(Interval, u64, String),
    /// So many on average and at the most, so far.
    AtLeast(f64, u64, String),
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.failed += other.failed;
        self.per_operation.merge(&other.per_operation);
        for (attempts, count) in &other.counts {
            *self.counts.entry(*attempts).or_default() += count;
        }
        self.still += other.still;
        self.still_attempts += other.still_attempts;
        self.still_most = self.still_most.max(other.still_most);
    }

    fn settled(&mut self, failed: Failed, how: Settled) {
        match how {
            Settled::Outlived => {
                self.per_operation.add(failed.client, failed.attempts as f64, 1.0);
                *self.counts.entry(coarse(failed.attempts)).or_default() += 1;
            }
            Settled::Cut(end) if failed.begun + BEGUN <= end => self.still(failed.attempts),
            Settled::Cut(_) => {}
        }
    }

    fn still(&mut self, attempts: u64) {
        self.still += 1;
        self.still_attempts += attempts;
        self.still_most = self.still_most.max(attempts);
    }

    /// The number of attempts that 95 of 100 operations keep to.
    fn usual_most(&self) -> u64 {
        let all: u64 = self.counts.values().sum();
        let mut seen = 0;
        let reached = self.counts.iter().find(|(_, count)| {
            seen += **count;
            seen * 100 >= all * 95
        });
        reached.map_or(0, |(attempts, _)| *attempts)
    }
}

impl Detector for Saturation {
    fn name(&self) -> &'static str {
        "saturation"
    }

    fn code(&self) -> &'static str {
        "D3"
    }

    fn weight(&self) -> Weight {
        Weight::Major
    }

    fn operation(&mut self, operation: &Operation, now: Now<'_>) {
        let seen = &mut self.seen;
        self.settle.settle(now.course, &mut |failed: Failed, how| {
            seen.at(failed.phase).settled(failed, how);
        });
        for piece in self.cuts.pieces(operation) {
            let first = piece.first();
            if now.course.stage(first.phase) != Stage::Fault {
                continue;
            }
            let end = now.course.outage_end(first.phase);
            match (piece.served_at, end) {
                (None, _) => {
                    let failed = Failed {
                        phase: first.phase,
                        client: now.client,
                        begun: first.start,
                        attempts: piece.count,
                    };
                    self.seen.at(first.phase).failed += 1;
                    let until = (first.start + BEGUN).max(piece.end + ENDED);
                    self.settle.push(until, first.phase, failed);
                }
                // Served once the outage was over: it was cut short by its end.
                (Some(served), Some(end)) if served >= end && first.start + BEGUN <= end => {
                    let seen = self.seen.at(first.phase);
                    seen.failed += 1;
                    seen.still(piece.before(end).0);
                }
                _ => {}
            }
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        match self.found(None, cx) {
            Found::Nothing(why) => Finding::not_applicable(why),
            Found::TooFew(seen) => Finding::inconclusive(said_of(seen), needs()),
            Found::AtLeast(mean, most, sample) => {
                let said = format!(
                    "{mean:.1} attempts per operation when everything fails, and still trying \
                     (up to {most}; {sample}): retries alone can hold the service down from {:.0} % \
                     of its capacity on",
                    100.0 / mean
                );
                let interval = Interval { low: mean, value: mean, high: f64::INFINITY };
                graded(Grade::Fail, said, interval).figure("max_attempts", most)
            }
            Found::Counted(interval, most, sample) => {
                let grade = if interval.surely_above(1.0 / WARN) {
                    Grade::Fail
                } else if interval.surely_above(1.0 / PASS) {
                    Grade::Warn
                } else if interval.surely_at_most(1.0 / PASS) {
                    Grade::Pass
                } else {
                    Grade::Inconclusive
                };
                let Interval { low, value, high } = interval;
                let said = format!(
                    "{value:.1} attempts per operation when everything fails, {most} at the most \
                     ({:.0} %: {low:.2} to {high:.2}; {sample}): retries alone can hold the service \
                     down from {:.0} % of its capacity on",
                    cx.level * 100.0,
                    100.0 / value
                );
                let mut finding = graded(grade, said, interval).figure("max_attempts", most);
                if grade == Grade::Inconclusive {
                    finding.needs = Some("more operations that fail throughout".to_owned());
                }
                finding
            }
        }
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        if !["saturated_amplification", "vulnerable_above", "max_attempts"].contains(&term) {
            return None;
        }
        let (amplification, most, sample) = match self.found(phase, cx) {
            Found::Nothing(why) => return Some(Measured::NotExercised(why.to_owned())),
            Found::TooFew(seen) => return Some(Measured::too_few(said_of(seen), needs())),
            Found::Counted(interval, most, sample) => {
                (interval, Interval::exact(most as f64), sample)
            }
            Found::AtLeast(mean, most, sample) => {
                let from = |low: f64| Interval { low, value: low, high: f64::INFINITY };
                (from(mean), from(most as f64), sample)
            }
        };
        let Interval { low, value, high } = amplification;
        Some(match term {
            "saturated_amplification" => Measured::interval(amplification, sample),
            "max_attempts" => Measured::interval(most, sample),
            _ => {
                let inverse = Interval { low: 1.0 / high, value: 1.0 / value, high: 1.0 / low };
                Measured::interval(inverse, sample)
            }
        })
    }
}

impl Saturation {
    fn found(&self, phase: Option<usize>, cx: &Cx<'_>) -> Found {
        let seen = self.total(cx.course, phase);
        let operations = seen.per_operation.operations();
        if seen.failed == 0 {
            return Found::Nothing("no operation failed throughout");
        }
        if operations >= LEAST
            && let Some(interval) = seen.per_operation.interval(cx.level, cx.seed)
        {
            return Found::Counted(interval, seen.usual_most(), seen.per_operation.sample());
        }
        let mean = seen.still_attempts as f64 / seen.still as f64;
        if seen.still >= STILL && mean > 1.0 / WARN {
            let sample = format!("{} at the end of the outage", counted(seen.still, "operation"));
            return Found::AtLeast(mean, seen.still_most, sample);
        }
        Found::TooFew(operations)
    }

    fn total(&self, course: &Course, phase: Option<usize>) -> Seen {
        let mut total = Seen::default();
        for seen in self.seen.asked(course, phase) {
            total.add(seen);
        }
        for (failed, how) in self.settle.rest(course) {
            if course.is_asked(phase, failed.phase) {
                total.settled(*failed, how);
            }
        }
        total
    }
}

fn graded(grade: Grade, said: String, interval: Interval) -> Finding {
    let finding = Finding::new(grade, Claim::Quantitative, said)
        .figure("saturated_amplification", interval.value)
        .figure("vulnerable_above", 1.0 / interval.value)
        .figure("low", interval.low)
        .figure("high", interval.high);
    if grade < Grade::Warn {
        return finding;
    }
    finding.advice(
        "give retries a budget (a tenth of requests, say) or a circuit breaker; backoff and jitter \
         spread the same load in time and do not lower it",
    )
}

fn said_of(operations: u64) -> String {
    format!("{} failed throughout an outage that outlasted them", counted(operations, "operation"))
}

fn needs() -> String {
    format!("{LEAST} operations that fail, begun 60 s and over 20 s before the end of the outage")
}

/// Exact where it matters; of very many attempts, the first two digits in binary.
fn coarse(attempts: u64) -> u64 {
    if attempts < 256 {
        attempts
    } else {
        attempts >> (attempts.ilog2() - 7) << (attempts.ilog2() - 7)
    }
}

#[cfg(test)]
mod tests {
    use crate::verdict::{finding::Grade, fixture::Drill};

    /// `operations` operations of `attempts` attempts each, a second apart, by two clients.
    fn drill(operations: u32, attempts: u32) -> Drill {
        let mut drill = Drill::new(30.0, 200.0, 60.0);
        for at in 0..operations {
            let mut op = drill.op(31.0 + f64::from(at)).user(at % 2).fails(503);
            for _ in 1..attempts {
                op = op.after(1.0).fails(503);
            }
        }
        drill
    }

    #[test]
    fn three_attempts_warn_and_four_fail() {
        for (attempts, grade) in [(1, Grade::Pass), (3, Grade::Warn), (4, Grade::Fail)] {
            let found = drill(25, attempts).finding("saturation");
            assert_eq!(found.grade, grade, "{attempts}: {}", found.said);
            assert_eq!(found.figures["max_attempts"], attempts);
        }
        let drill = drill(25, 3);
        assert_eq!(drill.expect("max_attempts: 3").grade, Grade::Pass);
        assert_eq!(drill.expect("max_attempts: 2").grade, Grade::Fail);
        assert_eq!(drill.expect("saturated_amplification: 3x").grade, Grade::Pass);
        assert_eq!(drill.expect("vulnerable_above: 33%").grade, Grade::Pass);
        assert_eq!(drill.expect("vulnerable_above: 34%").grade, Grade::Fail);
    }

    #[test]
    fn nineteen_are_too_few_and_none_is_not_applicable() {
        let found = drill(19, 4).finding("saturation");
        assert_eq!(found.grade, Grade::Inconclusive);
        assert!(found.needs.unwrap().starts_with("20 operations"));

        let mut calm = Drill::new(30.0, 200.0, 60.0);
        for at in 0..40 {
            calm.op(31.0 + f64::from(at)).served();
        }
        assert_eq!(calm.finding("saturation").grade, Grade::NotApplicable);
        assert_eq!(calm.expect("max_attempts: 3").grade, Grade::NotApplicable);
    }

    /// Ten attempts would be made, had the outage lasted: those it cut short are not counted.
    #[test]
    fn what_the_end_of_the_outage_cut_short_is_left_out() {
        let mut drill = drill(25, 10);
        for at in 0..200 {
            drill.op(220.0 + f64::from(at) / 100.0).fails(503).after(1.0).fails(503);
            drill.op(225.0 + f64::from(at) / 100.0).fails(503).after(10.0).served();
        }
        let found = drill.finding("saturation");
        assert_eq!(found.figures["saturated_amplification"], 10.0, "{}", found.said);
    }

    /// It began a minute before the outage ended, and was tried until it was served.
    #[test]
    fn those_that_never_end_are_a_lower_bound() {
        let mut drill = Drill::new(30.0, 100.0, 30.0);
        for user in 0..4 {
            let mut op = drill.op(31.0 + f64::from(user)).user(user).fails(503);
            for _ in 0..100 {
                op = op.after(1.0).fails(503);
            }
            op.after(1.0).served();
        }
        let found = drill.finding("saturation");
        assert_eq!(found.grade, Grade::Fail, "{}", found.said);
        // More than are kept.
        let most = found.figures["max_attempts"].as_u64().unwrap();
        assert!((95..=101).contains(&most), "{most}");
        assert!(found.said.contains("still trying"), "{}", found.said);
        assert_eq!(drill.expect("max_attempts: 3").grade, Grade::Fail);
        assert_eq!(drill.expect("vulnerable_above: 33%").grade, Grade::Fail);
    }

    /// One link too many: a page that everybody reloads after half a minute. The guard is the 95th
    /// percentile, and where enough was seen before, the cut.
    #[test]
    fn a_false_link_does_not_ruin_the_figures() {
        let mut drill = drill(25, 2);
        let op = drill.op(80.0).user(1).fails(503).after(1.0).fails(503);
        op.after(40.0).fails(503).after(1.0).fails(503);
        let found = drill.finding("saturation");
        assert_eq!(found.figures["max_attempts"], 2, "{}", found.said);
        assert_eq!(found.figures["saturated_amplification"], 2.0, "{}", found.said);
    }

    #[test]
    fn a_drill_that_stops_in_the_outage_lasted_as_long_as_it_was_watched() {
        let mut drill = Drill::new(30.0, 200.0, 60.0).stopped(120.0);
        for at in 0..25 {
            drill.op(31.0 + f64::from(at)).fails(503).after(1.0).fails(503);
        }
        drill.op(104.0).served();
        drill.op(119.0).served();
        let found = drill.finding("saturation");
        assert_eq!(found.figures["max_attempts"], 2);
        assert!(found.said.contains("25 operations"), "{}", found.said);
        let found = drill.stopped(105.0).finding("saturation");
        assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
        assert!(found.said.starts_with("14 operations"), "{}", found.said);
    }
}
