//! Faults that end a connection at a byte, or hold its end.

use crate::{
    support::{Drill, End, Wire},
    tcp::{Line, MS, SECOND, bytes, pair, the_connection, upstream},
};
use firedrill::event::EndedBy;
use std::time::Duration;
use tokio::{net::TcpStream, time::Instant};

#[tokio::test(start_paused = true)]
async fn exactly_so_many_bytes_pass_and_then_the_connection_ends() {
    for count in [0, 1, 10_240, 300_000] {
        let fault = format!("limit_data: {count}B");
        let mut line = Line::of(Drill::of(&[&fault]));
        let (mut client, mut server) = line.pair(1).await;
        tokio::spawn(async move { while server.try_send(bytes(7_919)).await.is_ok() {} });
        let mut wanted = bytes(7_919).repeat(count / 7_919 + 1);
        wanted.truncate(count);

        let (came, end) = client.rest().await;

        assert!(came == wanted && end == End::Fin, "{} of {count}", came.len());
        let told = the_connection(&line.drill).await;
        let relay = told.relay.expect("what it carried");
        assert_eq!((relay.down, told.ended_by), (count as u64, EndedBy::ProxyFin));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_within_its_limit_is_left_alone() {
    let mut line = Line::of(Drill::of(&["limit_data: { bytes: 100B, side: both }"]));
    let (mut client, mut server) = line.pair(1).await;
    client.send(bytes(99)).await;
    assert_eq!(server.take(99).await, bytes(99));
    server.send(bytes(99)).await;
    assert_eq!(client.take(99).await, bytes(99));
    client.is_silent_for(3_600 * SECOND).await;
    drop(server);
    assert_eq!(client.end().await, End::Fin);
}

/// A client that goes on talking while it is cut off still reads the end, and not a RST.
#[tokio::test]
async fn a_close_is_a_fin_even_to_a_client_that_goes_on_sending() {
    let (listener, address) = upstream().await;
    let drill = Drill::of(&["limit_data: 10KiB"]).facing(address);
    for _ in 0..20 {
        let (client, server) = pair(&drill, &listener).await;
        let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));
        client.send(bytes(1_000)).await;
        server.take(1_000).await;
        let sender = tokio::spawn(async move {
            server.send(bytes(20_000)).await;
            server.rest().await
        });
        // More of this may be on its way when the end comes.
        let _cut_off = client.try_send(bytes(200_000)).await;
        let (came, end) = client.rest().await;
        assert!(came == bytes(10_240), "{} bytes", came.len());
        assert_eq!(end, End::Fin);
        drop(client);
        drop(sender.await);
    }
}

#[tokio::test]
async fn a_limit_by_reset_is_a_reset_for_both() {
    let (listener, address) = upstream().await;
    let fault = "limit_data: { bytes: 10KiB, side: request, by: reset }";
    let drill = Drill::of(&[fault]).facing(address);
    let (client, server) = pair(&drill, &listener).await;
    let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));

    client.send(bytes(10_240)).await;

    assert_eq!(client.end().await, End::Reset);
    let (came, end) = server.rest().await;
    assert_eq!(end, End::Reset);
    assert!(bytes(10_240).starts_with(&came), "{} bytes", came.len());
    assert_eq!(the_connection(&drill).await.ended_by, EndedBy::ProxyRst);
}

#[tokio::test]
async fn the_clients_first_bytes_meet_a_reset_and_the_upstream_none_of_them() {
    let (listener, address) = upstream().await;
    let drill = Drill::of(&["reset: {}"]).facing(address);
    let (client, server) = pair(&drill, &listener).await;
    let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));
    // What the upstream says first comes through.
    server.send("welcome").await;
    assert_eq!(client.take(7).await, b"welcome");

    client.send("a query").await;

    assert_eq!(client.end().await, End::Reset);
    assert_eq!(server.rest().await, (Vec::new(), End::Reset));
    let told = the_connection(&drill).await;
    assert_eq!((told.ended_by, told.dealt.len()), (EndedBy::ProxyRst, 1));
}

#[tokio::test]
async fn an_answer_is_reset_after_so_many_bytes_and_the_upstream_did_the_work() {
    let (listener, address) = upstream().await;
    let drill = Drill::of(&["reset: { at: response, after: 10KiB }"]).facing(address);
    let (client, server) = pair(&drill, &listener).await;
    let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));
    client.send("a query").await;
    assert_eq!(server.take(7).await, b"a query");

    server.send(bytes(10_239)).await;
    assert!(client.take(10_239).await == bytes(10_239));
    client.is_silent_for(20 * MS).await;
    server.send("!?").await;

    let (rest, end) = client.rest().await;
    assert!(rest == b"!" || rest.is_empty(), "{rest:?}");
    assert_eq!(end, End::Reset);
    assert_eq!(server.end().await, End::Reset);
}

#[tokio::test]
async fn a_reset_on_connect_comes_before_the_upstream_hears_of_anybody() {
    let (listener, address) = upstream().await;
    let drill = Drill::of(&["reset: connect"]).facing(address);
    let client = TcpStream::connect(drill.address()).await.expect("it accepts");
    assert_eq!(Wire::tcp(client).end().await, End::Reset);

    let told = the_connection(&drill).await;
    assert_eq!((told.ended_by, told.dealt.len()), (EndedBy::ProxyRst, 1));
    assert!(told.relay.is_none_or(|relay| relay.t_connected == 0), "{told:?}");
    let dialled = tokio::time::timeout(50 * MS, listener.accept()).await;
    assert!(dialled.is_err(), "{dialled:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_is_late_and_its_bytes_are_not() {
    let mut line = Line::of(Drill::of(&["slow_close: 2s"]));
    let (mut client, mut server) = line.pair(1).await;
    let began = Instant::now();
    client.send("bye").await;
    client.half_close().await;
    assert_eq!(server.some().await.as_deref(), Some(&b"bye"[..]));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!((server.some().await, began.elapsed()), (None, 2 * SECOND));

    server.send("bye").await;
    drop(server);
    assert_eq!(client.some().await.as_deref(), Some(&b"bye"[..]));
    assert_eq!(began.elapsed(), 2 * SECOND);
    assert_eq!((client.some().await, began.elapsed()), (None, 4 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_late_end_leaves_when_its_phase_is_over() {
    let mut line = Line::of(Drill::phases(&[
        "{ name: slow, for: 10s, faults: [{ slow_close: 1h }] }",
        "{ name: after, for: 10m }",
    ]));
    let (mut client, mut server) = line.pair(1).await;
    let began = Instant::now();
    client.half_close().await;
    assert_eq!((server.some().await, began.elapsed()), (None, 10 * SECOND));
}
