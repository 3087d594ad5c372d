//! `limit_data`: connections that end after so many bytes.

use crate::support::{Drill, End, GET, OK, Upstream, memory};
use firedrill::event::{Did, EndedBy};
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

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

#[tokio::test(start_paused = true)]
async fn what_passed_before_the_end_takes_its_time_through_the_faults_behind_it() {
    let (limit, slice) = ("limit_data: 30B", "slice: { size: 10B, delay: 10ms, side: response }");
    for faults in [[limit, slice], [slice, limit]] {
        let (connector, _) = memory::answering(answer(5_000));
        let drill = Drill::of(&faults).detached(connector);
        let mut client = drill.memory_client(1);
        let asked = Instant::now();
        client.send(GET).await;

        let (bytes, end) = client.rest().await;

        assert!(bytes == answer(5_000)[..30], "{faults:?}: {} bytes", bytes.len());
        assert_eq!((end, asked.elapsed()), (End::Fin, 20 * MS), "{faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_a_later_phase_limits_is_counted_from_then_on() {
    let (connector, _) = memory::answering(OK);
    let fault = format!("limit_data: {}B", OK.len() + 3);
    let drill = Drill::phases(&[
        "{ name: before, for: 10s }",
        &format!("{{ name: outage, for: 10s, faults: [{{ {fault} }}] }}"),
        "{ name: after, for: 10s }",
    ])
    .detached(connector);
    let mut client = drill.memory_client(1);
    for _ in 0..5 {
        assert_eq!(client.ask(GET).await.text(), "ok");
    }
    let mut spared = drill.memory_client(2);
    assert_eq!(spared.ask(GET).await.text(), "ok");
    drill.phase(1).await;
    assert_eq!(client.ask(GET).await.text(), "ok");
    assert_eq!(spared.ask(GET).await.text(), "ok");
    client.send(GET).await;
    assert_eq!(client.rest().await, (b"HTT".to_vec(), End::Fin));

    drill.phase(2).await;
    assert_eq!(spared.ask(GET).await.text(), "ok");
}
