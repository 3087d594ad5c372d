//! What passes: over HTTP/2 on both sides, and from one version to the other.

use crate::{
    http2::peer::{Client, Service, get, reset},
    support::{Drill, GET, OK, Setup, Upstream},
};
use bytes::Bytes;
use firedrill::proxy::UpstreamHttp;
use http::{HeaderMap, Request};

#[tokio::test]
async fn a_request_its_body_and_both_their_trailers_pass() {
    let service = Service::echo().await;
    let drill = Drill::calm().at(&service.url());
    let client = Client::to(drill.address()).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "42".parse().expect("a value"));
    let request = Request::post("http://shop.example/a%2Fb?c=d").header("x-a", "1");
    let request = request.body(()).expect("a request");
    let body = Bytes::from(vec![b'x'; 300_000]);

    let got = client.post(request, body.clone(), Some(trailers)).await.expect("an answer");

    assert_eq!((got.status, got.header("x-method")), (200, "POST"));
    assert_eq!(got.header("x-target"), "http://shop.example/a%2Fb?c=d");
    assert_eq!(got.header("x-saw-x-a"), "1");
    assert!(!got.headers.contains_key("x-saw-host"), "{got:?}");
    assert_eq!(got.body, body);
    let trailers = got.trailers.expect("trailers");
    assert_eq!(
        (&trailers["x-sum"], &trailers["x-end"]),
        (&"42".parse().unwrap(), &"yes".parse().unwrap())
    );
    let exchange = drill.exchange().await;
    assert!(exchange.complete, "{exchange:?}");
    assert_eq!((exchange.seq, exchange.received, exchange.sent), (1, 300_000, 300_000));
}

#[tokio::test]
async fn many_streams_share_a_connection_on_both_sides() {
    let service = Service::echo().await;
    let drill = Drill::calm().at(&service.url());
    let client = Client::to(drill.address()).await;
    let mut answers = Vec::new();
    for n in 0..100 {
        answers.push((n, client.start(get(&format!("/{n}"))).await));
    }
    for (n, answer) in answers {
        let got = super::peer::whole(answer.await.expect("an answer")).await.expect("all of it");
        assert_eq!(got.header("x-target"), format!("http://shop.example/{n}"));
    }
    let exchanges = drill.exchanges(100).await;
    let mut seqs: Vec<u32> = exchanges.iter().map(|exchange| exchange.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
    assert_eq!(service.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(drill.proxy.meters().read().accepted, 1);
}

#[tokio::test]
async fn a_client_of_http1_is_served_by_a_service_of_http2() {
    let service = Service::echo().await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http2;
    let drill = setup.at(&service.url());

    let answer = drill.ask(GET).await;

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("x-target"), Some("http://shop/"));
}

#[tokio::test]
async fn a_client_of_http2_is_served_by_a_service_of_http1() {
    let upstream = Upstream::answering(OK).await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http1;
    let drill = setup.before(&upstream);
    let client = Client::to(drill.address()).await;
    let mut request = get("/a?b");
    for crumb in ["a=1", "b=2"] {
        request.headers_mut().append("cookie", crumb.parse().expect("a value"));
    }

    let got = client.ask(request).await.expect("an answer");

    assert_eq!((got.status, &got.body[..]), (200, &b"ok"[..]));
    let seen = upstream.requests().remove(0).head;
    assert!(seen.starts_with("GET /a?b HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("host: shop.example\r\n"), "{seen}");
    assert!(seen.contains("cookie: a=1; b=2\r\n"), "{seen}");
}

#[tokio::test]
async fn a_fault_on_one_stream_leaves_the_others_alone() {
    let service = Service::echo().await;
    let drill = Setup::read(
        "targets: { buy: { path: /buy }, hang: { path: /hang } }
phases:
  - name: outage
    for: 10m
    faults: [{ reset: {}, target: buy }, { hang: {}, target: hang }]",
    )
    .at(&service.url());
    let client = Client::to(drill.address()).await;
    let hung = client.start(get("/hang")).await;

    let error = client.get("/buy").await.expect_err("it is reset");
    let got = client.get("/look").await.expect("an answer");

    assert_eq!(reset(&error), Some(h2::Reason::INTERNAL_ERROR));
    assert_eq!(got.status, 200);
    drop(hung);
    let exchanges = drill.exchanges(3).await;
    let ends: Vec<_> = exchanges.iter().map(|exchange| exchange.ended_by.name()).collect();
    assert_eq!(ends, ["proxy_rst", "completed", "client_rst"]);
    assert!(exchanges[2].t_client_gone > 0);
}
