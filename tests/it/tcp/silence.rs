//! `blackhole` on bytes: nothing passes, and nothing is lost.

use crate::{
    support::Drill,
    tcp::{Line, SECOND, bytes, the_connection},
};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

const DARK: [&str; 3] = [
    "{ name: before, for: 10s }",
    "{ name: dark, for: 20s, faults: [{ blackhole: {} }] }",
    "{ name: after, for: 10m }",
];

#[tokio::test(start_paused = true)]
async fn nothing_passes_either_way_and_then_all_of_it_does_in_order() {
    let mut line = Line::of(Drill::phases(&DARK));
    let began = Instant::now();
    let (mut client, mut server) = line.pair(1).await;
    client.send("before ").await;
    assert_eq!(server.take(7).await, b"before ");
    sleep_until(began + 11 * SECOND).await;

    for part in 0..10 {
        client.send(format!("up {part} ")).await;
        server.send(format!("down {part} ")).await;
        sleep(SECOND).await;
    }
    client.half_close().await;
    client.is_silent_for(8 * SECOND).await;
    server.is_silent_for(SECOND / 2).await;
    sleep_until(began + 30 * SECOND).await;

    let up = (0..10).map(|part| format!("up {part} ")).collect::<Vec<_>>().concat();
    let down = (0..10).map(|part| format!("down {part} ")).collect::<Vec<_>>().concat();
    assert_eq!(server.rest().await.0, up.as_bytes());
    assert_eq!(began.elapsed(), 30 * SECOND);
    assert_eq!(client.take(down.len()).await, down.as_bytes());
    drop(server);
    assert_eq!(client.rest().await.0, b"");
    assert_eq!(began.elapsed(), 30 * SECOND);
    assert_eq!(the_connection(&line.drill).await.dealt.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn new_connections_are_accepted_dialled_and_silent() {
    let mut line = Line::of(Drill::phases(&DARK));
    let began = Instant::now();
    sleep_until(began + 12 * SECOND).await;
    let (mut client, mut server) = line.pair(1).await;
    client.send("hello").await;
    server.send("welcome").await;
    server.is_silent_for(17 * SECOND).await;

    assert_eq!(server.take(5).await, b"hello");
    assert_eq!(client.take(7).await, b"welcome");
    assert_eq!(began.elapsed(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_sender_feels_that_nobody_takes_its_bytes() {
    let mut line = Line::of(Drill::phases(&DARK));
    let began = Instant::now();
    let (mut client, mut server) = line.pair(1).await;
    sleep_until(began + 12 * SECOND).await;
    let sent = bytes(2_000_000);
    let whole = sent.clone();
    let sender = tokio::spawn(async move {
        client.send(&sent).await;
        began.elapsed()
    });
    assert!(server.take(whole.len()).await == whole);

    assert_eq!(sender.await.ok(), Some(30 * SECOND));
}

/// An end is a byte like any other: it does not pass either.
#[tokio::test(start_paused = true)]
async fn an_end_does_not_pass_before_the_silence_is_over() {
    let mut line = Line::of(Drill::phases(&DARK));
    let began = Instant::now();
    let (mut client, server) = line.pair(1).await;
    sleep_until(began + 12 * SECOND).await;
    drop(server);
    assert_eq!(client.rest().await.0, b"");
    assert_eq!(began.elapsed(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_drill_ends_the_silence_at_once() {
    let mut line = Line::of(Drill::of(&["blackhole: {}"]));
    let (mut client, mut server) = line.pair(1).await;
    client.send("held").await;
    server.is_silent_for(60 * SECOND).await;
    let stopped = Instant::now();
    line.drill.controls().stop();
    assert_eq!(server.take(4).await, b"held");
    assert_eq!(stopped.elapsed(), Duration::ZERO);
}
