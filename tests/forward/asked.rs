//! Requests that name their host.

use crate::{
    allowing,
    support::{Drill, OK, Upstream},
};
use firedrill::event;
use std::time::Duration;

#[tokio::test]
async fn a_request_goes_to_the_host_that_it_names_as_that_host_expects_it() {
    let upstream = Upstream::answering(OK).await;
    let at = upstream.address;
    let drill = allowing(Drill::calm(), &at.to_string());

    let answer = drill
        .ask(format!(
            "POST http://{at}/buy?n=1 HTTP/1.1\r\nUser-Agent: me\r\nHost: elsewhere\r\nX-A: 1\r\n\
             Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic bWU6cHc=\r\n\
             Authorization: mine\r\ncontent-length: 2\r\n\r\nhi"
        ))
        .await;

    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
    let request = upstream.request();
    assert_eq!(request.start(), "POST /buy?n=1 HTTP/1.1");
    let host = format!("Host: {at}");
    let fields = ["User-Agent: me", &host, "X-A: 1", "Authorization: mine", "content-length: 2"];
    assert_eq!(request.fields(), fields);
    assert_eq!(request.text(), "hi");
    let exchange = drill.exchange().await;
    assert_eq!(exchange.upstream, event::Upstream::Status(200));
    assert_eq!(exchange.detail.expect("a detail").path, "/buy");
}

#[tokio::test]
async fn one_connection_may_ask_several_hosts_each_on_a_connection_of_its_own() {
    let (one, other) = (Upstream::answering(OK).await, Upstream::answering(OK).await);
    let drill = allowing(Drill::calm(), &format!("{}, {}", one.address, other.address));
    let mut client = drill.client().await;

    for at in [one.address, other.address, one.address, other.address, one.address] {
        let answer = client.ask(format!("GET http://{at}/ HTTP/1.1\r\nhost: {at}\r\n\r\n")).await;
        assert_eq!(answer.status(), 200);
    }

    assert_eq!((one.requests().len(), other.requests().len()), (3, 2));
    assert_eq!((one.connections(), other.connections()), (1, 1));
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_not_asked() {
    let upstream = Upstream::answering(OK).await;
    let at = upstream.address;
    let drill = allowing(Drill::calm(), "api.example.com");
    let mut client = drill.client().await;

    let plain = client.ask(format!("GET http://{at}/ HTTP/1.1\r\nhost: {at}\r\n\r\n")).await;
    let tunnel = client.ask(crate::connect(at)).await;

    for answer in [&plain, &tunnel] {
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.field("x-firedrill"), Some("genuine=not_allowed"));
        assert!(answer.text().contains(&format!("add `{at}` to its `allow`")), "{}", answer.text());
    }
    assert_eq!(upstream.connections(), 0);
    let exchanges = drill.exchanges(2).await;
    assert!(exchanges.iter().all(|exchange| exchange.upstream == event::Upstream::NotSent));
}

#[tokio::test]
async fn faults_on_requests_meet_them_by_their_host_and_path() {
    let (one, other) = (Upstream::answering(OK).await, Upstream::answering(OK).await);
    let setup = crate::support::Setup::read(&format!(
        "targets: {{ pay: {{ host: \"{}\", path: /pay }} }}\n\
         phases: [{{ name: outage, for: 10m, faults: [{{ respond: 503, target: pay }}] }}]",
        one.address
    ));
    let drill = allowing(setup, "127.0.0.1:*");
    let mut client = drill.client().await;

    let mut ask = async |at, path| {
        let request = format!("GET http://{at}{path} HTTP/1.1\r\nhost: x\r\n\r\n");
        client.ask(request).await.status()
    };
    assert_eq!(ask(one.address, "/pay").await, 503);
    assert_eq!(ask(one.address, "/else").await, 200);
    assert_eq!(ask(other.address, "/pay").await, 200);
    drill.hits("respond:pay", 1).await;
}

#[tokio::test]
async fn what_is_asked_of_the_proxy_itself_is_a_circle() {
    let drill = allowing(Drill::calm(), "*:*");
    let own = drill.address();
    let mut client = drill.client().await;

    let plain = format!("GET http://{own}/ HTTP/1.1\r\nhost: {own}\r\n\r\n");
    let by_name = format!("GET http://localhost:{}/ HTTP/1.1\r\nhost: x\r\n\r\n", own.port());
    for request in [plain, by_name, crate::connect(own)] {
        let answer = client.ask(&request).await;
        assert_eq!(answer.status(), 508, "{request}");
        assert_eq!(answer.field("x-firedrill"), Some("genuine=circle"));
    }
    assert_eq!(drill.proxy.meters().read().accepted, 1);
}

#[tokio::test]
async fn a_host_that_is_not_there_is_a_genuine_failure() {
    let drill = allowing(Drill::calm(), "127.0.0.1:1, nothing.invalid");

    let refused = drill.ask("GET http://127.0.0.1:1/ HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let unknown = drill.ask(crate::connect("nothing.invalid:443")).await;

    assert_eq!((refused.status(), unknown.status()), (502, 502));
    assert_eq!(refused.field("x-firedrill"), Some("genuine=connect_failed"));
    assert_eq!(unknown.field("x-firedrill"), Some("genuine=resolve_failed"));
}

#[tokio::test]
async fn a_request_that_waits_for_its_answer_holds_no_other_up() {
    let (slow, go) = Upstream::holding(OK).await;
    let quick = Upstream::answering(OK).await;
    let drill = allowing(Drill::calm(), "127.0.0.1:*");
    let mut waiting = drill.client().await;
    waiting.send(format!("GET http://{}/ HTTP/1.1\r\nhost: x\r\n\r\n", slow.address)).await;
    waiting.is_silent_for(Duration::from_millis(20)).await;

    let request = format!("GET http://{}/ HTTP/1.1\r\nhost: x\r\n\r\n", quick.address);
    assert_eq!(drill.ask(request).await.status(), 200);
    go.send(true).expect("it waits");
    assert_eq!(waiting.answer().await.status(), 200);
}
