//! Silences that outlast patience: a fault that holds bytes holds them for as long as it lasts.

use crate::support::{Drill, End, GET, OK, Upstream, eventually};
use firedrill::event::{Connection, Did, EndedBy, Event};
use std::time::Duration;
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

fn connections(drill: &Drill) -> Vec<Connection> {
    let connections = drill.events().into_iter().filter_map(|event| match event {
        Event::Connection(connection) => Some(connection),
        _ => None,
    });
    connections.collect()
}

#[tokio::test(start_paused = true)]
async fn a_blackhole_outlasts_the_time_for_a_head() {
    for fault in ["blackhole: {}", "packet_loss: 100%"] {
        let upstream = Upstream::answering(OK).await;
        let outage = format!("{{ name: outage, for: 10m, faults: [{{ {fault} }}] }}");
        let drill = Drill::phases(&[&outage, "{ name: after, for: 10m }"]).before(&upstream);
        let mut client = drill.memory_client(1);

        client.send(GET).await;
        client.is_silent_for(500 * SECOND).await;
        drill.controls().skip();

        assert_eq!(client.answer().await.text(), "ok", "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_head_is_ended() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.memory_client(1);
    assert_eq!(client.ask(GET).await.status(), 200);

    client.send("GET / HTTP/1.1\r\n").await;
    for byte in ["x", "-", "a"] {
        client.is_silent_for(20 * SECOND).await;
        client.send(byte).await;
    }
    sleep(20 * SECOND).await;

    assert_eq!(client.end().await, End::Fin);
}

#[tokio::test]
async fn an_attempt_that_a_blackhole_swallows_is_told_of() {
    let upstream = Upstream::answering(OK).await;
    let phases =
        ["{ name: before, for: 10m }", "{ name: outage, for: 10m, faults: [{ blackhole: {} }] }"];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut warm = drill.client().await;
    assert_eq!(warm.ask(GET).await.status(), 200);
    drill.controls().skip();
    drill.phase(1).await;
    let mut fresh = drill.client().await;

    fresh.send(GET).await;
    warm.send(GET).await;
    drill.hits("blackhole", 2).await;
    fresh.reset();
    warm.reset();

    let told = || Some(connections(&drill)).filter(|told| told.len() == 2);
    for connection in eventually("both ends are noticed while it lasts", told).await {
        assert_eq!(connection.ended_by, EndedBy::ClientRst);
        assert_eq!(connection.dealt.len(), 1, "{connection:?}");
        assert_eq!(connection.dealt[0].did, Did::Wire);
    }
}
