//! Bodies, both ways.

use crate::support::{Drill, GET, OK, Upstream};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
    3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n";

#[tokio::test]
async fn answers_without_a_body_have_none() {
    for (request, answer) in [
        ("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n"),
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-a: 1\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 77\r\n\r\n",
        ),
    ] {
        let upstream = Upstream::answering(answer).await;
        let drill = Drill::calm().before(&upstream);
        let mut client = drill.client().await;
        for _ in 0..2 {
            client.send(request).await;
            assert_eq!(client.head().await.head, answer);
        }
    }
}

#[tokio::test]
async fn an_answer_to_head_does_not_say_that_it_would_come_in_chunks() {
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: 1\r\n\r\n")
            .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;

    assert_eq!(client.head().await.head, "HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n");
}

#[tokio::test]
async fn chunks_stay_chunks_both_ways() {
    let upstream = Upstream::answering(CHUNKED).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.send("2\r\nxy\r\n").await;
    client.send("4;ext=1\r\nzabc\r\n0\r\n\r\n").await;
    let answer = client.answer().await;

    let request = upstream.request();
    assert_eq!(request.fields(), ["host: a", "Transfer-Encoding: chunked"]);
    assert_eq!(request.text(), "xyzabc");
    assert_eq!(answer.fields(), ["Transfer-Encoding: chunked"]);
    assert_eq!(answer.text(), "abcdefgh");
}

#[tokio::test]
async fn trailers_that_were_announced_pass_both_ways() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum, x-b\r\ntransfer-encoding: chunked\r\n\r\n\
         2\r\nok\r\n0\r\nx-sum: 77\r\nx-b: 2\r\n\r\n",
    )
    .await;
    let drill = Drill::calm().before(&upstream);

    let answer = drill
        .ask(
            "POST / HTTP/1.1\r\nhost: a\r\nTE: trailers\r\nTrailer: x-up\r\n\
             transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-up: 1\r\n\r\n",
        )
        .await;

    assert_eq!((&*answer.text(), &*answer.trailers), ("ok", "x-sum: 77\r\nx-b: 2\r\n"));
    let request = upstream.request();
    assert_eq!((&*request.text(), &*request.trailers), ("a", "x-up: 1\r\n"));
}

#[tokio::test]
async fn trailers_that_nobody_announced_or_asked_for_are_dropped() {
    let chunks = "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 77\r\n\r\n";
    for (te, trailer) in [("", "trailer: x-sum\r\n"), ("te: trailers\r\n", "")] {
        let upstream = Upstream::answering(format!("HTTP/1.1 200 OK\r\n{trailer}{chunks}")).await;
        let drill = Drill::calm().before(&upstream);
        let request = format!("POST / HTTP/1.1\r\nhost: a\r\n{te}{chunks}");

        let answer = drill.ask(request).await;

        assert_eq!((&*answer.text(), &*answer.trailers), ("ok", ""));
        let request = upstream.request();
        assert_eq!((&*request.text(), &*request.trailers), ("ok", ""));
    }
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_comes_in_chunks() {
    let upstream = Upstream::scripted(|mut wire, _| async move {
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\nuntil ").await;
        wire.send("the end").await;
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    for _ in 0..2 {
        let answer = client.ask(GET).await;
        assert_eq!(answer.fields(), ["x-a: 1", "transfer-encoding: chunked"]);
        assert_eq!(answer.text(), "until the end");
    }
}

#[tokio::test]
async fn each_piece_of_a_slow_stream_passes_at_once() {
    let (say, said) = watch::channel(0);
    let upstream = Upstream::scripted(move |mut wire, _| {
        let mut said = said.clone();
        async move {
            wire.request().await;
            wire.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
            for n in 1..=5 {
                said.wait_for(|said| *said >= n).await.expect("the test goes on");
                wire.send(format!("data: {n}\n\n")).await;
            }
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;
    client.send(GET).await;
    assert_eq!(client.head().await.status(), 200);

    for n in 1..=5 {
        say.send(n).expect("the upstream listens");
        let asked = Instant::now();
        let event = client.until("\n\n").await;
        assert!(event.contains(&format!("data: {n}")), "{event}");
        assert!(asked.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn each_piece_of_a_slow_upload_passes_at_once() {
    let (heard, mut hear) = watch::channel(String::new());
    let upstream = Upstream::scripted(move |mut wire, _| {
        let heard = heard.clone();
        async move {
            wire.head().await;
            for piece in ["a-", "b-", "c-"] {
                heard.send(wire.until(piece).await).expect("the test listens");
            }
            wire.send(OK).await;
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n").await;
    for piece in ["a-", "b-", "c-"] {
        client.send(piece).await;
        hear.wait_for(|heard| heard == piece).await.expect("the upstream hears");
    }
    assert_eq!(client.answer().await.status(), 200);
}

const LARGE: usize = 20 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_answer_streams_and_waits_for_a_slow_client() {
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    let upstream = Upstream::scripted(move |mut wire, _| {
        let count = Arc::clone(&count);
        async move {
            wire.request().await;
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n")).await;
            for n in 0..LARGE / 65_536 {
                wire.send(vec![u8::try_from(n % 251).expect("small"); 65_536]).await;
                count.fetch_add(65_536, Ordering::SeqCst);
            }
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;

    client.send(GET).await;
    client.head().await;
    let first = client.take(1).await;
    let stalled = settled(&written).await;
    let rest = client.take(LARGE - 1).await;

    assert_eq!(first, [0]);
    // Kernels hold a few megabytes between the three; the proxy itself next to nothing.
    assert!(stalled < LARGE as u64, "all of it was taken in although the client reads nothing");
    assert_eq!(rest.len(), LARGE - 1);
    let right = |(at, byte): (usize, &u8)| usize::from(*byte) == (at + 1) / 65_536 % 251;
    assert!(rest.iter().enumerate().all(right));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_upload_streams_and_waits_for_a_slow_upstream() {
    let (go, wait) = watch::channel(false);
    let upstream = Upstream::scripted(move |mut wire, log| {
        let mut wait = wait.clone();
        async move {
            let head = wire.head().await;
            wait.wait_for(|go| *go).await.expect("the test goes on");
            log.got(wire.body(head).await);
            wire.send(OK).await;
        }
    })
    .await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);

    let upload = tokio::spawn(async move {
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LARGE}\r\n\r\n")).await;
        for n in 0..LARGE / 65_536 {
            client.send(vec![u8::try_from(n % 251).expect("small"); 65_536]).await;
            count.fetch_add(65_536, Ordering::SeqCst);
        }
        client.answer().await.status()
    });
    let stalled = settled(&written).await;
    go.send(true).expect("the upstream waits");

    assert!(stalled < LARGE as u64, "all of it was taken in although the upstream reads nothing");
    assert_eq!(upload.await.expect("the upload goes through"), 200);
    let body = upstream.request().body;
    let right = |(at, byte): (usize, &u8)| usize::from(*byte) == at / 65_536 % 251;
    assert!(body.len() == LARGE && body.iter().enumerate().all(right));
}

/// Waits until a count stands still.
async fn settled(count: &AtomicU64) -> u64 {
    loop {
        let before = count.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        if before > 0 && count.load(Ordering::SeqCst) == before {
            return before;
        }
    }
}
