//! Messages that come late, or not at all.

use crate::{
    peers::{MS, SECOND, connect, echo, is_silent, next, open, real_echo, say, tunnel},
    support::Drill,
};
use firedrill::event::{ClosedBy, Did, EndedBy, SocketClose};
use futures_util::{SinkExt, StreamExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test(start_paused = true)]
async fn nothing_in_force_is_nothing_in_the_way_and_all_is_counted() {
    let drill = Drill::calm().detached(echo().0);
    let mut socket = open(&drill, 1).await;
    let asked = Instant::now();
    for length in [0, 125, 70_000] {
        say(&mut socket, &"x".repeat(length)).await;
        assert_eq!(next(&mut socket).await.len(), length);
    }
    socket.send(Message::Ping("hm".into())).await.expect("it is open");
    assert_eq!(next(&mut socket).await, Message::Pong("hm".into()));
    assert!(asked.elapsed().is_zero());
    socket.close(None).await.expect("it is open");
    while socket.next().await.is_some() {}

    let opened = drill.exchange().await;
    assert!(opened.complete && opened.status == 101);
    let told = tunnel(&drill).await;
    assert!(told.exchange.complete, "{told:?}");
    assert_eq!((told.up.messages, told.up.passed, told.up.frames), (3, 3, 5));
    assert_eq!((told.down.messages, told.down.passed, told.down.frames), (3, 3, 5));
    assert_eq!(told.close, Some(SocketClose { code: 1005, by: ClosedBy::Client }));
    assert!(told.exchange.dealt.is_empty());
    assert_eq!((told.exchange.conn, told.exchange.seq), (opened.conn, opened.seq));
}

#[tokio::test(start_paused = true)]
async fn three_hundred_milliseconds_are_that_for_each_message_and_in_order() {
    for (fault, wanted) in [
        ("websocket: { delay: 300ms, side: request }", 300 * MS),
        ("websocket: { delay: 300ms, side: response }", 300 * MS),
        ("websocket: { delay: 300ms }", 600 * MS),
    ] {
        let drill = Drill::of(&[fault]).detached(echo().0);
        let mut socket = open(&drill, 1).await;
        let asked = Instant::now();
        for text in ["a", "b", "c"] {
            say(&mut socket, text).await;
        }
        for text in ["a", "b", "c"] {
            assert_eq!(next(&mut socket).await, Message::text(text), "{fault}");
            assert_eq!(asked.elapsed(), wanted, "{fault}");
        }
        drop(socket);
        let told = tunnel(&drill).await;
        assert_eq!(told.exchange.dealt[0].did, Did::Messages);
        assert_eq!(told.exchange.dealt.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_share_of_messages_is_dropped_whole_and_replays() {
    let run = async |seed| {
        let drill = Drill::of(&["websocket: { drop: 20%, side: request }"]);
        let drill = drill.seed(seed).detached(echo().0);
        let mut socket = open(&drill, 1).await;
        let texts: Vec<String> = (0..500).map(|n| n.to_string()).collect();
        for text in &texts {
            say(&mut socket, text).await;
        }
        socket.send(Message::Ping("end".into())).await.expect("it is open");
        let mut came = Vec::new();
        while let Message::Text(text) = next(&mut socket).await {
            came.push(text.to_string());
        }
        drop(socket);
        let told = tunnel(&drill).await;
        assert_eq!((told.up.messages, told.up.passed), (500, came.len() as u64));
        came
    };
    let (once, again, other) = (run(1).await, run(1).await, run(2).await);

    assert_eq!(once, again);
    assert_ne!(once, other);
    assert!((370..430).contains(&once.len()), "{}", once.len());
}

#[tokio::test(start_paused = true)]
async fn all_are_dropped_and_pings_pass() {
    let drill = Drill::of(&["websocket: { drop: yes, side: response, after: 2 messages }"]);
    let drill = drill.detached(echo().0);
    let mut socket = open(&drill, 1).await;
    for text in ["a", "b", "c", "d"] {
        say(&mut socket, text).await;
    }
    assert_eq!(next(&mut socket).await, Message::text("a"));
    assert_eq!(next(&mut socket).await, Message::text("b"));
    is_silent(&mut socket, 60 * SECOND).await;

    socket.send(Message::Ping("there?".into())).await.expect("it is open");
    assert_eq!(next(&mut socket).await, Message::Pong("there?".into()));
}

/// A target chooses sockets by their handshakes, and users by who they are.
#[tokio::test(start_paused = true)]
async fn the_handshake_chooses() {
    for (fault, is_hit) in [
        ("websocket: { drop: yes }, target: { path: /chat }", true),
        ("websocket: { drop: yes }, target: { protocol: websocket }", true),
        ("websocket: { drop: yes }, target: { path: /other }", false),
        ("websocket: { drop: yes }, share: 0.0001% of users", false),
        ("websocket: { drop: yes }, share: 0.0001% of requests", false),
    ] {
        let drill = Drill::of(&[fault]).detached(echo().0);
        let mut socket = open(&drill, 1).await;
        say(&mut socket, "a").await;
        if is_hit {
            is_silent(&mut socket, SECOND).await;
        } else {
            assert_eq!(next(&mut socket).await, Message::text("a"), "{fault}");
        }
    }
}

#[tokio::test]
async fn real_sockets_are_hit_as_well() {
    let (url, _heard) = real_echo().await;
    let drill = Drill::of(&["websocket: { delay: 50ms, drop: 50%, side: response }"]).at(&url);
    let mut socket = connect(&drill).await;
    let asked = Instant::now();
    for number in 0..20 {
        say(&mut socket, &number.to_string()).await;
    }
    let first = next(&mut socket).await;
    assert!(first.is_text() && asked.elapsed() >= 50 * MS);
    socket.close(None).await.expect("it is open");
    while socket.next().await.is_some() {}

    let told = tunnel(&drill).await;
    assert!(told.exchange.complete, "{told:?}");
    assert!((1..20).contains(&told.down.passed) && told.down.messages == 20, "{told:?}");
    assert!(matches!(told.exchange.ended_by, EndedBy::ClientFin | EndedBy::UpstreamFin));
}
