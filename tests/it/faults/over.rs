//! The drill's end: what was dealt before it and has not come about never does.

use crate::support::{Drill, Upstream};
use std::sync::Arc;
use tokio::sync::Notify;

const POST: &str = "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 6\r\n\r\n";

/// An upstream that answers a request in two parts, the second one when it is told to.
async fn halting(first: &'static str, second: &'static str) -> (Upstream, Arc<Notify>) {
    let word = Arc::new(Notify::new());
    let told = Arc::clone(&word);
    let upstream = Upstream::scripted(move |mut wire, log| {
        let told = Arc::clone(&told);
        async move {
            if let Some(request) = wire.request().await {
                log.got(request);
                wire.send(first).await;
                told.notified().await;
                wire.send(second).await;
                wire.end().await;
            }
        }
    })
    .await;
    (upstream, word)
}

#[tokio::test]
async fn an_answer_that_comes_after_it_is_not_lost() {
    for fault in ["lose_response: {}", "lose_response: close", "lose_response: 504"] {
        let (upstream, word) = halting("", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let drill = Drill::of(&[fault]).before(&upstream);
        let mut client = drill.client().await;

        client.send(POST).await;
        client.send("abcdef").await;
        crate::support::eventually("the request arrives", || upstream.requests().pop()).await;
        drill.controls().stop();
        drill.over().await;
        word.notify_one();

        let answer = client.answer().await;
        assert_eq!((answer.status(), &*answer.text()), (200, "ok"), "{fault}");
        assert!(!drill.exchange().await.injected());
    }
}

#[tokio::test]
async fn an_answer_of_which_only_a_part_came_before_it_is_not_lost() {
    for (head, rest) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", "def"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "3\r\ndef\r\n0\r\n\r\n",
        ),
    ] {
        for fault in ["lose_response: {}", "lose_response: close", "lose_response: 504"] {
            let (upstream, word) = halting(head, rest).await;
            let drill = Drill::of(&[fault]).before(&upstream);
            let mut client = drill.client().await;

            client.send(POST).await;
            client.send("abcdef").await;
            drill.hits("lose_response", 1).await;
            drill.controls().stop();
            drill.over().await;
            let begin = client.head().await;
            word.notify_one();
            let answer = client.body(begin).await;

            assert_eq!((answer.status(), &*answer.text()), (200, "abcdef"), "{fault}");
            let exchange = drill.exchange().await;
            assert!(exchange.complete && !exchange.injected(), "{exchange:?}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_read_to_its_end_after_it_is_passed_on() {
    for (fault, name) in [("respond: 503", "respond"), ("reset: {}", "reset")] {
        let upstream = Upstream::answering(crate::support::OK).await;
        let drill = Drill::of(&[fault]).before(&upstream);
        let mut client = drill.client().await;

        client.send(POST).await;
        client.send("abc").await;
        drill.hits(name, 1).await;
        drill.controls().stop();
        drill.over().await;
        client.send("def").await;

        assert_eq!(client.answer().await.text(), "ok", "{fault}");
        assert_eq!(upstream.request().text(), "abcdef");
        let exchange = drill.exchange().await;
        assert!(exchange.complete && !exchange.injected(), "{exchange:?}");
    }
}

#[tokio::test]
async fn an_answer_is_not_cut_after_it() {
    for fault in ["truncate: { after: 4B }", "reset: { at: response, after: 4B }"] {
        let first = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc";
        let (upstream, word) = halting(first, "def").await;
        let drill = Drill::of(&[fault]).before(&upstream);
        let mut client = drill.client().await;

        client.send(POST).await;
        client.send("abcdef").await;
        let head = client.head().await;
        assert_eq!(client.take(3).await, b"abc");
        drill.controls().stop();
        drill.over().await;
        word.notify_one();

        assert_eq!(head.length(), Some(6));
        assert_eq!(client.take(3).await, b"def", "{fault}");
        let exchange = drill.exchange().await;
        assert!(exchange.complete && !exchange.injected(), "{exchange:?}");
    }
}
