//! `slice`: answers and requests in small slices.

use crate::support::{Drill, GET, Upstream, memory};
use firedrill::event::Did;
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);
/// 99 bytes, 60 of which are the body.
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n\
                      0123456789012345678901234567890123456789012345678901234567ok";

#[tokio::test(start_paused = true)]
async fn an_answer_comes_in_slices_with_a_pause_after_each() {
    let (connector, _) = memory::answering(ANSWER);
    let fault = "slice: { size: 10B, delay: 10ms, side: response }";
    let drill = Drill::of(&[fault]).detached(connector);
    let mut client = drill.memory_client(1);
    let asked = Instant::now();
    client.send(GET).await;

    let mut came = Vec::new();
    for nth in 0..9 {
        came.extend(client.take(10).await);
        assert_eq!(asked.elapsed(), nth * 10 * MS, "slice {nth}");
    }
    came.extend(client.take(9).await);

    assert_eq!(String::from_utf8_lossy(&came), ANSWER);
    assert_eq!(asked.elapsed(), 90 * MS);
    assert_eq!(drill.exchange().await.dealt[0].did, Did::Wire);
}

#[tokio::test(start_paused = true)]
async fn a_request_arrives_whole_however_it_is_sliced() {
    let (connector, heard) = memory::answering(ANSWER);
    let fault = "slice: { size: 3B, variation: 2B, delay: 1ms, side: request }";
    let drill = Drill::of(&[fault]).detached(connector);
    let mut client = drill.memory_client(1);

    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 8\r\n\r\nabcdefgh").await;
    client.answer().await;

    assert_eq!(heard.requests()[0].text(), "abcdefgh");
}

#[tokio::test]
async fn slices_let_go_when_the_drill_ends() {
    let upstream = Upstream::answering(ANSWER).await;
    let drill = Drill::of(&["slice: { size: 1B, delay: 1m }"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    drill.hits("slice", 1).await;

    let stopped = Instant::now();
    drill.controls().stop();

    assert!(client.answer().await.text().ends_with("ok"));
    assert!(stopped.elapsed() < 1_000 * MS, "{:?}", stopped.elapsed());
}
