//! `hang`: the request is read, and no answer comes.

use crate::support::{Drill, End, GET, OK, Upstream};
use firedrill::event::{Did, EndedBy};
use std::time::Duration;
use tokio::time::Instant;

const TWO: [&str; 2] =
    ["{ name: outage, for: 10m, faults: [{ hang: {} }] }", "{ name: after, for: 10m }"];

#[tokio::test]
async fn it_lets_go_at_the_end_of_its_phase_and_the_request_goes_on() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::phases(&TWO).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    drill.hits("hang", 1).await;
    assert_eq!(upstream.connections(), 0);
    drill.controls().skip();

    assert_eq!(client.answer().await.text(), "ok");
    let exchange = drill.exchange().await;
    assert_eq!(exchange.dealt[0].did, Did::Hung);
    assert!(exchange.complete);
}

#[tokio::test]
async fn it_lets_go_within_100_ms_of_the_end_of_the_drill() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: {}"]).before(&upstream);
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = drill.client().await;
        client.send(GET).await;
        clients.push(client);
    }
    drill.hits("hang", 50).await;

    let stopped = Instant::now();
    drill.controls().stop();
    for client in &mut clients {
        assert_eq!(client.answer().await.status(), 200);
    }

    assert!(stopped.elapsed() < Duration::from_secs(1), "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn it_gives_up_after_its_time_and_closes_without_an_answer() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: 120ms"]).before(&upstream);
    let mut client = drill.client().await;

    let asked = Instant::now();
    client.send(GET).await;
    let end = client.end().await;

    assert_eq!(end, End::Fin);
    assert!(asked.elapsed() >= Duration::from_millis(120), "{:?}", asked.elapsed());
    assert_eq!(upstream.connections(), 0);
    let exchange = drill.exchange().await;
    assert_eq!((exchange.ended_by, exchange.status), (EndedBy::ProxyFin, 0));
}

#[tokio::test]
async fn its_early_end_is_a_fin_even_if_not_all_of_the_upload_was_read() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: 100ms"]).before(&upstream);
    let mut client = drill.client().await;

    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 600000\r\n\r\n").await;
    client.send(vec![b'x'; 600_000]).await;

    assert_eq!(client.end().await, End::Fin);
}

#[tokio::test]
async fn an_upload_is_taken_in_while_it_hangs_and_goes_on_whole() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::phases(&TWO).before(&upstream);
    let mut client = drill.client().await;
    let body: Vec<u8> = (0..700_000_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();

    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 700000\r\n\r\n").await;
    client.send(&body).await;
    drill.hits("hang", 1).await;
    drill.controls().skip();

    assert_eq!(client.answer().await.status(), 200);
    assert!(upstream.request().body == body);
}

#[tokio::test]
async fn a_client_that_gives_up_is_noticed_at_once() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: {}"]).before(&upstream);
    let mut closing = drill.client().await;
    let mut resetting = drill.client().await;

    closing.send(GET).await;
    drill.hits("hang", 1).await;
    drop(closing);
    let closed = drill.exchange().await;
    resetting.send(GET).await;
    drill.hits("hang", 2).await;
    resetting.reset();
    let both = drill.exchanges(2).await;

    assert_eq!(closed.ended_by, EndedBy::ClientFin);
    assert!(closed.t_client_gone > closed.t_received);
    let reset = both.iter().find(|exchange| exchange.conn != closed.conn).expect("the other");
    assert_eq!(reset.ended_by, EndedBy::ClientRst);
}

#[tokio::test]
async fn a_client_that_gives_up_is_noticed_although_its_upload_is_unread() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: {}"]).before(&upstream);
    let mut client = drill.client().await;

    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 9000000\r\n\r\n").await;
    // More than is read ahead, and no more than its own kernel can hand over before the FIN.
    client.send(vec![b'x'; 300_000]).await;
    drill.hits("hang", 1).await;
    drop(client);

    assert!(matches!(drill.exchange().await.ended_by, EndedBy::ClientFin | EndedBy::ClientRst));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn what_holds_a_request_is_the_fault_as_it_is_now() {
    let upstream = Upstream::answering(OK).await;
    let phases = [
        "{ name: outage, for: 10m, faults: [{ hang: {} }] }",
        "{ name: flaps, for: 10m, faults: [{ hang: {}, pattern: { every: 10s, on: 100ms } }] }",
    ];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    drill.hits("hang", 1).await;

    drill.controls().skip();
    let since = Instant::now();

    assert_eq!(client.answer().await.status(), 200);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}
