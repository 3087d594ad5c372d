//! Clients that take their time: each wait has an end, in virtual time.

use crate::support::{Drill, End, GET, OK, memory};
use firedrill::proxy::{Connector, Dial, UpstreamIo};
use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_cut_off_after_75_seconds() {
    let (connector, heard) = memory::answering(OK);
    let drill = Drill::calm().detached(connector);
    let mut client = drill.memory_client(1);
    let began = Instant::now();

    client.send("GET / HTTP/1.1\r\n").await;
    let drip = async {
        loop {
            sleep(5 * SECOND).await;
            if client.try_send("x").await.is_err() {
                return;
            }
        }
    };
    drip.await;

    assert_eq!(began.elapsed(), 80 * SECOND, "the first drop after the end finds it");
    assert!(heard.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go() {
    let drill = Drill::calm().detached(memory::answering(OK).0);
    let began = Instant::now();
    let mut silent = drill.memory_client(1);
    let mut idle = drill.memory_client(1);
    sleep(SECOND).await;
    idle.ask(GET).await;

    assert_eq!(silent.end().await, End::Fin);
    assert_eq!(began.elapsed(), 75 * SECOND);
    assert_eq!(idle.end().await, End::Fin);
    assert_eq!(began.elapsed(), 76 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_stalls_is_given_up_after_a_minute() {
    let (connector, heard) = memory::answering(OK);
    let drill = Drill::calm().detached(connector);
    let mut client = drill.memory_client(1);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await;
    sleep(50 * SECOND).await;
    client.send("d").await;
    let stalled = Instant::now();

    let answer = client.answer().await;

    assert_eq!(stalled.elapsed(), 60 * SECOND);
    assert_eq!(
        (answer.status(), answer.field("x-firedrill")),
        (408, Some("genuine=upload_broken"))
    );
    assert_eq!(client.end().await, End::Fin);
    assert!(!heard.requests()[0].whole, "what the upstream got is no proper request");
    let exchange = drill.exchange().await;
    assert_eq!((exchange.upstream_error, exchange.received), (None, 4));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_given_up_after_five_minutes() {
    let length = 1_000_000;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let (connector, _heard) = memory::answering(answer + &"x".repeat(length));
    let drill = Drill::calm().detached(connector);
    let mut client = drill.memory_client(1);
    let began = Instant::now();

    client.send(GET).await;
    let exchange = loop {
        if let Some(exchange) = drill.finished().pop() {
            break exchange;
        }
        sleep(SECOND).await;
    };

    let took = began.elapsed();
    assert!(took >= 300 * SECOND && took <= 302 * SECOND, "{took:?}");
    assert!(!exchange.complete);
    assert!(client.rest().await.0.len() < length);
}

#[derive(Debug)]
struct Nowhere;

impl Dial for Nowhere {
    fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_takes_no_connection_is_given_up_after_ten_seconds() {
    let drill = Drill::calm().detached(Connector::custom(Arc::new(Nowhere)));
    let began = Instant::now();

    let answer = drill.memory_client(1).ask(GET).await;

    assert_eq!(began.elapsed(), 10 * SECOND);
    let mark = answer.field("x-firedrill");
    assert_eq!((answer.status(), mark), (504, Some("genuine=connect_timeout")));
}
