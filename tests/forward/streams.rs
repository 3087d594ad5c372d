//! Clients that speak HTTP/2 with their proxy, and those that speak TLS with it.

use crate::{
    allowing, connect,
    inside::{intercepting, shake_over},
    peer::{Client, reset},
    support::{Drill, End, OK, Upstream, eventually},
};
use bytes::Bytes;
use firedrill::event::{Connection, Did, EndedBy, Event};
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use std::net::SocketAddr;

/// A service that sends everything back until its peer ends.
async fn echo() -> Upstream {
    Upstream::scripted(|mut wire, _| async move {
        while let Some(bytes) = wire.some().await {
            if wire.try_send(bytes).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// Asks for a tunnel on a stream.
async fn ask(
    client: &Client,
    place: SocketAddr,
) -> (Result<Response<RecvStream>, h2::Error>, SendStream<Bytes>) {
    let mut sender = client.sender.clone().ready().await.expect("the connection is there");
    let request = Request::connect(place.to_string()).body(()).expect("a request");
    let (answer, up) = sender.send_request(request, false).expect("a request");
    (answer.await, up)
}

async fn tunnel(client: &Client, place: SocketAddr) -> (RecvStream, SendStream<Bytes>) {
    let (answer, up) = ask(client, place).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 200);
    (answer.into_body(), up)
}

/// The next so many bytes.
async fn take(down: &mut RecvStream, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let data = down.data().await.expect("more").expect("no reset");
        let _more = down.flow_control().release_capacity(data.len());
        all.extend_from_slice(&data);
    }
    all
}

/// Whether nothing more comes.
async fn is_over(down: &mut RecvStream) -> bool {
    // Its end may stand alone.
    match down.data().await {
        Some(data) => data.expect("no reset").is_empty() && down.is_end_stream(),
        None => true,
    }
}

/// Waits until so many tunnels are told of.
async fn told(drill: &Drill, count: usize) -> Vec<Connection> {
    let look = || {
        let only = |event| match event {
            Event::Connection(connection) => Some(connection),
            _ => None,
        };
        let all: Vec<_> = drill.events().into_iter().filter_map(only).collect();
        (all.len() >= count).then_some(all)
    };
    eventually("the tunnels are told of", look).await
}

fn calm() -> Drill {
    allowing(Drill::calm(), "127.0.0.1:*")
}

#[tokio::test]
async fn a_request_on_a_stream_goes_to_the_host_that_it_names() {
    let service = Upstream::answering(OK).await;
    let drill = calm();
    let client = Client::to(drill.address()).await;
    let url = format!("http://{}/a?b", service.address);

    let got = client.ask(Request::get(url).body(()).expect("a request")).await.expect("an answer");

    assert_eq!((got.status, &got.body[..]), (200, &b"ok"[..]));
    let seen = service.request();
    assert_eq!(seen.start(), "GET /a?b HTTP/1.1");
    assert_eq!(seen.field("host"), Some(service.address.to_string().as_str()));
}

#[tokio::test]
async fn streams_are_tunnels_each_with_its_own_end() {
    let service = echo().await;
    let drill = calm();
    let client = Client::to(drill.address()).await;
    let (mut down, mut up) = tunnel(&client, service.address).await;
    let (mut other_down, mut other_up) = tunnel(&client, service.address).await;

    up.send_data("\0\x16\x03 no HTTP".into(), false).expect("it is sent");
    assert_eq!(take(&mut down, 11).await, b"\0\x16\x03 no HTTP");
    up.send_data(Bytes::new(), true).expect("it is sent");
    assert!(is_over(&mut down).await, "its end is one of the other side");
    other_up.send_data("still there".into(), true).expect("it is sent");
    assert_eq!(take(&mut other_down, 11).await, b"still there");
    assert!(is_over(&mut other_down).await);

    let exchanges = drill.exchanges(2).await;
    assert!(exchanges.iter().all(|it| it.complete && it.status == 200 && it.http2.is_some()));
    for connection in told(&drill, 2).await {
        let relay = connection.relay.expect("what it carried");
        assert_eq!((relay.up, relay.down, connection.ended_by), (11, 11, EndedBy::ClientFin));
        assert_eq!((connection.id, relay.user), (exchanges[0].conn, exchanges[0].user));
    }
}

#[tokio::test]
async fn more_than_a_window_passes_and_none_of_it_is_lost() {
    let service = echo().await;
    let drill = calm();
    let client = Client::to(drill.address()).await;
    let (mut down, mut up) = tunnel(&client, service.address).await;
    let all = Bytes::from((0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect::<Vec<u8>>());

    let sent = crate::peer::send_all(&mut up, all.clone(), true);
    let (got, ()) = tokio::join!(take(&mut down, all.len()), sent);

    assert!(got == all, "it comes back as it was");
    assert!(is_over(&mut down).await);
}

#[tokio::test]
async fn a_reset_at_either_end_is_one_at_the_other() {
    let (tell, mut heard) = tokio::sync::mpsc::channel(2);
    let service = Upstream::scripted(move |mut wire, _| {
        let tell = tell.clone();
        async move {
            if wire.some().await == Some(b"break".to_vec()) {
                return wire.reset();
            }
            let _told = tell.send(wire.end().await).await;
        }
    })
    .await;
    let drill = calm();
    let client = Client::to(drill.address()).await;

    let (mut down, mut up) = tunnel(&client, service.address).await;
    up.send_data("break".into(), false).expect("it is sent");
    let error = down.data().await.expect("an end").expect_err("it is reset");
    assert_eq!(reset(&error), Some(Reason::CONNECT_ERROR));

    let (_down, mut up) = tunnel(&client, service.address).await;
    up.send_data("stay".into(), false).expect("it is sent");
    while drill.proxy.meters().read().to_upstream < 9 {
        tokio::task::yield_now().await;
    }
    up.send_reset(Reason::CANCEL);
    assert_eq!(heard.recv().await, Some(End::Reset));

    let ends: Vec<_> = told(&drill, 2).await.iter().map(|connection| connection.ended_by).collect();
    assert_eq!(ends, [EndedBy::UpstreamRst, EndedBy::ClientRst]);
    assert!(!client.task.is_finished(), "the connection goes on");
}

#[tokio::test]
async fn tunnels_are_told_of_when_their_connection_goes() {
    let service = echo().await;
    let drill = calm();
    let client = Client::to(drill.address()).await;
    let (mut down, mut up) = tunnel(&client, service.address).await;
    up.send_data("a".into(), false).expect("it is sent");
    take(&mut down, 1).await;

    client.task.abort();

    let connection = told(&drill, 1).await.remove(0);
    assert_eq!(connection.relay.expect("what it carried").down, 1);
    assert!(matches!(connection.ended_by, EndedBy::ClientRst | EndedBy::ClientFin));
}

#[tokio::test]
async fn a_client_that_ends_its_stream_and_goes_is_noticed_though_the_host_is_silent() {
    for resets in [false, true] {
        let service = Upstream::scripted(|mut wire, log| async move {
            log.ended(wire.rest().await.1);
            std::future::pending::<()>().await;
        })
        .await;
        let drill = calm();
        let client = Client::to(drill.address()).await;
        let (_down, mut up) = tunnel(&client, service.address).await;
        up.send_data("a".into(), true).expect("it is sent");
        assert_eq!(service.ends(1).await, [End::Fin], "half-close is kept");

        if resets {
            up.send_reset(Reason::CANCEL);
        } else {
            client.task.abort();
        }

        let connection = told(&drill, 1).await.remove(0);
        assert_eq!(connection.relay.expect("what it carried").up, 1);
        assert_eq!(connection.ended_by, EndedBy::ClientFin, "that was first");
    }
}

#[tokio::test]
async fn a_tunnel_whose_stream_breaks_before_it_is_granted_is_told_of() {
    let service = echo().await;
    let late = Drill::of(&["latency: { mean: 10m, side: response }"]);
    let drill = allowing(late, "127.0.0.1:*");
    let client = Client::to(drill.address()).await;
    let mut sender = client.sender.clone().ready().await.expect("the connection is there");
    let request = Request::connect(service.address.to_string()).body(()).expect("a request");
    let (_answer, mut up) = sender.send_request(request, false).expect("a request");
    eventually("it dials", || (service.connections() == 1).then_some(())).await;
    drill.hits("latency", 1).await;

    up.send_reset(Reason::CANCEL);

    let connection = told(&drill, 1).await.remove(0);
    let relay = connection.relay.expect("what it carried");
    assert_eq!((relay.up, relay.down, connection.ended_by), (0, 0, EndedBy::ClientRst));
    assert!(relay.t_connected > 0);
    assert_eq!(connection.id, drill.exchange().await.conn);
}

#[tokio::test]
async fn faults_meet_tunnels_on_streams() {
    let service = echo().await;
    let refusing = allowing(Drill::of(&["respond: 503"]), "127.0.0.1:*");
    let client = Client::to(refusing.address()).await;
    assert_eq!(ask(&client, service.address).await.0.expect("an answer").status(), 503);

    let cutting = Drill::of(&["reset: { at: response, after: 10B }"]);
    let drill = allowing(cutting, "127.0.0.1:*");
    let client = Client::to(drill.address()).await;
    let (mut down, mut up) = tunnel(&client, service.address).await;
    up.send_data(vec![b'x'; 50].into(), false).expect("it is sent");
    assert_eq!(take(&mut down, 10).await, [b'x'; 10]);
    let error = down.data().await.expect("an end").expect_err("it is reset");
    assert_eq!(reset(&error), Some(Reason::CONNECT_ERROR));
    let connection = told(&drill, 1).await.remove(0);
    assert_eq!(connection.ended_by, EndedBy::ProxyRst);
    assert_eq!(connection.dealt[0].did, Did::Wire);
    assert!(!client.task.is_finished(), "the connection goes on");
}

#[tokio::test]
async fn what_may_not_be_reached_or_is_to_be_read_is_refused() {
    let service = echo().await;
    let elsewhere = allowing(Drill::calm(), "127.0.0.1:1");
    let client = Client::to(elsewhere.address()).await;
    assert_eq!(ask(&client, service.address).await.0.expect("an answer").status(), 403);

    let reading = allowing(intercepting(Drill::calm()).0, "127.0.0.1:*");
    let client = Client::to(reading.address()).await;
    assert_eq!(ask(&client, service.address).await.0.expect("an answer").status(), 501);
    assert_eq!(service.connections(), 0);
}

#[tokio::test]
async fn a_client_may_speak_tls_with_its_proxy() {
    let (service, web) = (echo().await, Upstream::answering(OK).await);
    let (mut setup, mut config) = intercepting(Drill::calm());
    setup.settings.terminator = setup.settings.intercept.take();
    let drill = allowing(setup, "127.0.0.1:*");

    let socket = drill.client().await.into_io();
    let mut client = shake_over(socket, &config, "proxy.example").await.expect("it trusts");
    let url = web.address;
    let answer = client.ask(format!("GET http://{url}/ HTTP/1.1\r\nhost: {url}\r\n\r\n")).await;
    assert_eq!(answer.text(), "ok");
    client.send(connect(service.address)).await;
    assert_eq!(client.head().await.status(), 200);
    client.send("hello").await;
    assert_eq!(client.take(5).await, b"hello");
    client.half_close().await;
    assert_eq!(client.end().await, End::Fin);

    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = drill.client().await.into_io();
    let wire = shake_over(socket, &config, "proxy.example").await.expect("it trusts");
    let client = Client::on(wire.into_io()).await;
    let (mut down, mut up) = tunnel(&client, service.address).await;
    up.send_data("hello".into(), true).expect("it is sent");
    assert_eq!(take(&mut down, 5).await, b"hello");
    assert!(is_over(&mut down).await);
    let relays: Vec<_> = told(&drill, 2).await.iter().map(|it| it.relay).collect();
    assert!(relays.iter().flatten().all(|relay| (relay.up, relay.down) == (5, 5)), "{relays:?}");
}
