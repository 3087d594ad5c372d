//! What must hold of every play for a judge to be held against it: closed forms, the clients' own
//! timers as the proxy sees them, and nothing that gives the answer away.

use crate::{
    cell::{Cell, Operation, Played},
    count::{BASE, FAULT_END, amplification},
    expected::SEED,
};
use firedrill::{demo::Kind, diag::Problems, event::Event};
use std::{collections::BTreeSet, time::Duration};

/// Operations that began in the fault, and long enough before its end to have been given up in it.
fn given_up(played: &Played) -> Vec<Operation> {
    let range = Duration::from_secs_f64(BASE)..Duration::from_secs_f64(FAULT_END - 60.0);
    let operations = played.truth.operations().into_iter();
    operations.filter(|operation| range.contains(&operation.first)).collect()
}

#[test]
fn when_everything_fails_each_operation_takes_all_attempts_there_are() {
    for (client, pages, purchases) in [("expnoj", 6, 1), ("layered", 9, 9)] {
        let operations = given_up(&Cell::new(client, "amazon").play(SEED));
        assert!(operations.len() > 1_000, "{client}: {}", operations.len());
        for operation in operations {
            let n = if operation.kind == Kind::Purchase { purchases } else { pages };
            assert_eq!((operation.attempts, operation.success), (n, Some(false)), "{client}");
        }
    }
}

#[test]
fn when_a_part_fails_attempts_are_a_geometric_series() {
    for (client, n) in [("doublebuy", 3), ("fulljitter", 4), ("layered", 9)] {
        let played = Cell::new(client, "cut").play(SEED);
        let f: f64 = 0.3;
        let expected = (1.0 - f.powi(n)) / (1.0 - f);
        let counted = amplification(&played, BASE..FAULT_END);
        // 2,200 operations, each of a standard deviation of 0.8 at most: four standard errors.
        assert!((counted - expected).abs() < 0.07, "{client}: {counted} {expected}");
    }
}

#[test]
fn the_proxy_sees_when_a_client_loses_patience_to_the_millisecond() {
    for (client, timeout) in [("oneshot", Some(5_000)), ("naive", None)] {
        let played = Cell::new(client, "blackhole").play(SEED);
        let held = played.exchanges().filter(|exchange| {
            let at = exchange.t_head as f64 / 1e6;
            (BASE..FAULT_END - 10.0).contains(&at)
        });
        let waits: BTreeSet<Option<u64>> = held
            .map(|held| {
                (held.t_client_gone > 0).then(|| (held.t_client_gone - held.t_head) / 1_000)
            })
            .collect();
        assert_eq!(waits, BTreeSet::from([timeout]), "{client}");
    }
}

#[test]
fn a_poller_is_no_retrier() {
    for scenario in ["amazon", "blackhole"] {
        let played = Cell::new("poller", scenario).play(SEED);
        let operations = played.truth.operations();
        assert!(operations.len() > 900, "{}", operations.len());
        assert!(operations.iter().all(|operation| operation.attempts == 1));
        let seen: BTreeSet<u64> = played
            .exchanges()
            .filter_map(|exchange| exchange.detail.as_ref())
            .map(|detail| detail.fingerprint)
            .collect();
        // All its requests are alike, but for the user.
        assert_eq!(seen.len(), 12);
    }
}

#[test]
fn who_was_told_when_to_come_back_comes_then_or_does_not() {
    for (client, soonest) in [("retry-after-exact", 16.0), ("fulljitter", 15.0), ("doublebuy", 0.0)]
    {
        let played = Cell::new(client, "amazon_ra").play(SEED);
        let waits = played.truth.users.iter().flat_map(|user| {
            let mut waits = Vec::new();
            for (at, attempt) in user.log.iter().enumerate() {
                let next = user.log[at + 1..].iter().find(|n| n.operation == attempt.operation);
                waits.extend(next.map(|next| next.at.as_secs_f64() - attempt.at.as_secs_f64()));
            }
            waits
        });
        let least = waits.fold(f64::INFINITY, f64::min);
        assert!((soonest..soonest + 0.5).contains(&(least + 0.001)), "{client}: {least}");
    }
}

#[test]
fn a_pool_that_keeps_the_dead_never_comes_back_from_a_network_that_was_gone() {
    let played = Cell::new("stale-pool", "blackhole").play(SEED);
    let late = played.exchanges().filter(|x| x.t_head as f64 / 1e6 > FAULT_END + 10.0);
    assert!(played.exchanges().count() > 1_000);
    assert_eq!(late.count(), 0);
}

#[test]
fn where_nothing_is_read_attempts_are_connections() {
    let played = Cell::new("oneshot", "firewall").play(SEED);
    let silent = played.events.iter().filter(|event| match event {
        Event::Connection(connection) => connection.accepted as f64 / 1e6 >= BASE,
        _ => false,
    });
    let exchanges = played
        .exchanges()
        .filter(|exchange| (BASE + 1.0..FAULT_END - 6.0).contains(&(exchange.t_head as f64 / 1e6)));
    let (silent, read) = (silent.count(), exchanges.count());
    assert!(silent > 1_800 && read == 0, "{silent} {read}");
}

#[test]
fn nothing_that_is_recorded_says_which_attempts_belong_together() {
    let played = Cell::new("doublebuy", "cut").play(SEED);
    for exchange in played.exchanges() {
        let detail = exchange.detail.as_ref().expect("it is there for the judge");
        assert_eq!((&detail.keys.operation, &detail.keys.idempotency), (&None, &None));
        assert_eq!(detail.agent.as_deref(), Some("firedrill-doublebuy/1"));
    }
    let users: BTreeSet<u64> = played.exchanges().map(|exchange| exchange.user).collect();
    assert_eq!(users.len(), 12);
    assert_eq!(played.scenario.phases.len(), 3);
}

#[test]
fn the_same_seed_plays_the_same_and_another_does_not() {
    let play = |seed| {
        let played = Cell::new("breaker", "amazon").play(seed);
        let mut times: Vec<(u64, u64)> =
            played.exchanges().map(|exchange| (exchange.t_head, exchange.t_end)).collect();
        times.sort_unstable();
        times
    };
    let first = play(1);
    assert!(first == play(1));
    assert!(first != play(2));
}

#[test]
fn every_scenario_is_one_that_firedrill_has_nothing_to_say_about() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdict/scenarios");
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("scenarios") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let mut problems = Problems::default();
        let source = firedrill::diag::Source::new(path.display().to_string(), text);
        let scenario = firedrill::scenario::Scenario::read(&source, None, &mut problems);
        assert!(scenario.is_some() && problems.is_empty(), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 10);
}
