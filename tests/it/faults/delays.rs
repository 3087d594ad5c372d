//! `latency`, and what comes after what.

use crate::support::{Drill, GET, OK, Upstream};
use firedrill::event::Did;
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

/// How long one exchange takes.
async fn time(drill: &Drill) -> (Duration, u16) {
    let mut client = drill.client().await;
    let asked = Instant::now();
    let answer = client.ask(GET).await;
    (asked.elapsed(), answer.status())
}

#[tokio::test]
async fn each_side_is_held_for_its_time() {
    let upstream = Upstream::answering(OK).await;
    for (fault, least) in [
        ("latency: 60ms", 60 * MS),
        ("latency: { mean: 60ms, side: response }", 60 * MS),
        ("latency: { mean: 60ms, side: both }", 120 * MS),
    ] {
        let drill = Drill::of(&[fault]).before(&upstream);
        let (took, status) = time(&drill).await;
        assert_eq!(status, 200);
        assert!(took >= least && took < least + 3_000 * MS, "{fault}: {took:?}");
    }
}

#[tokio::test]
async fn a_request_is_held_before_the_upstream_and_a_response_after_it() {
    let upstream = Upstream::answering(OK).await;
    for (fault, before) in
        [("latency: 50ms", true), ("latency: { mean: 50ms, side: response }", false)]
    {
        let drill = Drill::of(&[fault]).before(&upstream);
        time(&drill).await;
        let exchange = drill.exchange().await;

        let until_sent = exchange.t_forwarded - exchange.t_head;
        let after_answer = exchange.t_sent_first - exchange.t_answered;
        assert_eq!(until_sent >= 50_000, before, "{fault}: {until_sent} µs");
        assert_eq!(after_answer >= 50_000, !before, "{fault}: {after_answer} µs");
    }
}

#[tokio::test]
async fn delays_add_up() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["latency: 40ms, name: a", "latency: 70ms, name: b"]).before(&upstream);

    let (took, _) = time(&drill).await;

    assert!(took >= 110 * MS && took < 3_000 * MS, "{took:?}");
    let dealt: Vec<Did> = drill.exchange().await.dealt.iter().map(|dealt| dealt.did).collect();
    assert_eq!(dealt, [Did::Delayed(40 * MS), Did::Delayed(70 * MS)]);
}

#[tokio::test]
async fn the_order_is_by_stage_and_not_by_place_in_the_file() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["respond: 503", "respond: 500, name: second", "latency: 50ms"])
        .before(&upstream);

    let (took, status) = time(&drill).await;

    assert_eq!(status, 503, "the first that ends the exchange wins");
    assert!(took >= 50 * MS, "the delay is served, then the failure decided: {took:?}");
    let exchange = drill.exchange().await;
    let names: Vec<&str> = exchange.dealt.iter().map(|dealt| &*dealt.fault).collect();
    assert_eq!(names, ["latency", "respond"]);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_failure_is_decided_when_the_delay_before_it_is_over() {
    let upstream = Upstream::answering(OK).await;
    let phases = [
        "{ name: slow, for: 10m, faults: [{ latency: 150ms }] }",
        "{ name: down, for: 10m, faults: [{ respond: 503 }] }",
    ];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    drill.hits("latency", 1).await;
    drill.controls().skip();

    assert_eq!(client.answer().await.status(), 503);
}

#[tokio::test]
async fn a_phases_end_does_not_shorten_a_delay_but_the_drills_end_does() {
    let upstream = Upstream::answering(OK).await;
    let phases =
        ["{ name: slow, for: 10m, faults: [{ latency: 150ms }] }", "{ name: after, for: 10m }"];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;
    let asked = Instant::now();
    client.send(GET).await;
    drill.hits("latency", 1).await;
    drill.controls().skip();
    assert_eq!(client.answer().await.status(), 200);
    assert!(asked.elapsed() >= 150 * MS, "{:?}", asked.elapsed());

    let drill = Drill::of(&["latency: 1h"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    drill.hits("latency", 1).await;
    let stopped = Instant::now();
    drill.controls().stop();
    assert_eq!(client.answer().await.status(), 200);
    assert!(stopped.elapsed() < 1_000 * MS, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_delayed_request_occupies_no_upstream_connection() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["latency: 1h"]).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    drill.hits("latency", 1).await;
    drop(client);
    drill.exchange().await;

    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn each_chunk_of_a_body_is_held_for_its_time() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["latency: { mean: 80ms, per: chunk }"]).before(&upstream);

    let (took, status) = time(&drill).await;

    assert_eq!(status, 200);
    assert!(took >= 80 * MS && took < 3_000 * MS, "{took:?}");
    let exchange = drill.exchange().await;
    assert_eq!(exchange.dealt[0].did, Did::Shaped);
    assert!(exchange.complete, "{exchange:?}");
}

#[tokio::test]
async fn each_of_two_delays_is_credited_with_its_own_time() {
    let upstream = Upstream::answering(OK).await;
    let faults = ["latency: 30ms, name: short", "latency: 70ms, name: long"];
    let drill = Drill::of(&faults).before(&upstream);

    time(&drill).await;

    let held: Vec<_> = drill.tallies().iter().map(|t| (t.name.to_string(), t.held)).collect();
    assert_eq!(held, [("short".into(), 30 * MS), ("long".into(), 70 * MS)]);
}

#[tokio::test]
async fn a_delay_that_the_drill_ends_is_credited_with_what_it_took() {
    let upstream = Upstream::answering(OK).await;
    let faults = ["latency: 1h, name: first", "latency: 1h, name: second"];
    let drill = Drill::of(&faults).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    drill.hits("second", 1).await;
    drill.controls().stop();
    assert_eq!(client.answer().await.status(), 200);

    let held: Vec<_> = drill.tallies().iter().map(|t| t.held).collect();
    assert!(held[0] < Duration::from_secs(60) && held[1].is_zero(), "{held:?}");
}

#[tokio::test]
async fn chunks_that_are_held_let_go_when_the_drill_ends() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["latency: { mean: 1h, per: chunk }"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    let head = client.head().await;

    let stopped = Instant::now();
    drill.controls().stop();

    assert_eq!(client.body(head).await.text(), "ok");
    assert!(stopped.elapsed() < 1_000 * MS, "{:?}", stopped.elapsed());
}
