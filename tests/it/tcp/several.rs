//! Several proxies in one run: which of them a fault acts on.

use crate::{
    support::{Drill, GET, OK, Place, Setup, Several, memory},
    tcp::{MS, SECOND, by_hand, bytes, round_trip},
};
use firedrill::fault::catalog::Protocol;
use std::time::Duration;
use tokio::time::Instant;

/// A shop, and two services in bytes that send everything back.
fn three(setup: Setup) -> Several {
    setup.on(vec![
        ("shop", Protocol::Http, memory::answering(OK).0),
        ("db", Protocol::Tcp, memory::echoing()),
        ("queue", Protocol::Tcp, memory::echoing()),
    ])
}

/// How long an exchange takes, and its status.
async fn ask(place: &Place) -> (Duration, u16) {
    let began = Instant::now();
    let status = place.client(1).ask(GET).await.status();
    (began.elapsed(), status)
}

async fn trip(place: &Place) -> Duration {
    round_trip(&mut place.client(1)).await
}

/// The delays of the shop, the database and the queue.
async fn delays(all: &Several) -> [Duration; 3] {
    [ask(all.at("shop")).await.0, trip(all.at("db")).await, trip(all.at("queue")).await]
}

const NONE: Duration = Duration::ZERO;

#[tokio::test(start_paused = true)]
async fn a_fault_acts_on_its_proxy_or_on_all_that_can_play_it() {
    for (fault, wanted) in [
        ("latency: 300ms, proxy: db", [NONE, 300 * MS, NONE]),
        ("latency: 300ms, proxy: shop", [300 * MS, NONE, NONE]),
        ("latency: 300ms", [300 * MS; 3]),
        ("latency: 300ms, share: 100% of connections", [300 * MS; 3]),
        // What needs requests has nothing to do with bytes.
        ("latency: 300ms, target: { path: / }", [300 * MS, NONE, NONE]),
        ("latency: 300ms, target: { path: /elsewhere }", [NONE; 3]),
        ("latency: 300ms, share: 99.9999% of requests", [300 * MS, NONE, NONE]),
        ("latency: 300ms, times: { first: 1000, per: run }", [300 * MS, NONE, NONE]),
        ("hang: 300ms", [300 * MS, NONE, NONE]),
    ] {
        let all = three(Drill::of(&[fault]));
        if fault.starts_with("hang") {
            assert_eq!(trip(all.at("db")).await, NONE, "{fault}");
        } else {
            assert_eq!(delays(&all).await, wanted, "{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_on_requests_never_touches_bytes_that_look_like_one() {
    let all = three(Drill::of(&["respond: 503", "reset: {}, proxy: shop"]));
    assert_eq!(ask(all.at("shop")).await.1, 503);
    for name in ["db", "queue"] {
        let mut client = all.at(name).client(1);
        client.send(GET).await;
        assert_eq!(client.take(GET.len()).await, GET.as_bytes(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn proxies_share_no_pipe() {
    let all = three(Drill::of(&["bandwidth: { rate: 64KiB/s, side: request, scope: proxy }"]));
    let began = Instant::now();
    let mut tasks = Vec::new();
    for name in ["db", "db", "queue"] {
        let mut client = all.at(name).client(1);
        tasks.push(tokio::spawn(async move {
            let sent = bytes(64 * 1024);
            client.send(&sent).await;
            assert!(client.take(sent.len()).await == sent);
            began.elapsed()
        }));
    }
    let mut took = Vec::new();
    for task in tasks {
        took.push(task.await.expect("no panic"));
    }
    let about = |took: Duration, wanted: Duration| took >= wanted && took < wanted + 2 * MS;
    assert!(about(took[0].max(took[1]), 2 * SECOND), "{took:?}");
    assert!(about(took[2], SECOND), "{took:?}");
}

/// A user who is hit is hit everywhere; a connection of the one proxy is not one of another.
#[tokio::test(start_paused = true)]
async fn users_share_their_fate_over_proxies_and_connections_do_not() {
    for (unit, alike) in [("users", true), ("connections", false)] {
        let fault = format!("latency: 50ms, share: 50% of {unit}");
        let all = three(Drill::of(&[&fault]));
        let mut hit = [Vec::new(), Vec::new()];
        for host in 0..64 {
            for (name, hit) in ["db", "queue"].iter().zip(&mut hit) {
                hit.push(!round_trip(&mut all.at(name).client(host)).await.is_zero());
            }
        }
        assert_eq!(hit[0] == hit[1], alike, "{unit}: {hit:?}");
        let count = hit[0].iter().filter(|hit| **hit).count();
        assert!((12..=52).contains(&count), "{unit}: {count} of 64");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_put_on_a_proxy_by_hand_acts_there_alone() {
    let all = three(Drill::calm());
    for (name, wanted) in [
        ("shop", [300 * MS, NONE, NONE]),
        ("db", [NONE, 300 * MS, NONE]),
        ("queue", [NONE, NONE, 300 * MS]),
    ] {
        all.at(name).hand.add(by_hand("latency: 300ms")).expect("it is put there");
        assert_eq!(delays(&all).await, wanted, "{name}");
        all.at(name).hand.remove("latency").expect("it was there");
        assert_eq!(delays(&all).await, [NONE; 3], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn delays_of_a_scenario_and_by_hand_add_up_and_one_goes_without_the_other() {
    let all = three(Drill::phases(&[
        "{ name: slow, for: 10m, faults: [{ latency: 300ms }] }",
        "{ name: after, for: 10m }",
    ]));
    let hand = &all.at("db").hand;
    hand.add(by_hand("latency: 50ms, name: first")).expect("it is put there");
    hand.add(by_hand("latency: 7ms, name: second")).expect("it is put there");
    assert_eq!(delays(&all).await, [300 * MS, 357 * MS, 300 * MS]);
    hand.remove("first").expect("it was there");
    assert_eq!(delays(&all).await, [300 * MS, 307 * MS, 300 * MS]);
    all.run.controls().skip();
    tokio::task::yield_now().await;
    assert_eq!(delays(&all).await, [NONE, 7 * MS, NONE]);
    hand.clear();
    assert_eq!(delays(&all).await, [NONE; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_silence_by_hand_holds_beside_a_delay_of_the_scenario() {
    let all = three(Drill::of(&["latency: 300ms"]));
    let db = all.at("db");
    let mut client = db.client(1);
    round_trip(&mut client).await;
    db.hand.add(by_hand("blackhole: {}")).expect("it is put there");
    client.send("ping").await;
    client.is_silent_for(60 * SECOND).await;
    assert_eq!(trip(all.at("queue")).await, 300 * MS);
    let let_go = Instant::now();
    db.hand.remove("blackhole").expect("it was there");
    assert_eq!(client.take(4).await, b"ping");
    assert!(let_go.elapsed() <= 300 * MS, "{:?}", let_go.elapsed());
    assert_eq!(round_trip(&mut client).await, 300 * MS);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_drill_ends_what_was_put_on_by_hand_on_every_proxy() {
    let all = three(Drill::calm());
    let places = ["db", "queue"].map(|name| all.at(name));
    let mut clients = places.map(|place| place.client(1));
    for (place, client) in places.iter().zip(&mut clients) {
        place.hand.add(by_hand("latency: 1h")).expect("it is put there");
        client.send("ping").await;
        client.is_silent_for(SECOND).await;
    }
    let stopped = Instant::now();
    all.run.controls().stop();
    for client in &mut clients {
        assert_eq!(client.take(4).await, b"ping");
    }
    assert_eq!(stopped.elapsed(), NONE);
    assert_eq!(delays(&all).await, [NONE; 3]);
    let refused = places[0].hand.add(by_hand("latency: 1h"));
    assert!(refused.is_err(), "{refused:?}");
}
