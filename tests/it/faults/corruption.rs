//! `corrupt`: bodies that arrive other than they were sent.

use crate::support::{Drill, GET, Message, Upstream};
use firedrill::event::Did;

const LENGTH: usize = 100_000;

/// No two bytes in a row are equal, and none is zero.
fn body() -> Vec<u8> {
    (0..LENGTH).map(|at| u8::try_from(at % 255 + 1).expect("at most 255")).collect()
}

fn announced() -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
    [head.into_bytes(), body()].concat()
}

fn chunked() -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{LENGTH:x}\r\n");
    [head.into_bytes(), body(), b"\r\n0\r\n\r\n".to_vec()].concat()
}

async fn ask(fault: &str, answer: Vec<u8>, seed: u64) -> (Message, Drill) {
    let upstream = Upstream::answering(answer).await;
    let drill = Drill::of(&[fault]).seed(seed).before(&upstream);
    (drill.ask(GET).await, drill)
}

fn hits(arrived: &[u8]) -> usize {
    arrived.iter().zip(body()).filter(|(arrived, sent)| **arrived != *sent).count()
}

/// 1 % of 100 000 bytes are 1000, with a standard deviation of 31; four of those are allowed.
#[tokio::test]
async fn so_many_bytes_of_the_body_are_hit_and_its_length_is_right() {
    for fault in ["corrupt: 1%", "corrupt: { rate: 1%, as: zero }"] {
        for answer in [announced(), chunked()] {
            let (message, drill) = ask(fault, answer, 7).await;
            assert_eq!((message.status(), message.body.len()), (200, LENGTH));
            assert!((875..=1_125).contains(&hits(&message.body)), "{}", hits(&message.body));
            let exchange = drill.exchange().await;
            assert_eq!((exchange.complete, exchange.sent), (true, LENGTH as u64));
            assert_eq!(exchange.dealt[0].did, Did::Shaped);
        }
    }
}

#[tokio::test]
async fn the_same_seed_hits_the_same_bytes() {
    let (one, _) = ask("corrupt: 1%", announced(), 7).await;
    let (again, _) = ask("corrupt: 1%", announced(), 7).await;
    let (other, _) = ask("corrupt: 1%", announced(), 8).await;
    assert!(one.body == again.body);
    assert!(one.body != other.body);
}

#[tokio::test]
async fn repeated_bytes_push_the_end_out_of_an_announced_length_and_else_the_body_grows() {
    let fault = "corrupt: { rate: 1%, as: repeat }";
    let (message, drill) = ask(fault, announced(), 7).await;
    assert_eq!((message.body.len(), message.whole), (LENGTH, true));
    assert!(hits(&message.body) > LENGTH / 2, "everything behind a repeated byte is moved");
    let exchange = drill.exchange().await;
    assert_eq!((exchange.complete, exchange.sent), (true, LENGTH as u64));

    let (message, _) = ask(fault, chunked(), 7).await;
    assert!((100_875..=101_125).contains(&message.body.len()), "{}", message.body.len());
}

#[tokio::test]
async fn the_connection_is_good_for_another_request() {
    let upstream = Upstream::answering(announced()).await;
    let drill = Drill::of(&["corrupt: { rate: 1%, as: repeat }"]).before(&upstream);
    let mut client = drill.client().await;
    for _ in 0..3 {
        assert_eq!(client.ask(GET).await.body.len(), LENGTH);
    }
}

#[tokio::test]
async fn outside_its_share_no_byte_is_hit() {
    let (message, drill) = ask("corrupt: 50%, share: 0%", announced(), 7).await;
    assert!(message.body == body());
    assert!(!drill.exchange().await.injected());
}
