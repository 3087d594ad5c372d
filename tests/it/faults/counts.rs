//! What faults count: everything they meet once, however often they act on it.

use crate::support::{Drill, GET, OK, Setup, Upstream};
use std::time::Duration;

/// What the only fault was meant for and what it hit, after one request on one connection.
async fn counts(setup: Setup) -> (u64, u64) {
    let upstream = Upstream::answering(OK).await;
    let drill = setup.before(&upstream);
    assert_eq!(drill.ask(GET).await.status(), 200);
    drill.exchange().await;
    let tally = &drill.tallies()[0];
    (tally.considered, tally.hit)
}

#[tokio::test]
async fn a_request_counts_once_for_all_stages() {
    assert_eq!(counts(Drill::of(&["latency: { mean: 5ms, side: both }"])).await, (1, 1));
}

#[tokio::test]
async fn a_connection_counts_once_for_accept_and_both_directions() {
    for fault in [
        "bandwidth: 1MB/s",
        "bandwidth: { rate: 1MB/s, side: request }",
        "bandwidth: { rate: 1MB/s, side: response }",
    ] {
        assert_eq!(counts(Drill::of(&[fault])).await, (1, 1), "{fault}");
    }
    assert_eq!(counts(Drill::of(&["packet_loss: 1%"])).await.0, 1);
}

#[tokio::test]
async fn a_request_that_is_held_across_an_edge_counts_once() {
    let upstream = Upstream::answering(OK).await;
    let faults = "faults: [{ latency: { mean: 150ms, side: both } }]";
    let phases = [
        format!("{{ name: outage, for: 10m, {faults} }}"),
        format!("{{ name: goes on, for: 10m, {faults} }}"),
    ];
    let drill = Drill::phases(&phases.each_ref().map(|p| &**p)).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    drill.hits("latency", 1).await;
    drill.controls().skip();
    assert_eq!(client.answer().await.status(), 200);

    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit), (1, 1));
    assert!(tally.held >= Duration::from_millis(300), "both sides are held: {:?}", tally.held);
}
