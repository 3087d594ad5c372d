//! `respond`: an answer without the upstream.

use crate::support::{Drill, GET, OK, Upstream};
use firedrill::event;

const BUSY: &str = r#"respond: { status: 429, retry_after: 30s, headers: { x-reason: sale, set-cookie: [a=1, b=2] }, body: '{"error":"busy"}' }"#;

#[tokio::test]
async fn the_answer_is_the_one_written_down_and_the_upstream_is_not_called() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&[BUSY]).before(&upstream);

    let answer = drill.ask(GET).await;

    assert_eq!(answer.start(), "HTTP/1.1 429 Too Many Requests");
    assert_eq!(answer.field("retry-after"), Some("30"));
    assert_eq!(answer.field("x-reason"), Some("sale"));
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("content-length"), Some("16"));
    assert_eq!(answer.text(), r#"{"error":"busy"}"#);
    assert_eq!(upstream.connections(), 0);
    let exchange = drill.exchange().await;
    assert_eq!(exchange.upstream, event::Upstream::NotSent);
    assert_eq!((exchange.status, exchange.complete), (429, true));
    assert_eq!(exchange.dealt[0].did, event::Did::Responded(429));
}

#[tokio::test]
async fn an_injected_answer_says_so_unless_it_must_not() {
    let upstream = Upstream::answering(OK).await;
    let marked = Drill::of(&["respond: 503, name: outage"]).before(&upstream);
    let unmarked = Drill::of(&["respond: 503"]).unmarked().before(&upstream);

    let run = marked.injector().run_id().to_owned();
    let mark = format!("run={run}; phase=outage; fault=outage");

    assert_eq!(marked.ask(GET).await.field("x-firedrill"), Some(&*mark));
    assert_eq!(unmarked.ask(GET).await.field("x-firedrill"), None);
}

#[tokio::test]
async fn head_gets_the_head_alone() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["respond: 503"]).before(&upstream);
    let mut client = drill.client().await;

    client.send("HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    let head = client.head().await;
    let next = client.ask(GET).await;

    assert_eq!((head.status(), head.field("content-length")), (503, Some("20")));
    assert_eq!(next.start(), "HTTP/1.1 503 Service Unavailable");
    for exchange in drill.exchanges(2).await {
        assert!(exchange.complete, "{exchange:?}");
        assert_eq!(exchange.ended_by, event::EndedBy::Completed);
    }
}

#[tokio::test]
async fn an_upload_is_read_before_it_is_answered_and_the_connection_lives_on() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["respond: 503"]).before(&upstream);
    let mut client = drill.client().await;

    client.send("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 6\r\n\r\nabc").await;
    drill.hits("respond", 1).await;
    let answer = client.ask("def").await;
    let next = client.ask(GET).await;

    assert_eq!((answer.status(), next.status()), (503, 503));
    assert_eq!(drill.exchanges(2).await[0].received, 6);
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_refused_without_it() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["respond: 503"]).before(&upstream);

    let answer = drill
        .ask("POST / HTTP/1.1\r\nhost: shop\r\nexpect: 100-continue\r\ncontent-length: 6\r\n\r\n")
        .await;

    assert_eq!(answer.status(), 503);
}

#[tokio::test]
async fn the_targets_alone_are_hit() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["respond: 503, target: { method: POST, path: /purchase/** }"])
        .before(&upstream);
    let mut client = drill.client().await;

    let hit = client.ask("POST /purchase/1 HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    let other_method = client.ask("GET /purchase/1 HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    let other_path = client.ask("POST /items HTTP/1.1\r\nhost: shop\r\n\r\n").await;

    assert_eq!([hit.status(), other_method.status(), other_path.status()], [503, 200, 200]);
}

#[tokio::test]
async fn a_body_decides_when_a_target_asks_for_it_and_reaches_the_upstream_whole() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["respond: 503, target: { body: { /kind: sale } }"]).before(&upstream);
    let mut client = drill.client().await;
    let post = |body: &str| {
        format!("POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };

    let hit = client.ask(post(r#"{"kind":"sale"}"#)).await;
    let other = client.ask(post(r#"{"kind":"loan"}"#)).await;

    assert_eq!([hit.status(), other.status()], [503, 200]);
    assert_eq!(upstream.request().text(), r#"{"kind":"loan"}"#);
}

#[tokio::test]
async fn nothing_is_hit_at_0_percent_and_everything_at_100() {
    let upstream = Upstream::answering(OK).await;
    for unit in ["users", "requests", "connections"] {
        for (share, status) in [("0%", 200), ("100%", 503)] {
            let fault = format!("respond: 503, share: '{share} of {unit}'");
            let drill = Drill::of(&[&fault]).before(&upstream);
            for user in 0..20 {
                let mut client = drill.client().await;
                for _ in 0..2 {
                    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-user-id: {user}\r\n\r\n");
                    assert_eq!(client.ask(request).await.status(), status, "{fault}");
                }
            }
        }
    }
}
