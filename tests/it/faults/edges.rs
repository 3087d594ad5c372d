//! Phases, their edges, and the hand on the controls.

use crate::support::{Drill, End, GET, OK, Upstream, eventually};
use firedrill::event::{Connection, EndedBy, Event, Recorder, Upstream as Got};
use std::{
    io::ErrorKind,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);
const THREE: [&str; 3] = [
    "{ name: before, for: 10m }",
    "{ name: outage, for: 10m, faults: [{ respond: 503 }] }",
    "{ name: after, for: 10m }",
];

#[tokio::test]
async fn a_fault_is_in_force_in_its_phase_and_in_no_other() {
    let upstream = Upstream::answering(OK).await;
    let phases = [
        "{ name: before, for: 200ms }",
        "{ name: outage, for: 300ms, faults: [{ respond: 503 }] }",
        "{ name: after, for: 10m }",
    ];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let status = client.ask(GET).await.status();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
    }

    assert_eq!(seen, [200, 503, 200]);
    drill.phase(2).await;
    let mut edges: Vec<_> = drill
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Edge(edge) => Some(edge),
            _ => None,
        })
        .collect();
    edges.sort_by_key(|edge| edge.planned);
    let planned: Vec<Duration> = edges.iter().map(|edge| edge.planned).collect();
    assert_eq!(planned, [Duration::ZERO, 200 * MS, 500 * MS]);
    for edge in edges {
        assert!(edge.actual >= edge.planned && edge.actual < edge.planned + 1_000 * MS, "{edge:?}");
    }
}

#[tokio::test]
async fn commands_act_at_once() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::phases(&THREE).before(&upstream);
    let controls = drill.controls();
    let mut client = drill.client().await;
    let mut statuses = vec![client.ask(GET).await.status()];

    controls.skip();
    drill.phase(1).await;
    statuses.push(client.ask(GET).await.status());
    controls.seek(Duration::from_secs(5));
    drill.phase(0).await;
    statuses.push(client.ask(GET).await.status());
    controls.seek(Duration::from_secs(601));
    drill.phase(1).await;
    statuses.push(client.ask(GET).await.status());
    controls.stop();
    drill.over().await;
    statuses.push(client.ask(GET).await.status());

    assert_eq!(statuses, [200, 503, 200, 503, 200]);
}

#[tokio::test]
async fn a_paused_drill_keeps_its_faults_and_does_not_move_on() {
    let upstream = Upstream::answering(OK).await;
    let phases =
        ["{ name: outage, for: 80ms, faults: [{ respond: 503 }] }", "{ name: after, for: 10m }"];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;

    drill.controls().pause();
    tokio::time::sleep(120 * MS).await;
    let paused = client.ask(GET).await.status();
    drill.controls().resume();
    drill.phase(1).await;
    let after = client.ask(GET).await.status();

    assert_eq!((paused, after), (503, 200));
}

#[tokio::test]
async fn a_paused_drill_can_be_held_by_a_flapping_hang_and_stopped() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: {}, pattern: { every: 200ms, on: 199ms }"]).before(&upstream);
    let mut client = drill.client().await;
    drill.controls().pause();
    client.send(GET).await;
    drill.hits("hang", 1).await;
    client.is_silent_for(300 * MS).await;

    drill.controls().stop();

    assert_eq!(client.answer().await.status(), 200);
}

#[tokio::test]
async fn the_end_of_the_timeline_lets_go_of_everything() {
    let upstream = Upstream::answering(OK).await;
    let phases = ["{ name: outage, for: 100ms, faults: [{ hang: {} }] }"];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    drill.over().await;
    let over = Instant::now();

    assert_eq!(client.answer().await.status(), 200);
    assert!(over.elapsed() < 1_000 * MS, "{:?}", over.elapsed());
}

fn then(policy: &str) -> [String; 2] {
    [
        "{ name: before, for: 10m }".into(),
        format!("{{ name: after, for: 10m, connections: {policy} }}"),
    ]
}

/// A drill with an idle connection, and one whose request the upstream is at work on.
async fn two_connections(policy: &str) -> (Option<End>, Result<u16, End>, bool) {
    let (go, wait) = tokio::sync::watch::channel(false);
    let upstream = Upstream::scripted(move |mut wire, log| {
        let mut wait = wait.clone();
        async move {
            while let Some(request) = wire.request().await {
                let slow = request.start().contains("/slow");
                log.got(request);
                if slow {
                    wait.wait_for(|go| *go).await.expect("the test goes on");
                }
                if wire.try_send(OK).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let phases = then(policy);
    let drill = Drill::phases(&phases.each_ref().map(|p| &**p)).before(&upstream);
    let mut idle = drill.client().await;
    let mut busy = drill.client().await;
    idle.ask(GET).await;
    busy.send("GET /slow HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    eventually("both arrive", || (upstream.requests().len() == 2).then_some(())).await;

    drill.controls().skip();
    drill.phase(1).await;
    let idle_end = if policy == "keep" { None } else { Some(idle.end().await) };
    if policy == "reset" {
        return (idle_end, Err(busy.end().await), false);
    }
    go.send(true).expect("the upstream waits");
    let answer = busy.answer().await.status();
    let goes_on = match busy.try_send(GET).await {
        Ok(()) => !busy.head().await.head.is_empty(),
        Err(_) => false,
    };
    (idle_end, Ok(answer), goes_on)
}

#[tokio::test]
async fn an_edge_keeps_drains_or_resets_open_connections() {
    assert_eq!(two_connections("keep").await, (None, Ok(200), true));
    assert_eq!(two_connections("drain").await, (Some(End::Fin), Ok(200), false));
    assert_eq!(two_connections("reset").await, (Some(End::Reset), Err(End::Reset), false));
}

#[tokio::test]
async fn a_drained_proxy_finishes_what_is_under_way_and_takes_nothing_new() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["latency: 100ms"]).before(&upstream);
    let mut idle = drill.client().await;
    let mut busy = drill.client().await;
    busy.send(GET).await;
    drill.hits("latency", 1).await;

    let (left, answer) = tokio::join!(drill.proxy.drain(Duration::from_secs(5)), busy.answer());

    assert_eq!((left, answer.status()), (0, 200));
    assert_eq!(idle.end().await, End::Fin);
    assert!(tokio::net::TcpStream::connect(drill.address()).await.is_err());
}

#[tokio::test]
async fn a_proxy_that_is_dropped_leaves_nothing_open() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: {}, name: hang, target: { path: /hang }"]).before(&upstream);
    let mut idle = drill.client().await;
    idle.ask(GET).await;
    let mut held = drill.client().await;
    held.send("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await;
    drill.hits("hang", 1).await;
    let address = drill.address();

    drop(drill);

    assert_eq!((idle.end().await, held.end().await), (End::Fin, End::Fin));
    upstream.ends(1).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_drain_does_not_wait_for_ever() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["hang: {}"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    drill.hits("hang", 1).await;

    let left = drill.proxy.drain(50 * MS).await;

    assert_eq!((left, client.end().await), (1, End::Fin));
}

#[tokio::test]
async fn the_phase_that_is_told_is_the_one_that_faults_go_by() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::phases(&THREE).before(&upstream);

    // No other task has run since, so nothing was announced yet.
    drill.controls().skip();

    assert_eq!(drill.injector().phase(), Some(1));
}

#[tokio::test]
async fn what_an_edge_resets_says_so() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        log.got(wire.request().await.expect("a request"));
        wire.end().await;
    })
    .await;
    let phases = then("reset");
    let drill = Drill::phases(&phases.each_ref().map(|p| &**p)).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    eventually("the request arrives", || upstream.requests().pop()).await;

    drill.controls().skip();

    assert_eq!(client.end().await, End::Reset);
    let exchange = drill.exchange().await;
    assert_eq!(exchange.ended_by, EndedBy::PhaseEdge);
    assert!(exchange.injected());
}

async fn told_connection(drill: &Drill) -> Connection {
    eventually("the connection is told of", || {
        drill.events().into_iter().find_map(|event| match event {
            Event::Connection(connection) => Some(connection),
            _ => None,
        })
    })
    .await
}

/// A client that uses a connection which it could know to be closed is told of.
#[tokio::test]
async fn what_comes_on_a_drained_connection_is_told_of_and_reset() {
    let upstream = Upstream::answering(OK).await;
    let phases = then("drain");
    let drill = Drill::phases(&phases.each_ref().map(|p| &**p)).before(&upstream);
    let mut client = drill.client().await;
    client.ask(GET).await;
    drill.exchange().await;

    drill.controls().skip();
    assert_eq!(client.end().await, End::Fin, "an idle connection is closed at once");
    client.send("POST /late HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody").await;

    let late = drill.exchanges(2).await.remove(1);
    assert_eq!((late.ended_by, late.upstream, late.status), (EndedBy::Stale, Got::NotSent, 0));
    assert!(late.injected() && late.received == 4, "{late:?}");
    // To a client that had read the FIN, the RST shows when it writes.
    let io = client.into_io();
    let refused = eventually("the connection is reset", || match io.try_write(b"x") {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Some(error.kind()),
        _ => None,
    })
    .await;
    assert!(matches!(refused, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{refused}");
    let connection = told_connection(&drill).await;
    assert_eq!((connection.ended_by, connection.dealt.len()), (EndedBy::Drained, 0));
    assert_eq!(upstream.requests().len(), 1);
}

/// A drill whose connections wait for their SYN to get through, and one such client.
async fn in_syn() -> (Drill, crate::support::Wire<tokio::net::TcpStream>) {
    let upstream = Upstream::answering(OK).await;
    let outage = "{ name: outage, for: 10m, faults: [{ packet_loss: 100% }] }";
    let drill = Drill::phases(&[outage, &then("reset")[1]]).before(&upstream);
    let client = drill.client().await;
    drill.hits("packet_loss", 1).await;
    (drill, client)
}

#[tokio::test]
async fn a_connection_in_syn_is_reset_by_an_edge() {
    let (drill, mut client) = in_syn().await;

    drill.controls().skip();

    assert_eq!(client.end().await, End::Reset);
    let connection = told_connection(&drill).await;
    assert_eq!((connection.phase, connection.ended_by), (Some(0), EndedBy::PhaseEdge));
}

#[tokio::test]
async fn a_connection_in_syn_does_not_hold_up_a_drain() {
    let (drill, mut client) = in_syn().await;

    let left = drill.proxy.drain(Duration::from_secs(5)).await;

    assert_eq!((left, client.end().await), (0, End::Fin));
}

#[tokio::test]
async fn of_first_requests_that_race_none_passes_unhurt() {
    const THREADS: usize = 4;
    for _ in 0..200 {
        let setup = Drill::of(&["respond: 503"]).waiting();
        let run = setup.run(Arc::new(Recorder::new(1_000, false)));
        let start = Barrier::new(THREADS);
        let ask = || {
            let injector = run.injector();
            start.wait();
            injector.notice_traffic();
            injector.has_message_faults()
        };
        let hurt = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().all(|thread| thread.join().expect("no panic"))
        });

        assert!(hurt);
    }
}
