//! Whom a fault hits: chance that is the same for everybody who asks.

use crate::support::{Drill, OK, Setup, Upstream};
use firedrill::{
    engine::{ConnKey, Injector, Run},
    event::Recorder,
    fault::Stage,
    select::User,
};
use std::{collections::BTreeSet, sync::Arc, thread};

const USERS: u64 = 100_000;

/// A run without a proxy: whoever holds its injector may ask what would be dealt.
fn run(setup: &Setup) -> Run {
    setup.run(Arc::new(Recorder::new(10, false)))
}

/// Somebody's `nth` request, on a connection.
#[derive(Clone, Copy, Debug)]
struct Ask {
    user: u64,
    nth: u64,
    conn: u64,
    operation: u64,
}

impl Ask {
    fn of(user: u64) -> Self {
        // Users are known by hashes.
        let user = firedrill::dice::key(&user.to_le_bytes());
        Self { user, nth: 1, conn: 1, operation: 0 }
    }

    /// The names of the faults that hit at a stage.
    fn at(self, injector: &Injector, stage: Stage) -> Vec<String> {
        let user = User { key: self.user, source: 0 };
        let conn = ConnKey { peer: 1, nth: self.conn };
        let mut ticket = injector.open(user, self.nth, 0, self.operation, conn);
        ticket.ask(stage).iter().map(|dealing| dealing.dealt.fault.to_string()).collect()
    }

    fn hit(self, injector: &Injector) -> bool {
        !self.at(injector, Stage::End).is_empty()
    }
}

fn victims(setup: &Setup, users: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    let run = run(setup);
    let injector = run.injector();
    users.into_iter().filter(|user| Ask::of(*user).hit(&injector)).collect()
}

fn respond(share: &str) -> Setup {
    Drill::of(&[&format!("respond: 503, share: {share}")])
}

/// Four standard deviations of a share of `p` in `n` draws.
fn four_sigma(p: f64, n: u64) -> f64 {
    4.0 * (p * (1.0 - p) / n as f64).sqrt()
}

fn part(count: usize, of: u64) -> f64 {
    count as f64 / of as f64
}

#[tokio::test]
async fn seventeen_percent_of_users_are_seventeen_percent() {
    let hit = victims(&respond("17% of users"), 0..USERS);
    let part = part(hit.len(), USERS);
    assert!((part - 0.17).abs() < 0.004, "{part}");
}

#[tokio::test]
async fn a_user_meets_one_fate_in_every_request_connection_and_run() {
    let setup = respond("17% of users");
    let (one, other) = (run(&setup), run(&setup));
    for user in 0..500 {
        let fate = Ask::of(user).hit(&one.injector());
        for (nth, conn) in [(2, 1), (3, 7), (1_000, 99)] {
            let ask = Ask { nth, conn, ..Ask::of(user) };
            assert_eq!(ask.hit(&one.injector()), fate);
            assert_eq!(ask.hit(&other.injector()), fate);
        }
    }
}

#[tokio::test]
async fn another_seed_hits_others() {
    let setup = respond("17% of users");
    let one = victims(&setup, 0..USERS);
    let other = victims(&setup.clone().seed(8), 0..USERS);

    let both = part(one.intersection(&other).count(), USERS);
    assert!((both - 0.17 * 0.17).abs() < four_sigma(0.17 * 0.17, USERS), "{both}");
}

#[tokio::test]
async fn a_larger_share_contains_the_smaller() {
    let shares = ["0.01%", "1%", "17%", "34%", "99.99%"];
    let sets: Vec<BTreeSet<u64>> = shares
        .iter()
        .map(|share| victims(&respond(&format!("{share} of users")), 0..20_000))
        .collect();
    for pair in sets.windows(2) {
        assert!(pair[0].is_subset(&pair[1]) && pair[0].len() < pair[1].len());
    }
}

#[tokio::test]
async fn order_and_threads_choose_nobody_else() {
    let setup = respond("17% of users");
    let wanted = victims(&setup, 0..USERS);
    // Every user exactly once, far from where they came before.
    let shuffled: Vec<u64> = (0..USERS).map(|n| n * 73_883 % USERS).collect();
    let run = run(&setup);
    let injector = run.injector();

    let found: BTreeSet<u64> = thread::scope(|scope| {
        let parts = shuffled.chunks(25_000).map(|part| {
            let injector = injector.clone();
            scope.spawn(move || {
                let hit = |user: &&u64| Ask::of(**user).hit(&injector);
                part.iter().filter(hit).copied().collect::<Vec<u64>>()
            })
        });
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().expect("no panic")).collect()
    });

    assert!(found == wanted, "{} instead of {}", found.len(), wanted.len());
}

#[tokio::test]
async fn seventeen_percent_of_requests_are_seventeen_percent_of_each_user() {
    let run = run(&respond("17% of requests"));
    let injector = run.injector();
    for user in 0..3 {
        let hits = (1..=30_000).filter(|nth| Ask { nth: *nth, ..Ask::of(user) }.hit(&injector));
        let part = part(hits.count(), 30_000);
        assert!((part - 0.17).abs() < four_sigma(0.17, 30_000), "{part}");
    }
}

#[tokio::test]
async fn a_fault_with_two_stages_is_drawn_once() {
    let run = run(&Drill::of(&["latency: { mean: 1s, side: both }, share: 30% of requests"]));
    let injector = run.injector();
    let mut hits = 0;
    for nth in 1..=USERS {
        let ask = Ask { nth, ..Ask::of(1) };
        let before = !ask.at(&injector, Stage::RequestDelay).is_empty();
        let after = !ask.at(&injector, Stage::ResponseDelay).is_empty();
        assert_eq!(before, after);
        hits += usize::from(before);
    }

    // And so not 2p - p², which would be 51 %.
    let part = part(hits, USERS);
    assert!((part - 0.3).abs() < four_sigma(0.3, USERS), "{part}");
}

#[tokio::test]
async fn two_faults_are_drawn_apart() {
    let faults = ["latency: 1s, share: 20% of requests", "respond: 503, share: 5% of requests"];
    let run = run(&Drill::of(&faults));
    let injector = run.injector();
    let (mut any, mut both) = (0, 0);
    for nth in 1..=USERS {
        let ask = Ask { nth, ..Ask::of(1) };
        let slow = !ask.at(&injector, Stage::RequestDelay).is_empty();
        let failed = ask.hit(&injector);
        any += usize::from(slow || failed);
        both += usize::from(slow && failed);
    }

    // 24 % touched, 1 % twice.
    assert!((part(any, USERS) - 0.24).abs() < four_sigma(0.24, USERS), "{any}");
    assert!((part(both, USERS) - 0.01).abs() < four_sigma(0.01, USERS), "{both}");
}

#[tokio::test]
async fn a_connection_meets_one_fate_in_all_its_requests() {
    let run = run(&respond("17% of connections"));
    let injector = run.injector();
    let mut hits = 0;
    for conn in 1..=30_000 {
        let fate = Ask { conn, ..Ask::of(1) }.hit(&injector);
        for (user, nth) in [(1, 2), (2, 1), (3, 77)] {
            assert_eq!(Ask { nth, conn, ..Ask::of(user) }.hit(&injector), fate);
        }
        hits += usize::from(fate);
    }
    let part = part(hits, 30_000);
    assert!((part - 0.17).abs() < four_sigma(0.17, 30_000), "{part}");
}

#[tokio::test]
async fn the_slices_of_one_of_exclude_each_other() {
    for unit in ["users", "requests"] {
        let slices = format!(
            "one_of: [{{ respond: 500, share: 10% of {unit} }}, \
             {{ hang: {{}}, share: 5% of {unit} }}, \
             {{ reset: {{}}, share: 20% of {unit} }}]"
        );
        let run = run(&Drill::of(&[&slices]));
        let injector = run.injector();
        let mut counts = [0; 3];
        for n in 0..USERS {
            let ask = Ask { nth: n, ..Ask::of(n) };
            let hit = ask.at(&injector, Stage::End);
            assert!(hit.len() < 2);
            if let Some(name) = hit.first() {
                let at = ["respond", "hang", "reset"].iter().position(|slice| slice == name);
                counts[at.expect("one of the three")] += 1;
            }
        }
        // One that is hidden behind another would be too rare.
        for (count, share) in counts.into_iter().zip([0.10, 0.05, 0.20]) {
            let part = part(count, USERS);
            assert!((part - share).abs() < four_sigma(share, USERS), "{unit}: {part} {share}");
        }
    }
}

#[tokio::test]
async fn faults_of_one_cohort_hit_the_same_users_and_others_do_not() {
    let at_both = |cohort: &str| {
        let faults = [
            format!("latency: 1s, share: 20% of users{cohort}"),
            format!("respond: 503, share: 20% of users{cohort}"),
        ];
        let run = run(&Drill::of(&faults.each_ref().map(|f| &**f)));
        let injector = run.injector();
        let hit = |user: u64, stage| !Ask::of(user).at(&injector, stage).is_empty();
        let slow: BTreeSet<u64> = (0..USERS).filter(|u| hit(*u, Stage::RequestDelay)).collect();
        let failed: BTreeSet<u64> = (0..USERS).filter(|u| hit(*u, Stage::End)).collect();
        (slow, failed)
    };

    let (slow, failed) = at_both(", cohort: unlucky");
    assert!(slow == failed && !slow.is_empty());
    let (slow, failed) = at_both("");
    let both = part(slow.intersection(&failed).count(), USERS);
    assert!((both - 0.04).abs() < four_sigma(0.04, USERS), "{both}");
}

#[tokio::test]
async fn a_fault_that_goes_on_in_the_next_phase_hits_the_same_users() {
    let phases = [
        "{ name: onset, for: 1h, faults: [{ respond: 503, share: 17% of users }] }",
        "{ name: outage, for: 1h, faults: [{ respond: 500, share: 34% of users }] }",
    ];
    let run = run(&Drill::phases(&phases));
    let injector = run.injector();
    let hit = || (0..20_000).filter(|user| Ask::of(*user).hit(&injector)).collect();

    let first: BTreeSet<u64> = hit();
    run.controls().skip();
    let mut changes = injector.changes();
    changes.wait_for(|change| change.phase == Some(1)).await.expect("the run goes on");
    let second: BTreeSet<u64> = hit();

    assert!(first.is_subset(&second) && first.len() < second.len());
}

#[tokio::test]
async fn shares_down_to_the_ten_thousandth_of_a_percent_are_kept() {
    let hits = |share: &str| {
        let run = run(&respond(share));
        let injector = run.injector();
        (0..200_000).filter(|nth| Ask { nth: *nth, ..Ask::of(1) }.hit(&injector)).count()
    };

    // A fifth of one is expected; the chance of more than four is one in two hundred thousand.
    assert!(hits("0.0001% of requests") <= 4);
    assert!(hits("99.9999% of requests") >= 200_000 - 4);
    assert_eq!((hits("0% of requests"), hits("100% of requests")), (0, 200_000));
}

#[tokio::test]
async fn the_first_attempts_are_hurt_and_the_rest_let_through() {
    let attempts = |per: &str, asks: &[Ask]| -> Vec<bool> {
        let fault = format!("respond: 503, times: {{ first: 2, per: {per} }}");
        let run = run(&Drill::of(&[&fault]));
        let injector = run.injector();
        asks.iter().map(|ask| ask.hit(&injector)).collect()
    };
    let ask = |user, operation| Ask { operation, ..Ask::of(user) };
    let asks = [ask(1, 1), ask(1, 1), ask(1, 1), ask(1, 2), ask(2, 3), ask(2, 3), ask(2, 3)];

    assert_eq!(attempts("operation", &asks), [true, true, false, true, true, true, false]);
    assert_eq!(attempts("user", &asks), [true, true, false, false, true, true, false]);
    assert_eq!(attempts("run", &asks), [true, true, false, false, false, false, false]);
}

#[tokio::test]
async fn attempts_are_tied_by_their_key_or_else_by_what_they_ask_for() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["respond: 503, times: 1"]).before(&upstream);
    let mut client = drill.client().await;
    let mut statuses = Vec::new();
    for (path, field) in [
        ("/a", "idempotency-key: 1"),
        ("/b", "idempotency-key: 1"),
        ("/a", "idempotency-key: 2"),
        ("/a", "x: 1"),
        ("/a", "x: 2"),
        ("/a?b", "x: 1"),
        ("/c", "x-user-id: 1"),
        ("/c", "x-user-id: 2"),
        ("/c", "x-user-id: 1"),
    ] {
        let request = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\n");
        statuses.push(client.ask(request).await.status());
    }

    assert_eq!(statuses, [503, 200, 503, 503, 200, 503, 503, 503, 200]);
}

#[tokio::test]
async fn on_the_wire_the_same_users_are_hit_by_every_proxy_with_the_same_seed() {
    let upstream = Upstream::answering(OK).await;
    let mut all = Vec::new();
    for backwards in [false, true] {
        let drill = respond("40% of users").before(&upstream);
        let mut users: Vec<u64> = (0..60).collect();
        if backwards {
            users.reverse();
        }
        let mut hit = BTreeSet::new();
        for user in users {
            for field in ["x-user-id", "X-User-Id"] {
                let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{field}: {user}\r\n\r\n");
                if drill.ask(request).await.status() == 503 {
                    hit.insert(user);
                }
            }
        }
        let tally = drill.tallies().remove(0);
        assert_eq!((tally.considered, tally.hit), (120, 2 * hit.len() as u64));
        all.push(hit);
    }

    assert!(all[0] == all[1] && !all[0].is_empty() && all[0].len() < 60);
}
