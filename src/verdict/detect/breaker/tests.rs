//! Circuit breakers, and what looks like one.

use super::*;
use crate::verdict::{
    Verdict,
    tests::traffic::{BEGINS, ENDS, OVER, Shaken, Traffic, beat, chance, graded, judged_as, ok},
};

const ALL: &str = "circuit_breaker: { opens_within: 20s, after_failures: 12, probe_interval: 8s, closes_within: 30s }";

fn found(verdict: &Verdict) -> &Finding {
    verdict.parts[0].findings.iter().find(|finding| finding.detector == "breaker").unwrap()
}

/// One request per second, by chance; five failures in a row open the breaker for ten seconds, and
/// then one request probes.
fn breaker(traffic: &mut Traffic, user: u64, fails: impl Fn(f64) -> bool, sticks: bool) {
    let (mut in_a_row, mut open_until) = (0, 0.0);
    for at in chance(user, 1.0, 0.0, OVER) {
        if at < open_until {
            continue;
        }
        if fails(at) {
            traffic.add(ok(user, at).status(503));
            in_a_row += 1;
            if in_a_row >= 5 {
                open_until = if sticks { OVER } else { at + 10.0 };
            }
        } else {
            traffic.add(ok(user, at));
            in_a_row = 0;
        }
    }
}

fn in_outage(at: f64) -> bool {
    (BEGINS..ENDS).contains(&at)
}

/// Whose the handshakes are that fail, nobody knows: perhaps it is not silent at all.
#[test]
fn a_client_that_may_be_knocking_is_not_silent() {
    let silent = |knocks: f64| {
        let mut traffic = Traffic::new();
        traffic.extend(beat(10.0, 0.0, BEGINS).map(|at| ok(1, at)));
        traffic.extend(beat(10.0, BEGINS, BEGINS + 20.0).map(|at| ok(1, at).status(503)));
        traffic.extend(beat(10.0, BEGINS + 60.0, OVER).map(|at| ok(1, at)));
        for at in beat(knocks, BEGINS + 20.0, BEGINS + 60.0) {
            traffic.shaken(Shaken::refused("no_common_version", at));
        }
        traffic.finding("breaker").figures["opened"].clone()
    };
    assert_eq!(silent(0.1), 1);
    assert_eq!(silent(10.0), 0);
}

#[test]
fn a_breaker_is_found_with_its_figures() {
    let mut traffic = Traffic::expecting(ALL);
    (1..=12).for_each(|user| breaker(&mut traffic, user, in_outage, false));
    let verdict = traffic.judged();
    judged_as(&verdict.expectations[0], Grade::Pass, "on 12 of 12 clients");
    let found = found(&verdict);
    graded(found, Grade::Pass, "circuit breaker on 12 of 12 clients");
    let figure = |name: &str| found.figures[name].as_f64().unwrap();
    assert!((2.0..=18.0).contains(&figure("opens_after")), "{found:#?}");
    assert!((5.0..=7.0).contains(&figure("failures")), "{found:#?}");
    assert!((9.0..=13.0).contains(&figure("probe_interval")), "{found:#?}");
    assert!(figure("closes_after") <= 16.0, "{found:#?}");
}

#[test]
fn each_part_that_is_asked_for_has_to_hold() {
    for part in
        ["opens_within: 1s", "after_failures: 2", "probe_interval: 60s", "closes_within: 1s"]
    {
        let mut traffic = Traffic::expecting(&format!("circuit_breaker: {{ {part} }}"));
        (1..=12).for_each(|user| breaker(&mut traffic, user, in_outage, false));
        assert_eq!(traffic.expectation().grade, Grade::Fail, "{part}");
    }
}

#[test]
fn an_open_breaker_sheds_the_load() {
    for (limit, grade) in [("0.2x", Grade::Pass), ("0.02x", Grade::Fail)] {
        let mut traffic = Traffic::expecting(&format!("fails_fast: {limit}"));
        (1..=12).for_each(|user| breaker(&mut traffic, user, in_outage, false));
        judged_as(&traffic.expectation(), grade, "would be usual");
    }
}

#[test]
fn one_that_does_not_close_fails() {
    let mut traffic = Traffic::expecting(ALL);
    (1..=12).for_each(|user| breaker(&mut traffic, user, in_outage, true));
    let verdict = traffic.judged();
    graded(found(&verdict), Grade::Fail, "12 of 12 clients stopped asking after failures");
    judged_as(&verdict.expectations[0], Grade::Fail, "did not come back");
}

/// Sends into eight slots, each held until the outage ends; the rest queues up.
fn naive(traffic: &mut Traffic, user: u64, slots: usize) {
    let mut free = slots;
    for at in chance(user, 1.0, 0.0, OVER) {
        if !in_outage(at) {
            traffic.add(ok(user, at));
        } else if free > 0 {
            free -= 1;
            traffic.add(ok(user, at).held(ENDS));
        } else {
            traffic.add(ok(user, ENDS + 0.2));
        }
    }
}

#[test]
fn one_with_every_slot_held_is_stalled() {
    for slots in [8, 1] {
        let mut traffic = Traffic::expecting("circuit_breaker: { opens_within: 20s }");
        (1..=12).for_each(|user| naive(&mut traffic, user, slots));
        let verdict = traffic.judged();
        graded(found(&verdict), Grade::Warn, "12 of 12 clients fell silent with every slot held");
        judged_as(&verdict.expectations[0], Grade::Fail, "12 stalled");
    }
}

/// It gives each call up after three seconds, and has one slot: no timeout is to be advised to it.
#[test]
fn one_that_has_a_timeout_is_not_told_to_set_one() {
    let mut traffic = Traffic::new();
    for user in 1..=12 {
        traffic.extend(beat(10.0, 0.0, BEGINS).map(|at| ok(user, at)));
        traffic.extend(beat(1.0 / 3.0, BEGINS, ENDS).map(|at| ok(user, at).left(3.0)));
        traffic.extend(beat(10.0, ENDS, OVER).map(|at| ok(user, at)));
    }
    let found = traffic.finding("breaker");
    graded(&found, Grade::Warn, "fell silent with every slot held");
    assert!(!found.advice.contains("set a timeout"), "{}", found.advice);
}

/// It sends the same thing again and again, and nothing else meanwhile: the fewer attempts, the
/// more it looks like a breaker that probes.
#[test]
fn an_infinite_retrier_with_one_slot_is_no_breaker() {
    for wait in [0.05, 2.0, 10.0, 25.0] {
        let mut traffic = Traffic::expecting("circuit_breaker: { opens_within: 20s }");
        for user in 1..=3 {
            traffic.extend(
                chance(user, 1.0, 0.0, OVER).filter(|at| !in_outage(*at)).map(|at| ok(user, at)),
            );
            traffic.extend(
                beat(1.0 / wait, BEGINS, ENDS).map(|at| {
                    ok(user, at).of(&format!("GET /stuck/{user}")).status(503).took(0.01)
                }),
            );
        }
        let judged = traffic.expectation();
        let is_right = matches!(judged.grade, Grade::Fail | Grade::Inconclusive);
        assert!(is_right, "every {wait} s: {judged:#?}");
    }
}

#[test]
fn a_client_that_stops_without_a_failure_has_no_breaker() {
    let mut traffic = Traffic::new();
    for user in 1..=3 {
        traffic.extend(chance(user, 1.0, 0.0, 150.0).map(|at| ok(user, at)));
    }
    let finding = traffic.finding("breaker");
    assert_eq!((&finding.figures["opened"], &finding.figures["stopped"]), (&0.into(), &3.into()));
    assert_eq!(finding.grade, Grade::NotApplicable, "{finding:#?}");
}

#[test]
fn one_that_goes_on_through_a_hundred_failures_has_none() {
    let mut traffic = Traffic::expecting("circuit_breaker: { opens_within: 20s }");
    for at in chance(1, 1.0, 0.0, OVER) {
        traffic.add(if in_outage(at) { ok(1, at).status(503) } else { ok(1, at) });
    }
    let verdict = traffic.judged();
    graded(found(&verdict), Grade::Pass, "no circuit breaker: 1 of 1 clients went on");
    judged_as(&verdict.expectations[0], Grade::Fail, "1 went on");
}

#[test]
fn a_few_failures_prove_nothing() {
    let mut traffic = Traffic::expecting("circuit_breaker: { opens_within: 20s }");
    for (at, nth) in chance(1, 1.0, 0.0, OVER).zip(0_u32..) {
        let fails = in_outage(at) && nth % 7 == 0;
        traffic.add(if fails { ok(1, at).status(503) } else { ok(1, at) });
    }
    let verdict = traffic.judged();
    assert_eq!(verdict.expectations[0].grade, Grade::Inconclusive);
    assert_eq!(verdict.expectations[0].needs.as_deref(), Some(NEEDS));
    graded(found(&verdict), Grade::Inconclusive, "too few failures");
}

#[test]
fn without_a_failure_nothing_is_asked_of_a_breaker() {
    let mut traffic = Traffic::expecting("circuit_breaker: { opens_within: 20s }");
    traffic.extend(chance(1, 1.0, 0.0, OVER).map(|at| ok(1, at)));
    let verdict = traffic.judged();
    graded(found(&verdict), Grade::NotApplicable, "nothing failed");
    judged_as(&verdict.expectations[0], Grade::NotApplicable, "nothing failed");
}

/// A partial outage in which it opens for some and not for others.
#[test]
fn a_breaker_opens_where_it_is_hurt() {
    let mut traffic = Traffic::new();
    (1..=4).for_each(|user| breaker(&mut traffic, user, in_outage, false));
    (5..=12).for_each(|user| breaker(&mut traffic, user, |_| false, false));
    graded(&traffic.finding("breaker"), Grade::Pass, "circuit breaker on 4 of 12 clients");
}
