use super::*;
use crate::verdict::{
    finding::Weight,
    tests::traffic::{ENDS, Shaken, Traffic, beat, graded, judged_as, ok},
};

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

/// Nine leave after 2 s; six are let go before that, and their answers come.
#[test]
fn who_leaves_a_call_that_is_not_read_on_has_a_timeout() {
    let mut traffic = in_calm(Traffic::expecting("request_timeout: 3s"));
    traffic.extend(beat(0.1, 100.0, 190.0).map(|at| ok(1, at).stopped().cancelled(2.0)));
    traffic.extend(beat(2.0, 270.0, 273.0).map(|at| ok(1, at).let_go(1.0)));
    judged_as(&traffic.expectation(), Grade::Pass, "2.0s");
}

/// It had what it came for all the time, and closed when it had enough.
#[test]
fn a_stream_that_is_answered_though_it_is_not_read_on_is_not_held() {
    let mut traffic = calm();
    traffic.extend(beat(0.1, 100.0, 190.0).map(|at| ok(1, at).stopped().cut(64.0)));
    graded(&traffic.finding("timeout"), Grade::NotApplicable, "");
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
        let mut traffic = in_calm(Traffic::of(&format!("{BOTH}expect: [total_deadline: 30s]\n")));
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
        patience.into_iter().zip(0..).map(|(took, n)| ok(1, 110.0 + f64::from(n) * 5.0).left(took)),
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

#[test]
fn a_client_that_leaves_a_handshake_has_a_timeout_for_it() {
    for (took, grade) in [(3.0, Grade::Pass), (30.0, Grade::Warn), (75.0, Grade::Fail)] {
        let mut traffic = in_calm(Traffic::expecting("handshake_timeout: 10s"));
        for at in beat(0.5, 100.0, 120.0) {
            traffic.shaken(Shaken::gave_up(at, took));
        }
        let wanted = if grade == Grade::Pass { Grade::Pass } else { Grade::Fail };
        judged_as(&traffic.clone().expectation(), wanted, "10 held, 10 of them left");
        let found = traffic.finding("timeout");
        graded(&found, grade, &format!("gives a handshake up after {took:.2} s (10 of 10)"));
        assert_eq!(found.figures["handshake_timeout"], took);
    }
}

#[test]
fn a_client_that_waits_for_hands_as_long_as_they_stall_has_none() {
    for (held, grade) in [(5.0, Grade::Inconclusive), (30.0, Grade::Warn), (80.0, Grade::Fail)] {
        let mut traffic = in_calm(Traffic::expecting("handshake_timeout: 10s"));
        traffic.extend(beat(0.5, 100.0, 120.0).map(|at| ok(1, at).fresh().stalled(held)));
        let wanted = if held < 10.0 { Grade::Inconclusive } else { Grade::Fail };
        assert_eq!(traffic.clone().expectation().grade, wanted);
        let found = traffic.finding("timeout");
        graded(&found, grade, &format!("waits for a handshake for up to {held:.1} s (10 of 10)"));
    }
}

/// One timeout does not stand in for the other.
#[test]
fn a_handshake_and_an_answer_are_waited_for_each_for_itself() {
    let mut traffic = calm();
    traffic.extend(beat(0.5, 100.0, 120.0).map(|at| ok(1, at).left(5.0)));
    for at in beat(0.5, 130.0, 150.0) {
        traffic.shaken(Shaken::let_go(at, ENDS - 10.0 - at));
    }
    let found = traffic.finding("timeout");
    graded(&found, Grade::Fail, "gives an attempt up after 5.00 s (10 of 10 holds");
    graded(&found, Grade::Fail, "waits for a handshake for up to");
    assert!(found.advice.contains("TLS handshake"), "{}", found.advice);
}
