//! D2, the load that retries make.
//!
//! *A*(p) = Σ attempts / operations, over the operations whose first attempt falls in p; a gRPC call that
//! was refused and that its library sent again by itself counts once. The load
//! factor *LF*(p) = attempts per second in p over attempts per second in calm. Both are needed: a
//! client with an open breaker has an *A* of 1.2 and an *LF* of 0.1, one that hangs has 1.0 and 0.02.
//!
//! For a failure probability *f* and at most *n* attempts *A* = (1 − fⁿ)/(1 − f), so that a partial
//! outage says little about *n*: 17 % gives 1.199 for three attempts and 1.205 for ten.
//!
//! The interval of *A* is a cluster bootstrap by client, since the operations of one client are
//! correlated (by operation if there is one client only); that of *LF* the exact conditional binomial
//! of two Poisson counts.
//!
//! Pass up to 1.2 (budgets of 10 to 20 % live there), warn up to 3, fail above. Least sample: 30
//! operations, 20 of which failed at first; or 200 retries, however few operations they are of.
//!
//! Sources: Google SRE, chapter 21 (a budget of 10 %); Amazon Builders' Library, timeouts, retries
//! and backoff with jitter.

use crate::verdict::{
    attempt::Attempt,
    course::Stage,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Weight},
    operation::Operation,
    phases::Phases,
    ratio::Ratio,
    stats::{Observed, rate_ratio},
};

/// Up to here a client has a budget.
const PASS: f64 = 1.2;
/// Up to here it has a limit.
const WARN: f64 = 3.0;
/// So many attempts too many say enough, however few operations they are of.
const MANY: f64 = 200.0;
/// Links of what does not belong together that are allowed for, beyond what was measured.
const FALSE_LINKS: f64 = 0.01;
/// The least number of operations that failed at first.
const FAILING: u64 = 20;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Amplification {
    seen: Phases<Seen>,
    base_attempts: u64,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// Attempts per operation.
    per_operation: Ratio,
    /// Operations that failed at first.
    failing: u64,
    /// Attempts that came, whatever they were for.
    attempts: u64,
}

impl Detector for Amplification {
    fn name(&self) -> &'static str {
        "amplification"
    }

    fn code(&self) -> &'static str {
        "D2"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn leans_on_calm(&self, term: Option<&str>) -> bool {
        term == Some("load_factor")
    }

    fn attempt(&mut self, attempt: &Attempt, now: Now<'_>) {
        self.seen.at(attempt.phase).attempts += 1;
        self.base_attempts += u64::from(now.stage == Stage::Base);
    }

    fn operation(&mut self, operation: &Operation, now: Now<'_>) {
        let first = operation.first();
        let seen = self.seen.at(first.phase);
        seen.per_operation.add(now.client, operation.tries() as f64, 1.0);
        seen.failing += u64::from(!first.is_served());
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let found = self.amplification(None, cx);
        let load = self.load(None, cx);
        let finding = match &found {
            Measured::Number { low, value, high, sample } => {
                let grade = if *high <= PASS || *value <= PASS && low >= value {
                    Grade::Pass
                } else if *low > WARN * (1.0 + cx.rho + FALSE_LINKS) {
                    Grade::Fail
                } else if *value <= PASS {
                    Grade::Pass
                } else {
                    Grade::Warn
                };
                let said = format!(
                    "{value:.2} attempts per operation under faults ({:.0} %: {low:.2} to {high:.2}; {sample})",
                    cx.level * 100.0
                );
                Finding::new(grade, Claim::Quantitative, said)
                    .figure("amplification", *value)
                    .figure("low", *low)
                    .figure("high", *high)
            }
            Measured::TooFew { said, needs } => Finding::inconclusive(said, needs),
            Measured::NotExercised(why) => Finding::not_applicable(why),
            _ => Finding::not_applicable(""),
        };
        let finding = match load {
            Measured::Number { value, .. } => finding.figure("load_factor", value),
            _ => finding,
        };
        if finding.grade < Grade::Warn {
            return finding;
        }
        finding.advice(
            "give retries a budget (a tenth of requests, say) or a circuit breaker; backoff alone \
             spreads the same load in time and does not lower it",
        )
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        match term {
            "retry_amplification" => Some(self.amplification(phase, cx)),
            "load_factor" => Some(self.load(phase, cx)),
            _ => None,
        }
    }
}

impl Amplification {
    fn amplification(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let mut per_operation = Ratio::default();
        let mut failing = 0;
        for seen in self.seen.asked(cx.course, phase) {
            per_operation.merge(&seen.per_operation);
            failing += seen.failing;
        }
        let operations = per_operation.operations();
        if operations == 0 {
            return Measured::NotExercised("no operation began under faults".to_owned());
        }
        if failing == 0 {
            return Measured::NotExercised("no operation failed at first".to_owned());
        }
        let least = cx.min_operations;
        let retries = per_operation.sum() - operations as f64;
        if (operations < least || failing < FAILING) && retries < MANY {
            let said = format!("{operations} operations, {failing} of which failed at first");
            let needs = format!("{least} operations and {FAILING} that fail at first");
            return Measured::too_few(said, needs);
        }
        match per_operation.interval(cx.level, cx.seed) {
            Some(interval) => Measured::interval(interval, per_operation.sample()),
            None => Measured::too_few(per_operation.sample(), "more operations"),
        }
    }

    fn load(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let attempts: u64 = self.seen.asked(cx.course, phase).map(|seen| seen.attempts).sum();
        let (during, calm) = (cx.course.seconds_asked(phase), cx.course.seconds(Stage::Base));
        if self.base_attempts == 0 || calm <= 0.0 || during <= 0.0 {
            return Measured::NotExercised(
                "there was no traffic in calm to compare with".to_owned(),
            );
        }
        let (this, base) = (
            Observed { events: attempts, exposure: during },
            Observed { events: self.base_attempts, exposure: calm },
        );
        let before = self.base_attempts;
        let sample =
            format!("{attempts} attempts in {during:.0} s, {before} in {calm:.0} s of calm");
        match rate_ratio(this, base, cx.level) {
            Some(interval) => Measured::interval(interval, sample),
            None => Measured::too_few(sample, "traffic in calm and under faults"),
        }
    }
}
