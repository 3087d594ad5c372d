//! Connections to upstreams over HTTP/2: few, with room, and never a request twice.

use crate::{
    http2::peer::{Asked, Client, Notes, Service, get, ok, whole},
    support::{Drill, GET, OK, Wire, eventually},
};
use bytes::Bytes;
use firedrill::proxy::{Connector, TlsRoots, TlsSettings, UpstreamHttp};
use h2::Reason;
use http::{Request, Response};
use rcgen::{CertificateParams, KeyPair};
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

#[tokio::test]
async fn no_connection_carries_more_than_the_upstream_allows() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let notes = Notes::default();
    let heard = notes.clone();
    tokio::spawn(async move {
        let mut nth = 0;
        while let Ok((stream, _)) = listener.accept().await {
            nth += 1;
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                let mut connection = builder
                    .max_concurrent_streams(2)
                    .handshake::<_, Bytes>(stream)
                    .await
                    .expect("h2");
                while let Some(Ok(asked)) = connection.accept().await {
                    heard.add(format!("{nth}"));
                    tokio::spawn(async move {
                        sleep(Duration::from_millis(300)).await;
                        ok(asked).await;
                    });
                }
            });
        }
    });
    let drill = Drill::calm().at(&format!("http://{address}"));
    let client = Client::to(drill.address()).await;
    client.get("/").await.expect("what is allowed is known now");
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(client.start(get("/")).await);
    }
    for answer in answers {
        assert_eq!(whole(answer.await.expect("an answer")).await.expect("all of it").status, 200);
    }
    let mut all = notes.all();
    all.sort();
    assert_eq!(all[..3], ["1", "1", "1"], "{all:?}");
    assert!(all.len() == 6 && all[5] != "1", "{all:?}");
}

#[tokio::test]
async fn what_is_left_of_an_upload_after_its_answer_arrives_and_the_clients_connection_goes_on() {
    let heard = Notes::default();
    let ear = heard.clone();
    let service = Service::of(move |(request, mut respond)| {
        let ear = ear.clone();
        async move {
            respond.send_response(Response::new(()), true).expect("a stream");
            let (mut body, mut got) = (request.into_body(), Vec::new());
            while let Some(Ok(data)) = body.data().await {
                got.extend_from_slice(&data);
            }
            ear.add(String::from_utf8_lossy(&got));
        }
    })
    .await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http2;
    let drill = setup.at(&service.url());
    let mut client = drill.client().await;

    for body in ["one", "two", "six"] {
        let head = client.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n").await;
        assert_eq!((head.status(), head.field("connection")), (200, None));
        client.send(body).await;
    }

    let all = || (heard.all().len() == 3).then(|| heard.all());
    assert_eq!(eventually("all arrive", all).await, ["one", "two", "six"]);
}

#[tokio::test]
async fn a_connection_that_ended_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let ended = Notes::default();
    let heard = ended.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut connection = h2::server::handshake(stream).await.expect("a handshake");
            // One request for each connection.
            let asked = connection.accept().await.expect("a request").expect("a request");
            ok(asked).await;
            connection.graceful_shutdown();
            while connection.accept().await.is_some() {}
            heard.add("ended");
        }
    });
    let drill = Drill::calm().at(&format!("http://{address}"));
    let client = Client::to(drill.address()).await;
    for nth in 1..=5 {
        assert_eq!(client.get("/").await.expect("an answer").status, 200);
        eventually("it ends", || (ended.all().len() == nth).then_some(())).await;
    }
}

/// A service that tells its first connection, at the first request on it, that it looked at none, and
/// is proper on all others.
async fn leaving() -> (SocketAddr, Notes) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let notes = Notes::default();
    let heard = notes.clone();
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.expect("a connection");
        // SETTINGS, and then GOAWAY with NO_ERROR that covers no stream.
        first.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("it is taken");
        read_until_headers(&mut first).await;
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        first.write_all(&goaway).await.expect("it is taken");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut connection = h2::server::handshake(stream).await.expect("a handshake");
            let heard = heard.clone();
            tokio::spawn(async move {
                while let Some(Ok(asked)) = connection.accept().await {
                    heard.add(asked.0.uri().path());
                    tokio::spawn(ok(asked));
                }
            });
        }
    });
    (address, notes)
}

async fn read_until_headers(stream: &mut TcpStream) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.expect("a preface");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.expect("a frame");
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.expect("a payload");
        if head[3] == 1 {
            return;
        }
    }
}

#[tokio::test]
async fn what_a_goaway_does_not_cover_goes_out_once_more_if_it_has_no_body() {
    let (address, heard) = leaving().await;
    let drill = Drill::calm().at(&format!("http://{address}"));
    let client = Client::to(drill.address()).await;

    let got = timeout(Duration::from_secs(10), client.get("/a")).await.expect("in time");

    assert_eq!(got.expect("an answer").status, 200);
    assert_eq!(heard.all(), ["/a"]);

    let (address, heard) = leaving().await;
    let drill = Drill::calm().at(&format!("http://{address}"));
    let client = Client::to(drill.address()).await;
    let post = Request::post("http://shop.example/b").body(()).expect("a request");
    let got = timeout(Duration::from_secs(10), client.post(post, "x".into(), None)).await;
    assert_eq!(got.expect("in time").expect("an answer").status, 502);
    assert_eq!(heard.all(), Vec::<String>::new());
}

#[tokio::test]
async fn a_request_whose_connection_broke_is_not_sent_again() {
    let notes = Notes::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let heard = notes.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("it is taken");
            read_until_headers(&mut stream).await;
            heard.add("a request");
        }
    });
    let drill = Drill::calm().at(&format!("http://{address}"));
    let client = Client::to(drill.address()).await;

    let got = client.get("/").await.expect("an answer");

    assert_eq!((got.status, got.header("x-firedrill")), (502, "genuine=broken"));
    assert_eq!(notes.all(), ["a request"]);
}

/// A service behind TLS that takes one of these protocols.
async fn behind_tls(protocols: &[&str]) -> u16 {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a key that fits");
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let mut connection = h2::server::handshake(stream).await.expect("h2");
                    while let Some(Ok(asked)) = connection.accept().await {
                        says_two(asked);
                    }
                    return;
                }
                let mut wire = Wire::over(stream);
                while wire.request().await.is_some() {
                    wire.send(OK).await;
                }
            });
        }
    });
    port
}

fn says_two((request, mut respond): Asked) {
    let mut head = Response::new(());
    *head.status_mut() = http::StatusCode::ACCEPTED;
    let scheme = request.uri().scheme_str().unwrap_or("none").parse().expect("a value");
    head.headers_mut().insert("x-scheme", scheme);
    let _gone = respond.send_response(head, true);
}

#[tokio::test]
async fn behind_tls_the_upstream_chooses() {
    for (protocols, http, one, two) in [
        // 202 is an answer over HTTP/2, 200 one over HTTP/1.
        (&["h2", "http/1.1"][..], UpstreamHttp::Same, 200, 202),
        (&["http/1.1"], UpstreamHttp::Same, 200, 200),
        (&["h2", "http/1.1"], UpstreamHttp::Http1, 200, 200),
        (&["h2", "http/1.1"], UpstreamHttp::Http2, 202, 202),
        (&["http/1.1"], UpstreamHttp::Http2, 502, 502),
    ] {
        let port = behind_tls(protocols).await;
        let url = format!("https://localhost:{port}").parse().expect("a URL");
        let tls = TlsSettings { roots: TlsRoots::Anybody, ..TlsSettings::default() };
        let mut setup = Drill::calm();
        setup.settings.http = http;
        let drill = setup.through(Connector::new(&url, &tls).expect("a connector"));
        let client = Client::to(drill.address()).await;
        for _ in 0..3 {
            assert_eq!(drill.ask(GET).await.status(), one, "{protocols:?} {http:?}");
            let got = client.get("/").await.expect("an answer");
            assert_eq!(got.status, two, "{protocols:?} {http:?}");
            if two == 202 {
                assert_eq!(got.header("x-scheme"), "https");
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_that_speaks_only_http1_is_a_bad_gateway() {
    let upstream = crate::support::Upstream::answering(OK).await;
    let drill = Drill::calm().before(&upstream);
    let client = Client::to(drill.address()).await;
    let got = timeout(Duration::from_secs(10), client.get("/")).await.expect("in time");
    let got = got.expect("an answer");
    assert_eq!(got.status, 502);
    let text = String::from_utf8_lossy(&got.body);
    assert!(text.contains("HTTP/2") && text.contains("`upstream_http: http1`"), "{text}");
}

#[tokio::test]
async fn an_upstream_that_speaks_only_http2_says_what_to_set() {
    let service = Service::echo().await;
    let drill = Drill::calm().at(&format!("http://{}", service.address));
    let got = drill.ask(GET).await;
    assert_eq!(got.status(), 502);
    assert!(got.text().contains("`upstream_http: http2`"), "{}", got.text());
}

/// A client that reset too much is told to calm down; others are not to pay for it.
#[tokio::test]
async fn a_connection_that_was_told_to_calm_down_is_not_used_again() {
    let service = Service::of(|(_, mut respond): Asked| async move {
        respond.send_reset(Reason::ENHANCE_YOUR_CALM);
    })
    .await;
    let drill = Drill::calm().at(&format!("http://{}", service.address));
    let client = Client::to(drill.address()).await;
    for _ in 0..3 {
        let got = timeout(Duration::from_secs(10), client.get("/")).await.expect("in time");
        assert_eq!(got.expect_err("a reset").reason(), Some(Reason::ENHANCE_YOUR_CALM));
    }
    assert_eq!(service.connections.load(Ordering::Relaxed), 3);
}
