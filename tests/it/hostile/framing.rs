//! Bodies whose length may be read in two ways: the upstream gets one reading, or nothing.

use crate::{
    hostile::{outcome, refused},
    support::{Drill, Upstream},
};

fn post(fields: &str, rest: &str) -> String {
    format!("POST /p HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{rest}")
}

#[tokio::test]
async fn two_lengths_are_refused() {
    for fields in [
        "content-length: 3\r\ncontent-length: 4",
        "content-length: 4\r\nx: 1\r\nContent-Length: 3",
        "content-length: 3, 4",
        "content-length: 3, 3",
    ] {
        refused(post(fields, "abcd"), 400).await;
    }
}

#[tokio::test]
async fn lengths_that_are_none_are_refused() {
    for length in ["-1", "+3", "3x", "0x3", "", " ", "3 3", "18446744073709551616", "\u{663}"] {
        refused(post(&format!("content-length: {length}"), "abc"), 400).await;
    }
}

#[tokio::test]
async fn the_same_length_twice_reaches_the_upstream_once() {
    let outcome = outcome(post("content-length: 3\r\nContent-Length: 3", "abc")).await;
    assert_eq!(outcome.status, Some(200));
    assert_eq!(outcome.upstream.len(), 1);
    assert_eq!(outcome.upstream[0].all("content-length"), ["3"]);
    assert_eq!(outcome.upstream[0].text(), "abc");
}

#[tokio::test]
async fn chunks_overrule_a_length_which_does_not_reach_the_upstream() {
    for fields in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
        "transfer-encoding: chunked\r\ncontent-length: 3\r\ncontent-length: 9",
    ] {
        let outcome =
            outcome(post(fields, "5\r\nabcde\r\n0\r\n\r\nGET /next HTTP/1.1\r\nhost: a\r\n\r\n"))
                .await;
        let first = &outcome.upstream[0];
        assert_eq!(first.all("content-length"), [""; 0], "{fields:?}");
        assert_eq!((first.is_chunked(), &*first.text()), (true, "abcde"));
        // What follows is the client's next request, and nothing of it part of this one.
        assert!(outcome.upstream.len() <= 2);
        assert!(outcome.upstream[1..].iter().all(|next| next.start() == "GET /next HTTP/1.1"));
    }
}

#[tokio::test]
async fn encodings_that_do_not_end_in_chunks_are_refused() {
    for encoding in ["identity", "gzip", "chunked, gzip", "xchunked", "chunked;q=1", "\"chunked\""]
    {
        refused(post(&format!("transfer-encoding: {encoding}"), "3\r\nabc\r\n0\r\n\r\n"), 400)
            .await;
    }
    // An HTTP/1.0 message has no chunks.
    let old =
        "POST /p HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    refused(old, 400).await;
}

#[tokio::test]
async fn chunks_that_are_none_break_the_request_off() {
    for chunks in [
        "x\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3 \n\nabc\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "3;a=\0\rb\r\nabc\r\n0\r\n\r\n",
    ] {
        let outcome = outcome(post("transfer-encoding: chunked", chunks)).await;
        assert!(matches!(outcome.status, Some(400) | None), "{chunks:?}: {outcome:?}");
        // The upstream may have heard its beginning; it never hears a proper end.
        assert!(outcome.upstream.iter().all(|m| !m.whole), "{chunks:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn endless_trailers_are_cut_off() {
    let trailers = "x-a: 1\r\n".repeat(50_000);
    let outcome = outcome(post(
        "transfer-encoding: chunked\r\ntrailer: x-a",
        &format!("0\r\n{trailers}\r\n"),
    ))
    .await;
    assert!(outcome.upstream.iter().all(|m| !m.whole), "{:?}", outcome.status);
    assert!(matches!(outcome.status, Some(400) | None), "{:?}", outcome.status);
}

#[tokio::test]
async fn a_body_without_a_length_is_the_next_request() {
    let outcome =
        outcome("POST /p HTTP/1.1\r\nhost: a\r\n\r\nGET /n HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let starts: Vec<&str> = outcome.upstream.iter().map(|request| request.start()).collect();
    assert_eq!(starts, ["POST /p HTTP/1.1", "GET /n HTTP/1.1"]);
}

#[tokio::test]
async fn answers_whose_length_may_be_read_in_two_ways_are_genuine_failures() {
    for fields in [
        "content-length: 3\r\ncontent-length: 4",
        "content-length: 3, 4",
        "content-length: x",
        "x-a: 1\0",
        "x-a: 1\r\n folded",
    ] {
        let upstream = Upstream::answering(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nabc")).await;
        let drill = Drill::calm().before(&upstream);
        let answer = drill.ask(crate::support::GET).await;
        assert_eq!(answer.status(), 502, "{fields:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_answer_with_chunks_and_a_length_reaches_the_client_with_chunks_alone() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\n\r\n",
    )
    .await;
    let drill = Drill::calm().before(&upstream);

    let answer = drill.ask(crate::support::GET).await;

    assert_eq!(answer.all("content-length"), [""; 0]);
    assert_eq!(answer.text(), "abc");
}
