//! Connections that do not come about.

use crate::{
    support::{Drill, Wire},
    tcp::echo,
};
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::timeout};

async fn works(drill: &Drill) {
    let stream = TcpStream::connect(drill.address()).await.expect("it accepts");
    let mut client = Wire::tcp(stream);
    client.send("ping").await;
    assert_eq!(client.take(4).await, b"ping");
}

#[tokio::test]
async fn refused_is_refused_until_the_phase_ends_and_who_is_in_stays() {
    let (address, _echo) = echo().await;
    let drill = Drill::phases(&[
        "{ name: before, for: 10m }",
        "{ name: shut, for: 10m, faults: [{ refuse: {} }] }",
        "{ name: after, for: 10m }",
    ])
    .facing(address);
    let mut inside = drill.client().await;
    inside.send("ping").await;
    assert_eq!(inside.take(4).await, b"ping");
    drill.controls().skip();
    drill.hits("refuse", 1).await;

    crate::support::eventually("the door is shut", || {
        let tried = std::net::TcpStream::connect(drill.address());
        tried.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused).then_some(())
    })
    .await;
    for _ in 0..5 {
        let error = TcpStream::connect(drill.address()).await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    inside.send("ping").await;
    assert_eq!(inside.take(4).await, b"ping");

    drill.controls().skip();
    drill.phase(2).await;
    let mut client = loop {
        if let Ok(stream) = TcpStream::connect(drill.address()).await {
            break Wire::tcp(stream);
        }
        tokio::task::yield_now().await;
    };
    client.send("ping").await;
    assert_eq!(client.take(4).await, b"ping");
}

#[tokio::test]
async fn unreachable_hangs_in_the_handshake_and_lets_go() {
    let (address, _echo) = echo().await;
    let drill = Drill::phases(&[
        "{ name: dead, for: 10m, faults: [{ unreachable: {} }] }",
        "{ name: after, for: 10m }",
    ])
    .facing(address);
    drill.hits("unreachable", 1).await;
    crate::support::eventually("it fills its queue", || {
        let tried =
            std::net::TcpStream::connect_timeout(&drill.address(), Duration::from_millis(50));
        tried.is_err().then_some(())
    })
    .await;

    let connecting = tokio::spawn(TcpStream::connect(drill.address()));
    let mut connecting = Box::pin(connecting);
    let early = timeout(Duration::from_millis(300), &mut connecting).await;
    assert!(early.is_err(), "{early:?}");
    drill.controls().skip();
    // At its next SYN, a second or three after the first.
    let stream = timeout(Duration::from_secs(10), connecting).await;
    let stream = stream.expect("in time").expect("no panic").expect("it is let in");
    let mut client = Wire::tcp(stream);
    client.send("ping").await;
    assert_eq!(client.take(4).await, b"ping");
    works(&drill).await;
}
