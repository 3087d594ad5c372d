//! What plots are drawn from.

use crate::drill::{SHOP, Telling, Told, shop};
use firedrill::{
    event::Upstream,
    verdict::{picture::latency_from, stats::Shape},
};

#[test]
fn outcomes_and_latencies_lack_no_attempt() {
    let drill = shop(SHOP);
    let pictures = &drill.verdict.pictures;

    let all = drill.summary().observations.exchanges;
    let counted = |counts: &mut dyn Iterator<Item = u32>| counts.map(u64::from).sum::<u64>();
    let outcomes = pictures.outcomes.as_ref().expect("outcomes");
    assert_eq!(counted(&mut outcomes.counts().iter().flatten().copied()), all);
    let latencies = pictures.latencies.as_ref().expect("latencies");
    assert_eq!(counted(&mut latencies.counts().iter().flatten().copied()), all);
    // All took 5 ms.
    let row = latencies.counts()[0].iter().position(|count| *count > 0).expect("some");
    assert!((latency_from(row)..latency_from(row + 1)).contains(&0.005), "{row}");
}

#[test]
fn the_worst_operation_is_the_one_that_was_done_twice_with_both_answers() {
    let drill = shop(SHOP);
    let worst = drill.verdict.pictures.worst.as_ref().expect("a worst one");

    assert!(worst.is_duplicate, "four attempts are not as bad: {worst:?}");
    assert_eq!((worst.client.as_str(), worst.route.as_str()), ("naive", "POST /purchase/*"));
    assert_eq!((worst.count, worst.accepted), (2, 2));
    let [lost, again] = &worst.steps[..] else { panic!("{worst:?}") };
    assert_eq!(lost.dealt, "lose_response:purchase");
    assert_eq!((lost.status, lost.upstream), (0, Upstream::Status(201)));
    assert_eq!((again.status, again.dealt.as_str()), (201, ""));
    assert!(lost.made.is_some() && lost.made != again.made);
    let wait = again.wait.expect("a wait").as_secs_f64();
    assert!((wait - 0.195).abs() < 0.001, "{wait}");
    assert!(drill.verdict.pictures.duplicates.iter().all(|story| story.accepted == 2));
    assert_eq!(drill.verdict.pictures.duplicates.len(), 5);
}

/// A detector does not count it either.
#[test]
fn what_two_users_of_one_name_want_in_calm_is_not_the_worst_operation() {
    let mut telling = Telling::of(SHOP);
    telling.edge(Some(0), 0.0);
    for at in [1.0, 1.001] {
        let bought = Told { status: Some(201), took: 2.0, ..Told::purchase(at, 1) };
        telling.attempt(Some(0), &bought);
    }
    telling.edge(Some(1), 60.0);
    telling.attempt(Some(1), &Told::get(61.0, 2).failing(503));
    telling.edge(None, 240.0);
    let pictures = telling.over().verdict.pictures;

    assert_eq!(pictures.worst.map(|worst| worst.route).as_deref(), Some("GET /items/*"));
    assert_eq!(pictures.duplicates, []);
}

#[test]
fn waits_are_sampled_and_have_their_shape() {
    let drill = shop(SHOP);
    let [naive] = &drill.verdict.pictures.waits[..] else {
        panic!("only one client tried again: {:?}", drill.verdict.pictures.waits)
    };

    assert_eq!(naive.client, "naive");
    assert!(naive.sample.len() <= 300 && naive.operations >= 300, "{}", naive.operations);
    let shape = naive.shape.as_ref().expect("a shape");
    assert_eq!(shape.shape, Shape::Exponential, "{shape:?}");
}

#[test]
fn attempts_per_operation_are_counted_under_faults_and_by_client() {
    let drill = shop(SHOP);
    let tries = &drill.verdict.pictures.tries;
    let of = |client: &str| tries.iter().find(|tries| tries.client == client).expect("a client");

    // Two minutes, five purchases a second, one of five of which is lost.
    assert_eq!(of("naive").operations[..5], [0, 120, 0, 480, 0]);
    assert_eq!(of("careful").operations[1..].iter().sum::<u64>(), 0);
}

#[test]
fn arrivals_are_told_around_the_end_of_the_faults() {
    let drill = shop(SHOP);
    let recovery = drill.verdict.pictures.recovery.as_ref().expect("a recovery");

    assert!((recovery.at as f64 / 1e6 - 180.0).abs() < 0.1, "{}", recovery.at);
    assert!((recovery.arrivals.len() as f64 - 601.0).abs() < 3.0, "{}", recovery.arrivals.len());
    // Twenty reads and five purchases a second.
    let calm = recovery.calm.expect("calm");
    assert!((calm - 2.5).abs() < 0.1, "{calm}");
}
