//! D6, timeouts, inferred from when a client leaves while it is held.
//!
//! *Dᵢ* = when the client left − when its request was read (or begun, if it never was), over
//! attempts that a fault held. τ̂ = median of *Dᵢ*, its spread the MAD, the median of |*Dᵢ* − τ̂|. A
//! MAD below 5 % of τ̂ is a fixed timeout; a larger one may be several, or people who cancel. If
//! nobody leaves, the longest *H* that three attempts were held is all there is to say: "no timeout
//! up to *H*", never "no timeout". Attempts that are held longer than τ̂ and stay are told, too.
//!
//! Delays of five seconds and more are holds, too.
//!
//! A hold before the answer's head finds a timeout of silence; a hold after it one between two reads;
//! a request that is never read one of writing; a **drip** tells a deadline for the whole from a
//! timeout that begins anew with every byte: if holds are cut at τ̂ and drips of 1.5 τ̂ are not, the
//! timeout is one of idleness only.
//!
//! Whoever leaves within the last second of the drill may have been killed with its harness: such an
//! attempt counts as held, unless the others left after as long (to 10 %).
//!
//! Pass: p99.9 of calm ≤ τ̂ ≤ 10 s, and drips are cut. Warn: up to 60 s, or idleness only, or no
//! timeout up to some 10 to 60 s. Fail: above 60 s, no timeout up to *H* > 60 s, three attempts or
//! more that outlast the others' τ̂ that far, or τ̂ below p99 of calm: the share of calm answers that
//! take longer is how often it would strike falsely. Least sample: three holds.
//!
//! Measured so on real clients, a timeout of 5 s comes out as 4.97 to 5.03 s.
//!
//! Sources: Amazon Builders' Library, timeouts, retries and backoff with jitter (a timeout on every
//! remote call, from a percentile of the latency and an accepted rate of false timeouts, 0.1 % say);
//! defaults of 43 client configurations, 32 of which wait for two minutes and more.

use crate::verdict::{
    attempt::Attempt,
    course::Course,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
    phases::Phases,
    stats::{Interval, Quantile, quantile},
};

/// Holds of each kind that are looked at, per phase; as many that were left, and that were not.
const KEPT: usize = 2_000;
/// Fewer holds than this tell nothing.
const LEAST: usize = 3;
/// A spread below this share of the timeout is that of a clock.
const FIXED: f64 = 0.05;
/// A good timeout, in seconds.
const GOOD: f64 = 10.0;
/// The longest that is not a failure.
const LONG: f64 = 60.0;
/// By how much a timeout comes out too long, as a share of it: a default of 60 s was measured as 60.06.
const SLACK: f64 = 0.01;
/// How close to the end of the drill a harness ends its clients, in microseconds.
const FINALE: u64 = 1_000_000;

/// What to do about it.
const SET: &str = "set a timeout for each attempt, somewhat above the slowest answer that is normal \
                   and not above 10 s";

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Timeout {
    seen: Phases<Seen>,
    sightings: Sightings,
}

/// What was held in one phase.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Before the answer's head.
    silent: Holds,
    /// In the middle of an answer.
    amid: Holds,
    /// Before the request was read.
    unread: Holds,
    /// While the answer dripped.
    dripped: Holds,
}

/// The first of either sort.
#[derive(Clone, Debug, Default)]
struct Holds {
    left: Vec<Hold>,
    stayed: Vec<Hold>,
}

impl Holds {
    fn push(&mut self, hold: Hold) {
        let sort = if hold.left > 0 { &mut self.left } else { &mut self.stayed };
        if sort.len() < KEPT {
            sort.push(hold);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    /// For how long, in seconds.
    lasted: f64,
    /// When the client left, in microseconds; zero if it did not.
    left: u64,
}

/// What the holds of one kind say.
#[derive(Clone, Debug, Default)]
struct Found {
    /// After how long clients left, in order.
    left: Vec<f64>,
    /// How long others were held and stayed, in order.
    stayed: Vec<f64>,
}

impl Detector for Timeout {
    fn name(&self) -> &'static str {
        "timeout"
    }

    fn code(&self) -> &'static str {
        "D6"
    }

    fn weight(&self) -> Weight {
        Weight::Major
    }

    fn leans_on_links(&self) -> bool {
        false
    }

    fn attempt(&mut self, attempt: &Attempt, _now: Now<'_>) {
        if !attempt.held && !attempt.dripped {
            return;
        }
        let from = if attempt.received > 0 { attempt.received } else { attempt.start };
        let until = if attempt.left > 0 { attempt.left } else { attempt.end };
        // An answer that was complete before the client went was not given up.
        let is_told = attempt.call.is_some_and(|call| call.status.is_some());
        let is_answered = attempt.is_served() || attempt.status >= 400 || is_told;
        let gone = if is_answered { 0 } else { attempt.left };
        // Held before the head, which did come in the end.
        let head = attempt.told.saturating_sub(from);
        let outstayed = attempt.told > 0 && head * 2 >= until.saturating_sub(from);
        let (held, left) = if outstayed { (head, 0) } else { (until.saturating_sub(from), gone) };
        let seen = self.seen.at(attempt.phase);
        let holds = match () {
            () if !attempt.held => &mut seen.dripped,
            () if attempt.told > 0 && !outstayed => &mut seen.amid,
            () if attempt.received == 0 => &mut seen.unread,
            () => &mut seen.silent,
        };
        let lasted = held as f64 / 1e6;
        holds.push(Hold { lasted, left });
        self.sightings.note(|| {
            let what = if left > 0 { "the client left" } else { "the client stayed" };
            Sighting::of(attempt, format!("held for {lasted:.2} s: {what}"))
        });
    }

    fn timeout(&self) -> Option<f64> {
        let of = |kind: fn(&Seen) -> &Holds| -> Vec<f64> {
            self.seen.iter().flat_map(|seen| &kind(seen).left).map(|hold| hold.lasted).collect()
        };
        let mut all = of(|seen| &seen.silent);
        if all.is_empty() {
            all = of(|seen| &seen.unread);
        }
        all.sort_by(f64::total_cmp);
        let middle = median(&all)?;
        (all.len() >= LEAST && spread(&all, middle) < FIXED * middle).then_some(middle)
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let found = self.timeout_of(None, cx);
        let drip = self.of(None, cx, |seen| &seen.dripped);
        let mut finding = judge(&found, &drip, cx);
        if let Some(middle) = median(&found.left) {
            finding = finding
                .figure("timeout", middle)
                .figure("spread", spread(&found.left, middle))
                .figure("false_timeouts", cx.base.longer_than(middle));
        }
        if let Some(longest) = found.longest() {
            finding = finding.figure("no_timeout_up_to", longest);
        }
        if let Some(middle) = median(&drip.left) {
            finding = finding.figure("deadline", middle);
        }
        let amid = self.of(None, cx, |seen| &seen.amid);
        if let Some(middle) = median(&amid.left) {
            finding = finding.figure("timeout_amid_answer", middle);
        }
        finding = finding
            .figure("left", found.left.len())
            .figure("stayed", found.stayed.len())
            .figure("drips_cut", drip.left.len())
            .figure("drips_endured", drip.stayed.len());
        finding.seen(self.sightings.all())
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        match term {
            "request_timeout" => Some(self.timeout_of(phase, cx).measured(
                cx,
                "no attempt was held without an answer",
                "attempts that are held for 65 s",
            )),
            "total_deadline" => Some(self.of(phase, cx, |seen| &seen.dripped).measured(
                cx,
                "no answer dripped",
                "answers that drip for a minute",
            )),
            _ => None,
        }
    }
}

impl Timeout {
    /// What is known of the timeout: of silence if anything was silent, else of what else was held.
    fn timeout_of(&self, phase: Option<usize>, cx: &Cx<'_>) -> Found {
        let kinds: [fn(&Seen) -> &Holds; 3] = [|s| &s.silent, |s| &s.unread, |s| &s.amid];
        let mut all = kinds.map(|kind| self.of(phase, cx, kind)).into_iter();
        let best = all.next().unwrap_or_default();
        all.fold(best, |best, other| if best.count() < LEAST { other.or(best) } else { best })
    }

    fn of(&self, phase: Option<usize>, cx: &Cx<'_>, kind: fn(&Seen) -> &Holds) -> Found {
        let asked = self.seen.asked(cx.course, phase).map(kind);
        let holds: Vec<Hold> =
            asked.flat_map(|h| h.left.iter().chain(&h.stayed)).copied().collect();
        Found::of(&holds, cx.course)
    }
}

impl Found {
    fn of(holds: &[Hold], course: &Course) -> Self {
        let is_late = |hold: &Hold| hold.left.saturating_add(FINALE) >= course.horizon();
        let mut found = Self::default();
        let gone = holds.iter().filter(|hold| hold.left > 0);
        found.left = gone.clone().filter(|hold| !is_late(hold)).map(|hold| hold.lasted).collect();
        found.left.sort_by(f64::total_cmp);
        found.stayed = holds.iter().filter(|h| h.left == 0).map(|h| h.lasted).collect();
        let middle = median(&found.left);
        for hold in gone.filter(|hold| is_late(hold)) {
            let agrees = middle.is_some_and(|middle| (hold.lasted - middle).abs() <= middle / 10.0);
            if agrees { &mut found.left } else { &mut found.stayed }.push(hold.lasted);
        }
        found.left.sort_by(f64::total_cmp);
        found.stayed.sort_by(f64::total_cmp);
        found
    }

    fn count(&self) -> usize {
        self.left.len() + self.stayed.len()
    }

    /// The one of two that says more.
    fn or(self, other: Self) -> Self {
        if self.count() > other.count() { self } else { other }
    }

    /// How long three attempts at least were held and stayed.
    fn longest(&self) -> Option<f64> {
        self.stayed.iter().rev().nth(LEAST - 1).copied()
    }

    /// How many stayed for much longer than others waited.
    fn outlasted(&self, middle: f64) -> usize {
        self.stayed.iter().filter(|lasted| **lasted > middle * 1.1 + 0.5).count()
    }

    fn measured(&self, cx: &Cx<'_>, never: &str, needs: &str) -> Measured {
        let sample = format!("{} held, {} of them left", self.count(), self.left.len());
        if self.count() == 0 {
            return Measured::NotExercised(never.to_owned());
        }
        let longest = self.longest();
        if let Some(middle) = median(&self.left)
            && self.left.len() >= LEAST
        {
            if self.outlasted(middle) < LEAST {
                return Measured::interval(bounds(&self.left, middle, cx.level), sample);
            }
        } else if longest.is_none() {
            return Measured::too_few(sample, format!("{LEAST} {needs}"));
        }
        let low = longest.unwrap_or_default();
        Measured::Number { low, value: f64::INFINITY, high: f64::INFINITY, sample }
    }
}

/// Nobody was seen to leave, or next to nobody.
fn unlimited(found: &Found, drip: &Found) -> Finding {
    let needs = format!("{LEAST} attempts that are held for 65 s");
    let Some(longest) = found.longest() else {
        let (held, dripped) = (found.count(), drip.count());
        let said = format!("{held} attempts were held and {dripped} answers dripped");
        return Finding::inconclusive(said, needs);
    };
    let said = format!(
        "no timeout up to {longest:.1} s: {} of {} attempts stayed for as long as they were held",
        found.stayed.len(),
        found.count()
    );
    if longest <= GOOD {
        return Finding::inconclusive(said, needs);
    }
    let grade = if longest > LONG { Grade::Fail } else { Grade::Warn };
    Finding::new(grade, Claim::Universal, said).advice(SET)
}

fn judge(found: &Found, drip: &Found, cx: &Cx<'_>) -> Finding {
    if found.count() == 0 && drip.count() == 0 {
        return Finding::not_applicable("no attempt was held without an answer");
    }
    let Some(middle) = median(&found.left).filter(|_| found.left.len() >= LEAST) else {
        return unlimited(found, drip);
    };
    let mad = spread(&found.left, middle);
    let (count, all) = (found.left.len(), found.count());
    let said = if mad < FIXED * middle {
        format!(
            "gives an attempt up after {middle:.2} s ({count} of {all} holds, spread {mad:.2} s)"
        )
    } else {
        let (least, most) = (found.left[0], found.left[count - 1]);
        format!(
            "gives attempts up after {least:.2} to {most:.2} s, {middle:.2} in the middle ({count} of \
             {all} holds): several timeouts, or somebody who cancels"
        )
    };
    let fail = |said: String| Finding::new(Grade::Fail, Claim::Quantitative, said).advice(SET);
    let warn = |said: String| Finding::new(Grade::Warn, Claim::Quantitative, said);
    let outlasted = found.outlasted(middle);
    if outlasted >= LEAST {
        let said =
            format!("{said}; but {outlasted} stayed for longer, so not all attempts have it");
        let longest = found.longest().unwrap_or_default();
        return if longest > LONG { fail(said) } else { warn(said).advice(SET) };
    }
    let longest = if mad < FIXED * middle { middle } else { found.left[count * 95 / 100] };
    if longest > LONG * (1.0 + SLACK) {
        return fail(said);
    }
    let early = cx.base.longer_than(middle);
    let (usual, rare) = (cx.base.latency(0.99), cx.base.latency(0.999));
    let falsely = format!("{said}; {:.2} % of answers in calm take longer", early * 100.0);
    if usual.is_some_and(|usual| middle < usual) {
        return Finding::new(Grade::Fail, Claim::Quantitative, falsely).advice(
            "the timeout strikes while nothing is wrong: raise it above p99.9 of the latency",
        );
    }
    if rare.is_some_and(|rare| middle < rare) {
        return warn(falsely).advice("raise the timeout above p99.9 of the latency in calm");
    }
    let endured = drip.stayed.iter().filter(|lasted| **lasted >= middle * 1.5 + 0.5).count();
    if endured >= LEAST && drip.left.is_empty() {
        let longest = drip.longest().unwrap_or_default();
        let said = format!("{said}, but lets an answer drip for {longest:.1} s: idle timeout only");
        return warn(said).advice(
            "set a deadline for the whole answer as well: a byte per second defeats this one",
        );
    }
    if longest > GOOD * (1.0 + SLACK) {
        return warn(said).advice(SET);
    }
    let dripped = match median(&drip.left) {
        Some(deadline) if drip.left.len() >= LEAST => {
            format!(", and cuts an answer that drips after {deadline:.2} s")
        }
        _ => String::new(),
    };
    Finding::new(Grade::Pass, Claim::Quantitative, format!("{said}{dripped}"))
}

/// The median with bounds; of a handful the bounds are the extremes.
fn bounds(sorted: &[f64], middle: f64, level: f64) -> Interval {
    match quantile(sorted, 0.5, level) {
        Quantile::Estimated(interval) => interval,
        Quantile::NotEstimable { .. } => Interval {
            low: sorted.first().copied().unwrap_or(middle),
            value: middle,
            high: sorted.last().copied().unwrap_or(middle),
        },
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The median of how far off the middle they are.
fn spread(sorted: &[f64], middle: f64) -> f64 {
    let mut off: Vec<f64> = sorted.iter().map(|value| (value - middle).abs()).collect();
    off.sort_by(f64::total_cmp);
    median(&off).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::traffic::{Traffic, beat, graded, judged_as, ok};

    const BOTH: &str = "
phases:
  - { name: calm, for: 100s }
  - { name: held, for: 100s, faults: [{ hang: {} }] }
  - { name: drip, for: 100s, faults: [{ dribble: 40s }] }
  - { name: after, for: 60s }
";

    fn calm() -> Traffic {
        in_calm(Traffic::new())
    }

    fn in_calm(mut traffic: Traffic) -> Traffic {
        traffic.extend(beat(2.0, 0.0, 100.0).map(|at| ok(1, at)));
        traffic
    }

    #[test]
    fn a_fixed_timeout_is_found_to_the_hundredth() {
        let mut traffic = calm();
        traffic.extend(
            beat(0.5, 100.0, 130.0)
                .zip(0..)
                .map(|(at, n)| ok(1, at).left(5.0 + 0.01 * f64::from(n % 3 - 1))),
        );
        let found = traffic.finding("timeout");
        graded(&found, Grade::Pass, "gives an attempt up after 5.00 s (15 of 15 holds");
        assert_eq!(found.weight, Weight::Major);
        assert_eq!(found.figures["timeout"], 5.0);
        assert_eq!(found.figures["false_timeouts"], 0.0);
    }

    /// A timeout of a minute comes out a bit longer, as that of `boto3` does.
    #[test]
    fn a_timeout_that_is_hardly_above_a_limit_is_within_it() {
        for (took, grade) in
            [(10.06, Grade::Pass), (10.3, Grade::Warn), (60.06, Grade::Warn), (61.0, Grade::Fail)]
        {
            let mut traffic = calm();
            traffic.extend(beat(0.5, 100.0, 130.0).map(|at| ok(1, at).left(took)));
            let found = traffic.finding("timeout");
            assert_eq!(found.grade, grade, "{took}: {}", found.said);
        }
    }

    #[test]
    fn the_expectation_is_met_or_not() {
        for (took, grade) in [(5.0, Grade::Pass), (20.0, Grade::Fail)] {
            let mut traffic = in_calm(Traffic::expecting("request_timeout: { max: 10s }"));
            traffic.extend(beat(0.5, 100.0, 130.0).map(|at| ok(1, at).left(took)));
            judged_as(&traffic.expectation(), grade, &format!("{took:.1}s"));
        }
    }

    #[test]
    fn who_is_held_for_three_minutes_and_stays_has_no_timeout_up_to_then() {
        let mut traffic = in_calm(Traffic::expecting("request_timeout: { max: 10s }"));
        traffic.extend((0..8).map(|n| ok(1, 100.0 + f64::from(n)).held(280.0)));
        let verdict = traffic.judged();
        judged_as(&verdict.expectations[0], Grade::Fail, "never");
        let found = verdict.parts[0].findings.iter().find(|f| f.detector == "timeout").unwrap();
        graded(found, Grade::Fail, "no timeout up to 178.0 s: 8 of 8");
    }

    #[test]
    fn a_short_hold_does_not_prove_that_there_is_no_timeout() {
        let mut traffic = in_calm(Traffic::expecting("request_timeout: { max: 10s }"));
        traffic.extend((0..8).map(|n| ok(1, 100.0 + f64::from(n)).held(108.0 + f64::from(n))));
        let verdict = traffic.judged();
        assert_eq!(verdict.expectations[0].grade, Grade::Inconclusive);
        let found = verdict.parts[0].findings.iter().find(|f| f.detector == "timeout").unwrap();
        graded(found, Grade::Inconclusive, "no timeout up to 8.0 s");
        assert!(found.needs.as_deref().unwrap().contains("65 s"));
    }

    #[test]
    fn half_a_minute_without_a_timeout_is_a_warning() {
        let mut traffic = calm();
        traffic.extend((0..4).map(|n| ok(1, 100.0 + f64::from(n)).held(130.0 + f64::from(n))));
        graded(&traffic.finding("timeout"), Grade::Warn, "no timeout up to 30.0 s");
    }

    #[test]
    fn two_holds_are_too_few() {
        let mut traffic = calm();
        traffic.extend([ok(1, 110.0).left(5.0), ok(1, 120.0).left(5.0)]);
        let found = traffic.finding("timeout");
        graded(&found, Grade::Inconclusive, "2 attempts were held");
        assert!(found.needs.is_some());
    }

    #[test]
    fn without_holds_there_is_nothing_to_say() {
        let mut traffic = calm();
        traffic.extend(beat(1.0, 100.0, 280.0).map(|at| ok(1, at).status(503)));
        graded(&traffic.finding("timeout"), Grade::NotApplicable, "no attempt was held");
    }

    #[test]
    fn clients_killed_at_the_end_have_not_given_up() {
        let mut traffic = Traffic::of(
            "\nphases: [{ name: calm, for: 50s }, { name: out, for: 150s, faults: [{ hang: {} }] }]\n",
        );
        traffic.extend(beat(2.0, 0.0, 50.0).map(|at| ok(1, at)));
        traffic.extend((0..6_u32).map(|n| {
            let at = 60.0 + f64::from(n) * 10.0;
            ok(1, at).left(199.9 - at)
        }));
        graded(&traffic.finding("timeout"), Grade::Fail, "no timeout up to 119.9 s");
    }

    /// The last call of a script times out as the others did, and the drill ends with it.
    #[test]
    fn one_that_leaves_at_the_end_as_the_others_did_counts() {
        let mut traffic = Traffic::of(
            "\nphases: [{ name: calm, for: 50s }, { name: out, for: 20s, faults: [{ hang: {} }] }]\n",
        );
        traffic.extend(beat(2.0, 0.0, 50.0).map(|at| ok(1, at)));
        traffic.extend([50.5, 55.5, 64.9].map(|at| ok(1, at).left(5.0)));
        graded(&traffic.finding("timeout"), Grade::Pass, "3 of 3 holds");
    }

    #[test]
    fn an_idle_timeout_is_told_from_a_deadline_by_a_drip() {
        for (cut, grade, said) in [
            (false, Grade::Warn, "lets an answer drip for 40.0 s: idle timeout only"),
            (true, Grade::Pass, "cuts an answer that drips after 5.00 s"),
        ] {
            let mut traffic = in_calm(Traffic::of(BOTH));
            traffic.extend(beat(0.2, 100.0, 180.0).map(|at| ok(1, at).left(5.0)));
            traffic.extend(beat(0.2, 200.0, 250.0).map(|at| {
                let drip = ok(1, at).dripped(40.0);
                if cut { drip.cut(5.0) } else { drip }
            }));
            graded(&traffic.finding("timeout"), grade, said);
        }
    }

    /// The drill ended a moment after the client had left, and with it the drip.
    #[test]
    fn who_left_a_drip_did_so_though_its_rest_could_still_be_sent() {
        for (gone, drips_cut) in [(2.0, 16), (0.2, 0)] {
            let mut traffic = in_calm(Traffic::of(BOTH));
            let drip = |at| ok(1, at).dripped(7.0).gone_before_the_end(gone);
            traffic.extend(beat(0.2, 200.0, 280.0).map(drip));
            let found = traffic.finding("timeout");
            assert_eq!(found.figures["drips_cut"], drips_cut, "{}", found.said);
        }
    }

    #[test]
    fn a_deadline_is_measured_by_drips() {
        for (cut, grade, said) in [(true, Grade::Pass, "20.0s"), (false, Grade::Fail, "never")] {
            let mut traffic =
                in_calm(Traffic::of(&format!("{BOTH}expect: [total_deadline: 30s]\n")));
            traffic.extend(beat(0.2, 200.0, 250.0).map(|at| {
                let drip = ok(1, at).dripped(40.0);
                if cut { drip.cut(20.0) } else { drip }
            }));
            judged_as(&traffic.expectation(), grade, said);
        }
        let undripped = in_calm(Traffic::of(&format!("{BOTH}expect: [total_deadline: 30s]\n")));
        judged_as(&undripped.expectation(), Grade::NotApplicable, "no answer dripped");
    }

    #[test]
    fn a_timeout_that_calm_answers_outlast_fails() {
        let mut traffic = Traffic::new();
        traffic.extend(
            beat(2.0, 0.0, 95.0)
                .zip(0..)
                .map(|(at, n)| ok(1, at).took(if n % 20 == 0 { 2.0 } else { 0.1 })),
        );
        traffic.extend(beat(0.5, 100.0, 130.0).map(|at| ok(1, at).left(1.0)));
        let found = traffic.finding("timeout");
        graded(&found, Grade::Fail, "5.26 % of answers in calm take longer");
    }

    #[test]
    fn people_who_cancel_are_no_clock() {
        let mut traffic = calm();
        let patience = [1.0, 2.5, 3.0, 4.5, 5.0, 6.5, 8.0];
        traffic.extend(
            patience
                .into_iter()
                .zip(0..)
                .map(|(took, n)| ok(1, 110.0 + f64::from(n) * 5.0).left(took)),
        );
        graded(&traffic.finding("timeout"), Grade::Pass, "after 1.00 to 8.00 s");
    }

    #[test]
    fn calls_without_a_timeout_beside_those_with_one_are_seen() {
        let mut traffic = calm();
        traffic.extend(beat(0.5, 100.0, 130.0).map(|at| ok(1, at).left(5.0)));
        traffic.extend((0..4).map(|n| ok(2, 101.0 + f64::from(n)).held(280.0)));
        graded(&traffic.finding("timeout"), Grade::Fail, "4 stayed for longer");
    }

    #[test]
    fn requests_that_are_never_read_are_holds_as_well() {
        let mut traffic = calm();
        traffic.extend(beat(0.5, 100.0, 130.0).map(|at| ok(1, at).left(3.0).unread()));
        graded(&traffic.finding("timeout"), Grade::Pass, "after 3.00 s");
    }

    /// Held by a delay instead, with the answer coming in the end.
    #[test]
    fn long_delays_that_are_endured_are_holds() {
        let mut traffic = calm();
        traffic.extend((0..4).map(|n| ok(1, 100.0 + f64::from(n)).delayed(90.0)));
        graded(&traffic.finding("timeout"), Grade::Fail, "no timeout up to 90.0 s");
    }

    #[test]
    fn short_delays_are_no_holds_unless_the_client_leaves() {
        let mut traffic = calm();
        traffic.extend(beat(1.0, 100.0, 150.0).map(|at| ok(1, at).delayed(2.0)));
        graded(&traffic.finding("timeout"), Grade::NotApplicable, "");
        let mut traffic = calm();
        traffic.extend(beat(1.0, 100.0, 150.0).map(|at| ok(1, at).delayed(2.0).cancelled(1.0)));
        graded(&traffic.finding("timeout"), Grade::Pass, "after 1.00 s (50 of 50");
    }
}
