//! microsoft-2013: everything fails, and the users are let back in, route by route, over three
//! days.

use crate::{
    crowd::{ask_all, hear_all, is_near, send_all, those, users},
    drill::Drill,
    support::client::{Ask, End, Met},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const ROUTES: [&str; 7] = [
    "/account/me",
    "/messenger/1",
    "/calendar/1",
    "/mail/inbox",
    "/people/1",
    "/files/1",
    "/sync/1",
];

/// Where the drill is held, and the share of users that each route is closed to there. The return
/// is linear: half-way between 40 % and 3 % it is 21.5 %.
const RETURN: [(&str, f64, [f64; 7]); 4] = [
    ("block", 0.5, [0.5, 0.5, 0.5, 0.7, 0.7, 1.0, 1.0]),
    ("second-day", 0.5, [0.0, 0.0, 0.0, 0.215, 0.215, 0.55, 0.75]),
    ("third-day", 0.5, [0.0, 0.0, 0.0, 0.015, 0.015, 0.05, 0.25]),
    ("after", 0.1, [0.0; 7]),
];

fn is_out(met: &Met, route: &str) -> bool {
    assert!(met.is_ok() || met.status == 503, "{route}: {met:?}");
    met.status == 503
}

#[test]
fn whoever_is_let_back_in_stays_in() {
    let users = users(150);
    let drill = Drill::held("microsoft-2013");
    drill.hold_at("before", 0.9);
    let mut out: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for route in ROUTES {
        let closed =
            those(drill.address, &users[..20], |_| Ask::get(route), |met| is_out(met, route));
        assert_eq!(closed, BTreeSet::new(), "{route}");
        out.insert(route, users.iter().cloned().collect());
    }
    for (phase, part, shares) in RETURN {
        drill.hold_at(phase, part);
        for (route, share) in ROUTES.into_iter().zip(shares) {
            let closed = those(
                drill.address,
                &users,
                |_| Ask::get(route),
                |met| {
                    // The block is deliberate, and says when to come back; the first errors do not.
                    let after = (route == "/sync/1" && met.status == 503).then_some("120");
                    assert_eq!(met.header("retry-after"), after, "{route} in `{phase}`");
                    is_out(met, route)
                },
            );
            is_near(closed.len(), users.len(), share);
            assert!(
                closed.is_subset(&out[route]),
                "{route} is closed again to somebody in `{phase}`"
            );
            out.insert(route, closed);
        }
        // The three of the first day share one fate.
        assert!(
            out["/account/me"] == out["/messenger/1"] && out["/account/me"] == out["/calendar/1"]
        );
        let others = ask_all(drill.address, &[Ask::get("/elsewhere").user("user-1")]);
        assert!(others[0].is_ok(), "a route that the outage is not about");
    }
    drill.end();
}

#[test]
fn in_the_flood_everything_fails_and_a_fifth_hangs() {
    let asks: Vec<Ask> = ROUTES
        .iter()
        .flat_map(|route| users(40).into_iter().map(|user| Ask::get(*route).user(&user)))
        .collect();
    let drill = Drill::held("microsoft-2013");
    drill.hold_at("flood", 0.5);
    let reached = drill.upstream.seen().len();
    let mut flood = send_all(drill.address, &asks);
    // An answer that comes at all comes at once: two seconds is a hundred times as long as the
    // slowest takes on a machine with other things to do.
    let met = hear_all(&mut flood, Duration::from_secs(2));

    let hung = met.iter().filter(|met| met.end == End::Silent).count();
    is_near(hung, asks.len(), 0.2);
    let answered: Vec<&Met> = met.iter().filter(|met| met.end != End::Silent).collect();
    assert!(answered.iter().all(|met| met.end == End::Whole && met.status == 503), "{answered:?}");
    assert!(answered.iter().all(|met| met.header("retry-after").is_none()), "a bare 503");
    assert_eq!(drill.upstream.seen().len(), reached);
    drill.end();
}
