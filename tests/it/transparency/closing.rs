//! Who closes what, and when.

use crate::support::{Drill, End, GET, OK, Upstream};
use firedrill::event::EndedBy;

#[tokio::test]
async fn a_client_that_closed_its_sending_side_still_gets_its_answer() {
    let (upstream, go) = Upstream::holding(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nbuy").await;
    client.half_close().await;
    crate::support::eventually("the request arrives", || upstream.requests().pop()).await;

    // The probe that tells a half-closed client from one that is gone.
    assert_eq!(client.head().await.start(), "HTTP/1.1 102 Processing");
    go.send(true).expect("the upstream waits");
    assert_eq!(client.answer().await.text(), "ok");
    assert_eq!(client.end().await, End::Fin);
    let exchange = drill.exchange().await;
    assert!(exchange.complete && exchange.ended_by == EndedBy::Completed, "{exchange:?}");
}

#[tokio::test]
async fn an_old_client_that_closed_its_sending_side_gets_nothing_but_its_answer() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send("GET / HTTP/1.0\r\n\r\n").await;
    client.half_close().await;

    let (bytes, end) = client.rest().await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.starts_with("HTTP/1.0 200 OK") && text.ends_with("\r\n\r\nok"), "{text}");
    assert_eq!(end, End::Fin);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        while let Some(request) = wire.request().await {
            let path = request.start().split(' ').nth(1).unwrap_or_default().to_owned();
            log.got(request);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
            wire.send(answer).await;
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    let requests: Vec<String> =
        (0..20).map(|n| format!("GET /{n} HTTP/1.1\r\nhost: a\r\n\r\n")).collect();
    client.send(requests.concat()).await;
    client.half_close().await;

    for n in 0..20 {
        let mut answer = client.answer().await;
        if answer.status() == 102 {
            answer = client.answer().await;
        }
        assert_eq!(answer.text(), format!("/{n}"));
    }
    assert_eq!(client.end().await, End::Fin);
    let seqs: Vec<u32> = drill.exchanges(20).await.iter().map(|exchange| exchange.seq).collect();
    assert_eq!(seqs, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_says_close_is_closed() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    let answer = client.ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;

    assert_eq!(answer.field("connection"), Some("close"));
    assert_eq!(client.end().await, End::Fin);
}

#[tokio::test]
async fn an_upstream_that_closes_does_not_close_the_client() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for _ in 0..5 {
        let answer = client.ask(GET).await;
        assert_eq!((answer.text().as_str(), answer.field("connection")), ("ok", None));
    }
    assert_eq!(upstream.connections(), 5);
}

#[tokio::test]
async fn an_early_answer_passes_and_leaves_no_connection_behind_on_which_nothing_more_comes() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        wire.head().await;
        wire.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig").await;
        // Nobody reads the upload; the end of the connection is all that can come.
        log.ended(wire.rest().await.1);
    })
    .await;
    let drill = Drill::calm().before(&upstream);

    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = drill.client().await;
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nabc").await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), &*answer.text()), (413, "big"));
        clients.push(client);
    }

    upstream.ends(5).await;
    for mut client in clients {
        assert_eq!(client.end().await, End::Fin);
    }
}

/// Answers each request when it has its head, and reads its body afterwards.
async fn hasty() -> Upstream {
    Upstream::scripted(|mut wire, log| async move {
        loop {
            let head = wire.head().await;
            wire.send(OK).await;
            log.got(wire.body(head).await);
        }
    })
    .await
}

#[tokio::test]
async fn what_is_left_of_an_upload_after_its_answer_arrives_and_both_connections_go_on() {
    let upstream = hasty().await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for body in ["one", "two", "six"] {
        let head = client.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n").await;
        assert_eq!((head.text().as_str(), head.field("connection")), ("ok", None));
        client.send(body).await;
    }
    for size in [1_000_000; 5] {
        let ask = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n");
        assert_eq!(client.ask(ask).await.text(), "ok");
        client.send(vec![b'x'; size]).await;
    }

    let all = || Some(upstream.requests()).filter(|requests| requests.len() == 8);
    let requests = crate::support::eventually("all of them arrive", all).await;
    let texts: Vec<String> = requests.iter().map(|request| request.text()).collect();
    assert_eq!(texts[..3], ["one", "two", "six"]);
    assert!(texts[3..].iter().all(|text| text.len() == 1_000_000));
    assert_eq!(drill.exchanges(8).await.len(), 8);
}

#[tokio::test]
async fn a_client_may_go_on_though_the_upstream_left_without_reading_its_upload() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        wire.head().await;
        wire.send(
            "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig",
        )
        .await;
        wire.half_close().await;
        wire.rest().await;
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for _ in 0..3 {
        let ask = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
        assert_eq!(client.ask(ask).await.status(), 413);
        client.send(vec![b'x'; 1_000_000]).await;
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn an_early_answer_is_not_lost_to_a_client_that_goes_on_sending() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        wire.head().await;
        wire.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig").await;
        wire.rest().await;
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n").await;
    for _ in 0..3_000 {
        if client.try_send([b'x'; 1_000]).await.is_err() {
            break;
        }
    }

    let answer = client.answer().await;
    assert_eq!((answer.status(), &*answer.text()), (413, "big"));
}
