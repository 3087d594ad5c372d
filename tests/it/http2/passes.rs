//! What passes: over HTTP/2 on both sides, and from one version to the other.

use crate::{
    http2::peer::{Asked, Client, Service, get, reset},
    support::{Drill, GET, OK, Setup, Upstream},
};
use bytes::Bytes;
use firedrill::proxy::UpstreamHttp;
use h2::ext::Protocol;
use http::{HeaderMap, Request, Response};

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

#[tokio::test]
async fn another_protocol_on_a_stream_passes_both_ways() {
    let service = Service::of(|(request, mut respond): Asked| async move {
        if request.method() != http::Method::CONNECT {
            return;
        }
        let protocol =
            request.extensions().get::<Protocol>().expect("a protocol").as_str().to_owned();
        let head = Response::builder().header("x-protocol", protocol);
        let head = head.header("x-target", request.uri().to_string()).body(()).expect("a head");
        let mut stream = respond.send_response(head, false).expect("it is sent");
        let mut body = request.into_body();
        while let Some(Ok(data)) = body.data().await {
            let _more = body.flow_control().release_capacity(data.len());
            stream.send_data(data, false).expect("it is sent");
        }
        stream.send_data(Bytes::from_static(b"bye"), true).expect("it is sent");
    })
    .await;
    let drill = Drill::calm().at(&service.url());
    let client = Client::to(drill.address()).await;
    // By its answer, or the lack of one, it is known that the first word on the connection came.
    client.get("/").await.expect_err("it is no tunnel");
    assert!(client.sender.is_extended_connect_protocol_enabled());
    let mut request = Request::connect("http://shop.example/chat").body(()).expect("a request");
    request.extensions_mut().insert(Protocol::from_static("chat"));
    let mut sender = client.sender.clone().ready().await.expect("ready");
    let (answer, mut up) = sender.send_request(request, false).expect("a request");

    let answer = answer.await.expect("an answer");
    assert_eq!(answer.headers()["x-protocol"], "chat");
    assert_eq!(answer.headers()["x-target"], "http://shop.example/chat");
    let mut down = answer.into_body();
    for word in ["one", "two"] {
        up.send_data(word.into(), false).expect("it is sent");
        assert_eq!(down.data().await.expect("an echo").expect("data"), word);
    }
    up.send_data(Bytes::new(), true).expect("it is sent");
    assert_eq!(down.data().await.expect("the last word").expect("data"), "bye");
    assert!(down.data().await.is_none());

    let exchanges = drill.exchanges(2).await;
    assert!(exchanges[1].complete, "{exchanges:?}");
    assert_eq!((exchanges[1].received, exchanges[1].sent), (6, 9));
}

#[tokio::test]
async fn interim_answers_pass_to_a_client_of_http2() {
    let upstream = Upstream::answering(
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nalt-svc: h3=\":1\"\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http1;
    let drill = setup.before(&upstream);
    let client = Client::to(drill.address()).await;
    let mut answer = client.start(get("/")).await;

    let hint = std::future::poll_fn(|cx| answer.poll_informational(cx)).await;

    let hint = hint.expect("a hint").expect("no error");
    assert_eq!(
        (hint.status().as_u16(), &hint.headers()["link"]),
        (103, &"</a.css>".parse().unwrap())
    );
    let answer = answer.await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("alt-svc"));
}

#[tokio::test]
async fn a_slow_reader_slows_the_service_down() {
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&sent);
    let service = Service::of(move |(_, mut respond): Asked| {
        let count = std::sync::Arc::clone(&count);
        async move {
            let mut stream = respond.send_response(Response::new(()), false).expect("a head");
            for _ in 0..1_000 {
                super::peer::send_all(&mut stream, Bytes::from(vec![0; 65_536]), false).await;
                count.fetch_add(65_536, std::sync::atomic::Ordering::SeqCst);
            }
        }
    })
    .await;
    let drill = Drill::calm().at(&service.url());
    let client = Client::to(drill.address()).await;
    let _unread = client.start(get("/")).await.await.expect("a head");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;

    let sent = sent.load(std::sync::atomic::Ordering::SeqCst);
    assert!(sent < 512 * 1024, "{sent} bytes were taken that nobody reads");
    // Others on the same connections have all the room they need.
    let again =
        tokio::time::timeout(std::time::Duration::from_secs(5), client.start(get("/")).await);
    assert_eq!(again.await.expect("in time").expect("a head").status(), 200);
}
