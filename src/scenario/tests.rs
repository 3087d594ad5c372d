//! Scenarios as a whole, from their text.

use super::*;
use crate::{
    diag::{Look, Problems, Source, render},
    units::Quantity,
};
use std::time::Duration;

fn read(text: &str) -> Scenario {
    let source = Source::new("test.yaml", text);
    let mut problems = Problems::default();
    let scenario = Scenario::read(&source, None, &mut problems);
    scenario.unwrap_or_else(|| panic!("{}", render(&source, &problems, Look::Plain)))
}

#[test]
fn a_scenario_without_faults_is_a_timeline() {
    let scenario = read(
        "name: calm
targets:
  purchase: { method: POST, path: /purchase/** }
  catalogue: [{ path: /items }, { path: /items/* }]
users: [{ header: x-user-id }, { cookie: sid }, peer]
phases:
  - { name: before, for: 2m }
  - { name: after, for: 30s, compress: no, connections: drain }
expect:
  - availability: 99%
  - recovery_time: { max: 30s, phase: after, target: purchase }
stop_when:
  - upstream_errors: { above: 50%, for: 10s }
impact: { per_minute: [1000, 2000], currency: USD, target: purchase }
",
    );

    assert_eq!(scenario.timeline(None).length(), Duration::from_secs(150));
    assert_eq!(scenario.targets[1].matchers.len(), 2);
    assert_eq!(scenario.users.sources.len(), 3);
    assert!(!scenario.phases[1].compress);
    assert_eq!(scenario.phases[1].connections, OpenConnections::Drain);
    assert_eq!(scenario.expect[1].phase, Some(1));
    assert_eq!(scenario.expect[1].target, Some(0));
    assert_eq!(scenario.stop_when[0].above, Percent::parse("50%").expect("a share"));
    assert_eq!(scenario.impact.map(|i| i.per_minute), Some((1000.0, 2000.0)));
}

/// A scenario of one phase of 100 s with these faults.
fn with_faults(faults: &str) -> Scenario {
    let faults: Vec<String> = faults.lines().map(|line| format!("      {line}")).collect();
    let faults = faults.join("\n");
    read(&format!(
        "name: x\ntargets: {{ buy: {{ path: /buy }}, see: {{ path: /see }} }}\nphases:
  - name: outage\n    for: 100s\n    faults:\n{faults}\n  - name: after\n    for: 1s\n    faults:\n{faults}\n"
    ))
}

fn names(scenario: &Scenario) -> Vec<&str> {
    scenario.phases[0].faults.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn faults_are_named_by_kind_target_and_count_and_alike_in_every_phase() {
    let scenario = with_faults(
        "- { latency: 1s, target: buy }
- { latency: 2s, target: buy }
- { latency: 3s }
- { latency: 4s, name: 'latency#2' }
- { latency: 5s }
- { latency: 6s, target: [see, buy, { method: POST, path: /x }] }",
    );

    let expected = [
        "latency:buy",
        "latency:buy#2",
        "latency",
        "latency#2",
        "latency#3",
        "latency:buy,see,POST /x",
    ];
    assert_eq!(names(&scenario), expected);
    let again: Vec<_> = scenario.phases[1].faults.iter().map(|entry| &entry.name).collect();
    assert_eq!(again, names(&scenario));
    assert_eq!(scenario.targets.len(), 3, "equal matchers in place are one target");
}

#[test]
fn faults_of_a_kind_that_do_unlike_things_have_names_of_their_own() {
    let scenario = with_faults(
        "- tls: expired
- tls: { stall: 1s }
- tls: stall
- { websocket: { close: 1001 }, target: buy }
- { websocket: { close: { code: 1012, reason: x }, after: 3 messages }, target: buy }
- websocket: { close: reset }
- websocket: { drop: 0% -> 20%, delay: 1s }
- websocket: { stall: yes }
- malformed: { kind: chunk, after_upstream: yes }",
    );

    let expected = [
        "tls:expired",
        "tls:stall",
        "tls:stall#2",
        "websocket:close:buy",
        "websocket:close:buy#2",
        "websocket:reset",
        "websocket:delay+drop",
        "websocket:stall",
        "malformed:chunk",
    ];
    assert_eq!(names(&scenario), expected);
}

#[test]
fn shares_move_and_know_their_unit() {
    let scenario = with_faults(
        "- { respond: 503, share: 0% -> 17% of users, target: buy }
- { respond: 503, share: { curve: [[0s, 1%], [30s, 40%]], of: connections } }
- { respond: 500, share: 1/2000, target: see }
- blackhole: {}
- { blackhole: {}, share: 5% }",
    );

    let shares: Vec<String> =
        scenario.phases[0].faults.iter().map(|entry| entry.share.show()).collect();
    let expected = [
        "0% -> 17% of users",
        "1% ~> 40% of connections",
        "0.05% of requests",
        "100% of connections",
        "5% of connections",
    ];
    assert_eq!(shares, expected);
}

#[test]
fn slices_take_over_what_stands_beside_their_one_of() {
    let scenario = with_faults(
        "- one_of:
    - { respond: 500, share: 10% of users }
    - { hang: {}, share: 5% of users, target: see }
  target: buy
  cohort: some
  pattern: { every: 10s, on: 3s }
- { latency: 1s, cohort: some, share: 3% of users }",
    );

    let faults = &scenario.phases[0].faults;
    assert_eq!((faults[0].group, faults[1].group, faults[2].group), (Some(0), Some(0), None));
    assert_eq!((&faults[0].targets[..], &faults[1].targets[..]), (&[0][..], &[1][..]));
    assert!(faults[..2].iter().all(|entry| entry.cohort.as_deref() == Some("some")));
    assert!(faults[..2].iter().all(|entry| entry.pattern.is_some()));
}

#[test]
fn times_count_by_operation_unless_told_otherwise() {
    let scenario = with_faults(
        "- { respond: 503, times: 2 }
- { respond: 500, times: { first: 3, per: user } }",
    );
    let times: Vec<_> = scenario.phases[0].faults.iter().filter_map(|entry| entry.times).collect();
    let expected = [Times { first: 2, per: Per::Operation }, Times { first: 3, per: Per::User }];
    assert_eq!(times, expected);
}

#[test]
fn every_expectation_can_be_written() {
    let scenario = read(
        "name: x
phases: [{ name: a, for: 1m, faults: [{ respond: 503, share: 50% }] }]
impact: { per_minute: 10, currency: EUR }
confidence: { level: 95%, min_operations: 30 }
expect:
  - goodput_ratio: 80%
  - jitter: 0.1
  - retry_amplification: { max: 1.5x, phase: a, client: app }
  - request_timeout: [1s, 10s]
  - request_timeout: { min: 1s }
  - max_attempts: 3
  - respects_retry_after: yes
  - backoff: { is: growing, phase: a }
  - circuit_breaker: { opens_within: 20s, after_failures: 5 }
  - uses_fallback: /cached/**
  - revenue_at_risk: 50000
",
    );

    let limits: Vec<&str> = scenario.expect.iter().map(|e| e.limit.as_str()).collect();
    let expected = [
        "80%",
        "0.1",
        "1.5x",
        "1s to 10s",
        "at least 1s",
        "3",
        "true",
        "growing",
        "opens_within 20s, after_failures 5",
        "/cached/**",
        "50000",
    ];
    assert_eq!(limits, expected);
    assert_eq!(scenario.confidence.and_then(|c| c.min_operations), Some(30));
}

#[test]
fn the_explanation_of_unknown_expectations_lists_all_there_are() {
    let page = crate::diag::Code::E0601.explanation().text;
    for term in vocabulary::VOCABULARY {
        assert!(page.contains(&format!("`{}`", term.name)), "{}", term.name);
    }
}

fn shown(scenario: &Scenario) -> Vec<String> {
    scenario.touched(0).iter().map(Touched::show).collect()
}

#[test]
fn independent_faults_touch_24_percent_and_1_percent_twice() {
    let scenario = with_faults("- { latency: 1s, share: 20% }\n- { respond: 503, share: 5% }");
    assert_eq!(shown(&scenario), ["24.0 % of requests touched, 1.0 % twice"]);
}

#[test]
fn slices_add_up_and_are_never_hit_twice() {
    let scenario = with_faults(
        "- one_of:\n    - { latency: 1s, share: 20% of users }\n    - { respond: 503, share: 5% of users }",
    );
    assert_eq!(shown(&scenario), ["25.0 % of users touched"]);
}

#[test]
fn a_cohort_is_hit_by_all_its_faults() {
    let scenario = with_faults(
        "- { latency: 1s, share: 20% of users, cohort: x }\n- { respond: 503, share: 5% of users, cohort: x }",
    );
    assert_eq!(shown(&scenario), ["20.0 % of users touched, 5.0 % twice"]);
}

#[test]
fn each_target_has_a_rate_of_its_own_and_the_rest_another() {
    let scenario = with_faults(
        "- { latency: 1s, share: 10%, target: buy }
- { respond: 503, share: 10%, target: [buy, see] }
- { truncate: { after: 50% }, share: 0.0001% of users }",
    );
    let touched = scenario.touched(0);
    assert_eq!(touched.iter().map(|t| t.target).collect::<Vec<_>>(), [Some(0), Some(1), None]);
    assert!((touched[0].once.1 - 0.19).abs() < 1e-5);
    assert!((touched[1].once.1 - 0.10).abs() < 1e-5);
    assert_eq!(touched[2].show(), "0.0001 % of users touched");
}

#[test]
fn a_share_that_moves_touches_a_range() {
    let scenario = with_faults("- { respond: 503, share: 0% -> 17% of users, times: 1 }");
    let text = "0.0 to 17.0 % of users touched, until its `times` are used up";
    assert_eq!(shown(&scenario), [text]);
}

/// Its SYN loss acts while a connection is made, but its bytes know their user.
#[test]
fn what_follows_from_the_load_is_no_share() {
    let faults = "{ rate_limit: 10/s }, { overload: 10/s }";
    let alone = format!("name: a\nphases: [{{ name: a, for: 1m, faults: [{faults}] }}]\n");
    assert_eq!(shown(&read(&alone)), ["requests touched by load alone"]);
    let more = alone.replace("10/s }]", "10/s }, { respond: 503, share: 5% }]");
    assert_eq!(shown(&read(&more)), ["5.0 % of requests touched, more by load"]);
}

#[test]
fn packet_loss_may_hit_a_share_of_users_even_if_it_loses_syns() {
    let scenario = with_faults(
        "- { packet_loss: { rate: 2%, syn: 'linux6.5' }, share: 17% of users }\n- { packet_loss: 1% }",
    );
    let shares: Vec<String> =
        scenario.phases[0].faults.iter().map(|entry| entry.share.show()).collect();
    assert_eq!(shares, ["17% of users", "100% of connections"]);
}
