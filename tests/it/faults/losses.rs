//! `lose_response`: the upstream does the work, and the client never hears of it.

use crate::support::{Drill, End, GET, Message, OK, Upstream};
use firedrill::event::{self, Did};

const POST: &str = "POST /purchase HTTP/1.1\r\nhost: shop\r\ncontent-length: 3\r\n\r\nbuy";

fn assert_got_it_once(upstream: &Upstream) {
    let request: Message = upstream.request();
    assert_eq!((request.start(), &*request.text()), ("POST /purchase HTTP/1.1", "buy"));
}

#[tokio::test]
async fn the_client_meets_a_rst_or_a_fin_and_the_upstream_got_it_once() {
    for (fault, end) in [("lose_response: {}", End::Reset), ("lose_response: close", End::Fin)] {
        let upstream = Upstream::answering(OK).await;
        let drill = Drill::of(&[fault]).before(&upstream);
        let mut client = drill.client().await;

        client.send(POST).await;

        assert_eq!(client.end().await, end, "{fault}");
        assert_got_it_once(&upstream);
        let exchange = drill.exchange().await;
        assert_eq!(exchange.upstream, event::Upstream::Status(200));
        assert_eq!((exchange.status, exchange.dealt[0].did), (0, Did::LostResponse));
    }
}

#[tokio::test]
async fn the_client_meets_another_status_that_says_where_it_is_from() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["lose_response: 504"]).before(&upstream);

    let answer = drill.ask(POST).await;

    assert_eq!(answer.status(), 504);
    assert!(answer.field("x-firedrill").is_some_and(|mark| mark.ends_with("fault=lose_response")));
    assert_got_it_once(&upstream);
}

#[tokio::test]
async fn a_silent_loss_brings_the_answer_when_it_lets_go() {
    let upstream = Upstream::answering(OK).await;
    let phases =
        ["{ name: a, for: 10m, faults: [{ lose_response: hang }] }", "{ name: b, for: 10m }"];
    let drill = Drill::phases(&phases).before(&upstream);
    let mut client = drill.client().await;

    client.send(POST).await;
    crate::support::eventually("the upstream is done", || upstream.requests().pop()).await;
    assert_eq!(drill.events().len(), 1, "nothing but the edge");
    drill.controls().skip();

    assert_eq!(client.answer().await.text(), "ok");
    assert_got_it_once(&upstream);
}

#[tokio::test]
async fn the_upstreams_work_is_not_cut_short() {
    // The answer takes a while after its head, and the upstream notes whether it could give it all.
    let upstream = Upstream::scripted(|mut wire, log| async move {
        while let Some(request) = wire.request().await {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc").await;
            tokio::task::yield_now().await;
            wire.send("def").await;
            log.got(request);
        }
        log.ended(wire.end().await);
    })
    .await;
    let drill = Drill::of(&["lose_response: {}"]).before(&upstream);
    let mut client = drill.client().await;

    client.send(POST).await;

    assert_eq!(client.end().await, End::Reset);
    assert_got_it_once(&upstream);
}

#[tokio::test]
async fn a_genuine_failure_stays_one() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        wire.request().await;
    })
    .await;
    let drill = Drill::of(&["lose_response: {}"]).before(&upstream);

    let answer = drill.ask(GET).await;

    assert_eq!((answer.status(), answer.field("x-firedrill")), (502, Some("genuine=broken")));
    let exchange = drill.exchange().await;
    assert!(!exchange.injected(), "{exchange:?}");
    assert_eq!(exchange.upstream_error, Some("broken"));
}
