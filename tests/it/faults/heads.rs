//! `headers`: fields of a head that are missing, changed, or too many.

use crate::support::{Drill, GET, Upstream};
use firedrill::event::Did;

const ANSWER: &str =
    "HTTP/1.1 200 OK\r\nETag: x\r\nX-Cache: HIT\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn an_answers_fields_change_and_the_others_stay_as_they_were_spelt() {
    let upstream = Upstream::answering(ANSWER).await;
    let drill = Drill::of(&[
        "headers: { remove: etag, set: { x-cache: MISS, x-new: 1 }, append: { set-cookie: b=2 } }",
    ])
    .before(&upstream);
    let mut client = drill.client().await;

    let answer = client.ask(GET).await;

    assert_eq!(
        answer.fields(),
        ["X-Cache: MISS", "Set-Cookie: a=1", "set-cookie: b=2", "Content-Length: 2", "x-new: 1"]
    );
    assert_eq!(answer.text(), "ok");
    assert_eq!(client.ask(GET).await.status(), 200, "the connection lives on");
    for exchange in drill.exchanges(2).await {
        assert!(exchange.complete);
        assert_eq!(exchange.dealt[0].did, Did::Edited);
    }
}

#[tokio::test]
async fn a_requests_fields_change_on_their_way_and_the_answer_does_not() {
    let upstream = Upstream::answering(ANSWER).await;
    let drill = Drill::of(&[
        "headers: { side: request, remove: [authorization, etag], set: { x-cache: no } }",
    ])
    .before(&upstream);

    let request = "GET / HTTP/1.1\r\nHost: shop\r\nAuthorization: secret\r\nX-A: 1\r\n\r\n";
    let answer = drill.ask(request).await;

    assert_eq!(upstream.request().fields(), ["Host: shop", "X-A: 1", "x-cache: no"]);
    assert_eq!([answer.field("etag"), answer.field("x-cache")], [Some("x"), Some("HIT")]);
}

#[tokio::test]
async fn a_bloated_head_is_larger_by_so_many_bytes() {
    let upstream = Upstream::answering(ANSWER).await;
    let plain = Drill::calm().before(&upstream).ask(GET).await;
    for (side, bloat) in [("response", 32 << 10), ("response", 1 << 20), ("request", 16 << 10)] {
        let fault = format!("headers: {{ side: {side}, bloat: {bloat}B }}");
        let drill = Drill::of(&[&fault]).before(&upstream);

        let answer = drill.ask(GET).await;

        let (got, was) = match side {
            "request" => (upstream.requests().pop().expect("it came").head.len(), GET.len()),
            _ => (answer.head.len(), plain.head.len()),
        };
        assert_eq!(got, was + bloat, "{fault}");
        assert_eq!(answer.text(), "ok");
    }
}

#[tokio::test]
async fn a_head_without_the_field_is_not_hit() {
    let upstream = Upstream::answering(ANSWER).await;
    let drill = Drill::of(&["headers: { remove: x-absent }"]).before(&upstream);

    assert_eq!(drill.ask(GET).await.fields().len(), 4);

    assert!(drill.exchange().await.dealt.is_empty());
    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit), (1, 0));
}

#[tokio::test]
async fn answers_to_head_and_answers_without_a_body_are_changed_too() {
    for answer in [
        "HTTP/1.1 204 No Content\r\netag: x\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n",
    ] {
        let upstream = Upstream::answering(answer).await;
        let drill = Drill::of(&["headers: { remove: etag, set: { x: 1 } }"]).before(&upstream);
        let mut client = drill.client().await;
        for _ in 0..2 {
            assert_eq!(client.ask(GET).await.fields(), ["x: 1"]);
        }
    }
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\netag: x\r\n\r\n").await;
    let drill = Drill::of(&["headers: { remove: etag, set: { x: 1 } }"]).before(&upstream);
    let mut client = drill.client().await;
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n").await;
        assert_eq!(client.head().await.fields(), ["content-length: 5000", "x: 1"]);
    }
}

#[tokio::test]
async fn nothing_changes_at_0_percent_and_everything_at_100() {
    let upstream = Upstream::answering(ANSWER).await;
    for (share, field) in [("0%", Some("x")), ("100%", None)] {
        let fault = format!("headers: {{ remove: etag }}, share: {share}");
        let drill = Drill::of(&[&fault]).before(&upstream);
        for _ in 0..20 {
            assert_eq!(drill.ask(GET).await.field("etag"), field, "{fault}");
        }
        drill.exchanges(20).await;
        assert_eq!(drill.tallies()[0].hit, if field.is_some() { 0 } else { 20 });
    }
}
