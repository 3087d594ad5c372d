//! Protocol upgrades: WebSocket and others.

use crate::support::{Drill, End, GET, OK, Upstream};
use firedrill::event::Upstream as Saw;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// A WebSocket service that echoes until it is closed.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a socket");
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() || message.is_binary() {
                        socket.send(message).await.expect("the client listens");
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_websocket_echoes_and_closes_cleanly() {
    let drill = Drill::calm().at(&echo().await);
    let stream = TcpStream::connect(drill.address()).await.expect("it accepts");
    let url = format!("ws://{}/chat", drill.address());
    let (mut socket, answer) =
        tokio_tungstenite::client_async(url, stream).await.expect("it upgrades");
    assert_eq!(answer.status(), 101);

    for length in [0, 1, 125, 70_000] {
        let message = Message::text("x".repeat(length));
        socket.send(message.clone()).await.expect("it is open");
        assert_eq!(socket.next().await.expect("it is open").expect("an echo"), message);
    }
    let close = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
    socket.close(Some(close.clone())).await.expect("it is open");
    let closed = socket.next().await.expect("an answer").expect("a frame");

    assert_eq!(closed, Message::Close(Some(close)));
    assert!(socket.next().await.is_none());
    let exchange = drill.exchange().await;
    assert_eq!((exchange.status, exchange.upstream), (101, Saw::Status(101)));
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: raw\r\nX-End: 1\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nX-A: 1\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n";

/// An upstream that switches, says what it hears back in capitals, and closes after its peer did.
async fn shouting() -> Upstream {
    Upstream::scripted(|mut wire, log| async move {
        let head = wire.head().await;
        log.got(head);
        wire.send(SWITCH).await;
        wire.send("hello").await;
        loop {
            let heard = wire.until("\n").await;
            if heard.is_empty() {
                wire.send("bye").await;
                return log.ended(wire.end().await);
            }
            wire.send(heard.to_uppercase()).await;
        }
    })
    .await
}

#[tokio::test]
async fn any_protocol_is_switched_to_and_half_closes_pass() {
    let upstream = shouting().await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send(UPGRADE).await;
    let switch = client.head().await;
    let hello = client.take(5).await;
    client.send("abc\n").await;
    let echo = client.until("\n").await;
    client.half_close().await;

    assert_eq!(switch.status(), 101);
    assert_eq!((switch.field("upgrade"), switch.field("x-a")), (Some("raw"), Some("1")));
    assert_eq!((&*hello, &*echo), (&b"hello"[..], "ABC\n"));
    assert_eq!(client.rest().await, (b"bye".to_vec(), End::Fin));
    let head = upstream.request();
    assert_eq!(head.fields(), ["Host: a", "Connection: Upgrade", "Upgrade: raw", "X-End: 1"]);
}

#[tokio::test]
async fn what_follows_the_request_at_once_is_the_new_protocols() {
    let upstream = shouting().await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send(format!("{UPGRADE}early\n")).await;
    client.head().await;

    assert_eq!(client.take(11).await, b"helloEARLY\n");
}

#[tokio::test]
async fn an_upstream_may_decline() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    assert_eq!(client.ask(UPGRADE).await.text(), "ok");
    assert_eq!(client.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_the_tunnel_with_it() {
    let upstream = shouting().await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;
    client.send(UPGRADE).await;
    client.head().await;
    client.take(5).await;

    client.reset();

    upstream.ends(1).await;
}

#[tokio::test]
async fn a_tunnel_falls_silent_in_a_blackhole_and_loses_nothing() {
    let upstream = shouting().await;
    let phases = [
        "{ name: before, for: 10m }",
        "{ name: outage, for: 10m, faults: [{ blackhole: {} }] }",
        "{ name: after, for: 10m }",
    ];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;
    client.send(UPGRADE).await;
    client.head().await;
    client.take(5).await;

    drill.controls().skip();
    drill.phase(1).await;
    client.send("lost?\n").await;
    drill.hits("blackhole", 1).await;
    client.is_silent_for(std::time::Duration::from_millis(30)).await;
    drill.controls().skip();

    assert_eq!(client.until("\n").await, "LOST?\n");
}

#[tokio::test]
async fn an_edge_that_resets_connections_resets_tunnels() {
    let upstream = shouting().await;
    let phases = ["{ name: a, for: 10m }", "{ name: b, for: 10m, connections: reset }"];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;
    client.send(UPGRADE).await;
    client.head().await;
    client.take(5).await;

    drill.controls().skip();

    assert_eq!(client.end().await, End::Reset);
    upstream.ends(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_tunnel_is_left_alone() {
    let quiet = std::time::Duration::from_secs(500);
    let upstream = Upstream::scripted(move |mut wire, _| async move {
        wire.head().await;
        wire.send(SWITCH).await;
        wire.is_silent_for(quiet).await;
        wire.send("hello").await;
        wire.end().await;
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.memory_client(1);
    client.send(UPGRADE).await;
    client.head().await;

    assert_eq!(client.take(5).await, b"hello");
}
