//! What passes unharmed: every kind of method, in the calm.

use crate::{
    drill::{CALM, Drill},
    service::{Number, UNLUCKY, drain, number},
};
use firedrill::{event::Outcome, grpc::Code};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

#[tokio::test]
async fn one_call_passes_with_its_metadata() {
    let drill = Drill::of(CALM).await;
    let client = drill.client().await.with("x-tenant", "a");
    let filling = vec![7; 5 << 20];
    let answer = client.double(Number { value: 21, filling: filling.clone() }).await.expect("ok");
    assert_eq!(answer.metadata().get("x-head").expect("it is there"), "here");
    assert_eq!(answer.into_inner(), Number { value: 42, filling });
    let seen = drill.upstream.seen.lock().expect("no panic").remove(0);
    assert_eq!(seen.get("x-tenant").expect("it is there"), "a");

    let failed = client.double(number(UNLUCKY)).await.expect_err("it fails");
    assert_eq!(failed.code(), tonic::Code::FailedPrecondition);
    assert_eq!(failed.message(), "unlucky: 100 %");
    let exchanges = drill.exchanges(2).await;
    let calls: Vec<_> = exchanges.iter().map(|e| e.grpc.expect("a call")).collect();
    assert_eq!((calls[0].status, calls[0].up, calls[0].down), (Some(Code::Ok), 1, 1));
    assert_eq!((calls[1].status, calls[1].down), (Some(Code::FailedPrecondition), 0));
    let outcomes: Vec<_> = exchanges.iter().map(|e| e.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::ClientError]);
}

#[tokio::test]
async fn a_hundred_thousand_messages_arrive_whole_and_in_order() {
    const MANY: u64 = 100_000;
    let drill = Drill::of(CALM).await;
    let client = drill.client().await;
    let (down, up) = tokio::join!(
        async { drain(client.count(MANY).await.expect("a stream")).await },
        client.sum(tokio_stream::iter(1..=MANY).map(number)),
    );
    assert!(down.0.into_iter().eq(0..MANY) && down.1 == tonic::Code::Ok);
    assert_eq!(up.expect("a sum"), MANY * (MANY + 1) / 2);
    let mut counts: Vec<_> = (drill.exchanges(2).await.iter())
        .map(|exchange| exchange.grpc.map(|call| (call.up, call.down)).expect("a call"))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [(1, MANY), (MANY, 1)]);
}

/// Each side waits for what the other said before.
#[tokio::test]
async fn a_conversation_goes_to_and_fro() {
    let drill = Drill::of(CALM).await;
    let (say, said) = mpsc::channel(1);
    let first = say.send(number(0));
    let client = drill.client().await;
    let (answer, sent) = tokio::join!(client.echo(ReceiverStream::new(said)), first);
    sent.expect("somebody hears it");
    let mut answer = answer.expect("a stream");
    for value in 0..500 {
        assert_eq!(answer.message().await.expect("no failure").expect("a message").value, value);
        say.send(number(value + 1)).await.expect("somebody hears it");
    }
    drop(say);
    assert_eq!(drain(answer).await.0, [500]);
}

#[tokio::test]
async fn a_service_of_somebody_else_passes() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("shop", tonic_health::ServingStatus::Serving).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(tonic::transport::Server::builder().serve_with_incoming(health, incoming));

    let scenario =
        "phases: [{ name: outage, for: 10m, faults: [{ grpc: UNAVAILABLE, target: t }] }]
targets: { t: { grpc: grpc.health.v1.Health/Watch } }
name: test
";
    let drill = firedrill::Drill::builder().scenario(scenario).upstream(address);
    let drill = drill.start().await.expect("a drill");
    let mut client = HealthClient::new(
        tonic::transport::Channel::from_shared(drill.url())
            .expect("a URL")
            .connect()
            .await
            .expect("it connects"),
    );
    let ask = || HealthCheckRequest { service: "shop".to_owned() };
    let answer = client.check(ask()).await.expect("it is let through").into_inner();
    assert_eq!(answer.status, 1);
    let turned_away = client.watch(ask()).await.expect_err("it is a target");
    assert_eq!(turned_away.code(), tonic::Code::Unavailable);
}
