//! HTTP/2 over TLS, as clients and proxy agree by ALPN.

use super::Secured;
use crate::support::{Drill, OK, Upstream};
use bytes::Bytes;
use http::{Request, Version};

#[tokio::test]
async fn a_client_that_offers_http2_gets_it() {
    let upstream = Upstream::answering(OK).await;
    let mut secured = Secured::before(Drill::calm(), &upstream);
    secured.config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let io = secured.client().await.into_io();
    assert_eq!(io.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    let (send, connection) = h2::client::handshake(io).await.expect("a handshake");
    let connection = tokio::spawn(connection);
    let mut send = send.ready().await.expect("a connection");
    let request = Request::get("https://shop.example/").body(()).expect("a request");
    let (response, _) = send.send_request(request, true).expect("a stream");
    let response = response.await.expect("an answer");
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 200));
    let mut body = response.into_body();
    assert_eq!(body.data().await.expect("a body").expect("whole"), Bytes::from_static(b"ok"));

    drop((send, body));
    let exchange = secured.drill.exchange().await;
    assert!(exchange.complete, "{exchange:?}");
    // It says goodbye, and waits for nobody.
    connection.await.expect("no panic").expect("a clean end");
}
