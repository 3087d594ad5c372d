//! Sockets that fall silent while they stand.

use crate::{
    peers::{SECOND, echo, is_silent, next, open, say, tunnel},
    support::Drill,
};
use firedrill::event::{EndedBy, Outcome};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

const PHASES: [&str; 3] = [
    "{ name: before, for: 10m }",
    "{ name: outage, for: 10m, faults: [{ websocket: { stall: yes } }] }",
    "{ name: after, for: 10m }",
];

#[tokio::test(start_paused = true)]
async fn an_open_socket_falls_silent_in_a_phase_and_loses_nothing() {
    let drill = Drill::phases(&PHASES).detached(echo().0);
    let mut socket = open(&drill, 1).await;
    say(&mut socket, "before").await;
    assert_eq!(next(&mut socket).await, Message::text("before"));

    drill.controls().skip();
    drill.phase(1).await;
    say(&mut socket, "during").await;
    socket.send(Message::Ping("there?".into())).await.expect("it is open");
    is_silent(&mut socket, 300 * SECOND).await;
    drill.hits("websocket", 1).await;
    drill.controls().skip();

    assert_eq!(next(&mut socket).await, Message::text("during"));
    assert_eq!(next(&mut socket).await, Message::Pong("there?".into()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_up_is_let_go_and_what_it_sent_arrives() {
    let (connector, mut heard) = echo();
    let drill = Drill::phases(&PHASES).detached(connector);
    let mut socket = open(&drill, 1).await;
    drill.controls().skip();
    drill.phase(1).await;
    say(&mut socket, "anybody?").await;
    is_silent(&mut socket, 20 * SECOND).await;
    assert!(heard.try_recv().is_err(), "it is held");

    drop(socket);

    let told = tunnel(&drill).await;
    assert_eq!(told.exchange.ended_by, EndedBy::ClientFin);
    assert_eq!(told.exchange.outcome(), Outcome::ClientGone);
    assert_eq!(told.exchange.phase, Some(1));
    let late = heard.recv().await.expect("a message").1.expect("it is whole");
    assert_eq!(late, Message::text("anybody?"));
}
