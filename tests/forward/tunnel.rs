//! `CONNECT`: connections that become tunnels.

use crate::{
    allowing, connect, ended,
    support::{Drill, End, Setup, Upstream, Wire},
};
use firedrill::event::EndedBy;
use tokio::net::TcpStream;

/// A service that sends everything back.
async fn echo() -> Upstream {
    Upstream::scripted(|mut wire, _| async move {
        while let Some(bytes) = wire.some().await {
            if wire.try_send(bytes).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// A client whose connection became a tunnel to a service.
async fn through(drill: &Drill, service: &Upstream) -> Wire<TcpStream> {
    let mut client = drill.client().await;
    begin(&mut client, service).await;
    client
}

/// Has a connection become a tunnel.
async fn begin(client: &mut Wire<TcpStream>, service: &Upstream) {
    client.send(connect(service.address)).await;
    let answer = client.head().await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(answer.fields(), [""; 0]);
}

fn calm() -> Drill {
    allowing(Drill::calm(), "127.0.0.1:*")
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways_and_is_told_of_as_what_it_was() {
    let (service, drill) = (echo().await, calm());
    let mut client = through(&drill, &service).await;

    client.send("\0\x16\x03 no HTTP").await;
    assert_eq!(client.take(11).await, b"\0\x16\x03 no HTTP");
    client.half_close().await;
    assert_eq!(client.end().await, End::Fin);

    let exchange = drill.exchange().await;
    assert_eq!((exchange.method.as_str(), exchange.status), ("CONNECT", 200));
    assert_eq!(exchange.detail.expect("a detail").path, service.address.to_string());
    let connection = ended(&drill).await;
    let relay = connection.relay.expect("what it carried");
    assert_eq!((relay.up, relay.down, connection.ended_by), (11, 11, EndedBy::ClientFin));
    assert_eq!(relay.user, exchange.user);
    let metered = drill.proxy.meters().read();
    let head = connect(service.address).len() as u64;
    assert_eq!((metered.from_clients, metered.to_upstream), (head + 11, 11));
}

#[tokio::test]
async fn what_is_sent_ahead_of_the_answer_is_the_tunnels() {
    let (service, drill) = (echo().await, calm());
    let mut client = drill.client().await;

    client.send(format!("{}hello", connect(service.address))).await;

    assert_eq!(client.head().await.status(), 200);
    assert_eq!(client.take(5).await, b"hello");
}

#[tokio::test]
async fn faults_on_requests_meet_the_request_for_a_tunnel() {
    let service = echo().await;
    let setup = Setup::read(
        "targets: { tunnels: { method: CONNECT } }\n\
         phases: [{ name: outage, for: 10m, faults: [{ respond: 503, target: tunnels, times: 1 }] }]",
    );
    let drill = allowing(setup, "127.0.0.1:*");
    let mut client = drill.client().await;

    assert_eq!(client.ask(connect(service.address)).await.status(), 503);
    assert_eq!(service.connections(), 0);
    // The connection goes on.
    begin(&mut client, &service).await;
    client.send("hello").await;
    assert_eq!(client.take(5).await, b"hello");
}

#[tokio::test]
async fn a_reset_at_either_end_is_one_at_the_other() {
    let drill = calm();
    let service = Upstream::scripted(|mut wire, log| async move {
        log.ended(wire.end().await);
    })
    .await;
    through(&drill, &service).await.reset();
    assert_eq!(service.ends(1).await, [End::Reset]);
    assert_eq!(ended(&drill).await.ended_by, EndedBy::ClientRst);

    let drill = calm();
    let service = Upstream::scripted(|mut wire, _| async move {
        wire.some().await;
        wire.reset();
    })
    .await;
    let mut client = through(&drill, &service).await;
    client.send("x").await;
    assert_eq!(client.end().await, End::Reset);
    assert_eq!(ended(&drill).await.ended_by, EndedBy::UpstreamRst);
}
