//! Heads, both ways.

use crate::support::{Drill, GET, OK, Upstream};

/// What the upstream gets of a request.
async fn forwarded(request: &str) -> String {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    drill.ask(request).await;
    upstream.request().head
}

/// What the client gets of an answer.
async fn returned(answer: &str) -> String {
    let upstream = Upstream::answering(answer).await;
    let drill = Drill::calm().before(&upstream);
    drill.ask(GET).await.head
}

#[tokio::test]
async fn a_request_reaches_the_upstream_byte_for_byte() {
    let request = "PURGE /a%2Fb/../c//d;e=f?q=%20+x&&y=[1]|{2} HTTP/1.1\r\n\
        HOST: shop:8080\r\n\
        X-b: 2\r\n\
        x-A:  1 \r\n\
        UsEr-AgEnT: test\r\n\
        X-empty:\r\n\
        X-Latin: caf\u{e9}\r\n\
        \r\n";
    let request: String = request.into();

    let got = forwarded(&request).await;

    // Only the space around a value is written anew.
    let wanted = request.replace("x-A:  1 ", "x-A: 1");
    assert_eq!(got, wanted);
}

#[tokio::test]
async fn an_answer_reaches_the_client_byte_for_byte() {
    let answer = "HTTP/1.1 299 Very Fine, Thanks\r\n\
        X-Z: 1\r\n\
        SERVER: x\r\n\
        x-a: 2\r\n\
        Content-Length: 2\r\n\
        \r\n\
        ok";

    let got = returned(answer).await;

    assert_eq!(got, answer.trim_end_matches("ok"));
}

#[tokio::test]
async fn nothing_is_added_and_no_date_made_up() {
    assert_eq!(forwarded(GET).await, GET);
    assert_eq!(returned(OK).await, OK.trim_end_matches("ok"));
}

#[tokio::test]
async fn repeated_fields_keep_their_values_in_order() {
    let request = "GET / HTTP/1.1\r\nhost: a\r\nCookie: a=1\r\nx-n: 0\r\ncookie: b=2\r\n\r\n";
    let got = forwarded(request).await;
    // Grouped where the first of them stood.
    assert_eq!(got, "GET / HTTP/1.1\r\nhost: a\r\nCookie: a=1\r\ncookie: b=2\r\nx-n: 0\r\n\r\n");

    let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nSET-COOKIE: c=3\r\n\
        content-length: 0\r\n\r\n";
    assert_eq!(returned(answer).await, answer);
}

#[tokio::test]
async fn the_target_may_be_absolute_and_then_names_the_host() {
    let got =
        forwarded("GET http://shop.example:81/a?b HTTP/1.1\r\nX: 1\r\nHost: other\r\n\r\n").await;
    assert_eq!(got, "GET /a?b HTTP/1.1\r\nX: 1\r\nHost: shop.example:81\r\n\r\n");
}

#[tokio::test]
async fn options_may_be_about_everything() {
    let request = "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(forwarded(request).await, request);
}

#[tokio::test]
async fn what_belongs_to_a_connection_stays_on_it() {
    let got = forwarded(
        "GET / HTTP/1.1\r\nhost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
         Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nTE: deflate\r\nx-end: 1\r\n\r\n",
    )
    .await;
    assert_eq!(got, "GET / HTTP/1.1\r\nhost: a\r\nx-end: 1\r\n\r\n");

    let got = returned(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-hop\r\nx-hop: 1\r\nKeep-Alive: timeout=5\r\n\
         content-length: 2\r\n\r\nok",
    )
    .await;
    assert_eq!(got, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
}

#[tokio::test]
async fn te_trailers_keeps_its_place() {
    let request = "GET / HTTP/1.1\r\nhost: a\r\nTE: trailers\r\nx-end: 1\r\n\r\n";
    assert_eq!(forwarded(request).await, request);
}

#[tokio::test]
async fn an_old_client_is_passed_on_as_one() {
    for request in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost: shop\r\n\r\n"] {
        assert_eq!(forwarded(request).await, request);
    }
}

#[tokio::test]
async fn an_old_client_gets_an_old_answer_and_a_fin() {
    for answer in [
        "HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX-A: 1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-length: 5\r\n\r\nhello",
    ] {
        let upstream = Upstream::scripted(move |mut wire, log| async move {
            log.got(wire.request().await.expect("a request"));
            wire.send(answer).await;
        })
        .await;
        let drill = Drill::calm().before(&upstream);
        let mut client = drill.client().await;

        client.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
        let (bytes, end) = client.rest().await;

        let text = String::from_utf8(bytes).expect("text");
        assert!(text.starts_with("HTTP/1.0 200 OK\r\nX-A: 1\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nhello"), "{text}");
        assert!(!text.contains("chunked"), "{text}");
        assert_eq!(end, crate::support::End::Fin);
    }
}

#[tokio::test]
async fn an_old_client_may_keep_its_connection() {
    let upstream = Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let mut client = drill.client().await;
    let request = "GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n";

    for _ in 0..2 {
        let answer = client.ask(request).await;
        assert_eq!(answer.text(), "ok");
        assert_eq!(answer.field("connection"), Some("keep-alive"));
    }
}

#[tokio::test]
async fn a_request_without_a_host_is_the_upstreams_to_refuse() {
    let request = "GET / HTTP/1.1\r\nx-a: 1\r\n\r\n";
    assert_eq!(forwarded(request).await, request);
}

#[tokio::test]
async fn the_host_is_the_upstreams_own_if_it_is_to_be() {
    let upstream = Upstream::answering(OK).await;
    let mut setup = Drill::calm();
    setup.settings.host = firedrill::proxy::HostHeader::Rewrite;
    let drill = setup.before(&upstream);

    drill.ask("GET / HTTP/1.1\r\nX-A: 1\r\nHost: shop\r\nX-B: 2\r\n\r\n").await;

    let host = upstream.address;
    let wanted = format!("GET / HTTP/1.1\r\nX-A: 1\r\nHost: {host}\r\nX-B: 2\r\n\r\n");
    assert_eq!(upstream.request().head, wanted);
}

#[tokio::test]
async fn redirects_and_errors_are_the_clients_to_see() {
    for status in ["301 Moved Permanently", "404 Not Found", "500 Internal Server Error"] {
        let answer = format!("HTTP/1.1 {status}\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(returned(&answer).await, answer);
    }
}

#[tokio::test]
async fn many_and_large_fields_pass() {
    let fields: String =
        (0..200).fold(String::new(), |all, n| all + &format!("x-{n}: {}\r\n", "v".repeat(150)));
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    assert_eq!(forwarded(&request).await, request);

    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{fields}\r\n");
    assert_eq!(returned(&answer).await, answer);
}
