//! Byte faults that shape a stream: how fast it comes, in what pieces, and what becomes of it.

use crate::{
    support::{Drill, Wire},
    tcp::{Line, MS, SECOND, bytes, echoing, round_trip},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    time::Instant,
};

/// Sends bytes from one end to the other, whole; says what came and how long that took.
async fn send(
    from: &mut Wire<DuplexStream>,
    to: &mut Wire<DuplexStream>,
    sent: &[u8],
) -> (Vec<u8>, Duration) {
    let began = Instant::now();
    let ((), came) = tokio::join!(from.send(sent), to.take(sent.len()));
    (came, began.elapsed())
}

/// Never less, and no more than a tick or two of the timer above it.
fn is_about(took: Duration, wanted: Duration) -> bool {
    took >= wanted && took <= wanted + 2 * MS
}

#[tokio::test(start_paused = true)]
async fn a_narrow_pipe_takes_its_time_for_every_byte_and_loses_none() {
    for (fault, up, down) in [
        ("bandwidth: 64KiB/s", 10 * SECOND, 10 * SECOND),
        ("bandwidth: { rate: 64KiB/s, side: request }", 10 * SECOND, Duration::ZERO),
        ("bandwidth: { rate: 64KiB/s, side: response }", Duration::ZERO, 10 * SECOND),
        ("bandwidth: { rate: 64KiB/s, burst: 64KiB }", 9 * SECOND, 9 * SECOND),
    ] {
        let mut line = Line::of(Drill::of(&[fault]));
        let (mut client, mut server) = line.pair(1).await;
        let sent = bytes(640 * 1024);

        let (came, took) = send(&mut client, &mut server, &sent).await;
        assert!(came == sent && is_about(took, up), "{fault}: up {took:?}");
        let (came, took) = send(&mut server, &mut client, &sent).await;
        assert!(came == sent && is_about(took, down), "{fault}: down {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipe_carries_as_much_each_way_at_the_same_time() {
    let mut line = Line::of(Drill::of(&["bandwidth: 64KiB/s"]));
    let (client, server) = line.pair(1).await;
    let sent = bytes(320 * 1024);
    let began = Instant::now();
    let ends = [client, server].map(|end| {
        let sent = sent.clone();
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(end.into_io());
            let mut came = vec![0; sent.len()];
            let (read, wrote) = tokio::join!(read.read_exact(&mut came), write.write_all(&sent));
            read.expect("bytes");
            wrote.expect("sent");
            assert!(came == sent);
        })
    });
    for end in ends {
        end.await.expect("no panic");
    }

    assert!(is_about(began.elapsed(), 5 * SECOND), "{:?}", began.elapsed());
}

/// How long 64 KiB take on each of four connections at once.
async fn four_at_once(fault: &str) -> Vec<Duration> {
    let mut line = Line::of(Drill::of(&[fault]));
    let began = Instant::now();
    let mut all = Vec::new();
    for host in 1..=4 {
        let (mut client, mut server) = line.pair(host).await;
        all.push(tokio::spawn(async move {
            let sent = bytes(64 * 1024);
            let (came, _) = send(&mut client, &mut server, &sent).await;
            assert!(came == sent);
            began.elapsed()
        }));
    }
    let mut took = Vec::new();
    for one in all {
        took.push(one.await.expect("no panic"));
    }
    took
}

#[tokio::test(start_paused = true)]
async fn connections_have_a_pipe_each_or_share_one() {
    let own = four_at_once("bandwidth: 64KiB/s").await;
    assert!(own.iter().all(|took| is_about(*took, SECOND)), "{own:?}");

    let shared = four_at_once("bandwidth: { rate: 64KiB/s, scope: proxy }").await;
    let last = shared.iter().max().expect("four");
    assert!(is_about(*last, 4 * SECOND), "{shared:?}");
    assert!(shared.iter().all(|took| *took > 2 * SECOND), "in turn: {shared:?}");
}

#[tokio::test(start_paused = true)]
async fn lost_packets_take_time_and_no_byte() {
    let mut slower = 0;
    for seed in 1..=5 {
        let fault = "packet_loss: { rate: 5%, rtt: 50ms, side: both }";
        let mut line = Line::of(Drill::of(&[fault]).seed(seed));
        let (mut client, mut server) = line.pair(1).await;
        let sent = bytes(300_000);
        let (up, took_up) = send(&mut client, &mut server, &sent).await;
        let (down, took_down) = send(&mut server, &mut client, &sent).await;
        assert!(up == sent && down == sent, "seed {seed}");
        slower += [took_up, took_down].iter().filter(|took| **took > 200 * MS).count();
    }
    assert!(slower >= 8, "{slower} of 10");
}

/// The pieces in which bytes come, and when.
async fn pieces(wire: &mut Wire<DuplexStream>, count: usize) -> Vec<(usize, Duration)> {
    let began = Instant::now();
    let mut came = Vec::new();
    let mut total = 0;
    while total < count {
        let piece = wire.some().await.expect("more comes");
        total += piece.len();
        came.push((piece.len(), began.elapsed()));
    }
    came
}

#[tokio::test(start_paused = true)]
async fn slices_have_their_size_and_a_pause_after_each() {
    let mut line = Line::of(Drill::of(&["slice: { size: 64B, delay: 10ms }"]));
    for _ in 0..2 {
        let (mut client, mut server) = line.pair(1).await;
        client.send(bytes(640)).await;
        let wanted: Vec<_> = (0..10).map(|at| (64, at * 10 * MS)).collect();
        assert_eq!(pieces(&mut server, 640).await, wanted);
        server.send(bytes(200)).await;
        let wanted = [(64, 0), (64, 10), (64, 20), (8, 30)].map(|(size, at)| (size, at * MS));
        assert_eq!(pieces(&mut client, 200).await, wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_dribbles_on_its_side_and_flows_on_the_other() {
    let mut line = Line::of(Drill::of(&["dribble: { bytes: 8B, every: 100ms }"]));
    let (mut client, mut server) = line.pair(1).await;
    server.send(bytes(80)).await;
    let came = pieces(&mut client, 80).await;
    assert!(came.iter().all(|(size, _)| *size == 8), "{came:?}");
    let gaps: Vec<Duration> =
        came.windows(2).map(|two| two[1].1.saturating_sub(two[0].1)).collect();
    assert_eq!(gaps, [100 * MS; 9]);

    let (came, took) = send(&mut client, &mut server, &bytes(80)).await;
    assert_eq!((came, took), (bytes(80), Duration::ZERO));
}

/// What becomes of 100 000 bytes on their way to the client.
async fn corrupted(fault: &str, seed: u64) -> Vec<u8> {
    let mut line = Line::of(Drill::of(&[fault]).seed(seed));
    let (mut client, mut server) = line.pair(1).await;
    send(&mut server, &mut client, &vec![0x55; 100_000]).await.0
}

#[tokio::test(start_paused = true)]
async fn some_bytes_are_others_as_many_come_and_the_same_again() {
    let fault = "corrupt: 1%";
    let came = corrupted(fault, 1).await;

    let wrong = came.iter().filter(|byte| **byte != 0x55).count();
    assert_eq!(came.len(), 100_000);
    // Five standard deviations of a binomial.
    assert!((843..=1_157).contains(&wrong), "{wrong} of 1000");
    assert!(came == corrupted(fault, 1).await, "the same seed, the same bytes");
    assert!(came != corrupted(fault, 2).await, "another seed, other bytes");
}

#[tokio::test(start_paused = true)]
async fn the_way_up_is_corrupted_only_if_that_is_asked_for() {
    let mut line = Line::of(Drill::of(&["corrupt: 10%"]));
    let (mut client, mut server) = line.pair(1).await;
    let sent = bytes(10_000);
    assert!(send(&mut client, &mut server, &sent).await.0 == sent);

    let mut line = Line::of(Drill::of(&["corrupt: { rate: 10%, side: request }"]));
    let (mut client, mut server) = line.pair(1).await;
    assert!(send(&mut client, &mut server, &sent).await.0 != sent);
    assert!(send(&mut server, &mut client, &sent).await.0 == sent);
}

#[tokio::test(start_paused = true)]
async fn a_pattern_slows_down_and_lets_go_on_its_millisecond() {
    let fault = "latency: 50ms, pattern: { every: 10s, on: 3s }";
    let drill = echoing(Drill::of(&[fault]));
    let began = Instant::now();
    let mut client = drill.memory_client(1);
    for (at, wanted) in [(0, 50), (2_900, 50), (3_000, 0), (9_999, 0), (10_000, 50)] {
        tokio::time::sleep_until(began + at * MS).await;
        assert_eq!(round_trip(&mut client).await, wanted * MS, "at {at} ms");
    }
}
