//! Time to the millisecond, where it is a test's own: connections in memory, a clock held still.

use crate::support::{Drill, GET, OK, Setup, memory};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn play(setup: Setup) -> Drill {
    setup.detached(memory::answering(OK).0)
}

/// How long one exchange on a connection of its own takes, and what comes of it.
async fn time(drill: &Drill) -> (Duration, u16) {
    let asked = Instant::now();
    let answer = drill.memory_client(1).ask(GET).await;
    (asked.elapsed(), answer.status())
}

#[tokio::test(start_paused = true)]
async fn three_hundred_milliseconds_are_exactly_that() {
    for (fault, wanted) in [
        ("latency: 300ms", 300 * MS),
        ("latency: { mean: 300ms, side: response }", 300 * MS),
        ("latency: { mean: 300ms, side: both }", 600 * MS),
        ("latency: { mean: 300ms, per: chunk }", 300 * MS),
    ] {
        let drill = play(Drill::of(&[fault]));
        assert_eq!(time(&drill).await, (wanted, 200), "{fault}");
    }
    assert_eq!(time(&play(Drill::calm())).await, (Duration::ZERO, 200));
}

#[tokio::test(start_paused = true)]
async fn the_upstream_hears_of_a_held_request_when_the_delay_is_over() {
    let (connector, heard) = memory::answering(OK);
    let drill = Drill::of(&["latency: 300ms"]).detached(connector);
    let asked = Instant::now();

    drill.memory_client(1).ask(GET).await;

    assert_eq!(heard.times(), [asked + 300 * MS]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_delays_of_a_second_take_a_second() {
    let drill = play(Drill::of(&["latency: 1s"]));
    let asked = Instant::now();
    let mut clients: Vec<_> = (0..1_000).map(|_| drill.memory_client(1)).collect();
    for client in &mut clients {
        client.send(GET).await;
    }
    for client in &mut clients {
        assert_eq!(client.answer().await.status(), 200);
    }

    assert_eq!(asked.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_phase_begins_and_ends_on_its_millisecond() {
    let began = Instant::now();
    let drill = play(Drill::phases(&[
        "{ name: before, for: 10s }",
        "{ name: outage, for: 20s, faults: [{ respond: 503 }] }",
        "{ name: after, for: 5s }",
    ]));
    for (at, status) in [(9_999, 200), (10_001, 503), (29_999, 503), (30_001, 200)] {
        sleep_until(began + at * MS).await;
        assert_eq!(time(&drill).await, (Duration::ZERO, status), "{at} ms");
    }
    drill.over().await;
    assert_eq!(began.elapsed(), 35 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_by_a_phase_goes_on_at_its_end() {
    for fault in ["hang: {}", "blackhole: {}"] {
        let began = Instant::now();
        let drill = play(Drill::phases(&[
            &format!("{{ name: outage, for: 20s, faults: [{{ {fault} }}] }}"),
            "{ name: after, for: 5s }",
        ]));
        let mut client = drill.memory_client(1);
        sleep_until(began + 3 * SECOND).await;

        assert_eq!(client.ask(GET).await.status(), 200);

        assert_eq!(began.elapsed(), 20 * SECOND, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_gives_up_on_its_millisecond() {
    let drill = play(Drill::of(&["hang: 30s"]));
    let mut client = drill.memory_client(1);
    let asked = Instant::now();

    client.send(GET).await;
    client.end().await;

    assert_eq!(asked.elapsed(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_latency_that_moves_is_the_one_of_its_moment() {
    let began = Instant::now();
    let drill = play(Drill::phases(&[
        "{ name: onset, for: 100s, faults: [{ latency: 100ms -> 2100ms }] }",
    ]));
    for (at, wanted) in [(0, 100), (25, 600), (50, 1_100), (75, 1_600)] {
        sleep_until(began + at * SECOND).await;
        assert_eq!(time(&drill).await.0, wanted * MS, "{at} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_share_that_moves_only_adds_users() {
    let began = Instant::now();
    let drill = play(Drill::phases(&[
        "{ name: onset, for: 100s, faults: [{ respond: 503, share: 0% -> 100% of users }] }",
    ]));
    let mut hit = [false; 200];
    for (at, least, most) in
        [(0, 0, 0), (25, 30, 70), (50, 75, 125), (75, 130, 170), (99, 190, 200)]
    {
        sleep_until(began + at * SECOND).await;
        let mut client = drill.memory_client(1);
        for (user, hit) in hit.iter_mut().enumerate() {
            let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-user-id: {user}\r\n\r\n");
            let now = client.ask(request).await.status() == 503;
            assert!(now || !*hit, "user {user} is let off at {at} s");
            *hit = now;
        }
        let count = hit.iter().filter(|hit| **hit).count();
        assert!((least..=most).contains(&count), "{count} at {at} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pattern_flaps_on_its_second() {
    let began = Instant::now();
    let drill = play(Drill::of(&["respond: 503, pattern: { every: 10s, on: 3s }"]));
    for second in 0..25 {
        sleep_until(began + second * SECOND + 500 * MS).await;
        let wanted = if second % 10 < 3 { 503 } else { 200 };
        assert_eq!(time(&drill).await.1, wanted, "{second} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_flaps_lets_go_when_it_is_off() {
    for fault in ["hang: {}", "blackhole: {}", "lose_response: hang"] {
        let began = Instant::now();
        let fault = format!("{fault}, pattern: {{ every: 10s, on: 3s }}");
        let drill = play(Drill::of(&[&fault]));
        for (asked, answered) in [(1, 3), (5, 5), (11, 13)] {
            sleep_until(began + asked * SECOND).await;
            assert_eq!(time(&drill).await.1, 200);
            assert_eq!(began.elapsed(), answered * SECOND, "{fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_blackhole_that_flaps_holds_an_answer_for_as_long() {
    let (connector, _heard) = memory::scripted(|mut wire, _| async move {
        wire.request().await;
        sleep(4 * SECOND).await;
        wire.send(OK).await;
        wire.end().await;
    });
    let fault = "blackhole: {}, pattern: { every: 10s, on: 8s }";
    let began = Instant::now();
    let phases = [
        "{ name: before, for: 5s }",
        &format!("{{ name: outage, for: 1h, faults: [{{ {fault} }}] }}"),
    ];
    let drill = Drill::phases(&phases).detached(connector);
    sleep_until(began + 4 * SECOND).await;

    assert_eq!(time(&drill).await.1, 200);

    // The upstream answers at 8 s, in the silence from 5 s to 13 s.
    assert_eq!(began.elapsed(), 13 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn speed_compresses_phases_and_no_latency() {
    let began = Instant::now();
    let drill = play(
        Drill::phases(&[
            "{ name: outage, for: 60s, faults: [{ latency: 300ms }] }",
            "{ name: after, for: 60s }",
        ])
        .speed(60.0),
    );

    assert_eq!(time(&drill).await.0, 300 * MS);
    sleep_until(began + 1_001 * MS).await;
    assert_eq!(time(&drill).await.0, Duration::ZERO);
    drill.over().await;
    assert_eq!(began.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_moves_all_later_edges() {
    let began = Instant::now();
    let drill = play(Drill::phases(&[
        "{ name: outage, for: 10s, faults: [{ respond: 503 }] }",
        "{ name: after, for: 10s }",
    ]));
    sleep_until(began + 2 * SECOND).await;
    drill.controls().pause();
    sleep_until(began + 7 * SECOND).await;
    drill.controls().resume();

    drill.phase(1).await;
    assert_eq!(began.elapsed(), 15 * SECOND);
    drill.over().await;
    assert_eq!(began.elapsed(), 25 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_what_a_pattern_holds() {
    for fault in ["hang: {}", "blackhole: {}"] {
        let began = Instant::now();
        let fault = format!("{fault}, pattern: {{ every: 10s, on: 3s }}");
        let drill = play(Drill::of(&[&fault]));
        let mut client = drill.memory_client(1);
        client.send(GET).await;
        sleep_until(began + SECOND).await;
        drill.controls().pause();
        sleep_until(began + 61 * SECOND).await;
        drill.controls().resume();

        assert_eq!(client.answer().await.status(), 200);
        assert_eq!(began.elapsed(), 63 * SECOND, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_waits_for_traffic_starts_with_the_first_request() {
    let began = Instant::now();
    let drill = play(
        Drill::phases(&[
            "{ name: outage, for: 10s, faults: [{ respond: 503 }] }",
            "{ name: after, for: 10s }",
        ])
        .waiting(),
    );
    sleep_until(began + 100 * SECOND).await;

    assert_eq!(time(&drill).await.1, 503, "the first request already meets the first phase");
    sleep_until(began + 109_999 * MS).await;
    assert_eq!(time(&drill).await.1, 503);
    sleep_until(began + 110_001 * MS).await;
    assert_eq!(time(&drill).await.1, 200);
    drill.over().await;
    assert_eq!(began.elapsed(), 120 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_narrow_pipe_takes_its_bytes_times_its_rate() {
    let body = "x".repeat(20_000);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let length = u32::try_from(head.len() + body.len()).expect("small");
    let (connector, _heard) = memory::answering(head + &body);
    let drill = Drill::of(&["bandwidth: { rate: 10KB/s, side: response }"]).detached(connector);

    let (took, _) = time(&drill).await;

    let wanted = SECOND / 10_000 * length;
    assert!(took >= wanted && took <= wanted + 2 * MS, "{took:?} for {wanted:?}");
}

#[tokio::test(start_paused = true)]
async fn one_draw_per_connection_holds_for_all_it_carries() {
    let drill = play(Drill::of(&["latency: { mean: 1s, jitter: 900ms, per: connection }"]));
    let mut seen = Vec::new();
    for _ in 0..10 {
        let mut client = drill.memory_client(1);
        let mut times = Vec::new();
        for _ in 0..3 {
            let asked = Instant::now();
            client.ask(GET).await;
            times.push(asked.elapsed());
        }
        assert!(times.iter().all(|time| *time == times[0]), "{times:?}");
        assert!(times[0] >= 100 * MS && times[0] <= 1_901 * MS, "{times:?}");
        seen.push(times[0]);
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 5, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_deals_the_same_delays_in_any_order() {
    let delays = |backwards: bool| async move {
        let drill = play(Drill::of(&["latency: { median: 180ms, p99: 2s }"]));
        let mut users: Vec<u32> = (0..30).collect();
        if backwards {
            users.reverse();
        }
        let mut delays = vec![Duration::ZERO; 30];
        for user in users {
            let asked = Instant::now();
            let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-user-id: {user}\r\n\r\n");
            drill.memory_client(1).ask(request).await;
            delays[user as usize] = asked.elapsed();
        }
        delays
    };

    assert_eq!(delays(false).await, delays(true).await);
}

#[tokio::test(start_paused = true)]
async fn a_silence_that_a_fault_made_is_nobodys_timeout() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n";
    for fault in ["blackhole: {}", "packet_loss: { rate: 100%, syn: none }"] {
        // In the middle of a head, of an upload, and of an answer.
        for early in [&head[..20], &format!("{head}abc"), &format!("{head}abcdef")] {
            let whole = format!("{head}abcdef");
            let (connector, heard) = memory::scripted(|mut wire, heard| async move {
                heard.got(wire.request().await.expect("a request"));
                sleep(2 * SECOND).await;
                wire.send(OK).await;
                wire.end().await;
            });
            let drill = Drill::phases(&[
                "{ name: before, for: 2s }",
                &format!("{{ name: outage, for: 20m, faults: [{{ {fault} }}] }}"),
                "{ name: after, for: 1h }",
            ])
            .detached(connector);
            let mut client = drill.memory_client(1);
            let began = Instant::now();

            sleep_until(began + SECOND).await;
            client.send(early).await;
            sleep_until(began + 3 * SECOND).await;
            client.send(&whole[early.len()..]).await;

            assert_eq!(client.answer().await.text(), "ok", "{fault} {early:?}");
            assert!(began.elapsed() >= 1_202 * SECOND, "{fault} {early:?}: {:?}", began.elapsed());
            assert_eq!(heard.requests()[0].text(), "abcdef");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_may_take_longer_than_its_answer() {
    let drill = Drill::calm().detached(memory::answering(OK).0);
    let mut client = drill.memory_client(1);

    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 20\r\n\r\n").await;
    for _ in 0..20 {
        sleep(50 * SECOND).await;
        client.send("x").await;
    }

    assert_eq!(client.answer().await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_reads_nothing_is_given_up() {
    let (connector, _heard) = memory::scripted(|mut wire, _| async move {
        wire.head().await;
        sleep(10_000 * SECOND).await;
        wire.end().await;
    });
    let drill = Drill::calm().detached(connector);
    let mut client = drill.memory_client(1);
    let began = Instant::now();

    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n").await;
    client.send(vec![b'x'; 1_000_000]).await;
    let answer = client.answer().await;

    assert_eq!((answer.status(), answer.field("x-firedrill")), (504, Some("genuine=timeout")));
    let took = began.elapsed();
    assert!(took >= 300 * SECOND && took <= 602 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_says_nothing_is_given_up_after_five_minutes() {
    let (connector, heard) = memory::scripted(|mut wire, heard| async move {
        heard.got(wire.request().await.expect("a request"));
        wire.end().await;
    });
    let drill = Drill::calm().detached(connector);

    let asked = Instant::now();
    let answer = drill.memory_client(1).ask(GET).await;

    assert_eq!((answer.status(), answer.field("x-firedrill")), (504, Some("genuine=timeout")));
    let took = asked.elapsed();
    assert!(took >= 300 * SECOND && took <= 300 * SECOND + 2 * MS, "{took:?}");
    assert_eq!(heard.requests().len(), 1);
}
