//! Requests, answers and ends are those of plain connections.

use super::Secured;
use crate::support::{Drill, End, GET, OK, Upstream, Wire, eventually};
use firedrill::event::EndedBy;
use std::time::Duration;

#[tokio::test]
async fn requests_and_answers_pass() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    let mut client = secured.client().await;

    for _ in 0..3 {
        assert_eq!(client.ask(GET).await.text(), "ok");
    }

    for exchange in secured.drill.exchanges(3).await {
        assert!(exchange.complete && exchange.ended_by == EndedBy::Completed, "{exchange:?}");
        assert!(exchange.t_first > 0, "{exchange:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_made_up_for_the_name_or_the_address() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);

    for name in ["shop.example", "a.very.long.name.of.a.shop.example", "localhost", "127.0.0.1"] {
        let mut client = secured.try_client(name).await.expect("it is trusted");
        assert_eq!(client.ask(GET).await.text(), "ok", "{name}");
    }
}

#[tokio::test]
async fn a_client_that_said_goodbye_still_gets_its_answer() {
    let (upstream, go) = Upstream::holding(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    let mut client = secured.client().await;

    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nbuy").await;
    client.half_close().await;
    eventually("the request arrives", || upstream.requests().pop()).await;

    // The probe that tells a half-closed client from one that is gone.
    assert_eq!(client.head().await.start(), "HTTP/1.1 102 Processing");
    go.send(true).expect("the upstream waits");
    assert_eq!(client.answer().await.text(), "ok");
    assert_eq!(client.end().await, End::Fin);
}

#[tokio::test]
async fn a_client_that_goes_is_noticed() {
    for by_reset in [false, true] {
        let (upstream, _go) = Upstream::holding(OK).await;
        let secured = Secured::before(Drill::calm(), &upstream);
        let mut client = secured.client().await;
        client.send(GET).await;
        eventually("the request arrives", || upstream.requests().pop()).await;

        // Takes the session's tickets: unread bytes would make a RST of any end.
        client.is_silent_for(Duration::from_millis(50)).await;
        let (socket, _) = client.into_io().into_inner();
        if by_reset {
            socket.set_zero_linger().expect("a socket");
        }
        drop(socket);

        let exchange = secured.drill.exchange().await;
        assert!(!exchange.complete && exchange.t_client_gone > 0, "{exchange:?}");
        let wanted = if by_reset { EndedBy::ClientRst } else { EndedBy::ClientFin };
        assert_eq!(exchange.ended_by, wanted);
    }
}

#[tokio::test]
async fn an_answer_by_a_fault_comes_through() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::of(&["respond: 503"]), &upstream);

    assert_eq!(secured.client().await.ask(GET).await.status(), 503);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_reset_is_one_and_a_close_says_goodbye() {
    let upstream = Upstream::answering(OK).await;
    for (fault, wanted, by) in [
        ("reset: {}", End::Reset, EndedBy::ProxyRst),
        ("hang: 10ms", End::Fin, EndedBy::ProxyFin),
        ("malformed: empty", End::Fin, EndedBy::ProxyFin),
    ] {
        let secured = Secured::before(Drill::of(&[fault]), &upstream);
        let mut client = secured.client().await;
        client.send(GET).await;

        assert_eq!(client.end().await, wanted, "{fault}");
        assert_eq!(secured.drill.exchange().await.ended_by, by, "{fault}");
    }
}

#[tokio::test]
async fn a_body_breaks_off_where_a_fault_says() {
    let body = "x".repeat(100_000);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{body}");
    let upstream = Upstream::answering(answer).await;
    for (fault, wanted) in
        [("truncate: 30KiB", End::Fin), ("reset: { at: response, after: 30KiB }", End::Reset)]
    {
        let secured = Secured::before(Drill::of(&[fault]), &upstream);
        let mut client = secured.client().await;
        client.send(GET).await;

        let head = client.head().await;
        let (rest, end) = client.rest().await;
        assert_eq!((head.status(), rest.len(), end), (200, 30 * 1024, wanted), "{fault}");
    }
}

#[tokio::test]
async fn the_edge_of_a_phase_resets() {
    let (upstream, _go) = Upstream::holding(OK).await;
    let phases = ["{ name: calm, for: 300ms }", "{ name: edge, for: 10m, connections: reset }"];
    let secured = Secured::before(Drill::phases(&phases), &upstream);
    let mut client = secured.client().await;
    client.send(GET).await;

    assert_eq!(client.end().await, End::Reset);
    assert_eq!(secured.drill.exchange().await.ended_by, EndedBy::PhaseEdge);
}

#[tokio::test]
async fn a_tunnel_goes_through() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        wire.request().await;
        wire.send(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n",
        )
        .await;
        while let Some(bytes) = wire.some().await {
            wire.send(bytes).await;
        }
    })
    .await;
    let secured = Secured::before(Drill::calm(), &upstream);
    let mut client = secured.client().await;

    let switch = "GET / HTTP/1.1\r\nhost: a\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n";
    client.send(switch).await;
    assert_eq!(client.head().await.status(), 101);
    for word in ["one", "two", &"three".repeat(100_000)] {
        client.send(word).await;
        assert_eq!(client.take(word.len()).await, word.as_bytes());
    }
    client.half_close().await;
    assert_eq!(client.end().await, End::Fin);
}

#[tokio::test]
async fn idle_connections_end_with_the_proxy() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    let mut silent = Wire::tcp(secured.socket().await);
    let mut idle = secured.client().await;
    assert_eq!(idle.ask(GET).await.text(), "ok");

    let cut = secured.drill.proxy.drain(Duration::from_secs(5)).await;

    assert_eq!(cut, 0);
    assert_eq!(idle.end().await, End::Fin);
    assert_eq!(silent.end().await, End::Fin);
}

/// It is closed in the words of TLS, and what comes even so is told of.
#[tokio::test]
async fn what_comes_on_a_drained_connection_is_told_of() {
    let upstream = Upstream::answering(OK).await;
    let phases = ["{ name: calm, for: 10m }", "{ name: over, for: 10m, connections: drain }"];
    let secured = Secured::before(Drill::phases(&phases), &upstream);
    let mut client = secured.client().await;
    client.ask(GET).await;
    secured.drill.exchange().await;

    secured.drill.controls().skip();
    assert_eq!(client.end().await, End::Fin, "with close_notify");
    client.send(GET).await;

    let late = secured.drill.exchanges(2).await.remove(1);
    assert_eq!((late.seq, late.ended_by, late.status), (2, EndedBy::Stale, 0));
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        while let Some(request) = wire.request().await {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", request.body.len());
            wire.send([head.as_bytes(), &request.body].concat()).await;
        }
    })
    .await;
    let secured = Secured::before(Drill::calm(), &upstream);
    let client = secured.client().await;
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());

    let mut client = client;
    let mut answer = client.ask([head.as_bytes(), &body].concat()).await;
    if answer.status() == 100 {
        answer = client.answer().await;
    }

    assert!(answer.whole && answer.body == body, "{} bytes", answer.body.len());
    let exchange = secured.drill.exchange().await;
    // Of the message, not of what travels.
    assert_eq!((exchange.received, exchange.sent), (5_000_000, 5_000_000));
}
