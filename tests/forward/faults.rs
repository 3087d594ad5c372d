//! Faults on the bytes of tunnels, in a time of the test's own.

use crate::{
    connect, ended, in_memory,
    support::{Drill, Setup, Wire, memory},
};
use firedrill::event::{Did, EndedBy};
use std::time::Duration;
use tokio::{io::DuplexStream, time::Instant};

const MS: Duration = Duration::from_millis(1);

/// A client whose connection became a tunnel to a service that sends everything back.
async fn tunnel(drill: &Drill) -> Wire<DuplexStream> {
    let mut client = drill.memory_client(1);
    client.send(connect("shop:443")).await;
    assert_eq!(client.head().await.status(), 200);
    client
}

fn echoing(setup: Setup) -> Drill {
    in_memory(setup, memory::echo())
}

/// How long bytes take there and back.
async fn round_trip(client: &mut Wire<DuplexStream>) -> Duration {
    let sent = Instant::now();
    client.send("hello").await;
    assert_eq!(client.take(5).await, b"hello");
    sent.elapsed()
}

#[tokio::test(start_paused = true)]
async fn latency_holds_the_request_for_a_tunnel_and_the_bytes_in_it() {
    let drill = echoing(Drill::of(&["latency: { mean: 300ms, side: both }"]));
    let asked = Instant::now();

    let mut client = tunnel(&drill).await;

    assert_eq!(asked.elapsed(), 600 * MS);
    for _ in 0..3 {
        assert_eq!(round_trip(&mut client).await, 600 * MS);
    }
    drop(client);
    let told = ended(&drill).await;
    assert!(told.dealt.iter().any(|dealt| dealt.did == Did::Wire), "{told:?}");
    // The tunnel is one with the request for it.
    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit, tally.held), (1, 1, 600 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_fault_for_other_requests_leaves_the_tunnel_alone() {
    let drill = echoing(Setup::read(
        "targets: { other: { host: other } }\n\
         phases: [{ name: outage, for: 10m, faults: [{ latency: 300ms, target: other }] }]",
    ));

    let mut client = tunnel(&drill).await;

    assert_eq!(round_trip(&mut client).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_fault_for_the_tunnels_of_a_host_holds_what_is_in_them() {
    let drill = echoing(Setup::read(
        "targets: { shop: { method: CONNECT, host: shop } }\n\
         phases: [{ name: outage, for: 10m, faults: [{ latency: 300ms, target: shop }] }]",
    ));

    let mut client = tunnel(&drill).await;

    assert_eq!(round_trip(&mut client).await, 300 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_fault_for_so_many_requests_is_done_with_them() {
    let drill = echoing(Drill::of(&["latency: 300ms, times: 1"]));
    let asked = Instant::now();

    let mut client = tunnel(&drill).await;

    assert_eq!(asked.elapsed(), 300 * MS);
    assert_eq!(round_trip(&mut client).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_share_of_requests_is_one_of_tunnels() {
    let drill = echoing(Drill::of(&["latency: 300ms, share: 50%"]));
    let mut held = 0;
    for _ in 0..40 {
        let asked = Instant::now();
        let mut client = tunnel(&drill).await;
        let request = asked.elapsed();
        // Whoever is hit is hit from the beginning to the end.
        assert_eq!(round_trip(&mut client).await, request);
        held += u32::from(!request.is_zero());
    }
    assert!((10..30).contains(&held), "{held}");
}

#[tokio::test(start_paused = true)]
async fn bandwidth_and_silence_act_below_tunnels() {
    let drill = echoing(Drill::phases(&[
        "{ name: slow, for: 1m, faults: [{ bandwidth: 10kB/s }] }",
        "{ name: silent, for: 1m, faults: [{ blackhole: {} }] }",
        "{ name: after, for: 1m }",
    ]));
    let mut client = tunnel(&drill).await;
    let sent = Instant::now();
    client.send(vec![7; 50_000]).await;
    assert_eq!(client.take(50_000).await.len(), 50_000);
    assert!(sent.elapsed() > Duration::from_secs(4), "{:?}", sent.elapsed());

    drill.phase(1).await;
    let sent = Instant::now();
    client.send("hello").await;
    assert_eq!(client.take(5).await, b"hello");
    assert!(sent.elapsed() > Duration::from_secs(59), "{:?}", sent.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_ends_after_so_many_bytes() {
    let drill = echoing(Drill::of(&["reset: { at: response, after: 10B }"]));
    let mut client = tunnel(&drill).await;

    client.send("0123456789abc").await;

    assert_eq!(client.rest().await.0, b"0123456789");
    assert_eq!(ended(&drill).await.ended_by, EndedBy::ProxyRst);
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_resets_ends_tunnels() {
    let drill = echoing(Drill::phases(&[
        "{ name: calm, for: 1m }",
        "{ name: lost, for: 1m, connections: reset }",
    ]));
    let mut client = tunnel(&drill).await;
    assert_eq!(round_trip(&mut client).await, Duration::ZERO);

    client.end().await;

    assert_eq!(ended(&drill).await.ended_by, EndedBy::PhaseEdge);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_tunnels_when_nothing_is_held() {
    let drill = echoing(Drill::calm());
    let mut client = tunnel(&drill).await;
    assert_eq!(round_trip(&mut client).await, Duration::ZERO);

    assert_eq!(drill.proxy.drain(Duration::from_secs(5)).await, 0);

    client.end().await;
}
