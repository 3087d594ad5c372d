//! Faults in terms of HTTP/2: what ends a stream, and what ends its connection.

use crate::{
    http2::peer::{Client, Service, get, ok, reset, whole},
    support::{Drill, GET, OK, Setup, Upstream},
};
use bytes::Bytes;
use firedrill::event::{Did, Exchange};
use h2::Reason;
use http::Response;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// A client in memory of a drill in memory.
async fn in_memory(setup: Setup) -> (Drill, Client) {
    let drill = setup.detached(Service::in_memory(ok));
    let client = Client::on(drill.memory_client(1).into_io()).await;
    (drill, client)
}

fn told(exchange: &Exchange) -> (&'static str, Option<u32>) {
    (exchange.ended_by.name(), exchange.http2.expect("it came over HTTP/2").reset)
}

#[tokio::test]
async fn an_edge_that_resets_connections_is_told_of_each_stream() {
    let service = Service::of(ok).await;
    let phases = [
        "{ name: a, for: 10m, faults: [{ hang: {} }] }",
        "{ name: b, for: 10m, connections: reset }",
    ];
    let drill = Drill::phases(&phases).at(&service.url());
    let client = Client::to(drill.address()).await;
    let waiting = [client.start(get("/a")).await, client.start(get("/b")).await];
    drill.hits("hang", 2).await;

    drill.controls().skip();

    for answer in waiting {
        answer.await.expect_err("it is reset");
    }
    let ends: Vec<_> = drill.exchanges(2).await.iter().map(|it| it.ended_by.name()).collect();
    assert_eq!(ends, ["phase_edge"; 2]);
}

#[tokio::test]
async fn a_reset_has_the_code_that_the_scenario_says() {
    let service = Service::of(ok).await;
    for (fault, code) in [
        ("reset: {}", Reason::INTERNAL_ERROR),
        ("reset: { error: REFUSED_STREAM }", Reason::REFUSED_STREAM),
        ("reset: { at: response, error: CANCEL }", Reason::CANCEL),
        ("reset: { error: HTTP_1_1_REQUIRED }", Reason::HTTP_1_1_REQUIRED),
        ("lose_response: {}", Reason::INTERNAL_ERROR),
        ("lose_response: { by: close }", Reason::INTERNAL_ERROR),
        ("malformed: garbage", Reason::PROTOCOL_ERROR),
        ("malformed: { kind: chunk, after_upstream: yes }", Reason::PROTOCOL_ERROR),
        ("hang: 10ms", Reason::INTERNAL_ERROR),
    ] {
        let drill = Drill::of(&[&format!("{fault}, times: 1")]).at(&service.url());
        let client = Client::to(drill.address()).await;

        let error = client.get("/").await.expect_err(fault);
        let next = client.get("/").await.expect("the connection lives on");

        assert_eq!(reset(&error), Some(code), "{fault}: {error}");
        assert_eq!(next.status, 200);
        let exchanges = drill.exchanges(2).await;
        assert_eq!(told(&exchanges[0]), ("proxy_rst", Some(code.into())), "{fault}");
        assert_eq!(told(&exchanges[1]), ("completed", None), "{fault}");
        assert_eq!(exchanges[0].dealt.len(), 1, "{fault}");
    }
}

#[tokio::test]
async fn a_body_breaks_off_after_exactly_so_many_bytes() {
    let service = Service::of(|(_, mut respond): super::peer::Asked| async move {
        let mut stream = respond.send_response(Response::new(()), false).expect("a head");
        super::peer::send_all(&mut stream, Bytes::from(vec![b'x'; 300_000]), true).await;
    })
    .await;
    for fault in ["reset: { at: response, after: 100KiB }", "truncate: { after: 100KiB }"] {
        let drill = Drill::of(&[fault]).at(&service.url());
        let client = Client::to(drill.address()).await;
        let mut body = client.start(get("/")).await.await.expect("a head").into_body();

        let mut came = 0;
        let error = loop {
            match body.data().await.expect("no proper end") {
                Ok(data) => {
                    came += data.len();
                    body.flow_control().release_capacity(data.len()).expect("a window");
                }
                Err(error) => break error,
            }
        };

        assert_eq!((came, reset(&error)), (100 * 1024, Some(Reason::INTERNAL_ERROR)), "{fault}");
        let exchange = drill.exchange().await;
        assert_eq!((exchange.complete, exchange.dealt[0].did), (false, Did::Cut));
    }
}

#[tokio::test(start_paused = true)]
async fn what_holds_one_stream_holds_no_other() {
    let setup = Setup::read(
        "targets: { slow: { path: /slow }, hang: { path: /hang } }
phases:
  - name: outage
    for: 10m
    faults: [{ latency: 3s, target: slow }, { hang: {}, target: hang }]",
    );
    let (drill, client) = in_memory(setup).await;
    let asked = Instant::now();
    let _hung = client.start(get("/hang")).await;
    let slow = client.start(get("/slow")).await;

    let quick = client.get("/").await.expect("an answer");

    assert_eq!((quick.status, asked.elapsed()), (200, Duration::ZERO));
    let slow = whole(slow.await.expect("an answer")).await.expect("all of it");
    assert_eq!((slow.status, asked.elapsed()), (200, 3 * SECOND));
    drop(drill);
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_holds_every_stream_until_it_lets_go() {
    let (drill, client) = in_memory(Drill::phases(&[
        "{ name: calm, for: 1s }",
        "{ name: hole, for: 10s, faults: [{ blackhole: {} }] }",
        "{ name: after, for: 1m }",
    ]))
    .await;
    client.get("/").await.expect("an answer before");
    drill.phase(1).await;
    let began = Instant::now();
    let answers = [client.start(get("/a")).await, client.start(get("/b")).await];

    for answer in answers {
        let got = whole(answer.await.expect("an answer")).await.expect("all of it");
        assert_eq!(got.status, 200);
    }

    let held = began.elapsed();
    assert!(held >= 9 * SECOND && held < 11 * SECOND, "{held:?}");
    let exchanges = drill.exchanges(3).await;
    for exchange in &exchanges[1..] {
        assert_eq!(exchange.dealt[0].kind, "blackhole", "{exchange:?}");
    }
}

#[tokio::test]
async fn a_connection_sent_away_gently_finishes_what_is_under_way() {
    let service = Service::of(ok).await;
    let drill = Setup::read(
        "targets: { slow: { path: /slow }, last: { path: /last } }
phases:
  - name: outage
    for: 10m
    faults: [{ latency: 500ms, target: slow }, { goaway: {}, target: last }]",
    )
    .at(&service.url());
    let mut client = Client::to(drill.address()).await;
    let slow = client.start(get("/slow")).await;

    let last = client.get("/last").await.expect("it is served");
    let slow = whole(slow.await.expect("so is this")).await.expect("all of it");

    assert_eq!((last.status, slow.status), (200, 200));
    // New ones have to come on another connection.
    let ended = timeout(5 * SECOND, &mut client.task).await.expect("it ends").expect("no panic");
    assert!(ended.is_ok(), "{ended:?}");
    assert!(client.sender.clone().ready().await.is_err());
    assert_eq!(Client::to(drill.address()).await.get("/").await.expect("an answer").status, 200);
    let exchanges = drill.exchanges(3).await;
    assert!(exchanges.iter().all(|exchange| exchange.complete), "{exchanges:?}");
    assert_eq!(exchanges[0].dealt[0].did, Did::SentAway);
}

#[tokio::test]
async fn a_connection_sent_away_with_a_code_takes_all_its_streams_along() {
    let service = Service::of(ok).await;
    let drill = Setup::read(
        "targets: { slow: { path: /slow }, last: { path: /last } }
phases:
  - name: outage
    for: 10m
    faults: [{ hang: {}, target: slow }, { goaway: ENHANCE_YOUR_CALM, target: last }]",
    )
    .at(&service.url());
    let client = Client::to(drill.address()).await;
    let slow = client.start(get("/slow")).await;
    sleep(Duration::from_millis(50)).await;

    let _error = client.get("/last").await.expect_err("the connection ends");
    let _other = slow.await.expect_err("so does this");

    let error = client.task.await.expect("no panic").expect_err("it was sent away");
    assert!(error.is_go_away() && error.is_remote(), "{error:?}");
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
    for exchange in drill.exchanges(2).await {
        assert_eq!(exchange.ended_by.name(), "proxy_fin");
        assert!(exchange.dealt.iter().any(|dealt| dealt.did == Did::SentAway), "{exchange:?}");
    }
}

#[tokio::test]
async fn over_http1_a_connection_is_sent_away_by_its_answer_or_without_one() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["goaway: {}"]).before(&upstream);
    let mut client = drill.client().await;
    let answer = client.ask(GET).await;
    assert_eq!((answer.status(), answer.field("connection")), (200, Some("close")));

    let drill = Drill::of(&["goaway: CANCEL"]).before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    assert_eq!(client.end().await, crate::support::End::Fin);
    assert_eq!(drill.exchange().await.ended_by.name(), "proxy_fin");
}

#[tokio::test]
async fn the_code_of_a_clients_reset_is_recorded_and_the_upstream_hears_of_it() {
    let notes = super::peer::Notes::default();
    let heard = notes.clone();
    let service = Service::of(move |(_, mut respond): super::peer::Asked| {
        let heard = heard.clone();
        async move {
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            heard.add(format!("{:?}", reason.expect("a reason")));
        }
    })
    .await;
    let drill = Drill::calm().at(&service.url());
    let client = Client::to(drill.address()).await;
    let mut sender = client.sender.clone().ready().await.expect("ready");
    let (_answer, mut stream) = sender.send_request(get("/"), true).expect("a request");
    sleep(Duration::from_millis(50)).await;

    stream.send_reset(Reason::STREAM_CLOSED);

    let exchange = drill.exchange().await;
    assert_eq!(told(&exchange), ("client_rst", Some(Reason::STREAM_CLOSED.into())));
    assert!(exchange.t_client_gone > 0);
    crate::support::eventually("the upstream hears", || (notes.all() == ["CANCEL"]).then_some(()))
        .await;
}

#[tokio::test]
async fn an_upstreams_reset_is_the_clients() {
    let service = Service::of(|(_, mut respond): super::peer::Asked| async move {
        respond.send_reset(Reason::REFUSED_STREAM);
    })
    .await;
    let drill = Drill::calm().at(&service.url());
    let client = Client::to(drill.address()).await;

    let error = client.get("/").await.expect_err("it is reset");

    assert_eq!(reset(&error), Some(Reason::REFUSED_STREAM));
    let exchange = drill.exchange().await;
    assert_eq!(told(&exchange), ("upstream_rst", Some(Reason::REFUSED_STREAM.into())));
    assert_eq!(exchange.upstream_error, Some("stream_reset"));
    // A client of HTTP/1 can only be told by an answer.
    let mut setup = Drill::calm();
    setup.settings.http = firedrill::proxy::UpstreamHttp::Http2;
    assert_eq!(setup.at(&service.url()).ask(GET).await.status(), 502);
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_and_clients_told_of_it_while_it_lasts() {
    let service = Service::of(ok).await;
    let drill = Drill::phases(&[
        "{ name: calm, for: 1h }",
        "{ name: pinched, for: 1h, faults: [{ max_streams: 2 }, { latency: 300ms }] }",
        "{ name: after, for: 1h }",
    ])
    .at(&service.url());
    let client = Client::to(drill.address()).await;
    let most = || client.sender.current_max_send_streams();
    client.get("/").await.expect("an answer");
    assert_eq!(most(), 200);

    drill.controls().skip();
    crate::support::eventually("it is told", || (most() == 2).then_some(())).await;
    // One that does not listen.
    let mut deaf = super::hostile::Raw::to(drill.address()).await;
    deaf.ask(4).await;
    let mut codes = deaf.resets(2).await;
    codes.sort_unstable();
    assert_eq!(codes, [7, 7]);
    // One that does, on a connection opened meanwhile: its requests wait for each other.
    let other = Client::to(drill.address()).await;
    other.get("/").await.expect("an answer");
    assert_eq!(other.sender.current_max_send_streams(), 2);
    let began = Instant::now();
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(other.start(get("/")).await);
    }
    for answer in answers {
        assert_eq!(answer.await.expect("an answer").status(), 200);
    }
    assert!(began.elapsed() >= Duration::from_millis(600));

    drill.controls().skip();
    crate::support::eventually("it is told", || (most() == 200).then_some(())).await;
    let refused: Vec<_> =
        drill.finished().into_iter().filter(|exchange| !exchange.complete).collect();
    assert_eq!(refused.len(), 2);
    for exchange in refused {
        assert_eq!(told(&exchange), ("proxy_rst", Some(7)));
        assert_eq!((exchange.dealt[0].kind, exchange.t_forwarded), ("max_streams", 0));
    }
    // Both connections with streams on them, and not the one without; that one of them obeyed is the hit.
    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit), (2, 2));
}

/// Clients throw away what they read together with a reset.
#[tokio::test(start_paused = true)]
async fn what_came_before_a_break_has_a_moment_before_the_reset() {
    let (_drill, client) = in_memory(Drill::of(&["truncate: { after: 1B }"])).await;
    let mut body = client.start(get("/")).await.await.expect("a head").into_body();

    let data = body.data().await.expect("a byte of it").expect("no failure");
    assert_eq!(&data[..], b"o");
    let came = Instant::now();
    let error = body.data().await.expect("a failure").expect_err("it breaks off");

    assert_eq!(reset(&error), Some(Reason::INTERNAL_ERROR));
    let moment = came.elapsed();
    let wanted = Duration::from_millis(20);
    assert!(moment >= wanted && moment < 2 * wanted, "{moment:?}");
}

#[tokio::test]
async fn a_limit_that_a_connection_is_told_of_with_a_stream_under_way_has_hit_it() {
    let arrived = Arc::<Notify>::default();
    let came = Arc::clone(&arrived);
    let service = Service::of(move |(request, respond)| {
        let came = Arc::clone(&came);
        async move {
            came.notify_one();
            // Until its client has no more to say.
            let mut body = request.into_body();
            while body.data().await.is_some() {}
            ok((http::Request::new(body), respond)).await;
        }
    })
    .await;
    let drill = Drill::phases(&[
        "{ name: calm, for: 1h }",
        "{ name: pinched, for: 1h, faults: [{ max_streams: 2 }] }",
    ])
    .at(&service.url());
    let client = Client::to(drill.address()).await;
    let request = http::Request::post("http://shop/").body(()).expect("a request");
    let mut sender = client.sender.clone().ready().await.expect("it is ready");
    let (answer, mut upload) = sender.send_request(request, false).expect("it is sent");
    arrived.notified().await;
    assert_eq!(drill.tallies()[0].hit, 0);

    drill.controls().skip();
    drill.hits("max_streams", 1).await;

    upload.send_data(Bytes::new(), true).expect("it is sent");
    assert_eq!(answer.await.expect("an answer").status(), 200);
}
