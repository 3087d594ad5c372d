//! `dribble`: bodies a few bytes at a time.

use crate::support::{Drill, GET, Upstream, memory};
use firedrill::event::Did;
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n";
const BODY: &str = "abcdefghijklmnopqrst";

#[tokio::test(start_paused = true)]
async fn the_head_comes_at_once_and_the_pieces_on_their_time() {
    for (fault, first, apart, size) in [
        ("dribble: { over: 10s, pieces: 5 }", 2_000 * MS, 2_000 * MS, 4),
        ("dribble: 10s", 1_000 * MS, 1_000 * MS, 2),
        ("dribble: { bytes: 4B, every: 100ms }", Duration::ZERO, 100 * MS, 4),
    ] {
        let (connector, _) = memory::answering([HEAD, BODY].concat());
        let drill = Drill::of(&[fault]).detached(connector);
        let mut client = drill.memory_client(1);
        let asked = Instant::now();
        client.send(GET).await;

        client.head().await;
        assert_eq!(asked.elapsed(), Duration::ZERO, "{fault}");
        for (nth, piece) in (0..).zip(BODY.as_bytes().chunks(size)) {
            assert_eq!(client.take(size).await, piece);
            assert_eq!(asked.elapsed(), first + nth * apart, "{fault}: piece {nth}");
        }
        let exchange = drill.exchange().await;
        assert!(exchange.complete);
        assert_eq!(exchange.dealt[0].did, Did::Shaped);
    }
}

#[tokio::test(start_paused = true)]
async fn no_byte_is_lost_of_a_body_that_is_larger_than_what_is_held() {
    let body: Vec<u8> = (0..3_000_000).map(|at| b"0123456789abcdef"[at % 16]).collect();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let (connector, _) = memory::answering([head.as_bytes(), &body].concat());
    let drill = Drill::of(&["dribble: 10s"]).detached(connector);
    let asked = Instant::now();

    let answer = drill.memory_client(1).ask(GET).await;

    assert!(answer.body == body);
    assert_eq!(asked.elapsed(), 10_000 * MS);
}

/// As much as came of it, at its pace, and only then the break.
#[tokio::test(start_paused = true)]
async fn a_body_that_the_upstream_breaks_off_comes_as_far_as_it_went() {
    let (connector, _) = memory::scripted(|mut wire, _| async move {
        wire.request().await;
        wire.send([HEAD, &BODY[..12]].concat()).await;
    });
    let drill = Drill::of(&["dribble: { bytes: 4B, every: 100ms }"]).detached(connector);
    let mut client = drill.memory_client(1);
    let asked = Instant::now();
    client.send(GET).await;

    client.head().await;
    let (came, _) = client.rest().await;

    assert_eq!(came, &BODY.as_bytes()[..12]);
    assert_eq!(asked.elapsed(), 200 * MS);
    assert!(!drill.exchange().await.complete);
}

#[tokio::test]
async fn a_dribble_lets_go_when_the_drill_ends() {
    let upstream = Upstream::answering([HEAD, BODY].concat()).await;
    let drill = Drill::of(&["dribble: 1h"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    let head = client.head().await;

    let stopped = Instant::now();
    drill.controls().stop();

    assert_eq!(client.body(head).await.text(), BODY);
    assert!(stopped.elapsed() < 1_000 * MS, "{:?}", stopped.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_held_comes_when_the_phase_ends() {
    for fault in
        ["dribble: 1h", "dribble: { bytes: 1B, every: 1h }", "slice: { size: 1B, delay: 1h }"]
    {
        let (connector, _) = memory::answering([HEAD, BODY].concat());
        let outage = format!("{{ name: outage, for: 10s, faults: [{{ {fault} }}] }}");
        let drill = Drill::phases(&[&outage, "{ name: after, for: 10m }"]).detached(connector);
        let asked = Instant::now();

        let answer = drill.memory_client(1).ask(GET).await;

        assert_eq!((&*answer.text(), asked.elapsed()), (BODY, 10_000 * MS), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dribble_and_a_delay_add_up() {
    let (connector, _) = memory::answering([HEAD, BODY].concat());
    let drill = Drill::of(&["dribble: 10s", "latency: 300ms"]).detached(connector);
    let asked = Instant::now();

    assert_eq!(drill.memory_client(1).ask(GET).await.text(), BODY);

    assert_eq!(asked.elapsed(), 10_300 * MS);
}
