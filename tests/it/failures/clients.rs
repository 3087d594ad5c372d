//! Clients that go away.

use crate::support::{Drill, End, OK, Upstream, eventually};
use firedrill::event::{self, EndedBy, Outcome};
use std::time::Duration;
use tokio::time::Instant;

/// An upstream that takes requests and never answers; it notes how its connections end.
async fn silent(begin: &'static str) -> Upstream {
    Upstream::scripted(move |mut wire, log| async move {
        if let Some(request) = wire.request().await {
            log.got(request);
            wire.send(begin).await;
            log.ended(wire.end().await);
        }
    })
    .await
}

const POST: &str = "POST /buy HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nbuy";

#[tokio::test]
async fn one_that_closes_while_it_waits_frees_the_upstream_at_once() {
    for reset in [false, true] {
        let upstream = silent("").await;
        let drill = Drill::calm().before(&upstream);
        let mut client = drill.client().await;
        client.send(POST).await;
        eventually("the request arrives", || upstream.requests().pop()).await;

        let left = Instant::now();
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        assert_eq!(upstream.ends(1).await, [End::Fin]);

        assert!(left.elapsed() < Duration::from_secs(3), "{:?}", left.elapsed());
        let exchange = drill.exchange().await;
        let wanted = if reset { EndedBy::ClientRst } else { EndedBy::ClientFin };
        assert_eq!(exchange.ended_by, wanted);
        assert_eq!(exchange.outcome(), Outcome::ClientGone);
        assert_eq!(exchange.upstream, event::Upstream::NoReply);
        assert!(exchange.t_client_gone >= exchange.t_forwarded);
    }
}

#[tokio::test]
async fn one_that_closes_in_the_middle_of_its_answer_frees_the_upstream() {
    for reset in [false, true] {
        let upstream = silent("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        let drill = Drill::calm().before(&upstream);
        let mut client = drill.client().await;
        client.send(POST).await;
        client.head().await;
        assert_eq!(client.take(3).await, b"abc");

        if reset {
            client.reset();
        } else {
            // Nothing is on its way to it, so nothing tells it from one that only stopped sending.
            drop(client);
            drill.proxy.drain(Duration::ZERO).await;
        }
        upstream.ends(1).await;

        let exchange = drill.exchange().await;
        assert!(!exchange.complete);
        assert_eq!(exchange.upstream, event::Upstream::Status(200));
        if reset {
            assert_eq!(exchange.ended_by, EndedBy::ClientRst);
        }
    }
}

#[tokio::test]
async fn one_that_closes_while_its_answer_flows_frees_the_upstream() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        while wire.try_send(vec![b'x'; 10_000]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        log.ended(End::Reset);
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;
    client.send(POST).await;
    client.head().await;

    drop(client);

    upstream.ends(1).await;
    let exchange = drill.exchange().await;
    assert!(matches!(exchange.ended_by, EndedBy::ClientFin | EndedBy::ClientRst));
    assert_eq!(exchange.outcome(), Outcome::ClientGone);
}

#[tokio::test]
async fn one_that_breaks_its_upload_off_is_its_own_failure() {
    for reset in [false, true] {
        let upstream = Upstream::scripted(|mut wire, log| async move {
            wire.head().await;
            log.ended(wire.rest().await.1);
        })
        .await;
        let drill = Drill::calm().before(&upstream);
        let mut client = drill.client().await;
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await;
        eventually("the upload begins", || (upstream.connections() == 1).then_some(())).await;

        if reset {
            client.reset();
        } else {
            drop(client);
        }
        upstream.ends(1).await;

        let exchange = drill.exchange().await;
        assert_eq!(exchange.upstream_error, None, "the upstream did nothing wrong");
        assert_eq!(exchange.outcome(), Outcome::ClientGone, "{exchange:?}");
        assert_eq!(exchange.received, 3);
    }
}

#[tokio::test]
async fn one_that_half_closes_in_the_middle_of_its_upload_is_told() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        wire.head().await;
        log.ended(wire.rest().await.1);
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await;
    client.half_close().await;
    let (rest, _) = client.rest().await;

    upstream.ends(1).await;
    let rest = String::from_utf8_lossy(&rest).into_owned();
    let rest = rest.trim_start_matches("HTTP/1.1 102 Processing\r\n\r\n");
    assert!(rest.starts_with("HTTP/1.1 400 "), "{rest}");
    assert!(rest.contains("x-firedrill: genuine=upload_broken\r\n"), "{rest}");
    let exchange = drill.exchange().await;
    assert_eq!((exchange.upstream_error, exchange.status), (None, 400));
}

#[tokio::test]
async fn one_that_connects_and_leaves_is_nobody() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);

    for _ in 0..20 {
        drop(drill.client().await);
        drill.client().await.reset();
    }

    assert_eq!(drill.ask(POST).await.status(), 200);
    drill.exchange().await;
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_upload_that_breaks_off_while_it_is_held_is_never_passed_on_as_a_whole_one() {
    // What the upstream would take for the end of the body.
    for (framing, begin, last) in [
        ("transfer-encoding: chunked", "3\r\nabc\r\n", "0\r\n\r\n"),
        ("content-length: 10", "abc", "abc"),
    ] {
        let upstream = Upstream::scripted(|mut wire, log| async move {
            let mut request = wire.head().await;
            request.body = wire.rest().await.0;
            log.got(request);
        })
        .await;
        let phases = ["{ name: a, for: 10m, faults: [{ hang: {} }] }", "{ name: b, for: 10m }"];
        let drill = Drill::phases(&phases).before(&upstream);
        let mut client = drill.client().await;

        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n{begin}")).await;
        client.half_close().await;
        drill.hits("hang", 1).await;
        // The end was seen, and the client is asked whether it still listens.
        assert_eq!(client.head().await.status(), 102);
        drill.controls().skip();
        let answer = client.rest().await.0;
        let answer = String::from_utf8_lossy(&answer).into_owned();

        assert!(answer.contains("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("x-firedrill: genuine=upload_broken\r\n"), "{answer}");
        let exchange = drill.exchange().await;
        assert_eq!((exchange.upstream_error, exchange.received), (None, 3));
        for request in upstream.requests() {
            let whole = framing.contains("chunked") && request.text().ends_with(last);
            assert!(!whole, "{framing}: {:?}", request.text());
        }
    }
}
