//! Upstreams that cannot be reached.

use crate::support::{Drill, GET, Message, OK, Upstream};
use firedrill::event;

fn assert_genuine(answer: &Message, status: u16, word: &str) {
    assert_eq!(answer.status(), status, "{}", answer.text());
    assert_eq!(answer.field("x-firedrill"), Some(&*format!("genuine={word}")));
    assert!(answer.text().starts_with("firedrill: "), "{}", answer.text());
    assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"));
}

/// An address at which nobody listens.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn nobody_listens() {
    let drill = Drill::calm().at(&nobody().await);
    let mut client = drill.client().await;

    let answer = client.ask(GET).await;

    assert_genuine(&answer, 502, "connect_failed");
    assert!(answer.text().contains("refused"), "{}", answer.text());
    assert_genuine(&client.ask(GET).await, 502, "connect_failed");
    let exchange = drill.exchanges(2).await.remove(0);
    assert_eq!(exchange.upstream, event::Upstream::NotSent);
    assert_eq!(exchange.upstream_error, Some("connect_failed"));
    assert_eq!((exchange.status, exchange.t_forwarded), (502, 0));
    assert!(exchange.complete && !exchange.injected());
}

#[tokio::test]
async fn an_upload_to_nobody_does_not_cost_the_connection() {
    let drill = Drill::calm().at(&nobody().await);
    let mut client = drill.client().await;

    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nbuy").await;
        assert_genuine(&client.answer().await, 502, "connect_failed");
    }
}

#[tokio::test]
async fn the_name_does_not_resolve() {
    let drill = Drill::calm().at("http://nowhere.invalid");
    assert_genuine(&drill.ask(GET).await, 502, "resolve_failed");
}

#[tokio::test]
async fn an_upstream_that_comes_up_later_is_found() {
    let url = nobody().await;
    let drill = Drill::calm().at(&url);
    assert_genuine(&drill.ask(GET).await, 502, "connect_failed");

    let address = url.trim_start_matches("http://").to_owned();
    let listener = tokio::net::TcpListener::bind(address).await.expect("the port is free");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a caller");
        let mut wire = crate::support::Wire::tcp(stream);
        wire.request().await;
        wire.send(OK).await;
        wire.end().await;
    });

    assert_eq!(drill.ask(GET).await.status(), 200);
}

#[tokio::test]
async fn connect_is_for_others() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    let answer = client.ask("CONNECT shop:443 HTTP/1.1\r\nhost: shop\r\n\r\n").await;

    assert_genuine(&answer, 501, "refused");
    assert_eq!(upstream.connections(), 0);
}
