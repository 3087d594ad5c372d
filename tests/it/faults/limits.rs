//! `limit_data`: connections that end after so many bytes.

use crate::support::{Drill, End, GET, OK, Upstream};
use firedrill::event::{Did, EndedBy};

fn answer(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let body = (0..length).map(|at| b"0123456789abcdef"[at % 16]);
    head.into_bytes().into_iter().chain(body).collect()
}

#[tokio::test]
async fn exactly_so_many_bytes_arrive_and_then_the_connection_ends() {
    for (by, end, ended_by) in
        [("close", End::Fin, EndedBy::ProxyFin), ("reset", End::Reset, EndedBy::ProxyRst)]
    {
        for (length, limit) in [(5_000, 0), (5_000, 100), (300_000, 100_000), (3_000_000, 1 << 20)]
        {
            let upstream = Upstream::answering(answer(length)).await;
            let fault = format!("limit_data: {{ bytes: {limit}B, by: {by} }}");
            let drill = Drill::of(&[&fault]).before(&upstream);
            let mut client = drill.client().await;

            client.send(GET).await;
            let (bytes, met) = client.rest().await;

            assert_eq!((bytes.len(), met), (limit, end), "{fault}");
            assert!(bytes == answer(length)[..limit]);
            let exchange = drill.exchange().await;
            assert_eq!((exchange.ended_by, exchange.complete), (ended_by, false), "{fault}");
            assert_eq!(exchange.dealt[0].did, Did::Wire);
        }
    }
}

#[tokio::test]
async fn bytes_are_counted_over_all_answers_of_a_connection() {
    let upstream = Upstream::answering(OK).await;
    let fault = format!("limit_data: {}B", OK.len() * 2 + 5);
    let drill = Drill::of(&[&fault]).before(&upstream);
    let mut client = drill.client().await;
    for _ in 0..2 {
        assert_eq!(client.ask(GET).await.text(), "ok");
    }

    client.send(GET).await;

    assert_eq!(client.rest().await, (b"HTTP/".to_vec(), End::Fin));
    assert_eq!(drill.ask(GET).await.text(), "ok", "another connection has a count of its own");
}

#[tokio::test]
async fn a_request_that_is_too_long_ends_the_connection() {
    let upstream = Upstream::answering(OK).await;
    let fault = "limit_data: { bytes: 10B, side: request, by: reset }";
    let drill = Drill::of(&[fault]).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;

    assert_eq!(client.end().await, End::Reset);
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_connection_that_carries_less_is_left_alone() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["limit_data: 10KiB"]).before(&upstream);
    let mut client = drill.client().await;
    for _ in 0..20 {
        assert_eq!(client.ask(GET).await.text(), "ok");
    }
}
