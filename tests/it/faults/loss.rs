//! `packet_loss`: pauses, and never a lost byte.

use crate::support::{Drill, GET, OK, Upstream, memory};
use firedrill::event::Did;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn body(length: usize) -> String {
    (0..length).map(|at| char::from(b'a' + u8::try_from(at * 7 % 26).expect("small"))).collect()
}

fn post(body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test(start_paused = true)]
async fn bytes_arrive_as_they_were_and_in_order() {
    let sent = body(300_000);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n{sent}");
    let (connector, heard) = memory::answering(answer);
    let fault = "packet_loss: { rate: 5%, rtt: 40ms, syn: none }";
    let drill = Drill::of(&[fault]).detached(connector);
    let asked = Instant::now();

    let answer = drill.memory_client(1).ask(post(&sent)).await;

    assert!(answer.text() == sent);
    assert!(heard.requests()[0].text() == sent);
    assert!(asked.elapsed() > SECOND, "5 % of 400 segments: {:?}", asked.elapsed());
    assert_eq!(drill.exchange().await.dealt[0].did, Did::Wire);
}

#[tokio::test(start_paused = true)]
async fn small_calls_stall_by_a_round_trip_and_200_ms_or_not_at_all() {
    let fault = "packet_loss: { rate: 5%, rtt: 80ms, syn: none }";
    let drill = Drill::of(&[fault]).detached(memory::answering(OK).0);
    let mut stalls = Vec::new();
    let calls = 1_000;
    for _ in 0..calls {
        let asked = Instant::now();
        drill.memory_client(1).ask(GET).await;
        let late = asked.elapsed().saturating_sub(80 * MS);
        if late > 2 * MS {
            stalls.push(late);
        }
    }

    // Either way may lose its segment: 1 - 0.95².
    let share = stalls.len() as f64 / f64::from(calls);
    let sigma = (0.0975 * 0.9025 / f64::from(calls)).sqrt();
    assert!((share - 0.0975).abs() < 4.0 * sigma, "{share}");
    stalls.sort();
    let median = stalls[stalls.len() / 2];
    assert!(median >= 270 * MS && median <= 290 * MS, "{median:?}");
}

#[tokio::test(start_paused = true)]
async fn after_total_loss_the_next_try_gets_through_and_not_before() {
    let began = Instant::now();
    let phases = [
        "{ name: outage, for: 10s, faults: [{ packet_loss: { rate: 100%, syn: none } }] }",
        "{ name: after, for: 10m }",
    ];
    let drill = Drill::phases(&phases).detached(memory::answering(OK).0);
    sleep_until(began + SECOND).await;

    let answer = drill.memory_client(1).ask(GET).await;

    // Tries double from one to the next, so the first after 10 s comes by about 20 s.
    assert_eq!(answer.status(), 200);
    let took = began.elapsed();
    assert!(took > 10 * SECOND && took < 21 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_syn_holds_the_first_byte() {
    let phases = ["{ name: outage, for: 1h, faults: [{ packet_loss: 40% }] }"];
    let drill = Drill::phases(&phases).detached(memory::answering(OK).0);
    let mut clients: Vec<_> = (0..40).map(|_| drill.memory_client(1)).collect();
    let began = Instant::now();
    for client in &mut clients {
        client.send(GET).await;
    }
    for client in &mut clients {
        assert_eq!(client.answer().await.status(), 200);
    }

    // With both directions at 40 %, two of three connections lose their first SYN.
    assert!(began.elapsed() > SECOND);
    let exchanges = drill.exchanges(40).await;
    let held = |exchange: &firedrill::event::Exchange| {
        exchange.dealt.iter().any(|dealt| matches!(dealt.did, Did::Delayed(_)))
    };
    let held = exchanges.iter().filter(|exchange| held(exchange)).count();
    assert!((12..40).contains(&held), "{held} of 40");
}

#[tokio::test]
async fn total_loss_lets_go_at_once_when_the_drill_ends() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["packet_loss: 100%"]).before(&upstream);
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = drill.client().await;
        client.send(GET).await;
        clients.push(client);
    }
    clients[0].is_silent_for(50 * MS).await;
    assert_eq!(upstream.connections(), 0);

    let stopped = Instant::now();
    drill.controls().stop();
    for client in &mut clients {
        assert_eq!(client.answer().await.status(), 200);
    }

    assert!(stopped.elapsed() < 1_000 * MS, "{:?}", stopped.elapsed());
}
