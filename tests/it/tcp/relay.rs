//! Without a fault: bytes, ends and resets pass as they come.

use crate::{
    support::{Drill, eventually},
    tcp::{by_hand, echo, pair, the_connection, upstream},
};
use firedrill::event::EndedBy;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

#[tokio::test]
async fn bytes_pass_unchanged_both_ways() {
    let (address, _echo) = echo().await;
    let drill = Drill::calm().facing(address);
    let sent: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();

    let client = TcpStream::connect(drill.address()).await.expect("it accepts");
    let (mut read, mut write) = client.into_split();
    let copy = sent.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&copy).await.expect("it takes all");
        write.shutdown().await.expect("it takes the end");
    });
    let mut got = Vec::new();
    read.read_to_end(&mut got).await.expect("an end");
    writer.await.expect("no panic");

    assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
    let relay = the_connection(&drill).await.relay.expect("what it carried");
    assert_eq!((relay.up, relay.down), (3_000_000, 3_000_000));
}

#[tokio::test]
async fn an_answer_after_the_clients_end_still_arrives() {
    let (listener, address) = upstream().await;
    let drill = Drill::calm().facing(address);
    let (mut client, mut server) = pair(&drill, &listener).await;

    client.write_all(b"that is all").await.expect("sent");
    client.shutdown().await.expect("ended");
    let mut heard = Vec::new();
    server.read_to_end(&mut heard).await.expect("the end is passed on");
    server.write_all(b"thank you").await.expect("sent");
    drop(server);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("an end");

    assert_eq!((&heard[..], &answer[..]), (&b"that is all"[..], &b"thank you"[..]));
    assert_eq!(the_connection(&drill).await.ended_by, EndedBy::ClientFin);
}

#[tokio::test]
async fn a_reset_on_one_side_is_a_reset_on_the_other() {
    let (listener, address) = upstream().await;
    let drill = Drill::calm().facing(address);

    let (client, mut server) = pair(&drill, &listener).await;
    client.set_zero_linger().expect("a socket");
    drop(client);
    let error = server.read(&mut [0; 8]).await.expect_err("a RST");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

    let (mut client, server) = pair(&drill, &listener).await;
    server.set_zero_linger().expect("a socket");
    drop(server);
    let error = client.read(&mut [0; 8]).await.expect_err("a RST");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_upstream_that_refuses_is_an_early_end_and_told_of() {
    let (listener, address) = upstream().await;
    drop(listener);
    let drill = Drill::calm().facing(address);

    let mut client = TcpStream::connect(drill.address()).await.expect("it accepts");
    let read = client.read(&mut [0; 8]).await;

    assert!(matches!(read, Ok(0)), "{read:?}");
    let relay = the_connection(&drill).await.relay.expect("what it carried");
    assert_eq!((relay.t_connected, relay.upstream_error), (0, Some("connect_failed")));
}

#[tokio::test]
async fn a_fault_by_hand_acts_on_a_connection_that_is_open_and_lets_go_when_it_is_taken_away() {
    let (address, _echo) = echo().await;
    let drill = Drill::calm().facing(address);
    let mut client = TcpStream::connect(drill.address()).await.expect("it accepts");
    let mut answer = [0; 4];
    client.write_all(b"calm").await.expect("sent");
    client.read_exact(&mut answer).await.expect("an echo");

    drill.hand.add(by_hand("blackhole: {}")).expect("it is put there");
    client.write_all(b"held").await.expect("sent");
    let silence = tokio::time::timeout(Duration::from_millis(100), client.read(&mut answer)).await;
    assert!(silence.is_err(), "{silence:?}");
    let before = Instant::now();
    drill.hand.remove("blackhole").expect("it was there");
    client.read_exact(&mut answer).await.expect("the echo, late");

    assert_eq!(&answer, b"held");
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    drop(client);
    let dealt = the_connection(&drill).await.dealt;
    assert_eq!(dealt.iter().map(|dealt| &*dealt.fault).collect::<Vec<_>>(), ["blackhole"]);
}

#[tokio::test]
async fn a_client_that_stopped_reading_holds_no_command_up() {
    let (listener, address) = upstream().await;
    let drill = Drill::calm().facing(address);
    let (client, mut server) = pair(&drill, &listener).await;
    // Nobody reads: the way to the client fills up to its brim.
    let flood = tokio::spawn(async move { while server.write_all(&[0; 16_384]).await.is_ok() {} });
    eventually("the way is full", || {
        let before = drill.proxy.meters().read().to_clients;
        (before > 0).then_some(())
    })
    .await;

    let start = Instant::now();
    for _ in 0..100 {
        drill.hand.add(by_hand("bandwidth: 1KiB/s")).expect("it is put there");
        drill.hand.remove("bandwidth").expect("it was there");
    }
    let took = start.elapsed();

    assert!(took < Duration::from_secs(2), "200 commands took {took:?}");
    drop(client);
    flood.await.expect("no panic");
}

/// The upstream's end comes in while nothing is read from it, behind bytes that are still unread.
#[tokio::test]
async fn an_answer_that_waits_unread_outlives_the_ends_of_both_sides() {
    let (listener, address) = upstream().await;
    let drill = Drill::calm().facing(address);
    let (mut client, mut server) = pair(&drill, &listener).await;
    client.shutdown().await.expect("ended");
    assert_eq!(server.read(&mut [0; 8]).await.expect("an end"), 0);
    drill.hand.add(by_hand("blackhole: {}")).expect("it is put there");
    server.write_all(b"late, but whole").await.expect("sent");
    drop(server);
    let mut answer = [0; 8];
    // Longer than it takes to look at the upstream.
    let silence = tokio::time::timeout(Duration::from_millis(300), client.read(&mut answer)).await;
    assert!(silence.is_err(), "{silence:?}");

    drill.hand.remove("blackhole").expect("it was there");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("an end");
    assert_eq!(answer, b"late, but whole");
}
