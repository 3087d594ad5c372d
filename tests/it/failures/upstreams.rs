//! Upstreams that break off.

use crate::support::{Drill, End, GET, OK, Upstream, Wire};
use firedrill::event;
use tokio::net::TcpStream;

/// An upstream that reads a request, says this, and then closes or resets.
async fn breaking(said: &'static str, reset: bool) -> Upstream {
    Upstream::scripted(move |mut wire: Wire<TcpStream>, log| async move {
        if let Some(request) = wire.request().await {
            log.got(request);
            wire.send(said).await;
            if reset {
                wire.reset();
            }
        }
    })
    .await
}

#[tokio::test]
async fn one_that_closes_or_resets_before_its_answer_is_a_502() {
    for said in ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 100 Continue\r\n\r\n"] {
        for reset in [false, true] {
            let upstream = breaking(said, reset).await;
            let drill = Drill::calm().before(&upstream);

            let answer = drill.ask(GET).await;

            assert_eq!(answer.status(), 502, "{said:?} {reset}");
            assert_eq!(answer.field("x-firedrill"), Some("genuine=broken"));
            let exchange = drill.exchange().await;
            assert_eq!(exchange.upstream, event::Upstream::NoReply);
            assert_eq!(exchange.upstream_error, Some("broken"));
            assert_eq!(upstream.requests().len(), 1, "never sent again");
        }
    }
}

#[tokio::test]
async fn one_that_speaks_something_else_is_a_502() {
    for said in ["220 mail.example ESMTP\r\n", "\u{16}\u{3}\u{1}", "HTTP/3 200 OK\r\n\r\n"] {
        let upstream = breaking(said, false).await;
        let drill = Drill::calm().before(&upstream);

        let answer = drill.ask(GET).await;

        assert_eq!((answer.status(), answer.field("x-firedrill")), (502, Some("genuine=broken")));
        assert_eq!(upstream.requests().len(), 1, "never sent again");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_cut_and_no_clean_end() {
    for said in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
    ] {
        for reset in [false, true] {
            let upstream = breaking(said, reset).await;
            let drill = Drill::calm().before(&upstream);
            let mut client = drill.client().await;

            client.send(GET).await;
            let head = client.head().await;
            let (rest, end) = client.rest().await;

            assert_eq!(head.status(), 200);
            let rest = String::from_utf8_lossy(&rest).into_owned();
            // After a RST it may be that not even those bytes came.
            assert!(reset || rest.contains("abcde"), "{rest:?}");
            assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
            assert!(matches!(end, End::Fin | End::Reset));
            let exchange = drill.exchange().await;
            assert_eq!(exchange.upstream, event::Upstream::Status(200));
            assert!(!exchange.complete && !exchange.injected(), "{exchange:?}");
            assert_eq!(exchange.outcome(), event::Outcome::Broken);
            assert_eq!(exchange.upstream_error, Some("broken_body"));
        }
    }
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_cut_by_a_reset() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let upstream = Upstream::scripted(move |mut wire, _| {
        let mut wait = wait.clone();
        async move {
            wire.request().await;
            wire.send("HTTP/1.1 200 OK\r\n\r\nabcde").await;
            wait.wait_for(|go| *go).await.expect("the test goes on");
            wire.reset();
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    client.head().await;
    assert_eq!(client.take(10).await, b"5\r\nabcde\r\n");
    // A reset would overtake what is on its way.
    go.send(true).expect("the upstream waits");

    assert_eq!(client.rest().await.0, b"", "no clean end");
    assert!(!drill.exchange().await.complete);
}

#[tokio::test]
async fn one_that_breaks_off_in_the_middle_of_an_upload_is_a_502() {
    for reset in [false, true] {
        let upstream = Upstream::scripted(move |mut wire, log| async move {
            let mut head = wire.head().await;
            head.body = wire.take(5).await;
            log.got(head);
            if reset {
                wire.reset();
            }
        })
        .await;
        let drill = Drill::calm().before(&upstream);
        let mut client = drill.client().await;

        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabcde").await;
        let answer = client.answer().await;

        assert_eq!((answer.status(), answer.field("x-firedrill")), (502, Some("genuine=broken")));
        assert_eq!(upstream.requests().len(), 1);
        assert_eq!(drill.exchange().await.upstream, event::Upstream::NoReply);
    }
}

#[tokio::test]
async fn an_upstream_that_fails_once_is_asked_again_by_the_next_request_only() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        while let Some(request) = wire.request().await {
            let fails = request.start().contains("/fail");
            log.got(request);
            if fails {
                return;
            }
            wire.send(OK).await;
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    let mut statuses = Vec::new();
    for path in ["/", "/fail", "/", "/fail", "/"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        statuses.push(client.ask(request).await.status());
    }

    assert_eq!(statuses, [200, 502, 200, 502, 200]);
    let starts: Vec<String> = upstream.requests().iter().map(|r| r.start().to_owned()).collect();
    let fail = "GET /fail HTTP/1.1";
    let fine = "GET / HTTP/1.1";
    assert_eq!(starts, [fine, fail, fine, fail, fine]);
}

#[tokio::test]
async fn switching_protocols_unasked_is_a_502() {
    let said = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let upstream = breaking(said, false).await;
    let drill = Drill::calm().before(&upstream);

    assert_eq!(drill.ask(GET).await.status(), 502);
}

#[tokio::test]
async fn a_head_of_an_answer_that_never_comes_is_whole_without_a_body() {
    let upstream = breaking("", false).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send("HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n").await;

    assert_eq!(client.head().await.status(), 502);
    let exchange = drill.exchange().await;
    assert!(exchange.complete, "{exchange:?}");
}
