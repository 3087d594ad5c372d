//! Clients that recover, and clients that do not.

use super::*;
use crate::verdict::{
    Verdict,
    tests::traffic::{BEGINS, ENDS, OVER, Traffic, Try, beat, chance, graded, judged_as, ok},
};

const CLIENTS: u64 = 12;

/// 12 clients whose requests come by chance, one per second each.
fn steady(traffic: &mut Traffic, user: u64, from: f64, to: f64) {
    traffic.extend(chance(user, 1.0, 0.0, OVER).filter(|at| (from..to).contains(at)).map(|at| {
        if (BEGINS..ENDS).contains(&at) { ok(user, at).status(503) } else { ok(user, at) }
    }));
}

/// Twelve of them; what they do after the faults is `then`.
fn crowd(traffic: &mut Traffic, then: impl Fn(Try, f64, u64) -> Option<Try>) {
    for user in 1..=CLIENTS {
        steady(traffic, user, 0.0, ENDS);
        traffic.extend(
            chance(user, 1.0, 0.0, OVER)
                .filter(|at| *at >= ENDS)
                .filter_map(|at| then(ok(user, at), at - ENDS, user)),
        );
    }
}

fn found(verdict: &Verdict) -> &Finding {
    verdict.parts[0].findings.iter().find(|finding| finding.detector == "recovery").unwrap()
}

#[test]
fn a_client_that_goes_on_at_once_passes_in_all_respects() {
    for expect in ["recovery_time: 30s", "recovery_peak: 2x", "recovery_backlog: 0.5"] {
        let mut traffic = Traffic::expecting(expect);
        crowd(&mut traffic, |this, _, _| Some(this));
        let verdict = traffic.judged();
        assert_eq!(verdict.expectations[0].grade, Grade::Pass, "{:#?}", verdict.expectations);
        graded(found(&verdict), Grade::Pass, "0 s after the faults");
        assert_eq!(found(&verdict).weight, Weight::Major);
    }
}

/// The null: over many runs hardly any steady client is told to peak.
#[test]
fn steady_clients_have_no_peak() {
    let mut peaks = 0;
    for seed in 0..6 {
        // Windows of ten seconds, and of two and a half.
        for rate in [5.0, 20.0] {
            let mut traffic = Traffic::expecting("recovery_peak: 1.1x");
            traffic.extend(chance(seed, rate, 0.0, OVER).map(|at| ok(1, at)));
            peaks += u32::from(traffic.expectation().grade == Grade::Fail);
        }
    }
    assert!(peaks <= 1, "{peaks} of 12");
}

#[test]
fn a_herd_from_its_own_queue_peaks() {
    let mut traffic = Traffic::expecting("recovery_peak: 2x");
    crowd(&mut traffic, |this, _, _| Some(this));
    // What piled up comes at once.
    traffic.extend((0..800).map(|nth| ok(nth % CLIENTS + 1, ENDS + 0.5 + nth as f64 / 400.0)));
    let verdict = traffic.judged();
    assert_eq!(verdict.expectations[0].grade, Grade::Fail, "{:#?}", verdict.expectations);
    graded(found(&verdict), Grade::Fail, "more than the");
    assert!(found(&verdict).advice.contains("jitter"));
}

#[test]
fn what_is_made_up_for_is_a_backlog() {
    let mut traffic = Traffic::expecting("recovery_backlog: 0.1");
    crowd(&mut traffic, |this, _, _| Some(this));
    traffic.extend((0..1080_u32).map(|nth| ok(1, ENDS + f64::from(nth) / 20.0)));
    let judged = traffic.expectation();
    assert_eq!(judged.grade, Grade::Fail);
    let value = judged.value.unwrap();
    assert!((value - 0.5).abs() < 0.1, "1080 of 2160: {value}");
}

#[test]
fn a_slow_recovery_is_told_to_the_second_or_so() {
    let mut traffic = Traffic::expecting("recovery_time: 30s");
    crowd(&mut traffic, |this, since, _| (since > 50.0 || this_one_of(since)).then_some(this));
    let verdict = traffic.judged();
    assert_eq!(verdict.expectations[0].grade, Grade::Fail, "{:#?}", verdict.expectations);
    graded(found(&verdict), Grade::Warn, "");
    let seconds = found(&verdict).figures["recovery_time"].as_u64().unwrap();
    assert!((43..=52).contains(&seconds), "{seconds}");
}

/// Every third second or so.
fn this_one_of(since: f64) -> bool {
    since % 1.0 < 0.3
}

#[test]
fn failures_that_go_on_are_no_recovery() {
    let mut traffic = Traffic::new();
    crowd(&mut traffic, |this, since, _| {
        Some(if since < 70.0 && this_one_of(since) { this.really(500) } else { this })
    });
    graded(&traffic.finding("recovery"), Grade::Warn, "");
}

#[test]
fn none_that_comes_back_is_critical() {
    let mut traffic = Traffic::expecting("recovery_time: 30s");
    crowd(&mut traffic, |_, _, _| None);
    let verdict = traffic.judged();
    judged_as(&verdict.expectations[0], Grade::Fail, "never");
    graded(
        found(&verdict),
        Grade::Fail,
        "12 of 12 clients had no success within 30 s, 12 of them none",
    );
    assert_eq!(found(&verdict).weight, Weight::Critical);
}

/// Ten of twelve are enough for the aggregate, in which the two are not missed.
#[test]
fn two_that_are_gone_fail_whatever_the_aggregate_says() {
    let mut traffic = Traffic::new();
    crowd(&mut traffic, |this, _, user| (user > 1).then_some(this));
    let finding = traffic.finding("recovery");
    graded(
        &finding,
        Grade::Fail,
        "1 of 12 clients had no success within 30 s, 1 of them none at all",
    );
    graded(&finding, Grade::Fail, "back at");
    assert_eq!(finding.figures["never"], 1);
}

#[test]
fn one_that_comes_back_late_is_late_and_not_gone() {
    let mut traffic = Traffic::new();
    crowd(&mut traffic, |this, since, user| (user > 1 || since > 45.0).then_some(this));
    let finding = traffic.finding("recovery");
    assert_eq!(
        (&finding.figures["clients_late"], &finding.figures["never"]),
        (&1.into(), &0.into())
    );
    assert_eq!(finding.weight, Weight::Major);
}

#[test]
fn the_last_to_come_back_decides_on_the_time() {
    for (limit, grade) in [("30s", Grade::Fail), ("60s", Grade::Pass)] {
        let mut traffic = Traffic::expecting(&format!("recovery_time: {limit}"));
        crowd(&mut traffic, |this, since, user| (user > 1 || since > 45.0).then_some(this));
        assert_eq!(traffic.expectation().grade, grade);
    }
}

#[test]
fn who_stops_by_itself_is_not_missed() {
    // Before the faults, and in them but without a failure of its own.
    for stops in [60.0, 130.0] {
        let mut traffic = Traffic::new();
        crowd(&mut traffic, |this, _, _| Some(this));
        traffic.extend(beat(2.0, 0.0, stops).map(|at| ok(99, at)));
        let finding = traffic.finding("recovery");
        assert_eq!(finding.figures["clients_late"], 0, "{finding:#?}");
        assert_eq!(finding.grade, Grade::Pass);
    }
}

#[test]
fn a_quiet_client_may_be_quiet() {
    let mut traffic = Traffic::new();
    crowd(&mut traffic, |this, _, _| Some(this));
    // Six in 30 s: by chance, none may come.
    traffic.extend(beat(0.2, 0.0, ENDS).map(|at| ok(99, at).status(503)));
    assert_eq!(traffic.finding("recovery").figures["clients_late"], 0);
}

#[test]
fn too_short_or_too_little_is_told() {
    let short = "
phases:
  - { name: calm, for: 100s }
  - { name: outage, for: 50s, faults: [{ hang: {} }] }
  - { name: after, for: 5s }
expect: [recovery_time: 30s]
";
    let mut traffic = Traffic::of(short);
    traffic.extend(beat(10.0, 0.0, 155.0).map(|at| ok(1, at)));
    let verdict = traffic.judged();
    judged_as(&verdict.expectations[0], Grade::Inconclusive, "5 s were watched");
    assert_eq!(verdict.expectations[0].needs.as_deref(), Some("40 s of it"));
    graded(found(&verdict), Grade::Inconclusive, "5 s were watched");

    let mut traffic = Traffic::expecting("recovery_time: 30s");
    traffic.extend(beat(0.1, 0.0, OVER).map(|at| ok(1, at)));
    judged_as(&traffic.expectation(), Grade::Inconclusive, "10 requests served in 100 s");
}

#[test]
fn without_faults_or_calm_there_is_nothing_to_recover() {
    let mut traffic = Traffic::of("\nphases: [{ name: calm, for: 100s }]\n");
    traffic.extend(beat(10.0, 0.0, 100.0).map(|at| ok(1, at)));
    graded(&traffic.finding("recovery"), Grade::NotApplicable, "no faults");
    let mut traffic = Traffic::new();
    traffic.extend(beat(10.0, BEGINS + 5.0, OVER).map(|at| ok(1, at)));
    graded(&traffic.finding("recovery"), Grade::NotApplicable, "no traffic in calm");
}
