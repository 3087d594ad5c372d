//! Handshakes that are refused, broken or held: a handshake is a request.

use crate::{
    peers::{SECOND, echo, next, say, try_open},
    support::Drill,
};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

#[tokio::test(start_paused = true)]
async fn a_handshake_is_refused_with_an_answer() {
    let drill = Drill::of(&["respond: 503, target: { protocol: websocket }"]).detached(echo().0);
    let error = try_open(&drill, 1).await.expect_err("it is refused");
    let Error::Http(answer) = error else { panic!("{error:?}") };
    assert_eq!(answer.status(), 503);
    let exchange = drill.exchange().await;
    assert_eq!((exchange.status, exchange.dealt.len()), (503, 1));
    assert!(crate::peers::tunnels(&drill).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_is_broken_off() {
    let drill = Drill::of(&["reset: {}, target: { header: { upgrade: websocket } }"]);
    let drill = drill.detached(echo().0);
    assert!(matches!(try_open(&drill, 1).await, Err(Error::Io(_) | Error::Protocol(_))));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_hangs_until_the_fault_lets_go() {
    let phases = [
        "{ name: outage, for: 10m, faults: [{ hang: {}, target: { protocol: websocket } }] }",
        "{ name: after, for: 10m }",
    ];
    let drill = Drill::phases(&phases).detached(echo().0);
    let opened = try_open(&drill, 1);
    tokio::pin!(opened);
    assert!(timeout(60 * SECOND, &mut opened).await.is_err(), "it hangs");

    drill.controls().skip();

    let mut socket = opened.await.expect("it upgrades after all");
    say(&mut socket, "a").await;
    assert_eq!(next(&mut socket).await, Message::text("a"));
}
