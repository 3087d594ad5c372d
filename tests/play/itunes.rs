//! itunes-2013-08-28: 20 % of users cannot buy, for 3 hours and 26 minutes.

use crate::{
    crowd::{is_near, those, users},
    drill::Drill,
    support::client::{Ask, Met},
};
use std::collections::BTreeSet;

#[test]
fn one_user_in_five_cannot_buy_from_beginning_to_end() {
    let users = users(600);
    let drill = Drill::held("itunes-2013-08-28");
    let buy = |_: &str| Ask::post("/purchase/album", "{}");
    let refused = |users: &[String]| {
        those(drill.address, users, buy, |met| {
            assert!(met.is_ok() || met.status == 500, "{met:?}");
            if met.status == 500 {
                // It leaves open whether the card was charged, and when to come back.
                assert_eq!(met.header("content-type"), Some("text/html; charset=utf-8"));
                assert_eq!(met.header("retry-after"), None);
                let page = String::from_utf8_lossy(&met.body);
                assert!(page.contains("Your purchase could not be completed"), "{page}");
            }
            met.status == 500
        })
    };

    drill.hold_at("before", 0.9);
    assert_eq!(refused(&users[..50]), BTreeSet::new());
    drill.hold_at("outage", 0.0);
    let out = refused(&users);
    is_near(out.len(), users.len(), 0.2);
    let browsing = |_: &str| Ask::get("/purchase/album");
    let broken = those(drill.address, &users[..100], browsing, |met: &Met| !met.is_ok());
    assert_eq!(broken, BTreeSet::new(), "to look at it is not to buy it");
    for part in [0.5, 0.9999] {
        drill.hold_at("outage", part);
        assert_eq!(refused(&users), out, "at {part} of the outage");
    }
    drill.hold_at("after", 0.0);
    let those_out: Vec<String> = out.into_iter().collect();
    assert_eq!(refused(&those_out), BTreeSet::new(), "it ends in one step");
    drill.end();
}
