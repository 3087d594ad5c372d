//! `duplicate`: the request reaches the upstream twice.

use crate::support::{Drill, End, GET, Message, OK, Upstream, eventually, memory};
use firedrill::event::{self, Did, Event};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

const MS: Duration = Duration::from_millis(1);
const POST: &str = "POST /purchase?n=1 HTTP/1.1\r\nHost: shop\r\nX-Idempotency-KEY: k1\r\n\
    b: 1\r\nA: 2\r\ncontent-length: 3\r\n\r\nbuy";

/// Waits until the upstream got so many requests; there may be no more.
async fn requests(upstream: &Upstream, count: usize) -> Vec<Message> {
    let all = || Some(upstream.requests()).filter(|requests| requests.len() >= count);
    let requests = eventually("the upstream gets them", all).await;
    assert_eq!(requests.len(), count, "{requests:?}");
    requests
}

/// Waits for what the record says of the only copy.
async fn copy(drill: &Drill) -> event::Duplicate {
    let copies = || {
        let events = drill.events();
        events.into_iter().find_map(|event| match event {
            Event::Duplicate(duplicate) => Some(duplicate),
            _ => None,
        })
    };
    eventually("the record tells of the copy", copies).await
}

fn upload(size: usize) -> Vec<u8> {
    let head = format!("PUT / HTTP/1.1\r\nhost: shop\r\ncontent-length: {size}\r\n\r\n");
    let body = (0..size).map(|at| u8::try_from(at % 251).expect("a byte"));
    head.into_bytes().into_iter().chain(body).collect()
}

#[tokio::test]
async fn the_very_same_request_comes_twice_on_two_connections() {
    let chunked = "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\
        \r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n";
    let empty = "POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let nothing = "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 0\r\n\r\n";
    let large = String::from_utf8(vec![b'x'; 256 * 1024]).expect("text");
    let large =
        format!("PUT / HTTP/1.1\r\nhost: shop\r\ncontent-length: {}\r\n\r\n{large}", large.len());
    for request in [GET, POST, chunked, empty, nothing, &large] {
        let upstream = Upstream::answering(OK).await;
        let drill = Drill::of(&["duplicate: {}"]).before(&upstream);

        assert_eq!(drill.ask(request).await.text(), "ok");

        let got = requests(&upstream, 2).await;
        let sum = |message: &Message| {
            let Message { head, body, trailers, whole, .. } = message.clone();
            (head, body, trailers, whole)
        };
        assert_eq!(sum(&got[0]), sum(&got[1]));
        assert!(got[0].whole);
        assert_eq!(upstream.connections(), 2);
        drill.hits("duplicate", 1).await;
    }
}

#[tokio::test]
async fn the_client_gets_the_first_answer_and_the_record_tells_of_both() {
    // Whoever is asked first answers 201, with an interim answer; then 409.
    let upstream = Upstream::scripted({
        let nth = std::sync::Arc::new(AtomicU32::new(0));
        move |mut wire, log| {
            let nth = std::sync::Arc::clone(&nth);
            async move {
                while let Some(request) = wire.request().await {
                    log.got(request);
                    let first = nth.fetch_add(1, Ordering::SeqCst) == 0;
                    let status = if first { "201 Created" } else { "409 Conflict" };
                    wire.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
                    tokio::time::sleep(30 * MS).await;
                    wire.send(format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok")).await;
                }
            }
        }
    })
    .await;
    let drill = Drill::of(&["duplicate: { delay: 20ms }"]).before(&upstream);
    let mut client = drill.client().await;

    assert_eq!(client.ask(POST).await.status(), 103);
    assert_eq!(client.answer().await.status(), 201);
    let copy = copy(&drill).await;
    client.is_silent_for(50 * MS).await;

    assert_eq!(copy.upstream, event::Upstream::Status(409));
    assert_eq!(&*copy.fault, "duplicate");
    let exchange = drill.exchange().await;
    assert_eq!((copy.conn, copy.seq), (exchange.conn, exchange.seq));
    assert_eq!((exchange.status, exchange.upstream), (201, event::Upstream::Status(201)));
    assert_eq!(exchange.dealt.len(), 1);
    assert_eq!(exchange.dealt[0].did, Did::Duplicated);
    assert!(copy.t_forwarded >= exchange.t_forwarded + 20_000);
    assert!(copy.t_answered >= copy.t_forwarded && copy.t_end >= copy.t_answered);
}

#[tokio::test(start_paused = true)]
async fn the_second_comes_after_its_delay_to_the_millisecond() {
    for (fault, delay) in [("duplicate: {}", 0), ("duplicate: { delay: 750ms }", 750)] {
        let (connector, heard) = memory::answering(OK);
        let drill = Drill::of(&[fault]).detached(connector);
        let asked = Instant::now();

        assert_eq!(drill.memory_client(1).ask(POST).await.status(), 200);
        assert_eq!(asked.elapsed(), Duration::ZERO, "the client does not wait for it");
        sleep_until(asked + Duration::from_secs(5)).await;

        assert_eq!(heard.times(), [asked, asked + delay * MS]);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_sent_again_and_not_hit() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["duplicate: {}"]).before(&upstream);
    let mut client = drill.client().await;

    assert_eq!(client.ask(upload(256 * 1024 + 1)).await.status(), 200);
    // The next one is: what would have been sent before would be there by now.
    assert_eq!(client.ask(GET).await.status(), 200);

    let got = requests(&upstream, 3).await;
    let large = got.iter().filter(|request| request.start().starts_with("PUT"));
    assert_eq!(large.count(), 1);
    let exchanges = drill.exchanges(2).await;
    assert!(!exchanges[0].injected(), "{:?}", exchanges[0]);
    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit), (2, 1));
}

#[tokio::test]
async fn a_body_streams_on_while_it_is_kept() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        let head = wire.head().await;
        let first = wire.take(3).await;
        log.got(Message { body: first, ..head.clone() });
        let rest = wire.take(3).await;
        log.got(Message { body: rest, ..head });
        wire.send(OK).await;
    })
    .await;
    let drill = Drill::of(&["duplicate: {}"]).before(&upstream);
    let mut client = drill.client().await;

    client.send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await;
    assert_eq!(requests(&upstream, 1).await[0].text(), "abc");
    assert_eq!(upstream.connections(), 1, "half a request is not sent again");

    assert_eq!(client.ask("def").await.status(), 200);
    let parts: Vec<String> = requests(&upstream, 4).await.iter().map(Message::text).collect();
    assert_eq!(parts.iter().filter(|part| **part == "def").count(), 2, "{parts:?}");
}

#[tokio::test]
async fn an_upgrade_is_never_sent_twice() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        if let Some(request) = wire.request().await {
            log.got(request);
            wire.send(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                upgrade: echo\r\n\r\nhello",
            )
            .await;
            wire.end().await;
        }
    })
    .await;
    let drill = Drill::of(&["duplicate: {}"]).before(&upstream);
    let mut client = drill.client().await;

    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await;

    assert_eq!(client.head().await.status(), 101);
    assert_eq!(client.take(5).await, b"hello");
    assert_eq!(upstream.connections(), 1);
    let tally = &drill.tallies()[0];
    assert_eq!((tally.considered, tally.hit), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_waits_when_the_drill_ends_is_not_sent() {
    let (connector, heard) = memory::answering(OK);
    let drill = Drill::of(&["duplicate: { delay: 10s }"]).detached(connector);
    let asked = Instant::now();
    assert_eq!(drill.memory_client(1).ask(POST).await.status(), 200);
    sleep_until(asked + 9 * Duration::from_secs(1)).await;

    drill.controls().stop();
    sleep_until(asked + 60 * Duration::from_secs(1)).await;

    assert_eq!(heard.times(), [asked]);
    let copy = copy(&drill).await;
    assert_eq!((copy.upstream, copy.t_forwarded), (event::Upstream::NotSent, 0));
    assert_eq!(copy.t_end / 1_000_000, 9, "it is let go at once");
    assert_eq!(drill.tallies()[0].hit, 0);
}

#[tokio::test]
async fn a_body_that_ends_after_the_drill_is_not_sent_again() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["duplicate: {}"]).before(&upstream);
    let mut client = drill.client().await;

    client.send("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await;
    eventually("it is passed on", || (upstream.connections() > 0).then_some(())).await;
    drill.controls().stop();

    assert_eq!(client.ask("def").await.status(), 200);
    assert_eq!(client.ask(GET).await.status(), 200);
    assert_eq!(upstream.requests().len(), 2);
    assert!(drill.exchanges(2).await.iter().all(|exchange| !exchange.injected()));
}

#[tokio::test]
async fn a_client_that_waits_for_the_word_is_told_once_and_its_body_comes_twice() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        let head = wire.head().await;
        wire.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        log.got(wire.body(head).await);
        wire.send(OK).await;
    })
    .await;
    let drill = Drill::of(&["duplicate: {}"]).before(&upstream);
    let mut client = drill.client().await;

    let ask = "PUT / HTTP/1.1\r\nhost: a\r\nExpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    assert_eq!(client.ask(ask).await.status(), 100);
    assert_eq!(client.ask("body").await.status(), 200);

    let got = requests(&upstream, 2).await;
    assert_eq!(got[0], got[1]);
    assert_eq!((&*got[0].text(), got[0].field("expect")), ("body", Some("100-continue")));
    assert_eq!(copy(&drill).await.upstream, event::Upstream::Status(200));
    client.is_silent_for(20 * MS).await;
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_is_not_sent_again() {
    let upstream = Upstream::scripted(|mut wire, log| async move {
        log.got(wire.head().await);
        wire.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\n\r\nno").await;
        wire.end().await;
    })
    .await;
    let drill = Drill::of(&["duplicate: {}"]).before(&upstream);

    let ask = "PUT / HTTP/1.1\r\nhost: a\r\nExpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    assert_eq!(drill.ask(ask).await.status(), 417);

    assert!(!drill.exchange().await.injected());
    assert_eq!((upstream.connections(), drill.tallies()[0].hit), (1, 0));
}

#[tokio::test]
async fn it_goes_together_with_a_lost_answer_in_any_order() {
    for faults in [["lose_response: {}", "duplicate: {}"], ["duplicate: {}", "lose_response: {}"]] {
        let upstream = Upstream::answering(OK).await;
        let drill = Drill::of(&faults).before(&upstream);
        let mut client = drill.client().await;

        client.send(POST).await;

        assert_eq!(client.end().await, End::Reset);
        requests(&upstream, 2).await;
        assert!(drill.tallies().iter().all(|tally| (tally.considered, tally.hit) == (1, 1)));
    }
}

#[tokio::test]
async fn nothing_but_its_share_comes_twice() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::of(&["duplicate: {}, share: 30% of requests"]).before(&upstream);
    let mut client = drill.client().await;
    for _ in 0..200 {
        assert_eq!(client.ask(POST).await.status(), 200);
    }

    let hit = drill.exchanges(200).await.iter().filter(|exchange| exchange.injected()).count();
    assert!((35..=85).contains(&hit), "{hit}");
    requests(&upstream, 200 + hit).await;
    assert_eq!(drill.tallies()[0].hit, hit as u64);
}

#[tokio::test]
async fn a_failure_of_the_copy_is_told_and_is_not_the_clients() {
    let upstream = Upstream::scripted({
        let nth = std::sync::Arc::new(AtomicU32::new(0));
        move |mut wire, _| {
            let nth = std::sync::Arc::clone(&nth);
            async move {
                wire.request().await;
                if nth.fetch_add(1, Ordering::SeqCst) == 0 {
                    wire.send(OK).await;
                    // Closed, so that the copy needs a connection of its own.
                }
            }
        }
    })
    .await;
    let drill = Drill::of(&["duplicate: { delay: 50ms }"]).before(&upstream);

    assert_eq!(drill.ask(POST).await.status(), 200);

    let copy = copy(&drill).await;
    assert_eq!((copy.upstream, copy.upstream_error), (event::Upstream::NoReply, Some("broken")));
    assert_eq!(drill.exchange().await.upstream_error, None);
}
