//! `reset` and `truncate`: connections that end before their time.

use crate::support::{Drill, End, GET, OK, Upstream};
use firedrill::event::{self, Did, EndedBy};

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| b"0123456789abcdef"[at % 16]).collect()
}

fn answer(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    [head.into_bytes(), body(length)].concat()
}

#[tokio::test]
async fn a_reset_at_the_request_is_a_rst_and_the_upstream_hears_nothing() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["reset: {}"]).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;

    assert_eq!(client.end().await, End::Reset);
    assert_eq!(upstream.connections(), 0);
    let exchange = drill.exchange().await;
    assert_eq!(exchange.ended_by, EndedBy::ProxyRst);
    assert_eq!(exchange.dealt[0].did, Did::Reset);
}

#[tokio::test]
async fn a_reset_on_connect_comes_before_anything_was_said() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["reset: connect, share: 100% of connections"]).before(&upstream);

    assert_eq!(drill.client().await.end().await, End::Reset);

    let dealt = crate::support::eventually("the connection is told of", || {
        drill.events().into_iter().find_map(|event| match event {
            event::Event::Connection(connection) => Some(connection),
            _ => None,
        })
    });
    let connection = dealt.await;
    assert_eq!(connection.ended_by, EndedBy::ProxyRst);
    assert_eq!(connection.dealt[0].did, Did::Reset);
}

#[tokio::test]
async fn a_reset_in_the_response_leaves_exactly_so_many_bytes() {
    for (length, after, arrive) in [
        (5_000, "0B", 0),
        (5_000, "1KiB", 1_024),
        (20_000, "25%", 5_000),
        (3_000_000, "1MiB", 1 << 20),
    ] {
        let upstream = Upstream::answering(answer(length)).await;
        let fault = format!("reset: {{ at: response, after: {after} }}");
        let drill = Drill::of(&[&fault]).before(&upstream);
        let mut client = drill.client().await;

        client.send(GET).await;
        let head = client.head().await;
        let (bytes, end) = client.rest().await;

        assert_eq!(head.length(), Some(length));
        assert_eq!((bytes.len(), end), (arrive, End::Reset), "{fault}");
        assert!(bytes == body(arrive));
        let exchange = drill.exchange().await;
        assert_eq!(exchange.sent, arrive as u64);
        assert_eq!((exchange.ended_by, exchange.complete), (EndedBy::ProxyRst, false));
    }
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_it_says_and_ends_with_a_fin() {
    for (after, arrive) in [("0B", 0), ("1KiB", 1_024), ("50%", 2_500)] {
        let upstream = Upstream::answering(answer(5_000)).await;
        let drill = Drill::of(&[&format!("truncate: {{ after: {after} }}")]).before(&upstream);
        let mut client = drill.client().await;

        client.send(GET).await;
        let head = client.head().await;
        let (bytes, end) = client.rest().await;

        assert_eq!(head.length(), Some(5_000));
        assert_eq!((bytes.len(), end), (arrive, End::Fin), "{after}");
        assert!(bytes == body(arrive));
        assert_eq!(drill.exchange().await.dealt[0].did, Did::Cut);
    }
}

#[tokio::test]
async fn a_truncated_chunked_body_has_no_last_chunk() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n";
    let upstream = Upstream::answering(chunked).await;
    let drill = Drill::of(&["truncate: { after: 4B }"]).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    client.head().await;

    let (bytes, end) = client.rest().await;
    assert_eq!((&*bytes, end), (&b"4\r\nabcd\r\n"[..], End::Fin));
}

#[tokio::test]
async fn a_body_that_is_shorter_than_the_cut_arrives_whole() {
    for (answer, whole) in [
        (OK, "ok"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
    ] {
        let upstream = Upstream::answering(answer).await;
        let drill = Drill::of(&["truncate: { after: 10KiB }"]).before(&upstream);
        let mut client = drill.client().await;

        assert_eq!(client.ask(GET).await.text(), whole);
        assert_eq!(client.ask(GET).await.text(), whole, "the connection lives on");
        assert!(drill.exchanges(2).await.iter().all(|exchange| exchange.complete));
    }
}

#[tokio::test]
async fn the_upstream_of_a_cut_answer_is_not_left_hanging() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\nabcdefgh").await;
        log.ended(wire.rest().await.1);
    })
    .await;
    let drill = Drill::of(&["truncate: { after: 4B }"]).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    client.head().await;

    assert_eq!(client.rest().await, (b"abcd".to_vec(), End::Fin));
    upstream.ends(1).await;
}
