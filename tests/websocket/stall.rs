//! Sockets that fall silent while they stand.

use crate::{
    peers::{SECOND, echo, is_silent, next, open, say, tunnel},
    support::Drill,
};
use firedrill::{
    diag::{Problems, Source},
    engine::HandFault,
    event::{EndedBy, Outcome},
    scenario::Scenario,
};
use futures_util::SinkExt;
use tokio::time::Instant;
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
    drill.hits("websocket:stall", 1).await;
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

pub(crate) fn by_hand(entry: &str) -> HandFault {
    let text = format!("name: x\nphases: [{{ name: a, for: 1s, faults: [{{ {entry} }}] }}]\n");
    let mut problems = Problems::default();
    let scenario = Scenario::read(&Source::new("x", text), None, &mut problems);
    let mut scenario = scenario.unwrap_or_else(|| panic!("{entry}: {problems:?}"));
    let entry = scenario.phases.remove(0).faults.remove(0);
    HandFault { entry, targets: Vec::new(), ttl: None, memo: None }
}

#[tokio::test(start_paused = true)]
async fn an_open_socket_is_silenced_slowed_and_closed_by_hand() {
    let drill = Drill::calm().detached(echo().0);
    let mut socket = open(&drill, 1).await;

    drill.hand.add(by_hand("websocket: { stall: yes }")).expect("it is put there");
    say(&mut socket, "held").await;
    is_silent(&mut socket, 60 * SECOND).await;
    drill.hand.remove("websocket:stall").expect("it was there");
    assert_eq!(next(&mut socket).await, Message::text("held"));

    drill.hand.add(by_hand("websocket: { delay: 2s, side: response }")).expect("it is put there");
    let asked = Instant::now();
    say(&mut socket, "late").await;
    assert_eq!(next(&mut socket).await, Message::text("late"));
    assert_eq!(asked.elapsed(), 2 * SECOND);
    drill.hand.remove("websocket:delay").expect("it was there");

    drill.hand.add(by_hand("websocket: { close: 1001 }")).expect("it is put there");
    assert!(matches!(next(&mut socket).await, Message::Close(Some(_))));
    let told = tunnel(&drill).await;
    assert_eq!(told.exchange.ended_by, EndedBy::ProxyFin);
    assert_eq!(told.up.messages, 2);
}

/// A phase that begins in the middle of a message takes it up from there.
#[tokio::test(start_paused = true)]
async fn a_fault_that_comes_in_the_middle_of_a_frame_finds_the_next() {
    let drill = Drill::calm().detached(echo().0);
    let mut socket = open(&drill, 1).await;
    let long = "x".repeat(1_000_000);
    let mut both = Box::pin(async {
        say(&mut socket, &long).await;
        next(&mut socket).await
    });
    // Some of it is on its way.
    for _ in 0..5 {
        let _some = futures_util::poll!(&mut both);
        tokio::task::yield_now().await;
    }
    drill.hand.add(by_hand("websocket: { drop: yes, side: request }")).expect("it is put there");
    assert_eq!(both.as_mut().await, Message::text(long.as_str()), "it had begun to pass");
    drop(both);

    say(&mut socket, "lost").await;
    is_silent(&mut socket, 5 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_resets_connections_resets_silent_sockets_too() {
    let phases = [
        "{ name: outage, for: 10m, faults: [{ websocket: { stall: yes } }] }",
        "{ name: after, for: 10m, connections: reset }",
    ];
    let drill = Drill::phases(&phases).detached(echo().0);
    let mut socket = open(&drill, 1).await;
    say(&mut socket, "held").await;
    is_silent(&mut socket, 5 * SECOND).await;

    drill.controls().skip();

    let told = tunnel(&drill).await;
    assert_eq!(told.exchange.ended_by, EndedBy::PhaseEdge);
    assert!(!told.exchange.complete);
}
