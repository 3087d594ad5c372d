//! D5, retry loops nested in each other.
//!
//! Two signs:
//!
//! - waits that repeat in blocks: for some *p* from 2 to 6, the waits at every *p*-th index are at
//!   least three times as long as the median of those before them in their block and as the one that
//!   begins the next, in two blocks or more. Growing waits do not begin anew, so that they are no sign.
//!   The inner loop then makes *p* attempts, the outer one as many times that as it takes.
//! - the attempt's number that an SDK counts (`attempt=2; max=3`, `x-stainless-retry-count`) begins
//!   anew inside one operation after having counted up.
//!
//! Medians are taken per index over the operations of one program after one kind of failure, from 5
//! operations on. An outer loop that waits no longer than the inner one, and one with its own name
//! for each round of the inner, cannot be seen. Waits that a `Retry-After` asked for end the sequence.
//!
//! One layer passes; nested ones warn, and fail if they make more than nine attempts together. Least
//! sample: 5 operations with five attempts; below five attempts two loops cannot show, nor do harm.
//! Kept are 200 operations of each kind, with 24 waits each.
//!
//! Sources: Google SRE, chapter 22 (three layers of four attempts make 64); Amazon Builders' Library
//! (retry at a single layer).

use crate::verdict::{
    attempt::{Attempt, Wrong},
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
    operation::{Link, Operation},
    phases::Phases,
    waits::Kind,
    words::{counted, wrong},
};
use std::collections::BTreeMap;

/// Attempts above which nested loops fail.
const FAIL: u64 = 9;
/// The least number of operations.
const LEAST: u64 = 5;
/// Attempts of one operation below which nested loops cannot show.
const SHOWS: u64 = 5;
/// How much longer the outer loop waits.
const LONGER: f64 = 3.0;
/// Waits below this are all alike, in seconds.
const FLOOR: f64 = 0.005;
/// Operations and waits kept of a kind, and kinds.
const KEPT: usize = 200;
const WAITS: usize = 24;
const KINDS: usize = 16;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Layers {
    seen: Phases<Seen>,
    restarts: Sightings,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// Operations that were tried again.
    retried: u64,
    /// Those with enough attempts to show something.
    shown: u64,
    /// The most attempts of one of them.
    most: u64,
    waits: BTreeMap<Kind, Vec<Box<[f32]>>>,
    /// Operations in which the SDK's count began anew, and the longest count.
    restarted: u64,
    inner: u64,
    /// The most attempts of one of those.
    restarted_most: u64,
}

/// Loops that were found.
#[derive(Clone, Debug)]
struct Nested {
    inner: u64,
    attempts: u64,
    how: String,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.retried += other.retried;
        self.shown += other.shown;
        self.most = self.most.max(other.most);
        self.restarted += other.restarted;
        self.inner = self.inner.max(other.inner);
        self.restarted_most = self.restarted_most.max(other.restarted_most);
        for (kind, waits) in &other.waits {
            self.waits.entry(*kind).or_default().extend(waits.iter().cloned());
        }
    }

    fn nested(&self) -> Option<Nested> {
        if self.restarted > 0 {
            let how =
                format!("the client's own count began anew in {}", operations(self.restarted));
            return Some(Nested { inner: self.inner, attempts: self.restarted_most, how });
        }
        self.waits.iter().find_map(|(kind, waits)| by_blocks(kind.1, waits))
    }
}

impl Detector for Layers {
    fn name(&self) -> &'static str {
        "layers"
    }

    fn code(&self) -> &'static str {
        "D5"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn operation(&mut self, operation: &Operation, _now: Now<'_>) {
        let first = operation.first();
        let count = operation.count();
        let Some(kind) = first.wrong.filter(|_| count > 1) else { return };
        let seen = self.seen.at(first.phase);
        seen.retried += 1;
        seen.shown += u64::from(count >= SHOWS);
        seen.most = seen.most.max(count);
        if operation.link() != Link::Near
            && let Some((inner, at)) = restart(operation.attempts())
        {
            seen.restarted += 1;
            seen.inner = seen.inner.max(inner);
            seen.restarted_most = seen.restarted_most.max(count);
            self.restarts.note(|| Sighting::of(at, "the client's count begins anew here"));
        }
        let kinds = seen.waits.len();
        let key = (first.program, kind);
        if count < SHOWS || kinds >= KINDS && !seen.waits.contains_key(&key) {
            return;
        }
        let kept = seen.waits.entry(key).or_default();
        if kept.len() < KEPT {
            let own = operation.own_gaps().take(WAITS).take_while(|gap| {
                gap.before.wrong == Some(kind) && gap.before.retry_after.is_none()
            });
            kept.push(own.map(|gap| gap.wait.as_secs_f32()).collect());
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let seen = self.total(None, cx);
        let Some(nested) = seen.nested() else {
            return match one_layer(&seen) {
                Measured::Number { sample, .. } => {
                    let said = format!("no sign of retry loops nested in each other: {sample}");
                    Finding::new(Grade::Pass, Claim::Universal, said).figure("layers", 1)
                }
                Measured::TooFew { said, needs } => Finding::inconclusive(said, needs),
                Measured::NotExercised(why) => Finding::not_applicable(why),
                _ => Finding::not_applicable(""),
            };
        };
        let Nested { inner, attempts, how } = nested;
        let outer = attempts.div_ceil(inner);
        let grade = if attempts > FAIL { Grade::Fail } else { Grade::Warn };
        let said = format!(
            "retry loops are nested: {inner} × {outer} attempts, {attempts} at the most ({how})"
        );
        Finding::new(grade, Claim::Existential, said)
            .advice("retry in one layer only, and have the others pass the failure on")
            .figure("layers", 2)
            .figure("inner", inner)
            .figure("outer", outer)
            .figure("attempts", attempts)
            .seen(self.restarts.all())
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        if term != "max_retry_layers" {
            return None;
        }
        let seen = self.total(phase, cx);
        Some(match seen.nested() {
            Some(nested) => Measured::count(2, nested.how),
            None => one_layer(&seen),
        })
    }
}

impl Layers {
    fn total(&self, phase: Option<usize>, cx: &Cx<'_>) -> Seen {
        let mut total = Seen::default();
        for seen in self.seen.asked(cx.course, phase) {
            total.add(seen);
        }
        total
    }
}

/// What is known if no sign was seen.
fn one_layer(seen: &Seen) -> Measured {
    if seen.retried == 0 {
        return Measured::NotExercised("nothing was tried again".to_owned());
    }
    let most = format!("at most {} attempts in {}", seen.most, operations(seen.retried));
    if seen.shown > 0 && seen.shown < LEAST {
        let said = format!("{most}, {} with {SHOWS} or more", seen.shown);
        let needs = format!("{LEAST} operations of {SHOWS} attempts or more");
        return Measured::too_few(said, needs);
    }
    Measured::count(1, most)
}

/// How far the client's own count went before it began anew, and where it did.
fn restart(attempts: &[Attempt]) -> Option<(u64, &Attempt)> {
    let (mut run, mut longest, mut again) = (0, 0, None);
    let mut last: Option<u32> = None;
    for attempt in attempts {
        let Some(count) = attempt.counter else { continue };
        if last.is_some_and(|last| count <= last) {
            // A number that always stays the same counts nothing.
            again = again.or((run > 1).then_some(attempt));
            run = 0;
        }
        run += 1;
        longest = longest.max(run);
        last = Some(count);
    }
    Some((longest, again?))
}

/// Loops that show in waits which repeat in blocks.
fn by_blocks(kind: Wrong, waits: &[Box<[f32]>]) -> Option<Nested> {
    let longest = waits.iter().map(|waits| waits.len()).max()?;
    let medians: Vec<f64> = (0..longest)
        .map_while(|at| {
            let mut column: Vec<f32> =
                waits.iter().filter_map(|waits| waits.get(at)).copied().collect();
            column.sort_by(f32::total_cmp);
            let middle = f64::from(*column.get(column.len() / 2)?).max(FLOOR);
            (column.len() as u64 >= LEAST).then_some(middle)
        })
        .collect();
    let inner = (2..=6).find(|period| repeats(&medians, *period))?;
    let how = format!("after {} every {inner}. wait is a long one", wrong(kind));
    Some(Nested { inner: inner as u64, attempts: medians.len() as u64 + 1, how })
}

/// Whether every `period`-th wait is a long one, and the others begin anew after it.
fn repeats(medians: &[f64], period: usize) -> bool {
    let outer = (period..=medians.len()).step_by(period);
    let blocks = outer.clone().count();
    let stands_out = |end: usize| {
        let mut inner: Vec<f64> = medians[end - period..end - 1].to_vec();
        inner.sort_by(f64::total_cmp);
        let wait = medians[end - 1];
        let next = medians.get(end).is_none_or(|next| wait >= LONGER * next);
        next && wait >= LONGER * inner[inner.len() / 2]
    };
    blocks >= 2 && outer.clone().all(stands_out)
}

fn operations(count: u64) -> String {
    counted(count, "operation")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::fixture::Drill;

    fn drill(operations: u32, waits: &[f64]) -> Drill {
        let mut drill = Drill::new(10.0, 400.0, 60.0);
        for at in 0..operations {
            let mut op = drill.op(11.0 + f64::from(at)).fails(503);
            for wait in waits {
                op = op.after(*wait).fails(503);
            }
        }
        drill
    }

    #[test]
    fn a_loop_in_a_loop_is_found_by_its_waits() {
        // urllib3's three attempts inside of four rounds.
        let waits = [0.1, 0.2, 2.0, 0.1, 0.2, 2.0, 0.1, 0.2, 2.0, 0.1, 0.2];
        let drill = drill(8, &waits);
        let found = drill.finding("layers");
        assert_eq!(found.grade, Grade::Fail, "{}", found.said);
        assert!(found.said.contains("3 × 4 attempts, 12 at the most"), "{}", found.said);
        assert_eq!(drill.expect("max_retry_layers: 1").grade, Grade::Fail);
        // Two rounds of three attempts show no second block.
        let small = self::drill(8, &[0.0, 1.0, 0.0, 1.0, 0.0]).finding("layers");
        assert_eq!(small.grade, Grade::Warn, "{}", small.said);
        assert_eq!(small.figures["inner"], 2);
    }

    #[test]
    fn one_loop_is_one_loop() {
        let doubling = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
        let capped = [0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0];
        for waits in [&doubling[..], &capped, &[1.0; 9], &[0.0; 9], &[0.0, 1.0, 1.0, 1.0, 1.0]] {
            let drill = drill(8, waits);
            let found = drill.finding("layers");
            assert_eq!(found.grade, Grade::Pass, "{waits:?}: {}", found.said);
            assert_eq!(drill.expect("max_retry_layers: 1").grade, Grade::Pass);
        }
    }

    /// Full jitter makes any wait long or short: with five operations, blocks are rare.
    #[test]
    fn jitter_is_no_block() {
        use crate::dice::{Dice, Purpose, Seed};
        use rand::RngExt;
        let mut rng = Dice::new(Seed(4), "layers").rng(Purpose::Delay);
        let mut found = 0;
        for _ in 0..2_000 {
            let waits: Vec<Box<[f32]>> =
                (0..5).map(|_| (0..9).map(|_| rng.random_range(0.0..1.0)).collect()).collect();
            found += u32::from(by_blocks(Wrong::Reset, &waits).is_some());
        }
        assert!(found <= 4, "{found} of 2000");
    }

    #[test]
    fn a_count_that_begins_anew_is_a_loop_in_a_loop() {
        let mut drill = Drill::new(10.0, 100.0, 60.0);
        let op = drill.op(12.0).counter(0).fails(503).after(0.1).counter(1).fails(503);
        let op = op.after(0.1).counter(2).fails(503).after(0.1).counter(0).fails(503);
        op.after(0.1).counter(1).fails(503).after(0.1).counter(2).fails(503);
        let found = drill.finding("layers");
        assert_eq!(found.grade, Grade::Warn, "{}", found.said);
        assert!(found.said.contains("3 × 2 attempts, 6 at the most"), "{}", found.said);
        assert_eq!(found.sightings.len(), 1);
    }

    #[test]
    fn a_count_that_stays_the_same_is_none() {
        let mut drill = Drill::new(10.0, 100.0, 60.0);
        let op = drill.op(12.0).counter(1).fails(503).after(0.1).fails(503);
        op.after(0.1).fails(503);
        assert_eq!(drill.finding("layers").grade, Grade::Pass);
    }

    #[test]
    fn few_long_operations_are_too_few_and_none_is_not_applicable() {
        let found = drill(3, &[1.0; 6]).finding("layers");
        assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
        assert_eq!(found.needs.as_deref(), Some("5 operations of 5 attempts or more"));
        assert_eq!(drill(9, &[]).finding("layers").grade, Grade::NotApplicable);
    }
}
