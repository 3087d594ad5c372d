//! What no well-meaning client sends.

use crate::{
    allowing,
    support::{Drill, OK, Upstream},
};

#[tokio::test]
async fn what_names_no_host_is_told_what_to_do() {
    let upstream = Upstream::answering(OK).await;
    let drill = allowing(Drill::calm(), "*:*");
    let long = "a".repeat(60_000);
    for (request, says) in [
        ("GET / HTTP/1.1\r\nhost: shop\r\n\r\n".to_owned(), "HTTP_PROXY"),
        ("OPTIONS * HTTP/1.1\r\nhost: shop\r\n\r\n".to_owned(), "HTTP_PROXY"),
        ("GET ftp://shop/ HTTP/1.1\r\nhost: shop\r\n\r\n".to_owned(), "`ftp:`"),
        ("GET http://me:pw@shop/ HTTP/1.1\r\nhost: shop\r\n\r\n".to_owned(), "user name"),
        ("CONNECT me@shop:443 HTTP/1.1\r\nhost: shop\r\n\r\n".to_owned(), "user name"),
        ("CONNECT shop:0 HTTP/1.1\r\n\r\n".to_owned(), "no host and a port"),
        ("CONNECT shop:70000 HTTP/1.1\r\n\r\n".to_owned(), "no host and a port"),
        ("CONNECT shop HTTP/1.1\r\n\r\n".to_owned(), "no host and a port"),
        ("CONNECT /shop HTTP/1.1\r\n\r\n".to_owned(), "nothing else"),
        (format!("CONNECT {long}:443 HTTP/1.1\r\n\r\n"), "no host and a port"),
        ("CONNECT shop:1 HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody".to_owned(), "no body"),
        (
            "CONNECT shop:1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "no body",
        ),
        (
            format!("GET http://{}/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", upstream.address),
            "more than one host",
        ),
    ] {
        let shown = &request[..request.len().min(60)];
        let answer = drill.ask(&request).await;
        assert_eq!(answer.status(), 400, "{shown:?}: {}", answer.text());
        assert!(answer.text().contains(says), "{shown:?}: {}", answer.text());
        assert_eq!(answer.field("x-firedrill"), Some("genuine=refused"), "{shown:?}");
    }
    assert_eq!(upstream.connections(), 0);
}
