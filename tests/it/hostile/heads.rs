//! Heads that are none.

use crate::hostile::{outcome, refused};

fn with_field(field: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\n")
}

#[tokio::test]
async fn fields_that_are_none_are_refused() {
    for field in [
        "x-a: 1\0",
        "x-a: a\rb: c",
        "x a: 1",
        "x-a : 1",
        ": 1",
        "x-a",
        " x-a: 1",
        "x-a: 1\r\n folded",
        "x-a: 1\r\n\tfolded",
        "x-\u{e9}: 1",
        "x-(a): 1",
        "x-a: \u{7f}",
    ] {
        refused(with_field(field), 400).await;
    }
}

#[tokio::test]
async fn request_lines_that_are_none_are_refused() {
    for line in [
        "GET /",
        "GET / HTTP/1.1 x",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.2",
        "GET / HTTP/0.9",
        "GET / http/1.1",
        "G\u{e9}T / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET a HTTP/1.1",
        "/ GET HTTP/1.1",
    ] {
        refused(format!("{line}\r\nhost: a\r\n\r\n"), 400).await;
    }
}

#[tokio::test]
async fn more_than_one_host_is_refused() {
    refused("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400).await;
    refused("GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n", 400).await;
    refused("GET http://a/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400).await;
}

fn fields(count: usize) -> String {
    (0..count).fold(String::new(), |fields, n| fields + &format!("x-{n}: 1\r\n"))
}

#[tokio::test]
async fn too_many_or_too_large_fields_are_refused() {
    let many = fields(10_000);
    refused(format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), 431).await;
    let many = fields(300);
    refused(format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), 431).await;
    refused(with_field(&format!("x-a: {}", "v".repeat(1 << 20))), 431).await;
    refused(with_field(&format!("{}: v", "n".repeat(70_000))), 431).await;
    refused(format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "p".repeat(1 << 20)), 431).await;
}

#[tokio::test]
async fn what_is_not_http_at_all_is_refused() {
    // The beginning of a TLS 1.2 ClientHello.
    let hello = [&[0x16, 3, 1, 0, 0xf4, 1, 0, 0, 0xf0, 3, 3][..], &[7; 32], &[0; 201]].concat();
    refused(hello, 400).await;
    refused("SSH-2.0-OpenSSH_9.6\r\n", 400).await;
    refused("\u{1}\u{2}\u{3}garbage\r\n\r\n", 400).await;
    let noise: Vec<u8> =
        (0..5_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    refused(noise, 400).await;
    refused("{\"json\": true}\r\n\r\n", 400).await;
}

#[tokio::test]
async fn half_a_preface_of_http_2_is_no_request() {
    let outcome = outcome("PRI * HTTP/2.0\r\n\r\nSM\r\n\n").await;
    assert!(outcome.upstream.is_empty(), "{outcome:?}");
    assert!(matches!(outcome.status, None | Some(400)), "{outcome:?}");
}

#[tokio::test]
async fn a_head_that_breaks_off_reaches_nobody() {
    for begin in ["G", "GET /", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: a\r\nx-"] {
        let outcome = outcome(begin).await;
        assert!(outcome.upstream.is_empty(), "{outcome:?}");
        assert!(matches!(outcome.status, None | Some(400)), "{outcome:?}");
    }
    let nothing = outcome("").await;
    assert_eq!((nothing.status, nothing.end), (None, crate::support::End::Fin));
}

#[tokio::test]
async fn bare_line_feeds_reach_the_upstream_as_proper_ends_of_lines() {
    let outcome = outcome("GET /lf HTTP/1.1\nhost: a\nx-a: 1\n\n").await;
    assert_eq!(outcome.status, Some(200));
    assert_eq!(outcome.upstream[0].head, "GET /lf HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n\r\n");
}

#[tokio::test]
async fn what_follows_a_refused_request_is_not_served() {
    let outcome = outcome(
        "GET / HTTP/1.1\r\nhost: a\r\nbad\0: 1\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
    )
    .await;
    assert_eq!(outcome.status, Some(400));
    assert!(outcome.upstream.is_empty(), "{outcome:?}");
}
