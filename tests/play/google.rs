//! google-2013: everything fails for five minutes, and comes back within eleven.

use crate::{
    crowd::{ask_all, is_near, users},
    drill::Drill,
    support::client::{Ask, End, Met},
};

/// Everybody's search, once, and how many met an error or a reset.
fn failures(drill: &Drill, asks: &[Ask]) -> (usize, usize) {
    let met = ask_all(drill.address, asks);
    let count = |what: &dyn Fn(&Met) -> bool| met.iter().filter(|met| what(met)).count();
    let errors = count(&|met| met.end == End::Whole && met.status == 502);
    let resets = count(&|met| met.end == End::Reset && met.status == 0);
    let well = count(&Met::is_ok);
    assert_eq!(errors + resets + well, asks.len(), "something else came to somebody: {met:?}");
    (errors, resets)
}

#[test]
fn everything_fails_and_then_less_and_less() {
    let asks: Vec<Ask> = users(600).iter().map(|user| Ask::get("/search").user(user)).collect();
    let drill = Drill::held("google-2013");

    drill.hold_at("before", 0.9);
    assert_eq!(failures(&drill, &asks[..50]), (0, 0));
    let reached = drill.upstream.seen().len();
    for part in [0.01, 0.99] {
        drill.hold_at("outage", part);
        let (errors, resets) = failures(&drill, &asks);
        assert_eq!(errors + resets, asks.len(), "somebody got through");
        is_near(resets, asks.len(), 0.1);
    }
    assert_eq!(drill.upstream.seen().len(), reached, "somebody got through");

    let mut left = Vec::new();
    for part in [0.05, 0.5, 0.9] {
        drill.hold_at("return", part);
        let (errors, resets) = failures(&drill, &asks);
        // 3 % are reset and 30 % of the others get an error, both falling to nothing.
        let (reset, error) = (0.03 * (1.0 - part), 0.3 * (1.0 - part));
        is_near(resets, asks.len(), reset);
        is_near(errors, asks.len(), (1.0 - reset) * error);
        left.push(errors + resets);
    }
    assert!(left.is_sorted_by(|a, b| a > b), "it is to fall: {left:?}");
    drill.hold_at("after", 0.01);
    assert_eq!(failures(&drill, &asks[..200]), (0, 0));
    drill.end();
}
