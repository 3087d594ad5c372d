//! `blackhole` and `bandwidth`: faults on the bytes of connections.

use crate::support::{Drill, End, GET, OK, Upstream};
use firedrill::event::{Did, EndedBy, Event, Outcome};
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 31 % 251).expect("below 256")).collect()
}

fn answer(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    [head.into_bytes(), body(length)].concat()
}

const SILENCE: [&str; 3] = [
    "{ name: before, for: 10m }",
    "{ name: outage, for: 10m, faults: [{ blackhole: {} }] }",
    "{ name: after, for: 10m }",
];

#[tokio::test]
async fn a_blackhole_swallows_a_request_and_gives_it_back() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::phases(&SILENCE).before(&upstream);
    let mut client = drill.client().await;
    assert_eq!(client.ask(GET).await.status(), 200);

    drill.controls().skip();
    drill.phase(1).await;
    client.send(GET).await;
    drill.hits("blackhole", 1).await;
    client.is_silent_for(30 * MS).await;
    assert_eq!(upstream.requests().len(), 1);
    drill.controls().skip();

    assert_eq!(client.answer().await.text(), "ok");
    assert_eq!(client.ask(GET).await.text(), "ok");
    let exchanges = drill.exchanges(3).await;
    let dealt: Vec<usize> = exchanges.iter().map(|exchange| exchange.dealt.len()).collect();
    assert_eq!(dealt, [0, 1, 0], "{exchanges:?}");
    assert_eq!(exchanges[1].dealt[0].did, Did::Wire);
}

#[tokio::test]
async fn a_blackhole_swallows_an_answer_and_gives_it_back() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let upstream = Upstream::scripted(move |mut wire, log| {
        let mut wait = wait.clone();
        async move {
            log.got(wire.request().await.expect("a request"));
            wait.wait_for(|go| *go).await.expect("the test goes on");
            wire.send(answer(300_000)).await;
            wire.end().await;
        }
    })
    .await;
    let drill = Drill::phases(&SILENCE).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    crate::support::eventually("the request arrives", || upstream.requests().pop()).await;

    drill.controls().skip();
    drill.phase(1).await;
    go.send(true).expect("the upstream waits");
    drill.hits("blackhole", 1).await;
    client.is_silent_for(30 * MS).await;
    drill.controls().skip();

    assert!(client.answer().await.body == body(300_000), "no byte is lost or moved");
    assert_eq!(drill.exchange().await.dealt[0].did, Did::Wire);
}

#[tokio::test]
async fn a_blackhole_accepts_and_says_nothing_until_the_drill_ends() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["blackhole: {}"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    drill.hits("blackhole", 1).await;
    client.is_silent_for(30 * MS).await;
    assert_eq!(upstream.connections(), 0);

    let stopped = Instant::now();
    drill.controls().stop();

    assert_eq!(client.answer().await.status(), 200);
    assert!(stopped.elapsed() < 1_000 * MS, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_client_that_gives_up_in_a_blackhole_is_told_of() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["blackhole: {}"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    drill.hits("blackhole", 1).await;

    client.reset();

    let told = crate::support::eventually("the connection is told of", || {
        drill.events().into_iter().find_map(|event| match event {
            Event::Connection(connection) => Some(connection),
            _ => None,
        })
    });
    let told = told.await;
    assert_eq!(told.ended_by, EndedBy::ClientRst);
    assert_eq!(told.dealt[0].did, Did::Wire);
}

#[tokio::test]
async fn an_answer_that_a_blackhole_holds_is_not_told_as_one_that_arrived() {
    let (upstream, go) = Upstream::holding(OK).await;
    let drill = Drill::phases(&SILENCE).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    crate::support::eventually("the request arrives", || upstream.requests().pop()).await;
    drill.controls().skip();
    drill.phase(1).await;
    go.send(true).expect("the upstream waits");
    drill.hits("blackhole", 1).await;

    client.reset();

    let exchange = drill.exchange().await;
    assert_eq!(exchange.outcome(), Outcome::ClientGone);
    assert_eq!(exchange.ended_by, EndedBy::ClientRst);
    assert_eq!(exchange.dealt[0].did, Did::Wire);
}

#[tokio::test]
async fn a_blackhole_that_flaps_lets_through_in_between() {
    let upstream = Upstream::answering(answer(2_000_000)).await;
    let fault = "blackhole: {}, pattern: { every: 100ms, on: 60ms }";
    let drill = Drill::of(&[fault]).before(&upstream);
    let mut client = drill.client().await;

    for _ in 0..3 {
        assert!(client.ask(GET).await.body == body(2_000_000));
    }
}

#[tokio::test]
async fn a_connection_outside_the_share_is_not_silenced() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["blackhole: {}, share: 0% of connections"]).before(&upstream);

    assert_eq!(drill.ask(GET).await.status(), 200);
    assert!(!drill.exchange().await.injected());
}

#[tokio::test]
async fn n_bytes_take_n_over_rate() {
    let upstream = Upstream::answering(answer(40_000)).await;
    let drill = Drill::of(&["bandwidth: { rate: 200KB/s, side: response }"]).before(&upstream);
    let mut client = drill.client().await;

    let asked = Instant::now();
    let answer = client.ask(GET).await;

    // 40 000 bytes and a head of 42 at 200 000 a second.
    assert!(answer.body == body(40_000));
    assert!(asked.elapsed() >= 200 * MS && asked.elapsed() < 3_000 * MS, "{:?}", asked.elapsed());
    assert_eq!(drill.exchange().await.dealt[0].did, Did::Wire);
}

#[tokio::test]
async fn an_upload_through_a_narrow_pipe_takes_its_time_too() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["bandwidth: { rate: 400KB/s, side: request }"]).before(&upstream);
    let mut client = drill.client().await;

    let asked = Instant::now();
    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 60000\r\n\r\n").await;
    client.send(body(60_000)).await;
    client.answer().await;

    assert!(upstream.request().body == body(60_000));
    assert!(asked.elapsed() >= 150 * MS && asked.elapsed() < 3_000 * MS, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_shared_pipe_is_shared() {
    let upstream = Upstream::answering(answer(20_000)).await;
    let fault = "bandwidth: { rate: 400KB/s, side: response, scope: proxy }";
    let drill = Drill::of(&[fault]).before(&upstream);
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(drill.client().await);
    }

    let asked = Instant::now();
    for client in &mut clients {
        client.send(GET).await;
    }
    for client in &mut clients {
        assert!(client.answer().await.body == body(20_000));
    }

    assert!(asked.elapsed() >= 200 * MS && asked.elapsed() < 3_000 * MS, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_narrow_pipe_widens_when_the_drill_ends() {
    let upstream = Upstream::answering(answer(500_000)).await;
    let drill = Drill::of(&["bandwidth: 1KiB/s"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    let head = client.head().await;

    let stopped = Instant::now();
    drill.controls().stop();

    assert!(client.body(head).await.body == body(500_000));
    assert!(stopped.elapsed() < 1_000 * MS, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn the_end_of_a_stream_comes_after_its_bytes() {
    let upstream = Upstream::answering("HTTP/1.0 200 OK\r\n\r\nuntil the end").await;
    let drill = Drill::of(&["bandwidth: 2KB/s"]).before(&upstream);
    let mut client = drill.client().await;

    client.send("GET / HTTP/1.0\r\n\r\n").await;
    let upstream_closes = Upstream::scripted(|mut wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.0 200 OK\r\n\r\nuntil the end").await;
    })
    .await;
    drop((client, drill));
    let drill = Drill::of(&["bandwidth: 2KB/s"]).before(&upstream_closes);
    let mut client = drill.client().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    client.head().await;

    assert_eq!(client.rest().await, (b"until the end".to_vec(), End::Fin));
}
