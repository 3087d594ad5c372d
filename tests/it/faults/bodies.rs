//! `body`: a body that says something else.

use crate::support::{Drill, End, GET, OK, Upstream};
use firedrill::event::{Did, EndedBy};

const JSON: &str = "HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 25\r\n\
                    Content-Type: application/json\r\n\r\n{\"total\":12, \"id\":\"7\"   }";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: x\r\n\r\n\
                       8\r\n{\"total\"\r\n4\r\n:12}\r\n0\r\n\r\n";
const PATCH: &str = "body: { patch: [{ op: replace, path: /total, value: 0 }] }";

#[tokio::test]
async fn an_answer_is_patched_and_its_length_is_right() {
    for (answer, body, fields) in [
        (
            JSON,
            r#"{"id":"7","total":0}"#,
            &["ETag: x", "Content-Length: 20", "Content-Type: application/json"][..],
        ),
        (CHUNKED, r#"{"total":0}"#, &["ETag: x", "content-length: 11"][..]),
    ] {
        let upstream = Upstream::answering(answer).await;
        let drill = Drill::of(&[PATCH]).before(&upstream);
        let mut client = drill.client().await;
        for _ in 0..2 {
            let answer = client.ask(GET).await;
            assert_eq!(answer.text(), body);
            assert_eq!(answer.fields(), fields);
        }
        for exchange in drill.exchanges(2).await {
            assert_eq!((exchange.sent, exchange.complete), (body.len() as u64, true));
            assert_eq!(exchange.dealt[0].did, Did::Edited);
        }
        assert_eq!(upstream.connections(), 1, "the way to the upstream is used again");
    }
}

#[tokio::test]
async fn an_answer_is_replaced_with_its_type_and_may_be_empty() {
    let replace = "body: { replace: '<h1>Sign in</h1>', content_type: text/html }";
    for (fault, body, kind) in [
        (replace, "<h1>Sign in</h1>", "text/html"),
        ("body: { replace: '' }", "", "application/json"),
    ] {
        let upstream = Upstream::answering(JSON).await;
        let drill = Drill::of(&[fault]).before(&upstream);
        let mut client = drill.client().await;
        for _ in 0..2 {
            let answer = client.ask(GET).await;
            assert_eq!((answer.status(), &*answer.text()), (200, body));
            assert_eq!(answer.length(), Some(body.len()));
            assert_eq!(answer.field("content-type"), Some(kind));
        }
        assert!(drill.exchanges(2).await.iter().all(|exchange| exchange.complete));
    }
}

#[tokio::test]
async fn a_kept_length_is_that_of_the_true_body_and_the_connection_ends_before_it() {
    for answer in [JSON, CHUNKED] {
        let length = if answer == JSON { 25 } else { 12 };
        let upstream = Upstream::answering(answer).await;
        let drill = Drill::of(&["body: { replace: '{}', length: keep }"]).before(&upstream);
        let mut client = drill.client().await;

        client.send(GET).await;
        let head = client.head().await;

        assert_eq!((head.length(), head.is_chunked()), (Some(length), false));
        assert_eq!(client.rest().await, (b"{}".to_vec(), End::Fin));
        let exchange = drill.exchange().await;
        assert_eq!((exchange.sent, exchange.complete), (2, false));
        assert_eq!(exchange.ended_by, EndedBy::ProxyFin);
    }
}

#[tokio::test]
async fn a_longer_body_of_a_kept_length_is_its_own_beginning() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["body: { replace: '{\"error\":1}', length: keep }"]).before(&upstream);
    let mut client = drill.client().await;
    for _ in 0..2 {
        let answer = client.ask(GET).await;
        assert_eq!((answer.length(), &*answer.text()), (Some(2), "{\""));
    }
}

#[tokio::test]
async fn a_shaped_body_of_a_kept_length_arrives_as_far_as_it_goes() {
    let upstream = Upstream::answering(JSON).await;
    let shaped = "latency: { mean: 30ms, per: chunk, side: response }";
    let drill = Drill::of(&["body: { replace: '{}', length: keep }", shaped]).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    assert_eq!(client.head().await.length(), Some(25));
    assert_eq!(client.rest().await, (b"{}".to_vec(), End::Fin));
}

#[tokio::test]
async fn trailers_follow_the_new_body() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: sum\r\n\r\n\
                  2\r\n{}\r\n0\r\nsum: 5\r\n\r\n";
    let upstream = Upstream::answering(answer).await;
    let drill = Drill::of(&["body: { merge: { a: 1 } }"]).before(&upstream);
    let mut client = drill.client().await;
    for _ in 0..2 {
        let answer = client
            .ask("GET / HTTP/1.1\r\nhost: shop\r\nte: trailers\r\nconnection: te\r\n\r\n")
            .await;
        assert_eq!((answer.length(), answer.is_chunked()), (None, true));
        assert_eq!((&*answer.text(), &*answer.trailers), (r#"{"a":1}"#, "sum: 5\r\n"));
    }
}

#[tokio::test]
async fn what_cannot_be_changed_arrives_as_it_was_and_is_not_hit() {
    let large = format!("[{}1]", "1,".repeat(1 << 19));
    let chunked = |body: &str| {
        let chunks: Vec<String> = body
            .as_bytes()
            .chunks(60_000)
            .map(|part| format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part)))
            .collect();
        format!(
            "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunks.concat()
        )
    };
    let with = |fields: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    for (answer, body) in [
        (with("", "<html>"), "<html>"),
        (with("", r#"{"other":1}"#), r#"{"other":1}"#),
        (with("", r#"{ "total" : 0 }"#), r#"{ "total" : 0 }"#),
        (with("Content-Encoding: gzip\r\n", r#"{"total":1}"#), r#"{"total":1}"#),
        (with("Content-Type: text/event-stream\r\n", r#"{"total":1}"#), r#"{"total":1}"#),
        (with("", &large), &large),
        (chunked(&large), &large),
        (chunked("<html>"), "<html>"),
        ("HTTP/1.1 204 No Content\r\nA: b\r\n\r\n".to_owned(), ""),
        ("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n".to_owned(), ""),
    ] {
        let upstream = Upstream::answering(answer.clone()).await;
        let plain = Drill::calm().before(&upstream).ask(GET).await;
        let drill = Drill::of(&[PATCH]).before(&upstream);
        let mut client = drill.client().await;
        for _ in 0..2 {
            let answer = client.ask(GET).await;
            assert!(answer.text() == body);
            assert_eq!(answer.head, plain.head);
        }
        assert!(drill.exchanges(2).await.iter().all(|e| e.complete && e.dealt.is_empty()));
        let tally = &drill.tallies()[0];
        assert_eq!((tally.considered, tally.hit), (2, 0));
    }
}

#[tokio::test]
async fn an_answer_to_head_keeps_the_length_it_announced() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").await;
    let drill = Drill::of(&["body: { replace: x }"]).before(&upstream);
    let mut client = drill.client().await;
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n").await;
        assert_eq!(client.head().await.fields(), ["Content-Length: 5000"]);
    }
    drill.exchanges(2).await;
    assert_eq!(drill.tallies()[0].hit, 0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_so_behind_the_edit_as_well() {
    for (answer, part) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"total\"", "{\"total\""),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"total\"\r\n",
            "8\r\n{\"total\"\r\n",
        ),
    ] {
        let upstream = Upstream::scripted(move |mut wire, _| async move {
            wire.request().await;
            wire.send(answer).await;
        })
        .await;
        let drill = Drill::of(&["body: { replace: '{}' }"]).before(&upstream);
        let mut client = drill.client().await;

        client.send(GET).await;
        client.head().await;

        assert_eq!(client.rest().await.0, part.as_bytes());
        let exchange = drill.exchange().await;
        assert!(!exchange.complete && exchange.dealt.is_empty(), "{exchange:?}");
    }
}

#[tokio::test]
async fn a_request_is_changed_on_its_way_and_its_length_is_right() {
    let chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n\
                  3\r\n{\"t\r\n9\r\notal\":12}\r\n0\r\n\r\n";
    let length = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX: 1\r\n\r\n{\"total\":12}";
    for (request, fields) in [
        (length, ["Host: a", "Content-Length: 11", "X: 1"]),
        (chunks, ["Host: a", "X: 1", "content-length: 11"]),
    ] {
        let upstream = Upstream::answering(OK).await;
        let drill = Drill::of(&[
            "body: { side: request, patch: [{ op: replace, path: /total, value: 0 }] }",
        ])
        .before(&upstream);
        let mut client = drill.client().await;
        for _ in 0..2 {
            assert_eq!(client.ask(request).await.text(), "ok");
        }
        for got in upstream.requests() {
            assert_eq!(got.text(), r#"{"total":0}"#);
            assert_eq!(got.fields(), fields);
        }
        for exchange in drill.exchanges(2).await {
            assert_eq!((exchange.received, exchange.dealt[0].did), (12, Did::Edited));
        }
    }
}

#[tokio::test]
async fn a_large_upload_and_one_without_a_body_pass_as_they_are() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["body: { side: request, replace: x }"]).before(&upstream);
    let mut client = drill.client().await;
    let post = |length: usize| {
        format!(
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{}",
            "y".repeat(length)
        )
    };

    for request in [post((1 << 20) + 1), GET.to_owned(), post(1 << 20), post(0)] {
        assert_eq!(client.ask(request).await.status(), 200);
    }

    let lengths: Vec<usize> = upstream.requests().iter().map(|got| got.body.len()).collect();
    assert_eq!(lengths, [(1 << 20) + 1, 0, 1, 1]);
    assert_eq!(upstream.requests()[1].length(), None);
    drill.exchanges(4).await;
    assert_eq!(drill.tallies()[0].hit, 2);
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["body: { side: request, replace: x }"]).before(&upstream);
    let mut client = drill.client().await;

    client
        .send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        .await;
    assert_eq!(client.head().await.status(), 100);

    assert_eq!(client.ask("abc").await.text(), "ok");
    assert_eq!(upstream.request().text(), "x");
}

#[tokio::test]
async fn the_end_of_the_drill_lets_an_answer_that_is_held_go_unchanged() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n").await;
        wire.rest().await;
    })
    .await;
    let drill = Drill::of(&["body: { replace: x }"]).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    client.is_silent_for(std::time::Duration::from_millis(50)).await;
    drill.controls().stop();

    assert_eq!(client.head().await.status(), 200);
    assert_eq!(client.take(7).await, b"2\r\n{}\r\n");
    assert_eq!(drill.tallies()[0].hit, 0);
}

#[tokio::test]
async fn changes_are_made_one_after_the_other() {
    let upstream = Upstream::answering(JSON).await;
    let drill = Drill::of(&[
        "body: { merge: { total: 1 } }, name: one",
        "headers: { remove: etag }",
        "body: { merge: { note: n } }, name: two",
    ])
    .before(&upstream);

    let answer = drill.ask(GET).await;

    assert_eq!(answer.text(), r#"{"id":"7","note":"n","total":1}"#);
    assert_eq!((answer.length(), answer.field("etag")), (Some(31), None));
    assert_eq!(drill.exchange().await.dealt.len(), 3);
}

#[tokio::test]
async fn nothing_changes_at_0_percent_and_everything_at_100() {
    let upstream = Upstream::answering(OK).await;
    for (share, body) in [("0%", "ok"), ("100%", "no")] {
        let fault = format!("body: {{ replace: 'no' }}, share: {share}");
        let drill = Drill::of(&[&fault]).before(&upstream);
        for _ in 0..20 {
            assert_eq!(drill.ask(GET).await.text(), body, "{fault}");
        }
    }
}
