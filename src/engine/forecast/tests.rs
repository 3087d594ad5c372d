//! A forecast is checked against what the injector of a run deals.

use super::*;
use crate::{
    diag::{Problems, Source},
    dice::{Seed, key},
    engine::{ConnKey, Injector, Run},
    event::Recorder,
    fault::{Stage, catalog::Protocol},
    select::User,
};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

/// One phase of a minute with these faults.
fn scenario(faults: &[&str]) -> Arc<Scenario> {
    let list = faults.iter().map(|fault| format!("      - {{ {fault} }}")).collect::<Vec<_>>();
    let list = list.join("\n");
    let text = format!(
        "name: x\ntargets: {{ buy: {{ path: /buy }}, look: {{ path: /look }} }}\n\
         phases:\n  - {{ name: calm, for: 1m }}\n  - name: bad\n    for: 1m\n    faults:\n{list}\n"
    );
    read(&text)
}

fn read(text: &str) -> Arc<Scenario> {
    let mut problems = Problems::default();
    let scenario = Scenario::read(&Source::new("x.yaml", text), None, &mut problems);
    assert!(!problems.has_errors(), "{problems:?}");
    Arc::new(scenario.expect("a scenario"))
}

fn play() -> Play {
    Play::with_seed(Seed(7))
}

fn forecast(scenario: &Scenario) -> Forecast {
    let users = Arc::new(scenario.users.clone());
    let site = Site { name: Site::ONLY.into(), protocol: Protocol::Http, tls: true, users };
    Forecast::new(scenario, &play(), &site)
}

/// What is forecast of the bad phase for somebody, `elapsed` into it.
fn at(faults: &[&str], user: u64, targets: u64, elapsed: Duration) -> Option<f64> {
    forecast(&scenario(faults)).fails(user, targets, 1, elapsed)
}

fn user(number: u64) -> u64 {
    key(&number.to_le_bytes())
}

fn all(faults: &[&str]) -> Option<f64> {
    at(faults, user(1), 0b01, 10 * SECOND)
}

fn is_near(found: Option<f64>, wanted: f64) -> bool {
    found.is_some_and(|found| (found - wanted).abs() < 1e-9)
}

/// Whether a user's `nth` request is denied by what the injector deals at its end.
fn is_dealt(injector: &Injector, user: u64, nth: u64) -> bool {
    let conn = ConnKey { peer: 1, nth };
    let mut ticket = injector.open(User { key: user, source: 0 }, nth, 0b01, 0, conn);
    !ticket.ask(Stage::End).is_empty()
}

/// A run of `scenario` that stands `elapsed` into its bad phase.
fn run(scenario: &Arc<Scenario>, elapsed: Duration) -> Run {
    let mut play = play();
    play.start_at = 60 * SECOND + elapsed;
    play.wait_for_traffic = true;
    let run = Run::start(Arc::clone(scenario), &play, Arc::new(Recorder::new(10, false)));
    run.injector().notice_traffic();
    run
}

#[tokio::test(start_paused = true)]
async fn those_who_are_hit_are_those_who_are_forecast() {
    let elapsed = 20 * SECOND;
    for faults in [
        &["respond: 503, share: 17% of users"][..],
        &[
            "hang: {}, share: 5% -> 50% of users, cohort: sad",
            "reset: request, share: 20% of users",
        ],
        &["one_of: [{ respond: 500, share: 10% of users }, { hang: {}, share: 30% of users }]"],
        &["respond: 503, share: 30% of users, target: look", "hang: {}, share: 9% of users"],
    ] {
        let scenario = scenario(faults);
        let (run, forecast) = (run(&scenario, elapsed), forecast(&scenario));
        let injector = run.injector();
        let mut hit = 0;
        for number in 0..1_000 {
            let dealt = is_dealt(&injector, user(number), 1);
            let told = forecast.fails(user(number), 0b01, 1, elapsed);
            assert_eq!(told, Some(f64::from(u8::from(dealt))), "{faults:?}: user {number}");
            hit += u32::from(dealt);
        }
        assert!((50..500).contains(&hit), "{faults:?}: {hit}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_are_hit_as_often_as_is_forecast() {
    let elapsed = 20 * SECOND;
    for faults in [
        &["respond: 503, share: 17%"][..],
        &["respond: 503, share: 20%", "hang: {}, share: 30%"],
        // One draw for both, so the larger includes the smaller.
        &["respond: 503, share: 20%, cohort: one", "hang: {}, share: 30%, cohort: one"],
        &["one_of: [{ respond: 500, share: 20% }, { hang: {}, share: 30% }]"],
        &["hang: {}, share: 0% -> 60% of connections"],
    ] {
        let scenario = scenario(faults);
        let run = run(&scenario, elapsed);
        let injector = run.injector();
        let hit = (0..20_000).filter(|nth| is_dealt(&injector, user(1), *nth)).count();
        let told = forecast(&scenario).fails(user(1), 0b01, 1, elapsed).expect("known");
        let off = (hit as f64 / 20_000.0 - told).abs();
        let sigma = (told * (1.0 - told) / 20_000.0).sqrt();
        assert!(off < 4.0 * sigma, "{faults:?}: {hit} of 20000, forecast {told}");
    }
}

#[test]
fn several_faults_let_pass_what_all_let_pass() {
    assert!(is_near(all(&["respond: 503, share: 20%", "hang: {}, share: 30%"]), 0.44));
    let cohort = ["respond: 503, share: 20%, cohort: a", "hang: {}, share: 30%, cohort: a"];
    assert!(is_near(all(&cohort), 0.3));
    assert!(is_near(
        all(&["one_of: [{ respond: 500, share: 20% }, { hang: {}, share: 30% }]"]),
        0.5
    ));
    assert!(is_near(all(&["respond: 503, share: 20%", "hang: {}"]), 1.0));
}

#[test]
fn what_serves_late_or_otherwise_denies_nothing() {
    for fault in ["latency: 300ms", "packet_loss: 5%", "respond: 200", "slice: 100B", "corrupt: 1%"]
    {
        assert!(is_near(all(&[fault]), 0.0), "{fault}");
    }
    assert!(is_near(at(&["hang: {}, target: look"], user(1), 0b01, SECOND), 0.0), "another target");
    let hang = scenario(&["hang: {}"]);
    assert!(is_near(forecast(&hang).fails(1, 0, 0, SECOND), 0.0), "another phase");
    assert!(is_near(forecast(&hang).fails(1, 0, 9, SECOND), 0.0), "no phase");
}

#[test]
fn what_denies_all_denies_each() {
    for fault in [
        "respond: 503",
        "hang: {}",
        "reset: request",
        "reset: connect",
        "refuse: {}",
        "unreachable: {}",
        "blackhole: {}",
        "lose_response: reset",
        "lose_response: 502",
        "truncate: 50%",
        "malformed: garbage",
    ] {
        assert!(is_near(all(&[fault]), 1.0), "{fault}");
    }
}

#[test]
fn what_hangs_on_others_is_not_known_unless_it_makes_no_difference() {
    let others = [
        "rate_limit: 10/s",
        "overload: { capacity: 200/s, queue: 100 }",
        "truncate: 10KiB",
        "hang: {}, times: { first: 2, per: operation }",
    ];
    for fault in others {
        assert_eq!(all(&[fault]), None, "{fault}");
        assert!(is_near(all(&[fault, "reset: request"]), 1.0), "{fault}");
        let (nobody, elsewhere) = (format!("{fault}, share: 0%"), format!("{fault}, target: look"));
        assert!(is_near(all(&[&elsewhere]), 0.0), "{fault}");
        assert!(is_near(all(&[&nobody]), 0.0), "{fault}");
    }
}

#[test]
fn patterns_and_shares_move_with_the_phase() {
    let flaps =
        |seconds| at(&["hang: {}, pattern: { every: 10s, on: 3s }"], 1, 0, seconds * SECOND);
    let found: Vec<_> =
        [0, 2, 3, 9, 10, 13].into_iter().map(|s| flaps(s).expect("known")).collect();
    assert_eq!(found, [1.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    let ramp = |seconds| at(&["hang: {}, share: 0% -> 60%"], 1, 0, seconds * SECOND);
    assert!(is_near(ramp(0), 0.0) && is_near(ramp(20), 0.2) && is_near(ramp(45), 0.45));
}

fn edge(phase: Option<usize>, planned: u64) -> PhaseEdge {
    let planned = Duration::from_millis(planned);
    PhaseEdge { phase, planned, actual: planned + Duration::from_millis(5) }
}

#[test]
fn a_flawed_handshake_denies_unless_it_only_takes_its_time() {
    for (fault, wanted) in [
        ("tls: expired", 1.0),
        ("tls: stall, share: 30% of connections", 0.3),
        ("tls: { stall: 3s }", 0.0),
        ("tls: no_close_notify", 0.0),
    ] {
        assert!(is_near(all(&[fault]), wanted), "{fault}: {:?}", all(&[fault]));
    }
}

#[test]
fn a_time_is_told_from_the_edges_as_they_were_played() {
    let scenario = scenario(&["hang: {}, share: 0% -> 60%"]);
    let site = Site {
        name: Site::ONLY.into(),
        protocol: Protocol::Http,
        tls: false,
        users: Arc::new(scenario.users.clone()),
    };
    // Ten times as fast, from the middle of the calm, after waiting for a second.
    let speed = Speed::new(10.0).expect("a speed");
    let play = Play { speed, start_at: 30 * SECOND, ..play() };
    let forecast = Forecast::new(&scenario, &play, &site);
    let edges = [edge(Some(0), 1_000), edge(Some(1), 4_000), edge(None, 10_000)];
    let position = |millis| forecast.position(&edges, Duration::from_millis(millis));
    assert_eq!(position(999), None, "it waits");
    assert_eq!(position(2_000), Some((0, 40 * SECOND)));
    assert_eq!(position(3_999).map(|(phase, _)| phase), Some(0));
    assert_eq!(position(4_000), Some((1, Duration::ZERO)), "by plan, not when it was told");
    assert_eq!(position(7_000), Some((1, 30 * SECOND)));
    assert_eq!(position(10_000), None, "over");
    let fails = |millis| forecast.fails_at(&edges, 1, 0, Duration::from_millis(millis));
    assert!(
        is_near(fails(7_000), 0.3) && is_near(fails(2_000), 0.0) && is_near(fails(11_000), 0.0)
    );
    // A clock that stood: it goes no further than the phase.
    let stood = [edge(Some(0), 1_000), edge(Some(1), 90_000)];
    let at = forecast.position(&stood, Duration::from_secs(60));
    assert_eq!(at, Some((0, Duration::from_nanos(59_999_999_999))));
}
