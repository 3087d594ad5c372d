//! Each client against services that fail in one known way: it does what it is listed for.

use super::*;
use crate::demo::{
    Account, Crowd, Dialer, Ending, Tally,
    client::Call,
    tests::{DOWN, behind, browse, client, lossy, operate, pipe, purchase, scripted, shop, user},
};
use std::{
    collections::BTreeSet,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
const LATER: &str =
    "HTTP/1.1 503 Service Unavailable\r\nretry-after: 20\r\ncontent-length: 0\r\n\r\n";

/// The clients that are in the catalogue for one thing they do: attempts at a page and at a purchase
/// when nothing works. `immediate`, which never stops, has a test of its own.
const ATTEMPTS: &[(&str, u64, u64)] = &[
    ("hasty", 6, 6),
    ("careful", 3, 3),
    ("oneshot", 1, 1),
    ("naive", 1, 1),
    ("fixed", 10, 1),
    ("expnoj", 6, 1),
    ("fulljitter", 4, 4),
    ("budget", 4, 4),
    ("breaker", 3, 3),
    ("sticky", 1, 1),
    ("doublebuy", 3, 3),
    ("keyperattempt", 3, 3),
    ("retry4xx", 4, 1),
    ("hedger", 1, 1),
    ("poller", 1, 1),
    ("layered", 9, 9),
    ("retry-after-exact", 3, 3),
    ("idle-timeout-only", 1, 1),
    ("stale-pool", 1, 1),
    ("key-reuser", 3, 3),
    ("failover", 2, 2),
    ("human-reload", 4, 1),
];

/// A service that takes connections and never says a word.
fn silent() -> Dialer {
    pipe(|stream| {
        tokio::spawn(async move { (stream, pending::<()>().await) });
    })
}

/// A service that answers every request with `answer`, and the requests it got.
fn answering(answer: &'static str) -> (Dialer, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let dialer = pipe(move |mut stream| {
        let heard = Arc::clone(&hears);
        tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
                heard.lock().expect("no panic").push(request);
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    });
    (dialer, heard)
}

/// The values of a header in these requests.
fn values(heard: &Mutex<Vec<String>>, name: &str) -> Vec<String> {
    let start = format!("{name}: ");
    let heard = heard.lock().expect("no panic");
    let lines = heard.iter().flat_map(|request| request.lines());
    lines.filter_map(|line| line.strip_prefix(&start).map(str::to_owned)).collect()
}

/// The milliseconds from each attempt to the next.
fn gaps(tally: &Tally) -> Vec<u128> {
    tally.log.windows(2).map(|two| two[1].at.saturating_sub(two[0].at).as_millis()).collect()
}

/// One user of a client lives at a service for so long, wanting something each second on average.
async fn live(name: &str, doors: &[Dialer], length: Duration) -> Tally {
    let (stop, mut user) = (CancellationToken::new(), user(client(name), 0));
    user.crowd = Crowd { every: Duration::from_secs(1), ..Crowd::DEMO };
    let (tally, ()) = tokio::join!(user.live(doors, Instant::now(), stop.clone()), async {
        sleep(length).await;
        stop.cancel();
    });
    tally
}

#[test]
fn every_client_is_found_by_a_name_of_its_own_and_says_what_it_does_on_one_line() {
    let names: BTreeSet<&str> = CATALOGUE.iter().map(|policy| policy.name).collect();

    assert_eq!(names.len(), CATALOGUE.len());
    for policy in CATALOGUE {
        assert!(find(policy.name).is_some_and(|found| found.about == policy.about));
        // Names are the start of names, of users and of orders: none may be part of another's.
        assert!(policy.name.chars().all(|c| c.is_ascii_lowercase() || "4-x".contains(c)));
        assert!(policy.about.chars().count() <= 90, "{}", policy.about);
    }
    let known: BTreeSet<&str> = ATTEMPTS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names.difference(&known).copied().collect::<Vec<_>>(), ["immediate"]);
}

#[tokio::test(start_paused = true)]
async fn when_nothing_works_each_client_makes_as_many_attempts_as_it_is_listed_with() {
    for (name, pages, purchases) in ATTEMPTS {
        for (call, attempts) in [(browse(0), pages), (purchase(0), purchases)] {
            let (dialer, seen) = scripted(|_| DOWN);
            let tally = operate(client(name), dialer, [call]).await;
            assert_eq!((tally.failed, &tally.attempts), (1, attempts), "{name}");
            assert_eq!(seen.load(Ordering::Relaxed), *attempts, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_asked_about_again_only_by_retry4xx_and_by_a_person() {
    for (name, ..) in ATTEMPTS {
        let (dialer, _) = scripted(|_| FORBIDDEN);
        let tally = operate(client(name), dialer, [browse(0)]).await;
        let asks_again = matches!(*name, "retry4xx" | "human-reload");
        assert_eq!(tally.attempts, if asks_again { 4 } else { 1 }, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn immediate_never_stops() {
    let (dialer, _) = scripted(|nth| if nth < 1_000 { DOWN } else { OK });

    let tally = operate(client("immediate"), dialer, [purchase(0)]).await;

    assert_eq!((tally.attempts, tally.succeeded), (1_001, 1));
    // A turn of 45 ms, and the timers' own.
    assert!(gaps(&tally).iter().all(|gap| (45..=46).contains(gap)));
}

#[tokio::test(start_paused = true)]
async fn waits_are_what_they_are_listed_as() {
    for (name, waits) in [
        ("fixed", &[1_000; 9][..]),
        ("expnoj", &[500, 1_000, 2_000, 4_000, 8_000]),
        ("layered", &[100, 100, 1_000, 100, 100, 1_000, 100, 100]),
        ("retry-after-exact", &[1_000, 1_000]),
    ] {
        let (dialer, _) = scripted(|_| DOWN);
        let tally = operate(client(name), dialer, [browse(0)]).await;
        assert_eq!(gaps(&tally).len(), waits.len(), "{name}");
        for (gap, wait) in gaps(&tally).iter().zip(waits) {
            assert!((*wait..=wait + 1).contains(gap), "{name}: {gap} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn full_jitter_is_spread_from_nothing_to_a_bound_that_doubles() {
    for (name, first) in [("fulljitter", 1_000), ("doublebuy", 500)] {
        let mut firsts = Vec::new();
        let (dialer, _) = scripted(|_| DOWN);
        let tally = operate(client(name), dialer, (0..200).map(browse)).await;
        for attempts in tally.log.chunk_by(|a, b| a.operation == b.operation) {
            for (at, two) in attempts.windows(2).enumerate() {
                let gap = two[1].at.saturating_sub(two[0].at).as_millis();
                assert!(gap <= (first << at) + 1, "{name}: {gap} ms");
                firsts.extend((at == 0).then_some(gap));
            }
        }
        let mean = firsts.iter().sum::<u128>() / firsts.len() as u128;
        // The mean of 200 uniform draws, give or take five standard errors of 2 % each.
        assert!(mean.abs_diff(first / 2) < first / 10, "{name}: {mean} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_service_asks_for_is_heeded_by_those_who_are_listed_so() {
    for (name, heeds) in [
        ("fulljitter", true),
        ("budget", true),
        ("retry-after-exact", true),
        ("immediate", false),
        ("fixed", false),
        ("expnoj", false),
        ("breaker", false),
        ("doublebuy", false),
        ("retry4xx", false),
        ("layered", false),
    ] {
        let (dialer, _) = scripted(|nth| if nth == 0 { LATER } else { OK });
        let tally = operate(client(name), dialer, [browse(0)]).await;
        assert_eq!(gaps(&tally)[0] >= 20_000, heeds, "{name}");
    }
    let (dialer, _) = scripted(|nth| if nth == 0 { LATER } else { OK });
    let tally = operate(client("retry-after-exact"), dialer, [browse(0)]).await;
    // Its own second comes on top; nothing else does.
    assert!((21_000..=21_001).contains(&gaps(&tally)[0]), "{:?}", gaps(&tally));
}

#[tokio::test(start_paused = true)]
async fn giving_up_takes_all_waits_and_all_timeouts() {
    for (name, seconds) in [
        ("oneshot", 5.0),
        ("hedger", 5.4),
        ("fixed", 9.0 + 50.0),
        ("expnoj", 15.5 + 30.0),
        ("layered", 2.6 + 45.0),
        ("failover", 10.0),
    ] {
        let tally = operate(client(name), silent(), [browse(0)]).await;
        let took = tally.worst.as_secs_f64();
        assert!((took - seconds).abs() < 0.05, "{name}: {took} s");
    }
    let tally = live("naive", &[silent()], Duration::from_secs(3_600)).await;
    assert_eq!((tally.attempts, tally.failed, tally.log[0].ending), (8, 0, None));
}

#[tokio::test(start_paused = true)]
async fn who_has_no_slot_left_stands_in_line_and_is_served_in_the_end() {
    // Silent for a minute, then it works.
    let began = Instant::now();
    let dialer = pipe(move |mut stream| {
        tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(1..) = stream.read(&mut bytes).await {
                tokio::time::sleep_until(began + Duration::from_secs(60)).await;
                if stream.write_all(OK.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    });

    let tally = live("naive", &[dialer], Duration::from_secs(120)).await;

    let early = tally.log.iter().filter(|attempt| attempt.at < Duration::from_secs(60));
    assert_eq!(early.count(), 8);
    // Sixty came in that minute, give or take; nobody is forgotten.
    assert!(tally.operations > 80 && tally.succeeded == tally.operations, "{tally:?}");
    assert!(tally.worst > Duration::from_secs(55), "{:?}", tally.worst);
}

#[tokio::test(start_paused = true)]
async fn a_drip_ends_every_patience_but_the_idle_one() {
    for (name, ending) in [
        ("oneshot", Some(Ending::TimedOut)),
        ("idle-timeout-only", Some(Ending::Answered(http::StatusCode::OK))),
    ] {
        let dialer = pipe(|mut stream| {
            tokio::spawn(async move {
                drop(stream.read(&mut [0; 4096]).await);
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n").await);
                while stream.write_all(b"x").await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            });
        });
        let tally = operate(client(name), dialer, [browse(0)]).await;
        assert_eq!(tally.log[0].ending, ending, "{name}");
    }
    let tally = operate(client("idle-timeout-only"), silent(), [browse(0)]).await;
    assert_eq!(tally.log[0].ending, Some(Ending::TimedOut));
    assert!(tally.worst < Duration::from_secs(6), "{:?}", tally.worst);
}

#[tokio::test(start_paused = true)]
async fn keys_are_what_they_are_listed_as() {
    for (name, keys) in [
        ("oneshot", &[][..]),
        ("doublebuy", &[]),
        ("fulljitter", &["order-0", "order-0", "order-0", "order-0"]),
        ("keyperattempt", &["order-0-1", "order-0-2", "order-0-3"]),
        ("key-reuser", &["somebody", "somebody", "somebody"]),
    ] {
        let (dialer, heard) = answering(DOWN);
        operate(client(name), dialer, [purchase(0)]).await;
        assert_eq!(values(&heard, "idempotency-key"), keys, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_costs_those_who_ask_again_without_a_key_that_lasts() {
    for (name, bought_again) in [
        ("oneshot", 0),
        ("fixed", 0),
        ("fulljitter", 0),
        ("immediate", 10),
        ("doublebuy", 10),
        ("keyperattempt", 10),
    ] {
        let shop = shop().await;
        let (dialer, _) = lossy(&shop);
        operate(client(name), dialer, (0..10).map(purchase)).await;
        assert_eq!(shop.ledger().charged_again("order-"), bought_again, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_key_for_all_buys_once_and_never_again() {
    let shop = shop().await;

    let tally = operate(client("key-reuser"), behind(&shop), (0..5).map(purchase)).await;

    assert_eq!((tally.succeeded, tally.failed), (1, 4));
    assert_eq!(shop.ledger().account("order-"), Account { orders: 1, charges: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_breaker_tries_every_ten_seconds_and_a_sticky_one_never() {
    // Both are told of five failures; the service is well from then on.
    for (name, well_again) in [("breaker", true), ("sticky", false)] {
        let (dialer, seen) = scripted(|nth| if nth < 5 { DOWN } else { OK });
        let tally = live(name, &[dialer], Duration::from_secs(120)).await;
        assert_eq!(seen.load(Ordering::Relaxed) > 5, well_again, "{name}");
        assert_eq!(tally.succeeded > 50, well_again, "{name}");
        if well_again {
            let silence = tally.log[5].at.saturating_sub(tally.log[4].at);
            assert!((10..14).contains(&silence.as_secs()), "{silence:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_allows_ten_retries_and_then_one_for_ten_successes() {
    let (dialer, seen) = scripted(|_| DOWN);
    let tally = operate(client("budget"), dialer, (0..100).map(browse)).await;
    assert_eq!((tally.attempts, seen.load(Ordering::Relaxed)), (110, 110));

    // Twenty fail, a hundred succeed, and then nothing works again.
    let (dialer, _) = scripted(|nth| if (30..130).contains(&nth) { OK } else { DOWN });
    let tally = operate(client("budget"), dialer, (0..220).map(browse)).await;
    assert_eq!(tally.attempts, 220 + 10 + 10);
}

#[tokio::test(start_paused = true)]
async fn a_hedger_asks_twice_after_400_ms_takes_the_first_answer_and_drops_the_other() {
    let dropped = Arc::new(AtomicU64::new(0));
    let drops = Arc::clone(&dropped);
    let connections = AtomicU64::new(0);
    let dialer = pipe(move |mut stream| {
        let (nth, drops) = (connections.fetch_add(1, Ordering::Relaxed), Arc::clone(&drops));
        tokio::spawn(async move {
            drop(stream.read(&mut [0; 4096]).await);
            if nth == 0 {
                // Never answered; what is read next is the end.
                let gone = stream.read(&mut [0; 16]).await.is_ok_and(|read| read == 0);
                drops.fetch_add(u64::from(gone), Ordering::Relaxed);
            } else {
                drop(stream.write_all(OK.as_bytes()).await);
            }
        });
    });

    let tally = operate(client("hedger"), dialer, [browse(0)]).await;
    sleep(Duration::from_millis(1)).await;

    assert_eq!((tally.attempts, tally.succeeded), (2, 1));
    assert!((400..=402).contains(&gaps(&tally)[0]), "{:?}", gaps(&tally));
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    let tally = operate(client("hedger"), silent(), [purchase(0)]).await;
    assert_eq!(tally.attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn failover_goes_to_the_other_address_and_stays_there() {
    let ((dead, asked), (other, _)) = (scripted(|_| DOWN), scripted(|_| OK));

    let tally = live("failover", &[dead, other], Duration::from_secs(60)).await;

    assert!(tally.succeeded > 30 && tally.failed == 0, "{tally:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_pool_is_gone_for_good_after_one_lost_connection() {
    let (dialer, seen) = scripted(|nth| if nth == 10 { "" } else { OK });

    let tally = live("stale-pool", &[dialer], Duration::from_secs(120)).await;

    assert_eq!(seen.load(Ordering::Relaxed), 11);
    assert_eq!(tally.succeeded, 10);
    assert!(tally.failed > 50, "{}", tally.failed);
}

#[tokio::test(start_paused = true)]
async fn a_poller_asks_the_same_thing_every_five_seconds() {
    let (dialer, heard) = answering(OK);

    let tally = live("poller", &[dialer], Duration::from_secs(101)).await;

    assert!(gaps(&tally).iter().all(|gap| (4_999..=5_001).contains(gap)), "{:?}", gaps(&tally));
    let heard = heard.lock().expect("no panic");
    assert!(heard.len() >= 19 && heard.iter().all(|request| *request == heard[0]));
}

#[tokio::test(start_paused = true)]
async fn a_person_waits_presses_reload_and_a_browser_says_so() {
    let (dialer, heard) = answering(DOWN);
    let tally = operate(client("human-reload"), dialer, [browse(0)]).await;
    assert!(gaps(&tally).iter().all(|gap| (800..=3_001).contains(gap)), "{:?}", gaps(&tally));
    assert_eq!(values(&heard, "cache-control"), ["max-age=0"; 3]);

    let tally = operate(client("human-reload"), silent(), [browse(0)]).await;
    assert!(gaps(&tally).iter().all(|gap| (3_800..=11_001).contains(gap)), "{:?}", gaps(&tally));
}

#[tokio::test(start_paused = true)]
async fn which_operation_it_is_is_said_only_if_it_is_to_be_said() {
    for truth in [false, true] {
        let ((dialer, heard), stop) = (answering(OK), CancellationToken::new());
        let mut user = user(client("oneshot"), 3);
        user.crowd = Crowd { truth, named: Some("user"), ..Crowd::DEMO };
        let first: Call = user.call(0);
        let doors = [dialer];
        tokio::join!(user.live(&doors, Instant::now(), stop.clone()), async {
            sleep(Duration::from_secs(10)).await;
            stop.cancel();
        });
        let said = values(&heard, "x-firedrill-operation");
        assert_eq!(said.first(), truth.then_some(&first.id));
        assert_eq!(values(&heard, "x-user-id")[0], "user-3");
        assert_eq!(values(&heard, "user-agent")[0], "firedrill-oneshot/1");
    }
}

#[tokio::test(start_paused = true)]
async fn seeds_decide_when_who_wants_what_and_nothing_else_does() {
    let tally = async || live("doublebuy", &[behind(&shop().await)], Duration::from_secs(60)).await;
    assert_eq!(tally().await, tally().await);

    // About one a second: four standard deviations of 600 are 98.
    let (dialer, _) = scripted(|_| OK);
    let tally = live("oneshot", &[dialer], Duration::from_secs(600)).await;
    assert!((500..=700).contains(&tally.operations), "{}", tally.operations);
    let bought = tally.purchases as f64 / tally.operations as f64;
    assert!((0.13..0.27).contains(&bought), "{bought}");
}
