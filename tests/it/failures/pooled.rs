//! Pooled connections that went stale: nobody's failure.

use crate::support::{Drill, GET, OK, Upstream, eventually};
use std::time::Duration;

/// An upstream that closes each connection after its answer without having said so.
async fn forgetful(reset: bool) -> Upstream {
    Upstream::scripted(move |mut wire, log| async move {
        if let Some(request) = wire.request().await {
            log.got(request);
            wire.send(OK).await;
            // Only once the answer has arrived, so that it is the idle connection that ends.
            tokio::time::sleep(Duration::from_millis(5)).await;
            if reset {
                wire.reset();
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used() {
    for reset in [false, true] {
        let upstream = forgetful(reset).await;
        let drill = Drill::calm().before(&upstream);
        let mut client = drill.client().await;

        for _ in 0..10 {
            assert_eq!(client.ask(GET).await.status(), 200);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }

        assert_eq!((upstream.connections(), upstream.requests().len()), (10, 10));
    }
}

#[tokio::test]
async fn a_request_that_never_left_goes_out_on_a_fresh_connection() {
    // The proxy has no time to notice the end: no await between it and the next request.
    let upstream = Upstream::scripted(|mut wire, log| async move {
        if let Some(request) = wire.request().await {
            log.got(request);
            wire.send(OK).await;
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nbuy";

    let (mut fine, mut failed) = (0, 0);
    for _ in 0..200 {
        match client.ask(post).await.status() {
            200 => fine += 1,
            502 => failed += 1,
            other => panic!("{other}"),
        }
    }

    // One that was sent into a connection that just ended may have been received: it is a failure,
    // and never sent again. What never left must not be one.
    assert_eq!(fine + failed, 200);
    assert_eq!(upstream.requests().len(), fine, "each answer has its one request");
    assert!(failed < 20, "{failed} failed of 200");
}

#[tokio::test]
async fn an_idle_connection_is_given_up_before_servers_usually_do() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.ask(GET).await;
    upstream.ends(1).await;

    assert_eq!(client.ask(GET).await.status(), 200);
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn what_comes_unasked_on_an_idle_connection_is_no_answer() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        while let Some(request) = wire.request().await {
            log.got(request);
            wire.send(format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")).await;
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for n in 1..=5 {
        assert_eq!(client.ask(GET).await.text(), "ok");
        eventually("the request is logged", || (upstream.requests().len() == n).then_some(()))
            .await;
    }
}
