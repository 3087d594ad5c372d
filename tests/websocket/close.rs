//! Sockets that are closed.

use crate::{
    peers::{MS, SECOND, connect, echo, next, open, real_echo, say, tunnel},
    support::Drill,
};
use firedrill::{
    event::{ClosedBy, EndedBy, SocketClose},
    observe::Observations,
};
use futures_util::{SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

fn close_of(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() }))
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_closed_in_order_towards_both_sides() {
    let fault = "websocket: { close: { code: 1012, reason: restart }, after: 30s }";
    let (connector, mut heard) = echo();
    let drill = Drill::of(&[fault]).detached(connector);
    let mut socket = open(&drill, 1).await;
    let opened = Instant::now();
    say(&mut socket, "a").await;
    assert_eq!(next(&mut socket).await, Message::text("a"));

    assert_eq!(next(&mut socket).await, close_of(1012, "restart"));
    assert_eq!(opened.elapsed(), 30 * SECOND);
    assert!(socket.next().await.is_none(), "the closing handshake is complete");
    assert_eq!(opened.elapsed(), 30 * SECOND, "nobody waits for longer than it takes");

    assert_eq!(heard.recv().await.expect("a message").1.expect("it is whole"), Message::text("a"));
    let close = heard.recv().await.expect("a message").1.expect("it is whole");
    assert_eq!(close, close_of(1012, "restart"));
    let told = tunnel(&drill).await;
    assert_eq!(told.close, Some(SocketClose { code: 1012, by: ClosedBy::Fault }));
    assert_eq!((told.exchange.complete, told.exchange.ended_by), (false, EndedBy::ProxyFin));
    assert_eq!(&*told.exchange.dealt[0].fault, "websocket:close");
    drill.hits("websocket:close", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_comes_after_so_many_messages() {
    for (side, wanted) in [("request", 3), ("response", 3)] {
        let fault = format!("websocket: {{ close: 1001, after: 3 messages, side: {side} }}");
        let drill = Drill::of(&[&fault]).detached(echo().0);
        let mut socket = open(&drill, 1).await;
        let mut came = 0;
        for number in 0..10 {
            if socket.send(Message::text(number.to_string())).await.is_err() {
                break;
            }
            match next(&mut socket).await {
                Message::Text(_) => came += 1,
                other => {
                    assert_eq!(other, close_of(1001, ""));
                    break;
                }
            }
        }
        // Of three from the client the answer to the third comes too late.
        let wanted = if side == "request" { wanted - 1 } else { wanted };
        assert_eq!(came, wanted, "{side}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_close_is_not_waited_for_long() {
    let drill = Drill::of(&["websocket: { close: 1001, after: 1s }"]).detached(echo().0);
    // Not read, so nothing answers.
    let socket = open(&drill, 1).await;
    let opened = Instant::now();

    tunnel(&drill).await;

    assert!(opened.elapsed() <= 6 * SECOND + 10 * MS, "{:?}", opened.elapsed());
    drop(socket);
}

#[tokio::test]
async fn real_sockets_see_a_clean_close_and_a_reset() {
    let (url, mut heard) = real_echo().await;
    let drill = Drill::of(&["websocket: { close: 4000, after: 20ms }"]).at(&url);
    let mut socket = connect(&drill).await;
    assert_eq!(next(&mut socket).await, close_of(4000, ""));
    assert!(socket.next().await.is_none());
    let close = heard.recv().await.expect("a message").1.expect("it is whole");
    assert_eq!(close, close_of(4000, ""));

    let drill = Drill::of(&["websocket: { close: reset, after: 1 message, side: response }"]);
    let drill = drill.at(&url);
    let mut socket = connect(&drill).await;
    say(&mut socket, "a").await;
    assert_eq!(next(&mut socket).await, Message::text("a"));
    let end = socket.next().await.expect("an end").expect_err("no close");
    let Error::Io(error) = end else { panic!("{end:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(tunnel(&drill).await.exchange.ended_by, EndedBy::ProxyRst);
}

/// Who closes by themselves is left alone.
#[tokio::test(start_paused = true)]
async fn a_socket_that_closes_by_itself_is_not_closed_again() {
    let drill = Drill::of(&["websocket: { close: 1001, after: 1 message }"]).detached(echo().0);
    let mut socket = open(&drill, 1).await;
    socket.close(None).await.expect("it is open");

    assert_eq!(next(&mut socket).await, Message::Close(None));
    let told = tunnel(&drill).await;
    assert!(told.exchange.complete);
    assert_eq!(told.close.map(|close| close.by), Some(ClosedBy::Client));
}

/// The handshake was told of long before its socket was hurt.
#[tokio::test(start_paused = true)]
async fn a_socket_that_was_hurt_counts_as_one_exchange_with_something_injected() {
    let close = "websocket: { close: 1001, after: 2 messages }";
    for (faults, messages, injected) in [
        (&[close][..], 2, 1),
        (&[close, "latency: 300ms"], 2, 1),
        (&["latency: 300ms"], 2, 1),
        (&["websocket: { close: 1001, after: 10 messages }"], 2, 0),
    ] {
        let drill = Drill::of(faults).detached(echo().0);
        let mut socket = open(&drill, 1).await;
        for _ in 0..messages {
            say(&mut socket, "a").await;
            next(&mut socket).await;
        }
        let _closed = socket.close(None).await;
        while let Some(Ok(_)) = socket.next().await {}
        tunnel(&drill).await;

        let mut seen = Observations::default();
        drill.events().iter().for_each(|event| seen.fold(event));
        assert_eq!((seen.exchanges, seen.injected), (1, injected), "{faults:?}");
        let in_cells: u64 = seen.cells.values().map(|cell| cell.injected).sum();
        assert_eq!(in_cells, injected, "{faults:?}");
    }
}
