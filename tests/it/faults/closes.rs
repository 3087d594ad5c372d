//! `slow_close`: the end comes late.

use crate::support::{Drill, End, GET, OK, Upstream, memory};
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);
const ASK: &str = "GET / HTTP/1.0\r\n\r\n";
const ANSWER: &str = "HTTP/1.0 200 OK\r\n\r\nuntil the end";

#[tokio::test(start_paused = true)]
async fn bytes_come_at_once_and_the_end_exactly_so_much_later() {
    for (fault, late) in [
        ("slow_close: 2s", 2_000 * MS),
        ("slow_close: { delay: 300ms, side: response }", 300 * MS),
        ("slow_close: { delay: 2s, side: request }", Duration::ZERO),
    ] {
        let (connector, _) = memory::scripted(|mut wire, _| async move {
            wire.request().await;
            wire.send(ANSWER).await;
        });
        let drill = Drill::of(&[fault]).detached(connector);
        let mut client = drill.memory_client(1);
        let asked = Instant::now();
        client.send(ASK).await;

        client.until("until the end").await;
        assert_eq!(asked.elapsed(), Duration::ZERO, "{fault}");
        assert_eq!(client.end().await, End::Fin);
        assert_eq!(asked.elapsed(), late, "{fault}");
    }
}

#[tokio::test]
async fn a_connection_that_stays_open_is_not_touched() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["slow_close: 1h"]).before(&upstream);
    let mut client = drill.client().await;

    for _ in 0..3 {
        assert_eq!(client.ask(GET).await.text(), "ok");
    }
}

#[tokio::test]
async fn a_held_end_leaves_when_the_drill_ends() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        wire.request().await;
        wire.send(ANSWER).await;
    })
    .await;
    let drill = Drill::of(&["slow_close: 1h"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(ASK).await;
    client.until("until the end").await;
    client.is_silent_for(30 * MS).await;

    drill.controls().stop();

    assert_eq!(client.end().await, End::Fin);
}
