//! `refuse` and `unreachable`: connections that cannot be made.

use crate::support::{Drill, GET, OK, Upstream, Wire};
use firedrill::event::Event;
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::timeout};

fn phases(fault: &str) -> [String; 3] {
    let outage = format!("{{ name: outage, for: 10m, faults: [{{ {fault} }}] }}");
    ["{ name: before, for: 10m }".into(), outage, "{ name: after, for: 10m }".into()]
}

/// Skips to the phase of the outage and waits until callers notice it. Whoever connects in the
/// millisecond of the edge may still be let in.
async fn shut(drill: &Drill, fault: &str) {
    drill.controls().skip();
    drill.hits(fault, 1).await;
    let knock = async {
        while let Ok(Ok(_)) =
            timeout(Duration::from_millis(100), TcpStream::connect(drill.address())).await
        {}
    };
    timeout(Duration::from_secs(5), knock).await.expect("the door shuts");
}

async fn reopen(drill: &Drill) {
    drill.controls().skip();
    drill.phase(2).await;
}

#[tokio::test]
async fn refused_connections_are_refused_by_the_kernel_and_the_port_is_kept() {
    let upstream = Upstream::answering(OK).await;
    let phases = phases("refuse: {}");
    let drill = Drill::phases(&phases.each_ref().map(|p| &**p)).before(&upstream);
    let mut open = drill.client().await;
    assert_eq!(open.ask(GET).await.status(), 200);

    shut(&drill, "refuse").await;
    let refused = TcpStream::connect(drill.address()).await.map(drop);
    let taken = std::net::TcpListener::bind(drill.address()).map(drop);
    let still_open = open.ask(GET).await;
    reopen(&drill).await;

    assert_eq!(refused.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionRefused));
    assert_eq!(taken.map_err(|error| error.kind()), Err(io::ErrorKind::AddrInUse));
    assert_eq!(still_open.status(), 200);
    let mut again = connect_again(&drill).await;
    assert_eq!(again.ask(GET).await.status(), 200);
}

/// Connects as soon as that is possible again.
async fn connect_again(drill: &Drill) -> Wire<TcpStream> {
    let connect = async {
        loop {
            if let Ok(stream) = TcpStream::connect(drill.address()).await {
                return Wire::tcp(stream);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), connect).await.expect("the door opens again")
}

#[tokio::test]
async fn a_door_that_opened_again_costs_no_processor_time() {
    let upstream = Upstream::answering(OK).await;
    let phases = phases("refuse: {}");
    let drill = Drill::phases(&phases.each_ref().map(|p| &**p)).before(&upstream);
    shut(&drill, "refuse").await;
    reopen(&drill).await;
    connect_again(&drill).await;

    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.worker_total_busy_duration(0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let busy = metrics.worker_total_busy_duration(0).saturating_sub(before);

    assert!(busy < Duration::from_millis(30), "{busy:?} in 100 ms in which nothing happens");
}

#[tokio::test]
async fn a_refusal_can_flap() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["refuse: {}, pattern: { every: 100ms, on: 50ms }"]).before(&upstream);
    let (mut refused, mut accepted) = (0, 0);

    let both = async {
        while refused < 3 || accepted < 3 {
            match TcpStream::connect(drill.address()).await {
                Ok(_) => accepted += 1,
                // Taken by the kernel in the very moment in which the door shut.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                    refused += 1;
                }
            }
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    };
    timeout(Duration::from_secs(20), both).await.expect("it opens and shuts");
}

#[tokio::test]
async fn an_unreachable_host_leaves_callers_in_syn_and_hears_them_afterwards() {
    let upstream = Upstream::answering(OK).await;
    let phases = phases("unreachable: {}");
    let drill = Drill::phases(&phases.each_ref().map(|p| &**p)).before(&upstream);
    let mut open = drill.client().await;
    assert_eq!(open.ask(GET).await.status(), 200);

    shut(&drill, "unreachable").await;
    let connect = tokio::spawn(TcpStream::connect(drill.address()));
    let second = timeout(Duration::from_millis(200), TcpStream::connect(drill.address())).await;
    let still_open = open.ask(GET).await;
    assert!(!connect.is_finished() && second.is_err(), "callers hang");
    reopen(&drill).await;

    assert_eq!(still_open.status(), 200);
    // The kernel sends its SYN again after a second.
    let late = timeout(Duration::from_secs(5), connect).await.expect("the next SYN gets through");
    let mut late = Wire::tcp(late.expect("a task").expect("a connection"));
    assert_eq!(late.ask(GET).await.status(), 200);
    // Ours, which filled the queue, is nobody's connection: nothing is told of it.
    drill.exchanges(3).await;
    let connection = |event: &Event| matches!(event, Event::Connection(_));
    assert!(!drill.events().iter().any(connection));
}

#[tokio::test]
async fn the_end_of_a_drill_opens_the_door() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["refuse: {}"]).before(&upstream);
    drill.hits("refuse", 1).await;

    drill.controls().stop();

    assert_eq!(connect_again(&drill).await.ask(GET).await.status(), 200);
}

#[tokio::test]
async fn a_crowd_does_not_keep_the_door_open() {
    let upstream = Upstream::answering(OK).await;
    let phases = phases("refuse: {}");
    let drill = Drill::phases(&phases.each_ref().map(|p| &**p)).before(&upstream);
    let address = drill.address();
    let (refused, mut hear) = tokio::sync::mpsc::channel(4);
    for _ in 0..4 {
        let refused = refused.clone();
        std::thread::spawn(move || {
            let patience = tokio::time::Instant::now() + Duration::from_secs(5);
            while tokio::time::Instant::now() < patience {
                let knock = std::net::TcpStream::connect(address);
                if knock.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                    return refused.blocking_send(()).is_ok();
                }
            }
            false
        });
    }
    drop(refused);

    drill.controls().skip();

    for _ in 0..4 {
        hear.recv().await.expect("everybody is refused at last");
    }
}
