//! Calls of gRPC that were refused, and what a client's library sends again by itself.

use crate::verdict::{finding::Grade, fixture::Drill};

/// Forty operations in an outage, each refused so many times, so many seconds after each other, and then
/// served.
fn drill(refusals: u32, wait: f64, numbered: bool) -> Drill {
    let mut drill = Drill::new(10.0, 400.0, 60.0);
    drill.op(1.0).served();
    for at in 0..40 {
        let mut op = drill.op(11.0 + 5.0 * f64::from(at)).path("/shop.Orders/Buy");
        for nth in 0..refusals {
            if numbered && nth > 0 {
                op = op.counter(nth);
            }
            op = op.refused().after(wait);
        }
        if numbered {
            op = op.counter(refusals);
        }
        op.buys();
    }
    drill
}

#[test]
fn once_is_by_the_book() {
    let drill = drill(1, 0.001, false);
    let load = drill.finding("amplification");
    assert_eq!(load.grade, Grade::Pass, "{}", load.said);
    assert!(load.said.starts_with("1.00 attempts"), "{}", load.said);
    assert_eq!(drill.finding("backoff").grade, Grade::NotApplicable);
    assert_eq!(drill.finding("jitter").grade, Grade::NotApplicable);
    let duplicates = drill.finding("duplicates");
    assert_eq!(duplicates.figures["unsafe_resends"], 0, "{}", duplicates.said);
    assert_ne!(duplicates.grade, Grade::Fail, "{}", duplicates.said);
}

#[test]
fn over_and_over_at_once_is_a_storm() {
    let drill = drill(7, 0.001, false);
    let load = drill.finding("amplification");
    assert_eq!(load.grade, Grade::Fail, "{}", load.said);
    assert!(load.said.starts_with("7.00 attempts"), "{}", load.said);
    let backoff = drill.finding("backoff");
    assert!(backoff.grade == Grade::Fail, "{}", backoff.said);
    assert!(backoff.said.contains("40 operations"), "{}", backoff.said);
}

#[test]
fn what_has_a_number_or_waits_is_the_clients_own() {
    for drill in [drill(1, 0.001, true), drill(1, 0.3, false)] {
        let load = drill.finding("amplification");
        assert!(load.said.starts_with("2.00 attempts"), "{}", load.said);
        assert_ne!(drill.finding("backoff").grade, Grade::NotApplicable);
    }
}

/// The same is called twenty times a second in calm, so that a retry could be the next call; its number says
/// that it is none.
#[test]
fn a_numbered_attempt_is_linked_however_often_the_same_is_called() {
    let attempts = |number: u32| {
        let mut drill = Drill::new(20.0, 400.0, 60.0);
        for at in 0..390 {
            drill.op(0.05 * f64::from(at)).taking(0.01).path("/shop.Orders/Buy").buys();
        }
        for at in 0..40 {
            let op = drill.op(21.0 + 5.0 * f64::from(at)).path("/shop.Orders/Buy").counter(0);
            op.refused().counter(number).after(2.0).buys();
        }
        let said = drill.finding("amplification").said;
        let gates = drill.verdict().parts.swap_remove(0).gates;
        (said, gates.0.iter().all(|gate| gate.name != "linkable" || gate.holds))
    };
    let (said, is_linkable) = attempts(1);
    assert!(said.starts_with("2.00 attempts") && is_linkable, "{said}");
    let (said, is_linkable) = attempts(0);
    assert!(!said.starts_with("2.00 attempts") && !is_linkable, "{said}");
}
