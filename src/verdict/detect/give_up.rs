//! D4, how long a client goes on with what fails.
//!
//! *G* = end of the last attempt − begin of the first, of operations under faults of which nothing
//! was served. One is over if it was silent for more than 3 × its predicted next wait + 5 s before its
//! outage ended; the others are censored by that end, as are those that were served only after it.
//! The median is Kaplan's and Meier's, the maximum the longest seen; it is a lower bound if the
//! longest was cut short. The next wait is predicted from the last two (growing by as much again, at
//! most fourfold), from the median of that index, and from a `Retry-After`, whichever is longest. The
//! longest operations may be several that were taken for one: as many as links by chance explain, ρ + 1
//! percentage point of them, are left out.
//!
//! An operation **never gives up** if it had ten attempts or more, the last of them within that
//! horizon of the end, had been going for a minute, and for half as long again as any that was seen
//! to give up; and if there are three of those, or none gave up. That is critical: whatever the load, it does not end before the outage does.
//!
//! Pass up to 30 s (a person waits no longer; .NET's total is 30 s), warn up to 120 s, fail beyond or
//! never. A worker that feeds on a queue may well go on for longer: expect its own limit of it. Least
//! sample: 5 operations. Of each phase, a sample of 2,000 is kept.
//!
//! Sources: Kaplan and Meier (1958); resilience defaults of .NET, `HttpStandardResilienceOptions`.

use crate::{
    dice::{Dice, Purpose, Seed},
    verdict::{
        course::Stage,
        cut::{Cuts, Piece},
        detect::{Cx, Detector, Now},
        finding::{Claim, Finding, Grade, Measured, Weight},
        operation::Operation,
        phases::Phases,
        settle::{Settle, Settled},
        stats::{Interval, Lifetime, Survival, survival},
        words::{counted, time},
    },
};
use std::time::Duration;

/// Seconds up to which a client passes, and up to which it is warned.
const PASS: f64 = 30.0;
const WARN: f64 = 120.0;
/// The least number of operations.
const LEAST: usize = 5;
/// Operations kept of a phase.
const KEPT: usize = 2_000;
/// Attempts from which on one may be said never to give up, and seconds.
const MANY: u64 = 10;
const LONG: f64 = 60.0;
/// By how much it must have outlasted those that gave up.
const LONGER: f64 = 1.5;
/// So many that go on are sure not to be several that were taken for one.
const SEVERAL: usize = 3;
/// The share of operations, beside ρ, that may be several that were taken for one.
const ABOVE_CHANCE: f64 = 0.01;
/// One that was cut short tells nothing new unless it lasted longer than others by this.
const ALIKE: f64 = 1.1;
/// The horizon: so many times the predicted next wait, and so many seconds more.
const TIMES: f64 = 3.0;
const MORE: f64 = 5.0;
/// Waits grow from one to the next by this at the most, as far as can be predicted.
const GROWTH: f64 = 4.0;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct GiveUp {
    seen: Phases<Seen>,
    settle: Settle<Failed>,
    cuts: Cuts,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    phase: Option<u16>,
    begun: u64,
    ended: u64,
    attempts: u64,
}

/// How long one went on.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// In seconds.
    lasted: f32,
    gave_up: bool,
    attempts: u32,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    all: u64,
    lives: Vec<Life>,
}

/// What is known at the end.
struct Found {
    survival: Survival,
    /// Whether the longest may have gone on for much longer.
    is_open: bool,
    /// Those that never give up, and the most attempts of one of them.
    never: u64,
    most: u32,
}

impl Seen {
    fn settled(&mut self, failed: Failed, how: Settled) {
        let (gave_up, end) = match how {
            Settled::Outlived => (true, failed.ended),
            Settled::Cut(end) => (false, failed.ended.min(end)),
        };
        self.keep(Life {
            lasted: Duration::from_micros(end.saturating_sub(failed.begun)).as_secs_f32(),
            gave_up,
            attempts: u32::try_from(failed.attempts).unwrap_or(u32::MAX),
        });
    }

    /// Keeps it, or not: a sample in which each is as likely as any other.
    fn keep(&mut self, life: Life) {
        self.all += 1;
        if self.lives.len() < KEPT {
            self.lives.push(life);
            return;
        }
        let dice = Dice::new(Seed(0), "verdict give up").of(self.all, 0);
        let place = usize::try_from(dice.point(Purpose::Resample) % self.all);
        if let Some(place) = place.ok().and_then(|place| self.lives.get_mut(place)) {
            *place = life;
        }
    }
}

impl Detector for GiveUp {
    fn name(&self) -> &'static str {
        "give_up"
    }

    fn code(&self) -> &'static str {
        "D4"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn operation(&mut self, operation: &Operation, now: Now<'_>) {
        let seen = &mut self.seen;
        self.settle.settle(now.course, &mut |failed: Failed, how| {
            seen.at(failed.phase).settled(failed, how);
        });
        for piece in self.cuts.pieces(operation) {
            let first = piece.first();
            if now.course.stage(first.phase) != Stage::Fault || first.is_served() {
                continue;
            }
            let failed = Failed {
                phase: first.phase,
                begun: first.start,
                ended: piece.end,
                attempts: piece.count,
            };
            match (piece.served_at, now.course.outage_end(first.phase)) {
                (None, _) => {
                    let horizon = TIMES * self.next_wait(&piece) + MORE;
                    let until = piece.end.saturating_add(crate::verdict::micros(horizon));
                    self.settle.push(until, first.phase, failed);
                }
                (Some(served), Some(end)) if served >= end => {
                    let (attempts, ended) = piece.before(end);
                    let failed = Failed { ended, attempts, ..failed };
                    self.seen.at(first.phase).settled(failed, Settled::Cut(end));
                }
                _ => {}
            }
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let Found { survival, is_open, never, most } = match self.found(None, cx) {
            Ok(found) => found,
            Err(Measured::TooFew { said, needs }) => return Finding::inconclusive(said, needs),
            Err(Measured::NotExercised(why)) => return Finding::not_applicable(why),
            Err(_) => return Finding::not_applicable(""),
        };
        let figures = |finding: Finding| {
            finding
                .figure("longest", survival.longest)
                .figure("median", survival.median)
                .figure("never", never)
                .figure("operations", survival.watched)
        };
        let advice = "give an operation a deadline of its own, after which it fails for good: 30 s \
                      where a person waits";
        if never > 0 {
            let said = format!(
                "it does not give up: {} still being tried after up to {most} attempts and {} when \
                 the outage ended",
                match never {
                    1 => "1 operation was".to_owned(),
                    _ => format!("{never} operations were"),
                },
                time(survival.longest)
            );
            let finding = Finding::new(Grade::Fail, Claim::Existential, said).advice(advice);
            return figures(finding.weighing(Weight::Critical));
        }
        let longest = survival.longest;
        let said = format!(
            "it gives up after {}{} ({}; {})",
            if is_open { "more than " } else { "" },
            time(longest),
            survival
                .median
                .map_or("median unknown".to_owned(), |median| format!("median {}", time(median))),
            sample(&survival)
        );
        let grade = if longest > WARN {
            Grade::Fail
        } else if is_open {
            Grade::Inconclusive
        } else if longest > PASS {
            Grade::Warn
        } else {
            Grade::Pass
        };
        let mut finding = Finding::new(grade, Claim::Quantitative, said);
        match grade {
            Grade::Inconclusive => finding.needs = Some(needs(longest)),
            Grade::Warn | Grade::Fail => finding = finding.advice(advice),
            Grade::Pass | Grade::NotApplicable => {}
        }
        figures(finding)
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        if term != "time_to_give_up" {
            return None;
        }
        let Found { survival, is_open, never, .. } = match self.found(phase, cx) {
            Ok(found) => found,
            Err(measured) => return Some(measured),
        };
        let longest = survival.longest;
        let interval = if never > 0 {
            Interval::exact(f64::INFINITY)
        } else if is_open {
            Interval { low: longest, value: longest, high: f64::INFINITY }
        } else {
            Interval::exact(longest)
        };
        Some(Measured::interval(interval, sample(&survival)))
    }
}

impl GiveUp {
    /// How long its next wait would have been, in seconds, as far as can be told.
    fn next_wait(&self, piece: &Piece<'_>) -> f64 {
        let mut waits = piece
            .attempts
            .windows(2)
            .rev()
            .map(|pair| pair[1].start.saturating_sub(pair[0].end) as f64 / 1e6);
        let grown = match (waits.next(), waits.next()) {
            (Some(last), Some(before)) => last * (last / before.max(1e-3)).clamp(1.0, GROWTH),
            (Some(last), None) => 2.0 * last,
            (None, _) => 0.0,
        };
        let last = piece.last();
        let index = piece.attempts.len() - 1;
        let usual = last.wrong.and_then(|wrong| self.cuts.median((last.program, wrong), index));
        let told = last.retry_after.map_or(0.0, |wait| wait.as_secs_f64());
        grown.max(usual.unwrap_or(0.0)).max(told)
    }

    fn found(&self, phase: Option<usize>, cx: &Cx<'_>) -> Result<Found, Measured> {
        let course = cx.course;
        let mut rest = Seen::default();
        for (failed, how) in self.settle.rest(course) {
            if course.is_asked(phase, failed.phase) {
                rest.settled(*failed, how);
            }
        }
        let mut lives = rest.lives;
        for seen in self.seen.asked(course, phase) {
            lives.extend_from_slice(&seen.lives);
        }
        // The longest may be links by chance, up to as many as chance explains.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some of them")]
        let chance = (lives.len() as f64 * (cx.rho + ABOVE_CHANCE)) as usize;
        lives.sort_by(|a, b| a.lasted.total_cmp(&b.lasted));
        let known = longest_given_up(&lives[..lives.len() - chance]);
        let beyond = (known * LONGER).max(LONG);
        let never = lives.iter().filter(|life| {
            !life.gave_up && u64::from(life.attempts) >= MANY && f64::from(life.lasted) > beyond
        });
        let most = never.clone().map(|life| life.attempts).max().unwrap_or(0);
        let never = never.count();
        let is_sure = never > chance && (never >= SEVERAL || known <= 0.0);
        let never = if is_sure { never as u64 } else { 0 };
        lives.truncate(lives.len() - if is_sure { 0 } else { chance });
        let lifetimes: Vec<Lifetime> = (lives.iter())
            .map(|life| Lifetime { lasted: f64::from(life.lasted), ended: life.gave_up })
            .collect();
        let Some(survival) = survival(&lifetimes) else {
            return Err(Measured::NotExercised("no operation failed throughout".to_owned()));
        };
        let all_too_long = survival.longest > WARN && survival.watched > 0;
        if survival.ended < LEAST && never == 0 && !all_too_long {
            return Err(Measured::too_few(sample(&survival), needs(survival.longest)));
        }
        let is_open = !survival.longest_ended && survival.longest > ALIKE * known;
        Ok(Found { survival, is_open, never, most })
    }
}

/// The longest that one of them went on and gave up, in seconds.
fn longest_given_up(lives: &[Life]) -> f64 {
    let gave_up = lives.iter().filter(|life| life.gave_up).map(|life| f64::from(life.lasted));
    gave_up.fold(0.0, f64::max)
}

fn sample(survival: &Survival) -> String {
    let watched = counted(survival.watched as u64, "operation");
    match survival.watched - survival.ended {
        0 => watched,
        cut => format!("{watched}, {cut} of them cut short by the end of the outage"),
    }
}

fn needs(longest: f64) -> String {
    let wanted = time((2.0 * longest).max(60.0));
    format!("{LEAST} operations that fail and end in an outage of {wanted} or more")
}

#[cfg(test)]
mod tests {
    use crate::verdict::{
        finding::{Grade, Weight},
        fixture::Drill,
    };

    /// Operations that go on with a second between attempts.
    fn drill(operations: u32, attempts: u32) -> Drill {
        let mut drill = Drill::new(30.0, 300.0, 60.0);
        for at in 0..operations {
            let mut op = drill.op(31.0 + f64::from(at)).user(at % 3).fails(503);
            for _ in 1..attempts {
                op = op.after(1.0).fails(503);
            }
        }
        drill
    }

    #[test]
    fn it_is_told_when_a_client_gives_up() {
        for (attempts, grade) in
            [(3, Grade::Pass), (31, Grade::Warn), (100, Grade::Warn), (130, Grade::Fail)]
        {
            let found = drill(10, attempts).finding("give_up");
            assert_eq!(found.grade, grade, "{attempts}: {}", found.said);
            assert_eq!(found.weight, Weight::Minor);
            let longest = found.figures["longest"].as_f64().unwrap();
            assert!((longest - f64::from(attempts - 1)).abs() < 0.5, "{longest}");
        }
        assert_eq!(drill(10, 10).expect("time_to_give_up: 10s").grade, Grade::Pass);
        assert_eq!(drill(10, 10).expect("time_to_give_up: 8s").grade, Grade::Fail);
    }

    /// Each goes on until the outage is over, and is served then.
    #[test]
    fn never_is_critical() {
        let mut drill = Drill::new(30.0, 90.0, 30.0);
        for user in 0..3 {
            let mut op = drill.op(32.0).user(user).fails(503);
            for _ in 0..44 {
                op = op.after(2.0).fails(503);
            }
            op.after(1.0).served();
        }
        let found = drill.finding("give_up");
        assert_eq!((found.grade, found.weight), (Grade::Fail, Weight::Critical), "{}", found.said);
        let judged = drill.expect("time_to_give_up: 10m");
        assert_eq!(judged.grade, Grade::Fail, "{}", judged.said);
        assert!(judged.said.starts_with("never"), "{}", judged.said);
    }

    /// Ten attempts a second apart: those at the end of the outage had as many and gave up as well.
    #[test]
    fn giving_up_as_the_outage_ends_is_not_never() {
        let mut drill = drill(20, 10);
        for at in 0..9 {
            let mut op = drill.op(321.5 + f64::from(at)).fails(503);
            for _ in 0..8 - at {
                op = op.after(1.0).fails(503);
            }
            op.after(1.0).served();
        }
        let found = drill.finding("give_up");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        assert!(found.said.contains("cut short"), "{}", found.said);
    }

    /// Two of 200 operations were linked with the next one, half a minute later.
    #[test]
    fn links_by_chance_do_not_make_a_client_stubborn() {
        let mut drill = Drill::new(30.0, 600.0, 60.0);
        for at in 0..200 {
            let op = drill.op(31.0 + f64::from(at)).fails(503).after(1.0).fails(503);
            if at % 100 == 0 {
                op.after(40.0).fails(503).after(1.0).fails(503);
            }
        }
        let found = drill.finding("give_up");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        assert!(found.figures["longest"].as_f64().unwrap() < 2.0, "{}", found.said);
    }

    #[test]
    fn an_outage_too_short_to_tell_is_inconclusive() {
        let mut drill = Drill::new(30.0, 20.0, 60.0);
        for at in 0..10 {
            let op = drill.op(31.0 + f64::from(at)).fails(503).after(1.0).fails(503);
            op.after(30.0).served();
        }
        let found = drill.finding("give_up");
        assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
        assert!(found.needs.unwrap().starts_with("5 operations"));
        let judged = drill.expect("time_to_give_up: 60s");
        assert_eq!(judged.grade, Grade::Inconclusive, "{}", judged.said);
    }

    /// One attempt each, held for as long as the outage lasts: a client without a timeout.
    #[test]
    fn one_that_hangs_gives_up_no_sooner() {
        let mut drill = Drill::new(30.0, 200.0, 30.0);
        for user in 0..5 {
            drill.op(31.0).user(user).taking(199.1).reset();
        }
        let found = drill.finding("give_up");
        assert_eq!(found.grade, Grade::Fail, "{}", found.said);
        assert_eq!(found.weight, Weight::Minor, "{}", found.said);
        assert!(found.said.contains("more than"), "{}", found.said);
    }

    #[test]
    fn without_failures_it_is_not_applicable() {
        let mut drill = Drill::new(30.0, 100.0, 30.0);
        drill.op(40.0).fails(503).after(1.0).served();
        assert_eq!(drill.finding("give_up").grade, Grade::NotApplicable);
        assert_eq!(drill.expect("time_to_give_up: 60s").grade, Grade::NotApplicable);
    }
}
