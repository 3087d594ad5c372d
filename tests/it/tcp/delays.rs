//! `latency` on bytes, to the millisecond.

use crate::{
    support::Drill,
    tcp::{Line, MS, SECOND, bytes, echoing, round_trip},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, DuplexStream},
    time::{Instant, sleep, sleep_until},
};

#[tokio::test(start_paused = true)]
async fn a_round_trip_is_delayed_by_exactly_that_once() {
    for (fault, wanted) in [
        ("latency: 300ms", 300 * MS),
        ("latency: { mean: 300ms, side: response }", 300 * MS),
        ("latency: { mean: 300ms, side: both }", 600 * MS),
        ("latency: { mean: 300ms, per: connection }", 300 * MS),
        ("latency: { mean: 300ms, per: chunk }", 300 * MS),
    ] {
        let drill = echoing(Drill::of(&[fault]));
        let mut client = drill.memory_client(1);
        for _ in 0..5 {
            assert_eq!(round_trip(&mut client).await, wanted, "{fault}");
        }
    }
    let calm = echoing(Drill::calm());
    assert_eq!(round_trip(&mut calm.memory_client(1)).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn each_chunk_is_held_from_when_it_came() {
    let mut line = Line::of(Drill::of(&["latency: 300ms"]));
    let (mut client, mut server) = line.pair(1).await;
    let began = Instant::now();

    tokio::spawn(async move {
        for at in [0, 10, 250, 299, 300, 1_000] {
            sleep_until(began + at * MS).await;
            client.send(format!("{at:4}")).await;
        }
    });
    let mut heard = Vec::new();
    while let Some(chunk) = server.some().await {
        heard.push((String::from_utf8_lossy(&chunk).into_owned(), began.elapsed()));
    }

    let wanted = [0, 10, 250, 299, 300, 1_000].map(|at| (format!("{at:4}"), (at + 300) * MS));
    assert_eq!(heard, wanted);
}

/// 20 MB/s for half a second with 300 ms in between: 6 MB are under way at any time.
#[tokio::test(start_paused = true)]
async fn a_delay_does_not_narrow_the_pipe() {
    const CHUNK: usize = 20_000;
    const CHUNKS: usize = 500;
    let mut line = Line::of(Drill::of(&["latency: 300ms"]));
    let (mut client, mut server) = line.pair(1).await;
    let sent = bytes(CHUNK * CHUNKS);
    let (whole, began) = (sent.clone(), Instant::now());

    let sender = tokio::spawn(async move {
        for chunk in sent.chunks(CHUNK) {
            client.send(chunk).await;
            sleep(MS).await;
        }
        client
    });
    let mut heard = Vec::new();
    while heard.len() < whole.len() {
        heard.extend(server.some().await.expect("more comes"));
        // What was sent more than 300 ms ago is there, and nothing else is.
        let due = began.elapsed().saturating_sub(300 * MS).as_millis() as usize * CHUNK + CHUNK;
        assert!(heard.len() <= due, "{} of {due}", heard.len());
    }

    assert!(heard == whole, "what came is not what was sent");
    assert_eq!(began.elapsed(), 799 * MS);
    drop(sender.await);
}

#[tokio::test(start_paused = true)]
async fn an_end_comes_behind_what_is_held_and_is_not_held_itself() {
    let mut line = Line::of(Drill::of(&["latency: { mean: 300ms, side: both }"]));
    let (mut client, mut server) = line.pair(1).await;
    let began = Instant::now();

    client.send("the last words").await;
    client.half_close().await;
    assert_eq!(server.some().await.as_deref(), Some(&b"the last words"[..]));
    assert_eq!((server.some().await, began.elapsed()), (None, 300 * MS));
    server.send("an answer").await;
    drop(server);
    assert_eq!(client.some().await.as_deref(), Some(&b"an answer"[..]));
    assert_eq!((client.some().await, began.elapsed()), (None, 600 * MS));

    let (mut client, mut server) = line.pair(1).await;
    let began = Instant::now();
    client.half_close().await;
    assert_eq!((server.some().await, began.elapsed()), (None, Duration::ZERO));
}

/// When each of 200 numbered chunks of four bytes arrives that are sent 5 ms apart.
async fn arrivals(fault: &str, seed: u64) -> Vec<Duration> {
    let mut line = Line::of(Drill::of(&[fault]).seed(seed));
    let (mut client, server) = line.pair(1).await;
    let mut server: DuplexStream = server.into_io();
    let began = Instant::now();
    tokio::spawn(async move {
        for number in 0_u32..200 {
            client.send(number.to_be_bytes()).await;
            sleep(5 * MS).await;
        }
    });
    let mut arrivals = Vec::new();
    for number in 0..200 {
        assert_eq!(server.read_u32().await.ok(), Some(number), "in order");
        arrivals.push(began.elapsed());
    }
    arrivals
}

#[tokio::test(start_paused = true)]
async fn jitter_delays_each_chunk_by_its_own_and_overtakes_nothing() {
    let fault = "latency: { mean: 300ms, jitter: 200ms }";
    let there = arrivals(fault, 1).await;

    let delays: Vec<Duration> =
        there.iter().zip(0..).map(|(at, number)| at.saturating_sub(number * 5 * MS)).collect();
    for delay in &delays {
        assert!((100 * MS..=501 * MS).contains(delay), "{delay:?}");
    }
    // Behind one that was held for long the next ones come at once.
    assert!(there.windows(2).any(|two| two[0] == two[1]), "{there:?}");
    assert!(there.windows(2).any(|two| two[1] > two[0] + 5 * MS), "{there:?}");
    assert_eq!(there, arrivals(fault, 1).await, "the same seed, the same delays");
    assert_ne!(there, arrivals(fault, 2).await);
}

#[tokio::test(start_paused = true)]
async fn a_draw_for_a_connection_holds_for_all_of_it_and_not_for_the_next() {
    let fault = "latency: { mean: 300ms, jitter: 200ms, per: connection }";
    let drill = echoing(Drill::of(&[fault]));
    let mut seen = Vec::new();
    for _ in 0..10 {
        let mut client = drill.memory_client(1);
        let first = round_trip(&mut client).await;
        assert!((100 * MS..=501 * MS).contains(&first), "{first:?}");
        for _ in 0..5 {
            assert_eq!(round_trip(&mut client).await, first);
        }
        seen.push(first);
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 5, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_do_not_wait_for_each_other() {
    let drill = echoing(Drill::of(&["latency: 1s"]));
    let mut clients: Vec<_> = (0..500).map(|_| drill.memory_client(1)).collect();
    let began = Instant::now();
    for client in &mut clients {
        client.send("ping").await;
    }
    for client in &mut clients {
        assert_eq!(client.take(4).await, b"ping");
    }
    assert_eq!(began.elapsed(), SECOND);
}
