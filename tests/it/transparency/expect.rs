//! `Expect: 100-continue`: the upstream's word, not ours.

use crate::support::{Drill, OK, Upstream};
use std::time::Duration;
use tokio::time::Instant;

const ASK: &str = "PUT / HTTP/1.1\r\nhost: a\r\nExpect: 100-continue\r\ncontent-length: 4\r\n\r\n";

#[tokio::test]
async fn the_upstreams_go_on_reaches_the_client_and_then_its_body_the_upstream() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        let head = wire.head().await;
        wire.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        log.got(wire.body(head).await);
        wire.send(OK).await;
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    let go_on = client.ask(ASK).await;
    let answer = client.ask("body").await;

    assert_eq!((go_on.status(), answer.status()), (100, 200));
    let request = upstream.request();
    assert_eq!((&*request.text(), request.field("Expect")), ("body", Some("100-continue")));
}

#[tokio::test]
async fn a_refusal_comes_without_a_go_on_and_the_body_stays_where_it_is() {
    for status in ["417 Expectation Failed", "413 Content Too Large", "401 Unauthorized"] {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nno");
        let upstream = Upstream::scripted(move |mut wire, log| {
            let answer = answer.clone();
            async move {
                wire.head().await;
                wire.send(answer).await;
                let (rest, end) = wire.rest().await;
                assert!(rest.is_empty(), "{rest:?}");
                log.ended(end);
            }
        })
        .await;
        let drill = Drill::calm().before(&upstream);

        let refusal = drill.ask(ASK).await;

        assert_eq!((&refusal.start()[9..], &*refusal.text()), (status, "no"));
        // Nobody but the client knows whether it sends the body now.
        assert_eq!(refusal.field("connection"), Some("close"));
        upstream.ends(1).await;
    }
}

#[tokio::test]
async fn an_upstream_that_says_nothing_gets_the_body_after_a_second() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    let asked = Instant::now();
    let go_on = client.ask(ASK).await;
    let answer = client.ask("body").await;

    assert_eq!((go_on.status(), answer.status()), (100, 200));
    assert!(asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(upstream.request().text(), "body");
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_the_word_is_understood() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        let head = wire.head().await;
        wire.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        log.got(wire.body(head).await);
        wire.send(OK).await;
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    let mut answer = client.ask(format!("{ASK}body")).await;
    if answer.status() == 100 {
        answer = client.answer().await;
    }

    assert_eq!(answer.status(), 200);
    assert_eq!(upstream.request().text(), "body");
}
