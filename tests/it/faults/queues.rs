//! `overload`: a server of finite capacity.

use crate::support::{Drill, GET, OK, Setup, Upstream, Wire, eventually, memory};
use firedrill::event::{self, Did, EndedBy};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::DuplexStream,
    time::{Instant, sleep_until},
};

const MS: Duration = Duration::from_millis(1);

fn play(setup: Setup) -> (Drill, Arc<memory::Heard>) {
    let (connector, heard) = memory::answering(OK);
    (setup.detached(connector), heard)
}

/// So many clients that have just sent a request each, one after the other.
async fn crowd(drill: &Drill, size: usize) -> Vec<Wire<DuplexStream>> {
    let mut clients: Vec<_> = (0..size).map(|_| drill.memory_client(1)).collect();
    for client in &mut clients {
        client.send(GET).await;
        // Each is asked about before the next one comes; no time passes.
        tokio::task::yield_now().await;
    }
    clients
}

#[tokio::test(start_paused = true)]
async fn each_waits_its_turn_to_the_millisecond_and_who_finds_it_full_does_not() {
    let began = Instant::now();
    let (drill, heard) = play(Drill::of(&["overload: { capacity: 20/s, queue: 4 }"]));
    let mut clients = crowd(&drill, 8).await;
    let mut away = 0;
    let mut answered = Vec::new();
    for client in &mut clients {
        let answer = client.answer().await;
        match answer.status() {
            200 => answered.push(began.elapsed()),
            status => {
                assert_eq!((status, answer.field("retry-after")), (503, None));
                away += 1;
            }
        }
    }

    assert_eq!(away, 3);
    assert_eq!(answered, [0, 50, 100, 150, 200].map(|at| at * MS));
    assert_eq!(heard.times(), [0, 50, 100, 150, 200].map(|at| began + at * MS));
    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit), (8, 7), "the first one passed untouched");
    assert_eq!(tally.held, 500 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_told_at_once() {
    let (drill, _) = play(Drill::of(&["overload: { capacity: 1/s, queue: 1, retry_after: 3s }"]));
    let _waiting = crowd(&drill, 2).await;
    let asked = Instant::now();

    let answer = drill.memory_client(1).ask(GET).await;

    assert_eq!((answer.status(), answer.field("retry-after")), (503, Some("3")));
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn below_its_capacity_it_is_not_there() {
    let began = Instant::now();
    let (drill, _) = play(Drill::of(&["overload: 10/s"]));
    let mut client = drill.memory_client(1);
    for nth in 0..100_u32 {
        sleep_until(began + 100 * MS * nth).await;
        let asked = Instant::now();
        assert_eq!((client.ask(GET).await.status(), asked.elapsed()), (200, Duration::ZERO));
    }
    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn it_lets_go_of_everybody_at_the_end_of_the_phase() {
    let began = Instant::now();
    let phases =
        ["{ name: a, for: 2s, faults: [{ overload: 1/min }] }", "{ name: calm, for: 10m }"];
    let (drill, heard) = play(Drill::phases(&phases));
    let mut clients = crowd(&drill, 50).await;

    for client in &mut clients {
        assert_eq!(client.answer().await.status(), 200);
    }

    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(heard.times().len(), 50);
    assert_eq!(drill.tallies()[0].held, 49 * Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn it_lets_go_of_everybody_at_the_end_of_the_drill() {
    let began = Instant::now();
    let (drill, _) = play(Drill::of(&["overload: 1/min"]));
    let mut clients = crowd(&drill, 50).await;
    sleep_until(began + 700 * MS).await;

    drill.controls().stop();

    for client in &mut clients {
        assert_eq!(client.answer().await.status(), 200);
    }
    assert_eq!(began.elapsed(), 700 * MS);
}

#[tokio::test(start_paused = true)]
async fn retries_make_it_worse() {
    // The same load with and without clients that give up after 300 ms and ask again.
    let mut waits = Vec::new();
    for retries in [0, 3] {
        let began = Instant::now();
        let (drill, heard) = play(Drill::of(&["overload: { capacity: 20/s, queue: 1000 }"]));
        let mut left = crowd(&drill, 20).await;
        for nth in 1..=retries {
            sleep_until(began + 300 * MS * nth).await;
            // Those who were taken by then are done.
            let taken = heard.times().len();
            left = crowd(&drill, left.len().min(20 - taken.min(20))).await;
        }
        let asked = Instant::now();
        assert_eq!(drill.memory_client(1).ask(GET).await.status(), 200);
        waits.push(asked.elapsed() + (asked - began));
        drop(left);
    }
    assert_eq!(waits[0], Duration::from_secs(1));
    assert!(waits[1] > 2 * waits[0], "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_arrivals_meet_the_same_waits() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let began = Instant::now();
        let (drill, heard) = play(Drill::of(&["overload: { capacity: 30/s -> 10/s, queue: 5 }"]));
        for nth in 0..60_u32 {
            sleep_until(began + 17 * MS * nth).await;
            // They give up when the test does.
            let mut client = drill.memory_client(1);
            client.send(GET).await;
            tokio::spawn(async move { client.answer().await });
        }
        sleep_until(began + Duration::from_secs(60)).await;
        let times: Vec<_> = heard.times().into_iter().map(|at| at - began).collect();
        runs.push((times, drill.tallies()[0].clone()));
    }
    assert!(runs[0].0.len() > 20 && runs[0].0.len() < 60);
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn the_record_tells_of_the_wait_and_of_who_is_turned_away() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["overload: { capacity: 10/s, queue: 1 }"]).before(&upstream);
    let mut clients = Vec::new();
    for hits in [0, 1, 2] {
        let mut client = drill.client().await;
        client.send(GET).await;
        if hits == 0 {
            eventually("the first one is let in", || upstream.requests().pop()).await;
        }
        drill.hits("overload", hits).await;
        clients.push(client);
    }
    let mut statuses = Vec::new();
    for client in &mut clients {
        statuses.push(client.answer().await.status());
    }

    assert_eq!(statuses, [200, 200, 503]);
    let exchanges = drill.exchanges(3).await;
    let of = |status: u16| exchanges.iter().filter(move |exchange| exchange.status == status);
    let away = of(503).next().expect("one");
    assert_eq!(away.dealt[0].did, Did::Responded(503));
    assert_eq!(away.upstream, event::Upstream::NotSent);
    let held = of(200).find(|exchange| !exchange.dealt.is_empty()).expect("one waited");
    let Did::Queued(wait) = held.dealt[0].did else { panic!("{:?}", held.dealt) };
    assert!(wait > Duration::ZERO && wait <= 100 * MS, "{wait:?}");
    let forwarded = Duration::from_micros(held.t_forwarded - held.t_head);
    assert!(forwarded + MS >= wait, "{forwarded:?} of {wait:?}");
}

#[tokio::test]
async fn a_client_that_gives_up_in_the_queue_never_reaches_the_upstream() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["overload: 1/h"]).before(&upstream);
    assert_eq!(drill.ask(GET).await.status(), 200);
    let mut client = drill.client().await;

    client.send(GET).await;
    drill.hits("overload", 1).await;
    drop(client);

    let gone = drill.exchanges(2).await.pop().expect("the second");
    assert_eq!((gone.ended_by, gone.upstream), (EndedBy::ClientFin, event::Upstream::NotSent));
    assert_eq!(upstream.requests().len(), 1);
}
