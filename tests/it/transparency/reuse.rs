//! Connections that are used again.

use crate::support::{Drill, GET, OK, Upstream};

#[tokio::test]
async fn one_upstream_connection_carries_one_clients_requests() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for _ in 0..50 {
        assert_eq!(client.ask(GET).await.text(), "ok");
    }

    assert_eq!(upstream.connections(), 1);
    assert_eq!(upstream.requests().len(), 50);
}

#[tokio::test]
async fn clients_one_after_the_other_share_it() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);

    for _ in 0..10 {
        assert_eq!(drill.ask(GET).await.text(), "ok");
    }

    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn uploads_and_bodies_do_not_spoil_it() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let upstream = Upstream::answering(chunked).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for n in 0..20 {
        let body = "x".repeat(n * 1_000);
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
        assert_eq!(client.ask(head + &body).await.text(), "ok");
    }

    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_old_clients_request_has_a_connection_of_its_own() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);

    for _ in 0..3 {
        drill.ask("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    }

    assert_eq!(upstream.connections(), 3);
    upstream.ends(3).await;
}
