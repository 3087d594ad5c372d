//! Phases and the end of a drill, for connections that are open.

use crate::{
    support::{Drill, End, Wire},
    tcp::{Line, MS, SECOND, bytes, echoing, pair, round_trip, the_connection, upstream},
};
use firedrill::event::EndedBy;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

#[tokio::test(start_paused = true)]
async fn a_fault_begins_and_ends_on_open_connections_on_its_millisecond() {
    let drill = echoing(Drill::phases(&[
        "{ name: before, for: 10s }",
        "{ name: slow, for: 20s, faults: [{ latency: 100ms }] }",
        "{ name: after, for: 10m }",
    ]));
    let began = Instant::now();
    let mut client = drill.memory_client(1);
    for (at, wanted) in [(9_999, 0), (10_000, 100), (29_800, 100), (30_000, 0)] {
        sleep_until(began + at * MS).await;
        assert_eq!(round_trip(&mut client).await, wanted * MS, "at {at} ms");
    }
}

/// What was sent before an edge does not overtake, and what comes after it waits for that alone.
#[tokio::test(start_paused = true)]
async fn what_is_under_way_at_an_edge_arrives_in_its_time_and_order() {
    let mut line = Line::of(Drill::phases(&[
        "{ name: slow, for: 10s, faults: [{ latency: 1s }] }",
        "{ name: after, for: 10m }",
    ]));
    let began = Instant::now();
    let (mut client, mut server) = line.pair(1).await;
    sleep_until(began + 9_900 * MS).await;
    client.send("one ").await;
    sleep_until(began + 10_100 * MS).await;
    client.send("two ").await;

    assert_eq!(server.take(8).await, b"one two ");
    assert_eq!(began.elapsed(), 10_900 * MS);
    client.send("three").await;
    assert_eq!((server.take(5).await, began.elapsed()), (b"three".to_vec(), 10_900 * MS));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_drill_lets_everything_go_at_once() {
    for fault in [
        "latency: 1h",
        "latency: { mean: 1h, side: both, per: connection }",
        "bandwidth: 1B/s",
        "bandwidth: { rate: 1B/s, scope: proxy }",
        "blackhole: {}",
        "slice: { size: 1B, delay: 1h }",
        "dribble: { bytes: 1B, every: 1h, side: both }",
        "packet_loss: { rate: 100%, side: both }",
    ] {
        let mut line = Line::of(Drill::of(&[fault]));
        let (mut client, mut server) = line.pair(1).await;
        let sent = bytes(30_000);
        client.send(&sent).await;
        server.send(&sent).await;
        sleep(60 * SECOND).await;
        let stopped = Instant::now();
        line.drill.controls().stop();

        assert!(server.take(sent.len()).await == sent, "{fault}");
        assert!(client.take(sent.len()).await == sent, "{fault}");
        assert_eq!(stopped.elapsed(), Duration::ZERO, "{fault}");
        // And what comes later is not held.
        client.send("ping").await;
        assert_eq!(server.take(4).await, b"ping");
        server.send("pong").await;
        assert_eq!(client.take(4).await, b"pong");
        assert_eq!(stopped.elapsed(), Duration::ZERO, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_end_leaves_with_the_end_of_the_drill() {
    let mut line = Line::of(Drill::of(&["slow_close: 1h"]));
    let (mut client, mut server) = line.pair(1).await;
    client.send("bye").await;
    client.half_close().await;
    assert_eq!(server.take(3).await, b"bye");
    server.is_silent_for(60 * SECOND).await;
    let stopped = Instant::now();
    line.drill.controls().stop();
    assert_eq!(server.end().await, End::Fin);
    assert_eq!(stopped.elapsed(), Duration::ZERO);
}

/// With the timeline's own end, and no command.
#[tokio::test(start_paused = true)]
async fn the_last_phase_ends_like_a_command() {
    let mut line =
        Line::of(Drill::phases(&["{ name: slow, for: 10s, faults: [{ latency: 1h }] }"]));
    let began = Instant::now();
    let (mut client, mut server) = line.pair(1).await;
    client.send("held").await;
    assert_eq!(server.take(4).await, b"held");
    assert_eq!(began.elapsed(), 10 * SECOND);
}

const fn phases(second: &str) -> [&str; 2] {
    ["{ name: before, for: 10s }", second]
}

#[tokio::test(start_paused = true)]
async fn an_edge_keeps_open_connections_unless_told_otherwise() {
    for second in ["{ name: next, for: 10m }", "{ name: next, for: 10m, connections: keep }"] {
        let drill = echoing(Drill::phases(&phases(second)));
        let mut client = drill.memory_client(1);
        round_trip(&mut client).await;
        sleep(11 * SECOND).await;
        assert_eq!(round_trip(&mut client).await, Duration::ZERO, "{second}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_drains_ends_connections_with_a_fin() {
    let mut line = Line::of(Drill::phases(&phases("{ name: n, for: 1m, connections: drain }")));
    let began = Instant::now();
    let (mut client, mut server) = line.pair(1).await;
    client.send("ping").await;
    assert_eq!(server.take(4).await, b"ping");

    assert_eq!((client.end().await, began.elapsed()), (End::Fin, 10 * SECOND));
    assert_eq!((server.end().await, began.elapsed()), (End::Fin, 10 * SECOND));
    assert_eq!(the_connection(&line.drill).await.ended_by, EndedBy::ProxyFin);
    // Those that come later are nobody's business.
    let (mut client, _server) = line.pair(1).await;
    client.is_silent_for(10 * SECOND).await;
}

/// What a fault of the phase before still held is nobody's any more, but it was sent.
#[tokio::test(start_paused = true)]
async fn a_drained_connection_still_gets_what_was_held_for_it() {
    let mut line = Line::of(Drill::phases(&[
        "{ name: dark, for: 10s, faults: [{ blackhole: {} }] }",
        "{ name: n, for: 1m, connections: drain }",
    ]));
    let (mut client, mut server) = line.pair(1).await;
    client.send("a query").await;
    server.send("an answer").await;
    assert_eq!(client.rest().await, (b"an answer".to_vec(), End::Fin));
    assert_eq!(server.rest().await, (b"a query".to_vec(), End::Fin));
}

#[tokio::test]
async fn an_edge_that_resets_is_a_rst_on_both_sides() {
    let (listener, address) = upstream().await;
    let second = "{ name: n, for: 10m, connections: reset }";
    let drill = Drill::phases(&phases(second)).facing(address);
    let (client, server) = pair(&drill, &listener).await;
    let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));
    client.send("ping").await;
    assert_eq!(server.take(4).await, b"ping");
    drill.controls().skip();

    assert_eq!(client.end().await, End::Reset);
    assert_eq!(server.end().await, End::Reset);
    assert_eq!(the_connection(&drill).await.ended_by, EndedBy::PhaseEdge);
    let (client, server) = pair(&drill, &listener).await;
    let (mut client, mut server) = (Wire::tcp(client), Wire::tcp(server));
    client.send("ping").await;
    assert_eq!(server.take(4).await, b"ping");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_waits_for_traffic_is_started_by_a_connection() {
    let setup = Drill::phases(&["{ name: slow, for: 10s, faults: [{ latency: 100ms }] }"]);
    let drill = echoing(setup.waiting());
    sleep(60 * SECOND).await;
    let began = Instant::now();
    let mut client = drill.memory_client(1);
    assert_eq!(round_trip(&mut client).await, 100 * MS);
    drill.over().await;
    assert_eq!(began.elapsed(), 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_paused_drill_stays_slow_and_a_resumed_one_goes_on() {
    let drill = echoing(Drill::phases(&[
        "{ name: slow, for: 10s, faults: [{ latency: 100ms }] }",
        "{ name: after, for: 10m }",
    ]));
    let mut client = drill.memory_client(1);
    drill.controls().pause();
    sleep(60 * SECOND).await;
    assert_eq!(round_trip(&mut client).await, 100 * MS);
    drill.controls().resume();
    sleep(11 * SECOND).await;
    assert_eq!(round_trip(&mut client).await, Duration::ZERO);
    drill.controls().seek(Duration::ZERO);
    drill.phase(0).await;
    assert_eq!(round_trip(&mut client).await, 100 * MS);
}

/// More than sockets take in at once: the rest is not cut off by the end of the proxy.
#[tokio::test(start_paused = true)]
async fn what_the_end_lets_go_arrives_before_the_proxy_is_gone() {
    let mut line = Line::of(Drill::of(&["latency: { mean: 1h, side: both }"]));
    let (mut client, mut server) = line.pair(1).await;
    let sent = bytes(900_000);
    client.send(&sent).await;
    server.send(&sent).await;
    sleep(60 * SECOND).await;
    let stopped = Instant::now();
    line.drill.controls().stop();
    let (cut, up, down) =
        tokio::join!(line.drill.proxy.drain(5 * SECOND), server.rest(), client.rest());
    assert!(up.0 == sent && down.0 == sent, "{} up, {} down", up.0.len(), down.0.len());
    assert_eq!((cut, up.1, down.1), (0, End::Fin, End::Fin));
    assert_eq!(stopped.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_holds_the_end_up_for_no_longer_than_patience() {
    let mut line = Line::of(Drill::of(&["latency: { mean: 1h, side: both }"]));
    let (mut client, server) = line.pair(1).await;
    client.send(bytes(900_000)).await;
    sleep(60 * SECOND).await;
    let stopped = Instant::now();
    line.drill.controls().stop();
    assert_eq!(line.drill.proxy.drain(5 * SECOND).await, 1);
    assert_eq!(stopped.elapsed(), 5 * SECOND);
    drop(server);
}

/// An idle connection carries nothing that could be waited for.
#[tokio::test(start_paused = true)]
async fn idle_connections_end_at_once_with_the_proxy() {
    let mut line = Line::of(Drill::of(&["blackhole: {}"]));
    let (mut client, mut server) = line.pair(1).await;
    let stopped = Instant::now();
    assert_eq!(line.drill.proxy.drain(5 * SECOND).await, 0);
    assert_eq!((client.end().await, server.end().await), (End::Fin, End::Fin));
    assert_eq!(stopped.elapsed(), Duration::ZERO);
}
