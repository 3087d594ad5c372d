//! WebSockets of clients over either version of HTTP to services over either.

use crate::{
    peer::{Asked, Client, Notes, Service, reset, send_all, whole},
    peers::{next, real_echo, say, tunnel},
    support::{Drill, Setup, Upstream},
};
use bytes::Bytes;
use firedrill::{
    event::{self, EndedBy},
    proxy::UpstreamHttp,
};
use futures_util::{SinkExt as _, StreamExt as _};
use h2::{Reason, RecvStream, SendStream, ext::Protocol};
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, split},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, client::IntoClientRequest as _, protocol::Role, protocol::frame::coding::CloseCode,
    },
};
use tokio_util::either::Either;

/// A client's socket.
type Socket = WebSocketStream<Either<TcpStream, DuplexStream>>;

/// What somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

use Version::{One, Two};

/// Each client with each service.
const ALL: [(Version, Version); 4] = [(One, One), (One, Two), (Two, One), (Two, Two)];

/// A service that says every message back, and a drill in front of it.
struct Stage {
    drill: Drill,
    heads: Notes,
    service: Option<Service>,
}

impl Stage {
    async fn set(mut setup: Setup, service: Version) -> Self {
        let heads = Notes::default();
        if service == One {
            setup.settings.http = UpstreamHttp::Http1;
            let (url, _) = real_echo().await;
            return Self { drill: setup.at(&url), heads, service: None };
        }
        setup.settings.http = UpstreamHttp::Http2;
        let notes = heads.clone();
        let service = Service::of(move |asked| echo(asked, notes.clone())).await;
        Self { drill: setup.at(&service.url()), heads, service: Some(service) }
    }

    async fn open(&self, version: Version) -> Socket {
        match version {
            One => {
                let stream = TcpStream::connect(self.drill.address()).await.expect("it accepts");
                let url = format!("ws://{}/chat", self.drill.address());
                let mut request = url.into_client_request().expect("a request");
                // As Java's client says.
                request.headers_mut().insert("content-length", "0".parse().expect("a value"));
                // The other service takes none.
                if self.service.is_some() {
                    let asked = "chat".parse().expect("a value");
                    request.headers_mut().insert("sec-websocket-protocol", asked);
                }
                // It looks whether its key is confirmed.
                let opened = tokio_tungstenite::client_async(request, Either::Left(stream)).await;
                opened.expect("it upgrades").0
            }
            Two => {
                let client = Client::to(self.drill.address()).await;
                let (answer, up) = ask(&client).await;
                let answer = answer.await.expect("an answer");
                assert_eq!(answer.status(), 200);
                for field in ["sec-websocket-accept", "connection", "upgrade"] {
                    assert!(!answer.headers().contains_key(field), "{answer:?}");
                }
                let stream = Either::Right(piped(answer.into_body(), up));
                WebSocketStream::from_raw_socket(stream, Role::Client, None).await
            }
        }
    }
}

/// Asks for a WebSocket on a stream.
async fn ask(client: &Client) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
    ask_with(client, &[]).await
}

/// The same, with these fields beside.
async fn ask_with(
    client: &Client,
    fields: &[(&'static str, &'static str)],
) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
    let mut sender = client.sender.clone().ready().await.expect("the connection is there");
    while !sender.is_extended_connect_protocol_enabled() {
        // It is said in the first frame.
        tokio::task::yield_now().await;
    }
    let request = Request::connect("http://shop.example/chat")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat");
    let mut request = request.body(()).expect("a request");
    for (name, value) in fields {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    sender.send_request(request, false).expect("a request")
}

/// A service over HTTP/2.
async fn echo((request, mut respond): Asked, heads: Notes) {
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let has_key = request.headers().contains_key("sec-websocket-key");
    let (method, uri) = (request.method(), request.uri());
    heads.add(format!("{method} {uri} {protocol:?} key: {has_key} {:?}", request.headers()));
    let answer = Response::builder().header("sec-websocket-protocol", "chat").body(());
    let stream = respond.send_response(answer.expect("a head"), false).expect("it is sent");
    let stream = piped(request.into_body(), stream);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A stream as bytes.
fn piped(mut recv: RecvStream, mut send: SendStream<Bytes>) -> DuplexStream {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (mut read, mut write) = split(far);
    tokio::spawn(async move {
        while let Some(Ok(data)) = recv.data().await {
            let _more = recv.flow_control().release_capacity(data.len());
            if write.write_all(&data).await.is_err() {
                return;
            }
        }
        let _gone = write.shutdown().await;
    });
    tokio::spawn(async move {
        let mut chunk = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = read.read(&mut chunk).await {
            send_all(&mut send, Bytes::copy_from_slice(&chunk[..count]), false).await;
        }
        let _gone = send.send_data(Bytes::new(), true);
    });
    near
}

#[tokio::test]
async fn a_socket_is_one_whatever_either_side_speaks() {
    for (client, service) in ALL {
        let stage = Stage::set(Drill::calm(), service).await;
        let mut socket = stage.open(client).await;

        let large = "x".repeat(300_000);
        for text in ["a", &large, "c"] {
            say(&mut socket, text).await;
            assert_eq!(next(&mut socket).await, Message::text(text), "{client:?} {service:?}");
        }
        socket.close(None).await.expect("it is open");
        while let Some(Ok(_)) = socket.next().await {}
        drop(socket);

        let exchange = stage.drill.exchange().await;
        assert_eq!((exchange.method.as_str(), exchange.status), ("GET", 101));
        assert_eq!(exchange.upstream, event::Upstream::Status(101));
        assert_eq!(exchange.http2.is_some(), client == Two);
        let told = tunnel(&stage.drill).await;
        assert_eq!((told.up.messages, told.down.messages), (3, 3), "{client:?} {service:?}");
        let close = told.close.expect("a close frame");
        assert_eq!(close.by, event::ClosedBy::Client);
        assert!(told.exchange.complete, "{client:?} {service:?} {told:?}");
        if service == Two {
            let head = stage.heads.all().remove(0);
            let begin = "CONNECT http://";
            assert!(
                head.starts_with(begin) && head.contains("/chat Some(\"websocket\")"),
                "{head}"
            );
            assert!(head.contains("key: false"), "{head}");
            assert!(head.contains("\"sec-websocket-protocol\": \"chat\""), "{head}");
            assert!(head.contains("\"sec-websocket-version\": \"13\""), "{head}");
        }
    }
}

#[tokio::test]
async fn faults_meet_the_messages_whatever_either_side_speaks() {
    for (client, service) in ALL {
        let fault = "websocket: { close: 1012, after: 1 messages, side: request }, \
                     target: { protocol: websocket, method: GET }";
        let stage = Stage::set(Drill::of(&[fault]), service).await;
        let mut socket = stage.open(client).await;

        say(&mut socket, "a").await;
        let mut close = None;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                close = frame;
            }
        }

        let close = close.unwrap_or_else(|| panic!("{client:?} {service:?}: no close frame"));
        assert_eq!(close.code, CloseCode::Restart);
        let told = tunnel(&stage.drill).await;
        assert_eq!(told.exchange.ended_by, EndedBy::ProxyFin, "{client:?} {service:?}");
        assert_eq!(told.exchange.dealt.len(), 1);
        assert_eq!(told.close.expect("a close").by, event::ClosedBy::Fault);
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_stall_is_let_go_whatever_it_speaks() {
    for (client, service) in ALL {
        let stage = Stage::set(Drill::of(&["websocket: { stall: yes }"]), service).await;
        let mut socket = stage.open(client).await;
        say(&mut socket, "a").await;
        stage.drill.hits("websocket:stall", 1).await;
        drop(socket);

        let told = tunnel(&stage.drill).await;
        assert_eq!(told.exchange.ended_by, EndedBy::ClientFin, "{client:?} {service:?}");
        assert!(!told.exchange.complete);
    }
}

#[tokio::test]
async fn an_edge_that_resets_connections_ends_sockets_whatever_either_side_speaks() {
    for (client, service) in ALL {
        let phases = ["{ name: a, for: 10m }", "{ name: b, for: 10m, connections: reset }"];
        let stage = Stage::set(Drill::phases(&phases), service).await;
        let mut socket = stage.open(client).await;
        say(&mut socket, "a").await;
        next(&mut socket).await;

        stage.drill.controls().skip();

        assert!(!matches!(socket.next().await, Some(Ok(_))), "{client:?} {service:?}");
        let told = tunnel(&stage.drill).await;
        assert_eq!(told.exchange.ended_by, EndedBy::PhaseEdge, "{client:?} {service:?}");
    }
}

#[tokio::test]
async fn a_handshake_is_refused_by_services_and_by_faults() {
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";
    let service = Upstream::answering(refusal).await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http1;
    let refused = [
        setup.before(&service),
        Drill::of(&["respond: { status: 403, body: no }, target: { protocol: websocket }"])
            .before(&service),
    ];
    for drill in refused {
        let client = Client::to(drill.address()).await;
        let (answer, _up) = ask(&client).await;
        let got = whole(answer.await.expect("an answer")).await.expect("all of it");
        assert_eq!((got.status, &got.body[..]), (403, &b"no"[..]));
        assert!(crate::peers::tunnels(&drill).is_empty());
    }

    let service = Service::of(|(_, mut respond): Asked| async move {
        let answer = Response::builder().status(403).body(()).expect("an answer");
        let mut body = respond.send_response(answer, false).expect("it is sent");
        body.send_data("no".into(), true).expect("it is sent");
    })
    .await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http2;
    let drill = setup.at(&service.url());
    let answer = drill.ask(UPGRADE).await;
    assert_eq!((answer.status(), answer.text().as_str()), (403, "no"));
}

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: shop\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn a_service_of_http2_that_opens_none_is_told_of() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.expect("a connection");
        let mut connection = h2::server::handshake(io).await.expect("a handshake");
        let _nothing = connection.accept().await;
    });
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http2;
    let drill = setup.at(&url);

    let answer = drill.ask(UPGRADE).await;

    assert_eq!(answer.status(), 502);
    assert!(answer.text().contains("upstream_http: http1"), "{}", answer.text());
}

#[tokio::test]
async fn a_service_that_confirms_another_key_is_not_believed() {
    let service = Upstream::answering(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )
    .await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http1;
    let drill = setup.before(&service);
    let client = Client::to(drill.address()).await;

    let (answer, _up) = ask(&client).await;

    assert_eq!(answer.await.expect("an answer").status(), 502);
    let head = service.requests().remove(0);
    assert_eq!(head.field("sec-websocket-key").expect("a key").len(), 24);
}

#[tokio::test]
async fn a_reset_at_one_end_is_one_at_the_other() {
    // The service's, whose connection breaks.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, mut told) = tokio::sync::mpsc::channel(2);
    tokio::spawn(async move {
        for breaks in [true, false] {
            let (io, _) = listener.accept().await.expect("a connection");
            let mut socket = tokio_tungstenite::accept_async(io).await.expect("a handshake");
            if breaks {
                socket.get_ref().set_zero_linger().expect("a socket");
                continue;
            }
            let _told = tell.send(socket.next().await).await;
        }
    });
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http1;
    let drill = setup.at(&url);
    let client = Client::to(drill.address()).await;
    let (answer, _up) = ask(&client).await;
    let mut down = answer.await.expect("an answer").into_body();
    let error = down.data().await.expect("an end").expect_err("it is reset");
    assert_eq!(reset(&error), Some(Reason::CANCEL));

    // The client's, on one stream of its connection.
    let (answer, mut up) = ask(&client).await;
    let down = answer.await.expect("an answer").into_body();
    up.send_reset(Reason::CANCEL);
    let heard = told.recv().await.expect("the service is there");
    assert!(matches!(heard, None | Some(Err(_))), "{heard:?}");
    drop(down);
    let over = || Some(crate::peers::tunnels(&drill)).filter(|tunnels| tunnels.len() == 2);
    let tunnels = crate::support::eventually("both are told of", over).await;
    let ends: Vec<_> = tunnels.iter().map(|tunnel| tunnel.exchange.ended_by).collect();
    assert_eq!(ends, [EndedBy::UpstreamRst, EndedBy::ClientRst]);
    assert!(!client.task.is_finished(), "the connection goes on");
}

#[tokio::test]
async fn a_drain_ends_sockets_on_streams() {
    let stage = Stage::set(Drill::calm(), One).await;
    let mut socket = stage.open(Two).await;
    say(&mut socket, "a").await;
    next(&mut socket).await;

    stage.drill.proxy.drain(std::time::Duration::from_secs(5)).await;

    assert!(!matches!(socket.next().await, Some(Ok(_))));
    let told = tunnel(&stage.drill).await;
    assert_eq!((told.exchange.ended_by, told.exchange.complete), (EndedBy::ProxyFin, true));
}

/// A service that believed it would take the next client's request for the body.
#[tokio::test]
async fn a_handshake_on_a_stream_announces_no_body_and_shares_no_connection() {
    let service =
        Upstream::answering("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno").await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http1;
    let drill = setup.before(&service);
    let client = Client::to(drill.address()).await;

    let fields = [("content-length", "44"), ("trailer", "x"), ("expect", "100-continue")];
    let (answer, _up) = ask_with(&client, &fields).await;
    let got = whole(answer.await.expect("an answer")).await.expect("all of it");
    assert_eq!((got.status, &got.body[..]), (404, &b"no"[..]));
    assert_eq!(client.get("/other").await.expect("an answer").status, 404);

    let [handshake, other] = &service.requests()[..] else { panic!("two requests") };
    for (field, _) in fields {
        assert_eq!(handshake.field(field), None, "{field}");
    }
    assert_eq!(other.start(), "GET /other HTTP/1.1");
    assert_eq!(service.connections(), 2);
    // Another one is shared as ever.
    assert_eq!(client.get("/").await.expect("an answer").status, 404);
    assert_eq!(service.connections(), 2);
}

#[tokio::test]
async fn no_answer_but_101_opens_a_socket_on_a_stream() {
    let service = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http1;
    let drill = setup.before(&service);
    let client = Client::to(drill.address()).await;

    let (answer, _up) = ask(&client).await;

    let got = whole(answer.await.expect("an answer")).await.expect("all of it");
    assert_eq!(got.status, 502);
    assert!(String::from_utf8_lossy(&got.body).contains("200 OK, which grants none"), "{got:?}");
    assert_eq!(got.header("x-firedrill"), "genuine=not_switched");
    let exchange = drill.exchange().await;
    assert_eq!((exchange.status, exchange.upstream), (502, event::Upstream::Status(200)));

    // A fault's neither, though over HTTP/1 it is what it says.
    let mut setup = Drill::of(&["respond: { status: 200, body: ok }"]);
    setup.settings.http = UpstreamHttp::Http1;
    let drill = setup.before(&service);
    let client = Client::to(drill.address()).await;
    let (answer, _up) = ask(&client).await;
    let got = whole(answer.await.expect("an answer")).await.expect("all of it");
    assert_eq!(got.status, 502);
    assert!(String::from_utf8_lossy(&got.body).contains("the fault answers with 200"), "{got:?}");
    assert!(got.header("x-firedrill").contains("fault=respond"), "{got:?}");
    assert_eq!(client.get("/").await.expect("an answer").status, 200);
    assert_eq!(drill.ask(UPGRADE).await.status(), 200);
}

#[tokio::test]
async fn a_client_that_ends_its_stream_and_goes_is_noticed_though_the_service_is_silent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.expect("a connection");
        let mut socket = tokio_tungstenite::accept_async(io).await.expect("a handshake");
        let _told = tell.send(socket.next().await.is_none_or(|heard| heard.is_err()));
        std::future::pending::<()>().await;
    });
    let mut setup = Drill::calm();
    setup.settings.http = UpstreamHttp::Http1;
    let drill = setup.at(&url);
    let client = Client::to(drill.address()).await;
    let (answer, mut up) = ask(&client).await;
    let _down = answer.await.expect("an answer");
    up.send_data(Bytes::new(), true).expect("it is sent");
    assert!(told.await.expect("it is heard"), "half-close is kept");
    assert!(crate::peers::tunnels(&drill).is_empty(), "the other half is open");

    client.task.abort();

    let told = tunnel(&drill).await;
    assert_eq!(told.exchange.ended_by, EndedBy::ClientFin);
}

#[tokio::test]
async fn a_handshake_with_a_body_is_refused_where_that_has_no_place() {
    let stage = Stage::set(Drill::calm(), Two).await;
    let head = UPGRADE.trim_end();

    let answer = stage.drill.ask(format!("{head}\r\ncontent-length: 2\r\n\r\nhi")).await;

    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("with a body"), "{}", answer.text());
    assert!(stage.heads.all().is_empty());
}
