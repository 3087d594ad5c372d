//! apple-icloud-2013-08-21: 17 % of users cannot buy, five services are silent.

use crate::{
    crowd::{ask_all, hear_all, is_near, send_all, those, users},
    drill::Drill,
    support::client::{Ask, End, Met, PATIENCE},
};
use std::{collections::BTreeSet, time::Duration};

const SERVICES: [&str; 5] =
    ["/imessage/inbox", "/photo-stream/1", "/documents/1", "/backup/1", "/journals/1"];

fn buy(_user: &str) -> Ask {
    Ask::post("/purchase/song", "{}")
}

fn is_refused(met: &Met) -> bool {
    assert!(met.is_ok() || met.status == 503, "neither bought nor refused: {met:?}");
    if met.status == 503 {
        assert_eq!(met.header("retry-after"), Some("30"));
    }
    met.status == 503
}

#[test]
fn one_user_in_six_cannot_buy_and_it_is_always_the_same_ones() {
    let users = users(650);
    let drill = Drill::held("apple-icloud-2013-08-21");
    let refused = |users: &[String]| those(drill.address, users, buy, is_refused);

    drill.hold_at("before", 0.5);
    assert_eq!(refused(&users[..50]), BTreeSet::new());
    let mut cohorts = Vec::new();
    for (part, share) in [(0.3, 0.051), (0.8, 0.136)] {
        drill.hold_at("onset", part);
        cohorts.push(refused(&users));
        is_near(cohorts[cohorts.len() - 1].len(), users.len(), share);
    }
    drill.hold_at("outage", 0.001);
    let bought = drill.upstream.seen().len();
    let out = refused(&users);
    is_near(out.len(), users.len(), 0.17);
    // Who is refused does not reach the service, and everybody else does.
    assert_eq!(drill.upstream.seen().len() - bought, users.len() - out.len());
    assert!(cohorts[0].is_subset(&cohorts[1]) && cohorts[1].is_subset(&out), "a ramp only adds");
    // Browsing is fine, also for whoever cannot buy.
    let browsing = |user: &str| Ask::get(format!("/browse/{user}"));
    assert_eq!(those(drill.address, &users[..100], browsing, |met| !met.is_ok()), BTreeSet::new());
    // Nobody is helped by trying again, not after an hour either.
    let those_out: Vec<String> = out.iter().cloned().collect();
    assert_eq!(refused(&those_out), out);
    drill.hold_at("outage", 0.999);
    assert_eq!(refused(&users), out);

    drill.hold_at("after", 0.1);
    assert_eq!(refused(&users[..50]), BTreeSet::new());
    assert_eq!(refused(&those_out), BTreeSet::new());
    drill.end();
}

/// Silence is no error: nothing comes while the outage lasts, and an answer when it is over.
#[test]
fn five_services_are_silent_until_the_outage_is_over() {
    let asks: Vec<Ask> = SERVICES
        .iter()
        .flat_map(|path| users(4).into_iter().map(|user| Ask::get(*path).user(&user)))
        .collect();
    let drill = Drill::held("apple-icloud-2013-08-21");

    drill.hold_at("before", 0.5);
    assert!(ask_all(drill.address, &asks).iter().all(Met::is_ok));
    let answered = drill.upstream.seen().len();
    drill.hold_at("onset", 0.1);
    let mut early = send_all(drill.address, &asks);
    drill.hold_at("outage", 0.5);
    let mut late = send_all(drill.address, &asks);
    for held in [&mut early, &mut late] {
        let heard = hear_all(held, Duration::from_millis(500));
        assert!(heard.iter().all(|met| met.end == End::Silent && met.status == 0), "{heard:?}");
    }
    assert_eq!(drill.upstream.seen().len(), answered, "none of it reached the service");

    drill.hold_at("after", 0.1);
    for held in [&mut early, &mut late] {
        assert!(hear_all(held, PATIENCE).iter().all(Met::is_ok), "it does not let go");
    }
    drill.end();
}
