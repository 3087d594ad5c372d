//! D17, hedging: sending the same again before the first one has failed.
//!
//! Two attempts of one operation overlap, and within 50 ms of the last byte of the one that is served
//! the client leaves the other. (Timing out and trying again cancels before it sends; a double click
//! cancels neither.) Where nothing is answered the mark is that the client leaves all that overlap.
//! The delay of the hedge is the median gap between their beginnings, to be compared with p95 in calm.
//!
//! It is claimed if the lower 99 % bound (Wilson) of the share of hedged operations is above 1 % and
//! above ρ, the share of links that join what does not belong together.
//!
//! Extra load = attempts of hedged operations beyond the first, over operations in calm. Pass up to
//! 5 %, warn up to 10 %; fail above, or if a POST is hedged without a key, or if operations that are
//! held cost more than 1.5 attempts each, 20 of them at least: then nothing bounds it. Least sample: 30
//! operations in calm.
//!
//! Sources: Dean and Barroso, "The Tail at Scale" (2013): a second request after the 95th percentile
//! costs some 5 %.

use crate::verdict::{
    attempt::{Attempt, Wrong},
    course::Stage,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
    operation::Operation,
    stats::wilson_at,
};

/// How soon after the winner's last byte the loser is left, in microseconds.
const TOGETHER: u64 = 50_000;
/// How sure a claim has to be.
const SURE: f64 = 0.99;
/// The share that has to be surpassed.
const RARE: f64 = 0.01;
/// Extra load that is good, and that is bearable.
const GOOD: f64 = 0.05;
const BEARABLE: f64 = 0.10;
/// Attempts per operation that is held, above which nothing bounds the hedges.
const UNBOUNDED: f64 = 1.5;
/// The least number of operations that were held.
const HELD: u64 = 20;
/// Delays that are looked at.
const KEPT: usize = 2_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Hedging {
    operations: u64,
    hedged: u64,
    calm: Extra,
    held: Extra,
    /// Hedged POSTs without a key.
    bare: u64,
    /// Delays in seconds.
    delays: Vec<f64>,
    bare_ones: Sightings,
    sightings: Sightings,
}

/// Operations, and attempts of the hedged ones beyond the first.
#[derive(Clone, Copy, Debug, Default)]
struct Extra {
    operations: u64,
    extra: u64,
}

impl Detector for Hedging {
    fn name(&self) -> &'static str {
        "hedging"
    }

    fn code(&self) -> &'static str {
        "D17"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn operation(&mut self, operation: &Operation, now: Now<'_>) {
        let first = operation.first();
        let hedge = hedge(operation);
        let extra = if hedge.is_some() { operation.count() - 1 } else { 0 };
        self.operations += 1;
        if now.stage == Stage::Base {
            self.calm.operations += 1;
            self.calm.extra += extra;
        }
        if first.held {
            self.held.operations += 1;
            self.held.extra += extra;
        }
        let Some((one, other)) = hedge else { return };
        self.hedged += 1;
        let delay = other.start.abs_diff(one.start) as f64 / 1e6;
        if self.delays.len() < KEPT {
            self.delays.push(delay);
        }
        self.sightings.note(|| Sighting::of(other, format!("sent {delay:.3} s after another one")));
        if first.is_unsafe && operation.stable_key().is_none() {
            self.bare += 1;
            self.bare_ones.note(|| Sighting::of(other, "hedged without a key"));
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let finding = self
            .judge(cx)
            .figure("operations", self.operations)
            .figure("hedged", if self.is_claimed(cx) { self.hedged } else { 0 })
            .figure("look_hedged", self.hedged)
            .figure("unsafe_without_key", self.bare);
        if self.hedged == 0 || !self.is_claimed(cx) {
            return finding;
        }
        let finding = finding.figure("delay", self.delay());
        match self.calm.operations {
            0 => finding,
            operations => finding.figure("extra_load", self.calm.extra as f64 / operations as f64),
        }
    }

    fn measure(&self, term: &str, _phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        if term != "hedge_extra_load" {
            return None;
        }
        let Extra { operations, extra } = self.calm;
        let sample = format!("{extra} extra attempts for {operations} operations in calm");
        if operations == 0 {
            return Some(Measured::NotExercised("there was no traffic in calm".to_owned()));
        }
        if operations < cx.min_operations {
            let needs = format!("{} operations in calm", cx.min_operations);
            return Some(Measured::too_few(sample, needs));
        }
        if extra > operations {
            return Some(Measured::exact(extra as f64 / operations as f64, sample));
        }
        let share = wilson_at(extra, operations, cx.level)?;
        let off = |at: f64| (at - cx.rho).max(0.0);
        Some(Measured::Number {
            low: off(share.low),
            value: off(share.value),
            high: off(share.high),
            sample,
        })
    }
}

impl Hedging {
    fn is_claimed(&self, cx: &Cx<'_>) -> bool {
        let share = wilson_at(self.hedged, self.operations, SURE);
        share.is_some_and(|share| share.low > RARE.max(cx.rho))
    }

    fn delay(&self) -> f64 {
        let mut delays = self.delays.clone();
        delays.sort_by(f64::total_cmp);
        delays.get(delays.len() / 2).copied().unwrap_or_default()
    }

    fn judge(&self, cx: &Cx<'_>) -> Finding {
        if self.operations == 0 {
            return Finding::not_applicable("no operation was seen");
        }
        if self.bare > 0 && self.is_claimed(cx) {
            let said = format!("{} unsafe operations were hedged without a key", self.bare);
            return Finding::new(Grade::Fail, Claim::Existential, said)
                .advice("hedge only what may be done twice, or send an Idempotency-Key")
                .seen(self.bare_ones.all());
        }
        if !self.is_claimed(cx) {
            if self.hedged > 0 {
                let said = format!("{} of {} operations look hedged", self.hedged, self.operations);
                return Finding::inconclusive(said, "more operations, or names for them");
            }
            let said = format!("none of {} operations was hedged", self.operations);
            return Finding::not_applicable(said);
        }
        let usual = cx
            .base
            .latency(0.95)
            .map_or_else(String::new, |usual| format!(" (p95 in calm: {:.0} ms)", usual * 1e3));
        let hedges = format!(
            "{} of {} operations were hedged after {:.0} ms{usual}",
            self.hedged,
            self.operations,
            self.delay() * 1e3
        );
        let per_held = 1.0 + self.held.extra as f64 / self.held.operations.max(1) as f64;
        if self.held.operations >= HELD && per_held > UNBOUNDED {
            let said = format!("{hedges}; what is held costs {per_held:.2} attempts per operation");
            return Finding::new(Grade::Fail, Claim::Quantitative, said)
                .advice("give hedges a budget: a twentieth of requests, say")
                .seen(self.sightings.all());
        }
        if self.calm.operations < cx.min_operations {
            let needs = format!("{} operations in calm", cx.min_operations);
            return Finding::inconclusive(hedges, needs);
        }
        let extra = self.calm.extra as f64 / self.calm.operations as f64;
        let said = format!("{hedges}; {:.1} % extra load in calm", extra * 100.0);
        let grade = match extra {
            extra if extra <= GOOD => Grade::Pass,
            extra if extra <= BEARABLE => Grade::Warn,
            _ => Grade::Fail,
        };
        let finding = Finding::new(grade, Claim::Quantitative, said);
        if grade == Grade::Pass {
            return finding;
        }
        finding
            .advice("hedge after the 95th percentile of the latency, not sooner")
            .seen(self.sightings.all())
    }
}

/// Two attempts of which the one hedges the other, in the order in which they began.
fn hedge(operation: &Operation) -> Option<(&Attempt, &Attempt)> {
    let attempts = operation.attempts();
    if attempts.len() < 2 || !operation.overlaps() {
        return None;
    }
    let gone = |attempt: &Attempt| attempt.wrong == Some(Wrong::Left);
    let meet = |one: &Attempt, other: &Attempt| one.start < other.end && other.start < one.end;
    let pair = |one: usize, other: usize| (&attempts[one.min(other)], &attempts[one.max(other)]);
    let Some(winner) = attempts.iter().position(Attempt::is_served) else {
        let at = attempts.windows(2).position(|pair| meet(&pair[0], &pair[1]))?;
        return attempts.iter().all(gone).then(|| pair(at, at + 1));
    };
    let won = &attempts[winner];
    let is_loser = |loser: &Attempt| {
        gone(loser) && meet(won, loser) && loser.left.abs_diff(won.end) <= TOGETHER
    };
    let loser = attempts.iter().position(is_loser)?;
    Some(pair(winner, loser))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::traffic::{BEGINS, ENDS, Traffic, beat, graded, judged_as, ok};

    /// One operation per second in calm, every `each`-th of which is slow and hedged.
    fn hedged(traffic: &mut Traffic, each: u32, route: &str, key: Option<&str>) {
        for (at, nth) in beat(2.0, 0.0, BEGINS).zip(0_u32..) {
            let what = format!("{route}/{nth}");
            let this = |at| {
                let this = ok(1, at).of(&what);
                if let Some(key) = key { this.key(&format!("{key}{nth}")) } else { this }
            };
            if nth % each == 0 {
                traffic.add(this(at).cancelled(0.44));
                traffic.add(this(at + 0.4).took(0.03));
            } else {
                traffic.add(this(at));
            }
        }
    }

    #[test]
    fn a_hedger_is_found_with_its_delay_and_its_cost() {
        for (each, grade, extra) in
            [(25, Grade::Pass, "4.0 %"), (12, Grade::Warn, "8.5 %"), (4, Grade::Fail, "25.0 %")]
        {
            let mut traffic = Traffic::new();
            hedged(&mut traffic, each, "GET /things", None);
            let finding = traffic.finding("hedging");
            graded(&finding, grade, &format!("hedged after 400 ms (p95 in calm: 50 ms); {extra}"));
        }
    }

    #[test]
    fn the_expectation_is_about_calm() {
        for (each, grade) in [(100, Grade::Pass), (4, Grade::Fail)] {
            let mut traffic = Traffic::expecting("hedge_extra_load: 5%");
            hedged(&mut traffic, each, "GET /things", None);
            assert_eq!(traffic.expectation().grade, grade);
        }
        let mut few = Traffic::expecting("hedge_extra_load: 5%");
        few.extend(beat(0.2, 0.0, BEGINS).map(|at| ok(1, at)));
        judged_as(&few.expectation(), Grade::Inconclusive, "20 operations in calm");
    }

    #[test]
    fn a_post_may_be_hedged_with_a_key_only() {
        for (key, grade) in [(None, Grade::Fail), (Some("k"), Grade::Pass)] {
            let mut traffic = Traffic::new();
            hedged(&mut traffic, 25, "POST /buy", key);
            assert_eq!(traffic.finding("hedging").grade, grade, "{key:?}");
        }
    }

    #[test]
    fn timing_out_and_trying_again_is_no_hedge() {
        let mut traffic = Traffic::new();
        for (at, nth) in beat(0.5, 0.0, BEGINS).zip(0_u32..) {
            let what = format!("GET /things/{nth}");
            traffic.add(ok(1, at).of(&what).cancelled(0.4));
            traffic.add(ok(1, at + 0.401).of(&what));
        }
        graded(
            &traffic.finding("hedging"),
            Grade::NotApplicable,
            "none of 50 operations was hedged",
        );
    }

    #[test]
    fn a_double_click_is_no_hedge() {
        let mut traffic = Traffic::new();
        for (at, nth) in beat(0.5, 0.0, BEGINS).zip(0_u32..) {
            let what = format!("GET /things/{nth}");
            traffic.add(ok(1, at).of(&what).took(0.5));
            traffic.add(ok(1, at + 0.2).of(&what).took(0.5));
        }
        graded(&traffic.finding("hedging"), Grade::NotApplicable, "none of");
    }

    #[test]
    fn one_of_very_many_is_not_claimed() {
        let mut traffic = Traffic::new();
        hedged(&mut traffic, 190, "GET /things", None);
        graded(&traffic.finding("hedging"), Grade::Inconclusive, "2 of 200 operations look hedged");
    }

    #[test]
    fn hedges_without_a_bound_fail_in_a_black_hole() {
        let mut traffic = Traffic::new();
        traffic.extend(beat(2.0, 0.0, BEGINS).map(|at| ok(1, at)));
        for (at, nth) in beat(0.5, BEGINS, ENDS - 10.0).zip(0_u32..) {
            let what = format!("GET /things/{nth}");
            traffic.add(ok(1, at).of(&what).left(5.0));
            traffic.add(ok(1, at + 0.4).of(&what).left(4.6));
        }
        graded(&traffic.finding("hedging"), Grade::Fail, "costs 2.00 attempts per operation");
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        graded(&Traffic::new().finding("hedging"), Grade::NotApplicable, "no operation");
    }
}
