//! Faults by hand on a connection's bytes, and the time they have to live.

use crate::{
    support::{Drill, End},
    tcp::{Line, MS, SECOND, by_hand, echoing, round_trip},
};
use firedrill::engine::{HandError, HandFault};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The same for so long.
fn for_so_long(entry: &str, ttl: Duration) -> HandFault {
    HandFault { ttl: Some(ttl), ..by_hand(entry) }
}

#[tokio::test(start_paused = true)]
async fn a_fault_with_a_time_to_live_lets_go_on_its_millisecond() {
    let mut line = Line::of(Drill::calm());
    let (mut client, mut server) = line.pair(1).await;
    let began = Instant::now();
    line.drill.hand.add(for_so_long("blackhole: {}", 10 * SECOND)).expect("it is put there");
    client.send("held").await;

    assert_eq!((server.take(4).await, began.elapsed()), (b"held".to_vec(), 10 * SECOND));
    assert!(line.drill.hand.list().is_empty(), "and it is gone");
}

#[tokio::test(start_paused = true)]
async fn a_delay_lasts_to_the_end_of_its_time_and_no_longer() {
    let drill = echoing(Drill::calm());
    let began = Instant::now();
    let mut client = drill.memory_client(1);
    drill.hand.add(for_so_long("latency: 100ms", 10 * SECOND)).expect("it is put there");
    for (at, wanted) in [(0, 100), (5_000, 100), (9_899, 100), (10_000, 0), (60_000, 0)] {
        sleep_until(began + at * MS).await;
        assert_eq!(round_trip(&mut client).await, wanted * MS, "at {at} ms");
    }
}

/// What it holds when its time is up leaves then, as when it is removed.
#[tokio::test(start_paused = true)]
async fn what_is_held_when_the_time_is_up_leaves_then() {
    for fault in ["latency: 1h", "bandwidth: 1B/s", "slice: { size: 1B, delay: 1h }"] {
        let mut line = Line::of(Drill::calm());
        let (mut client, mut server) = line.pair(1).await;
        let began = Instant::now();
        line.drill.hand.add(for_so_long(fault, 10 * SECOND)).expect("it is put there");
        client.send("more than a few bytes").await;
        assert_eq!(server.take(21).await, b"more than a few bytes");
        assert_eq!(began.elapsed(), 10 * SECOND, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_counts_from_the_last_change() {
    let drill = echoing(Drill::calm());
    let began = Instant::now();
    let mut client = drill.memory_client(1);
    drill.hand.add(for_so_long("latency: 100ms", 10 * SECOND)).expect("it is put there");
    sleep_until(began + 8 * SECOND).await;
    drill.hand.replace(for_so_long("latency: 200ms", 10 * SECOND)).expect("it is changed");
    for (at, wanted) in [(11, 200), (17, 200), (18, 0)] {
        sleep_until(began + at * SECOND).await;
        assert_eq!(round_trip(&mut client).await, wanted * MS, "at {at} s");
    }
    // The timer of one that was taken away takes nothing else away.
    drill.hand.add(for_so_long("latency: 100ms", 10 * SECOND)).expect("it is put there");
    drill.hand.remove("latency").expect("it was there");
    drill.hand.add(by_hand("latency: 300ms")).expect("it is put there");
    sleep_until(began + 60 * SECOND).await;
    assert_eq!(round_trip(&mut client).await, 300 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_moves_needs_a_time_to_move_over() {
    let drill = echoing(Drill::calm());
    for fault in ["latency: 0ms -> 1s", "latency: 1s, share: 0% -> 100% of connections"] {
        let refused = drill.hand.add(by_hand(fault)).map(drop);
        assert_eq!(refused, Err(HandError::MovesForEver), "{fault}");
    }
    let began = Instant::now();
    let mut client = drill.memory_client(1);
    drill.hand.add(for_so_long("latency: 0ms -> 1s", 10 * SECOND)).expect("it is put there");
    for at in [1, 5, 8] {
        sleep_until(began + at * SECOND).await;
        let took = round_trip(&mut client).await;
        assert!(took >= 100 * at * MS && took <= (100 * at + 1) * MS, "at {at} s: {took:?}");
    }
    sleep_until(began + 10 * SECOND).await;
    assert_eq!(round_trip(&mut client).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_needs_requests_is_refused_where_there_are_none() {
    let drill = echoing(Drill::calm());
    for fault in ["respond: 503", "latency: 1s, share: 5% of requests", "hang: {}"] {
        let refused = drill.hand.add(by_hand(fault)).map(drop);
        assert!(matches!(refused, Err(HandError::Protocol { .. })), "{fault}: {refused:?}");
    }
    assert_eq!(round_trip(&mut drill.memory_client(1)).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_limit_by_hand_counts_from_when_it_was_put_there() {
    let mut line = Line::of(Drill::calm());
    let (mut client, mut server) = line.pair(1).await;
    server.send("before ").await;
    assert_eq!(client.take(7).await, b"before ");
    line.drill.hand.add(by_hand("limit_data: 5B")).expect("it is put there");
    server.send("after that").await;
    assert_eq!(client.rest().await, (b"after".to_vec(), End::Fin));
}
