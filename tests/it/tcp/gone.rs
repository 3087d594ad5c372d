//! Peers that disappear: whatever was kept for them is freed.

use crate::{
    support::{Drill, End, Wire, memory},
    tcp::{
        Line, SECOND, all_freed, bytes, connections, echo, echoing, pair, round_trip,
        the_connection, upstream,
    },
};
use firedrill::event::EndedBy;
use tokio::{net::TcpStream, time::Instant};

#[tokio::test(start_paused = true)]
async fn connections_that_are_over_leave_nothing_behind() {
    let drill = echoing(Drill::calm());
    for _ in 0..100 {
        round_trip(&mut drill.memory_client(1)).await;
    }
    all_freed(&drill).await;
    assert_eq!(drill.proxy.meters().read().accepted, 100);
    assert_eq!(connections(&drill).len(), 100);
}

/// Its RST is seen though nothing may be read.
#[tokio::test]
async fn a_client_that_breaks_off_in_a_silence_frees_everything() {
    let (listener, address) = upstream().await;
    let drill = Drill::of(&["blackhole: {}"]).facing(address);
    for said in ["", "a query that nobody reads"] {
        let (client, server) = pair(&drill, &listener).await;
        let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));
        client.send(said).await;
        client.reset();
        assert_eq!(server.end().await, End::Reset);
        all_freed(&drill).await;
    }
    let ends: Vec<EndedBy> = connections(&drill).iter().map(|told| told.ended_by).collect();
    assert_eq!(ends, [EndedBy::ClientRst; 2]);
}

#[tokio::test]
async fn an_upstream_that_breaks_off_in_a_silence_frees_everything() {
    let (listener, address) = upstream().await;
    let drill = Drill::of(&["blackhole: {}"]).facing(address);
    let (client, server) = pair(&drill, &listener).await;
    let mut client = Wire::tcp(client);
    client.send("a query that nobody reads").await;
    Wire::tcp(server).reset();
    assert_eq!(client.end().await, End::Reset);
    all_freed(&drill).await;
    assert_eq!(the_connection(&drill).await.ended_by, EndedBy::UpstreamRst);
}

#[tokio::test]
async fn a_client_that_breaks_off_while_its_bytes_are_held_frees_everything() {
    for fault in ["latency: 1h", "bandwidth: 1B/s", "slice: { size: 1B, delay: 1h }"] {
        let (listener, address) = upstream().await;
        let drill = Drill::of(&[fault]).facing(address);
        let (client, server) = pair(&drill, &listener).await;
        let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));
        // More than any of them takes in.
        let _full = tokio::time::timeout(
            std::time::Duration::from_millis(200),
            client.try_send(bytes(8_000_000)),
        )
        .await;
        client.reset();
        let (_, end) = server.rest().await;
        assert_eq!(end, End::Reset, "{fault}");
        all_freed(&drill).await;
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_while_nothing_is_dealt_frees_everything() {
    let (address, _echo) = echo().await;
    let drill = Drill::calm().facing(address);
    for _ in 0..20 {
        let stream = TcpStream::connect(drill.address()).await.expect("it accepts");
        let mut client = Wire::tcp(stream);
        client.send("ping").await;
        assert_eq!(client.take(4).await, b"ping");
        client.reset();
    }
    all_freed(&drill).await;
}

/// Who closes without a word in a silence is told nothing and tells nothing; it ends when the
/// silence does.
#[tokio::test(start_paused = true)]
async fn a_client_that_closes_in_a_silence_is_freed_when_it_ends() {
    let mut line = Line::of(Drill::phases(&[
        "{ name: dark, for: 20s, faults: [{ blackhole: {} }] }",
        "{ name: after, for: 10m }",
    ]));
    let began = Instant::now();
    let (client, mut server) = line.pair(1).await;
    drop(client);
    assert_eq!(server.end().await, End::Fin);
    assert_eq!(began.elapsed(), 20 * SECOND);
    drop(server);
    all_freed(&line.drill).await;
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_hangs_is_given_up_after_ten_seconds() {
    let drill = Drill::calm().tcp().detached(memory::unanswered());
    let began = Instant::now();
    let mut client = drill.memory_client(1);
    client.send("hello").await;
    assert_eq!((client.end().await, began.elapsed()), (End::Fin, 10 * SECOND));
    all_freed(&drill).await;
    let relay = the_connection(&drill).await.relay.expect("what it carried");
    assert_eq!((relay.up, relay.t_connected), (0, 0));
    assert_eq!(relay.upstream_error, Some("connect_timeout"));
}

#[tokio::test]
async fn a_client_that_breaks_off_while_the_dial_hangs_frees_everything() {
    let drill = Drill::calm().tcp().through(memory::unanswered());
    for said in ["", "a query"] {
        let stream = TcpStream::connect(drill.address()).await.expect("it accepts");
        let mut client = Wire::tcp(stream);
        client.send(said).await;
        crate::support::eventually("it was accepted", || {
            (drill.proxy.meters().read().open == 1).then_some(())
        })
        .await;
        let began = Instant::now();
        client.reset();
        all_freed(&drill).await;
        assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
    }
    let ends: Vec<EndedBy> = connections(&drill).iter().map(|told| told.ended_by).collect();
    assert_eq!(ends, [EndedBy::ClientRst; 2]);
}

#[tokio::test(start_paused = true)]
async fn an_edge_ends_a_connection_that_is_still_being_made() {
    let phases = ["{ name: a, for: 5s }", "{ name: b, for: 1m, connections: drain }"];
    let drill = Drill::phases(&phases).tcp().detached(memory::unanswered());
    let began = Instant::now();
    let mut client = drill.memory_client(1);
    assert_eq!((client.end().await, began.elapsed()), (End::Fin, 5 * SECOND));
    all_freed(&drill).await;
}

/// A client that ends its side and then goes, while the upstream has nothing to say.
#[tokio::test]
async fn a_client_that_breaks_off_after_its_end_frees_everything() {
    let (listener, address) = upstream().await;
    let drill = Drill::calm().facing(address);
    let (client, server) = pair(&drill, &listener).await;
    let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));
    client.half_close().await;
    assert_eq!(server.some().await, None);
    client.reset();
    server.send("an answer").await;
    server.send("that nobody reads").await;
    all_freed(&drill).await;
}
