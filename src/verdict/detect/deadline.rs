//! D18, deadlines: whether requests tell how long their caller will wait, and mean it.
//!
//! A deadline is what `grpc-timeout` or `x-envoy-expected-rq-timeout-ms` says. That of attempt *k*
//! has to be at most that of the first − the time since the first began + 50 ms. One that is the same
//! on each attempt (gRPC may add 4 % of it: the official library rounds it up by as much as 3 %, so that it
//! compresses well) is a deadline begun anew each time: a caller that has long gone is worked for.
//!
//! Pass if it holds for all operations of several attempts, warn if not. Such operations have to be
//! seen: of three without a violation nothing better can be said than that.
//!
//! With it goes the work that was wasted: the upstream's time between the client's leaving and the
//! answer, over all of the upstream's time.
//!
//! Sources: Google SRE, chapter 22 (propagate deadlines); gRPC's and Envoy's documentation of these
//! header fields.

use crate::verdict::{
    attempt::Attempt,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
    operation::Operation,
    phases::Phases,
};
use std::time::Duration;

/// What a clock and a queue may add.
const SLACK: Duration = Duration::from_millis(50);
/// The part of it that gRPC may add.
const ROUNDED: u32 = 25;
/// Operations of several attempts without which nothing is said.
const LEAST: u64 = 3;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Deadline {
    seen: Phases<Seen>,
    sightings: Sightings,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    attempts: u64,
    with: u64,
    /// Operations of several attempts with a deadline each.
    several: u64,
    /// Those that give one attempt more time than is left.
    broken: u64,
    /// Those of them that say the same each time.
    constant: u64,
    /// Upstream time in microseconds, and that after the client had left.
    worked: u64,
    wasted: u64,
}

impl Detector for Deadline {
    fn name(&self) -> &'static str {
        "deadline"
    }

    fn code(&self) -> &'static str {
        "D18"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn attempt(&mut self, attempt: &Attempt, _now: Now<'_>) {
        let seen = self.seen.at(attempt.phase);
        seen.attempts += 1;
        seen.with += u64::from(attempt.deadline.is_some());
        if attempt.forwarded > 0 && attempt.answered > 0 {
            seen.worked += attempt.answered.saturating_sub(attempt.forwarded);
            if attempt.left > 0 {
                let since = attempt.left.max(attempt.forwarded);
                seen.wasted += attempt.answered.saturating_sub(since);
            }
        }
    }

    fn operation(&mut self, operation: &Operation, _now: Now<'_>) {
        let first = operation.first();
        let Some(whole) = first.deadline else { return };
        let later = || operation.attempts()[1..].iter();
        if operation.count() < 2 || later().any(|attempt| attempt.deadline.is_none()) {
            return;
        }
        let seen = self.seen.at(first.phase);
        seen.several += 1;
        let is_broken = |attempt: &&Attempt| {
            let elapsed = Duration::from_micros(attempt.start.saturating_sub(first.start));
            let slack = if attempt.call.is_some() { SLACK.max(whole / ROUNDED) } else { SLACK };
            let left = whole.saturating_sub(elapsed) + slack;
            attempt.deadline.is_some_and(|deadline| deadline > left)
        };
        if let Some(broken) = later().find(is_broken) {
            seen.broken += 1;
            seen.constant += u64::from(later().all(|attempt| attempt.deadline == Some(whole)));
            self.sightings.note(|| {
                let deadline = broken.deadline.unwrap_or_default();
                let what = format!("may take {deadline:?}, as if it were the first ({whole:?})");
                Sighting::of(broken, what)
            });
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let seen = self.total(None, cx);
        let finding = judge(seen, &self.sightings)
            .figure("attempts", seen.attempts)
            .figure("with_deadline", seen.with)
            .figure("operations_of_several", seen.several)
            .figure("broken", seen.broken)
            .figure("constant", seen.constant);
        if seen.worked == 0 {
            return finding;
        }
        finding.figure("work_wasted", seen.wasted as f64 / seen.worked as f64)
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        if term != "deadline_propagates" {
            return None;
        }
        let seen = self.total(phase, cx);
        let sample = format!(
            "{} of {} attempts tell a deadline; {} of {} operations of several attempts begin it anew",
            seen.with, seen.attempts, seen.broken, seen.several
        );
        Some(match seen {
            Seen { attempts: 0, .. } => Measured::NotExercised("no attempt was made".to_owned()),
            // A sighting is a fact, of which one is enough.
            _ if seen.with < seen.attempts || seen.broken > 0 => {
                Measured::Flag { is: false, sample }
            }
            _ if seen.several < LEAST => Measured::too_few(sample, NEEDS),
            _ => Measured::Flag { is: true, sample },
        })
    }
}

const NEEDS: &str = "three operations that are tried again";

impl Deadline {
    fn total(&self, phase: Option<usize>, cx: &Cx<'_>) -> Seen {
        let mut total = Seen::default();
        for seen in self.seen.asked(cx.course, phase) {
            total.attempts += seen.attempts;
            total.with += seen.with;
            total.several += seen.several;
            total.broken += seen.broken;
            total.constant += seen.constant;
            total.worked += seen.worked;
            total.wasted += seen.wasted;
        }
        total
    }
}

fn judge(seen: Seen, sightings: &Sightings) -> Finding {
    if seen.with == 0 {
        return Finding::not_applicable("no request tells how long its caller will wait");
    }
    if seen.broken > 0 {
        let how = if seen.constant == seen.broken { ", the same each time" } else { "" };
        let said = format!(
            "{} of {} operations gave a later attempt more time than was left{how}",
            seen.broken, seen.several
        );
        return Finding::new(Grade::Warn, Claim::Existential, said)
            .advice("set the deadline once per operation, and send what is left of it")
            .seen(sightings.all());
    }
    if seen.several < LEAST {
        let said = format!(
            "{} requests tell a deadline, {} operations were tried again",
            seen.with, seen.several
        );
        return Finding::inconclusive(said, NEEDS);
    }
    let said = format!("{} operations kept to one deadline over all attempts", seen.several);
    Finding::new(Grade::Pass, Claim::Universal, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::traffic::{BEGINS, Traffic, Try, beat, graded, judged_as, ok};

    /// So many operations of three attempts, a second apart, with these deadlines.
    fn tried(expect: &str, count: u32, deadlines: [Option<u64>; 3]) -> Traffic {
        let mut traffic = Traffic::expecting(expect);
        traffic.extend(beat(1.0, 0.0, BEGINS).map(|at| ok(1, at)));
        for nth in 0..count {
            for (again, deadline) in (0_u32..).zip(deadlines) {
                let at = BEGINS + f64::from(nth) * 5.0 + f64::from(again);
                let this = ok(1, at).of(&format!("GET /job/{nth}")).status(503);
                let with = |millis| Try::deadline(this.clone(), millis);
                traffic.add(deadline.map_or_else(|| this.clone(), with));
            }
        }
        traffic
    }

    fn asked(count: u32, deadlines: [Option<u64>; 3]) -> Traffic {
        tried("deadline_propagates: true", count, deadlines)
    }

    #[test]
    fn what_is_left_is_what_is_sent() {
        let what = [Some(5000), Some(3950), Some(2900)];
        judged_as(&asked(10, what).expectation(), Grade::Pass, "30 of 30 attempts");
        graded(&asked(10, what).finding("deadline"), Grade::Pass, "10 operations kept to one");
    }

    #[test]
    fn a_deadline_begun_anew_is_a_warning() {
        let what = [Some(5000); 3];
        judged_as(&asked(10, what).expectation(), Grade::Fail, "10 of 10 operations");
        let finding = asked(10, what).finding("deadline");
        graded(&finding, Grade::Warn, "10 of 10 operations gave a later attempt more time");
        assert!(finding.said.ends_with("the same each time"));
        assert_eq!(finding.sightings.len(), 5);
    }

    #[test]
    fn fifty_milliseconds_are_forgiven_and_no_more() {
        let graded =
            |second| asked(3, [Some(5000), Some(second), Some(10)]).finding("deadline").grade;
        assert_eq!((graded(4049), graded(4055)), (Grade::Pass, Grade::Warn));
    }

    #[test]
    fn none_told_and_too_few_tried_again() {
        let none = [None; 3];
        graded(&asked(5, none).finding("deadline"), Grade::NotApplicable, "no request tells");
        judged_as(&asked(5, none).expectation(), Grade::Fail, "0 of 15 attempts tell");
        let two = [Some(5000), Some(3000), Some(1000)];
        let finding = asked(2, two).finding("deadline");
        graded(&finding, Grade::Inconclusive, "2 operations were tried again");
        assert_eq!(asked(2, two).expectation().needs.as_deref(), Some(NEEDS));
        judged_as(&asked(0, none).expectation(), Grade::NotApplicable, "no attempt");
    }

    #[test]
    fn work_for_a_caller_that_has_left_is_wasted() {
        let mut traffic = asked(0, [None; 3]);
        traffic.add(ok(1, BEGINS + 1.0).took(0.02));
        // Answered after 20 ms, left after 5.
        traffic.add(ok(1, BEGINS + 2.0).cut(0.005));
        let wasted = traffic.finding("deadline").figures["work_wasted"].as_f64().unwrap();
        assert!((wasted - 15.0 / 40.0).abs() < 1e-9, "{wasted}");
    }
}
