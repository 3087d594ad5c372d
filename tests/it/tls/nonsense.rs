//! What speaks no TLS, or never gets to the point.

use super::{Secured, secured};
use crate::support::{Drill, End, GET, OK, Upstream, Wire, memory};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn plain_http_is_told_so() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);

    for request in [GET, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "get / http/1.0\r\n\r\n"] {
        let mut client = Wire::tcp(secured.socket().await);
        let answer = client.ask(request).await;
        assert_eq!((answer.status(), answer.whole), (400, true), "{answer:?}");
        assert!(answer.text().contains("https://"), "{answer:?}");
        assert_eq!(client.end().await, End::Fin);
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn garbage_gets_an_alert_and_an_end() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    let hellos: [&[u8]; 5] = [
        &[0; 64],
        &[0x16, 3, 1, 0, 4, 1, 0, 0, 0],
        &[0x16, 3, 1, 0xff, 0xff, 1],
        &[0x16, 3, 1, 0, 5, 2, 0, 0, 1, 0],
        &[0xff; 5_000],
    ];

    for hello in hellos {
        let mut client = Wire::tcp(secured.socket().await);
        client.send(hello).await;
        let (words, end) = client.rest().await;
        assert_eq!((words.first(), words.len()), (Some(&0x15), 7), "{hello:?} {words:?}");
        assert_eq!(end, End::Fin, "{hello:?}");
    }
}

#[tokio::test]
async fn a_hello_without_end_is_cut_off() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    let mut client = Wire::tcp(secured.socket().await);

    // A message of 16 MB, of which each record is one more part.
    let mut record = vec![0x16, 3, 1, 0x10, 0x00, 1, 0xff, 0xff, 0xff];
    record.resize(5 + 0x1000, 0);
    let mut sent = 0;
    while sent < 10_000_000 && client.try_send(&record).await.is_ok() {
        sent += record.len();
        record[5..9].fill(0);
    }

    assert!(sent < 10_000_000, "somebody reads on for ever");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_time_is_given_up() {
    let hello: &[u8] = &[0x16, 3, 1, 0, 0x80, 1, 0, 0, 0x7c, 3, 3];
    for pause in [Duration::from_secs(1), Duration::from_secs(100)] {
        let (setup, _config) = secured(Drill::calm());
        let (connector, _) = memory::answering(OK);
        let drill = setup.detached(connector);
        let mut client = drill.memory_client(1);
        let start = Instant::now();

        for byte in hello.iter().cycle() {
            if client.try_send([*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(pause).await;
            if start.elapsed() > Duration::from_secs(300) {
                break;
            }
        }

        let (_, end) = client.rest().await;
        assert_eq!(end, End::Fin);
        let took = start.elapsed();
        assert!(took < Duration::from_secs(200), "{took:?}");
    }
}

#[tokio::test]
async fn a_crowd_that_never_gets_to_the_point_holds_nobody_up() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    let mut crowd = Vec::new();
    for _ in 0..500 {
        let mut client = Wire::tcp(secured.socket().await);
        client.send([0x16, 3, 1, 2, 0, 1]).await;
        crowd.push(client);
    }

    assert_eq!(secured.client().await.ask(GET).await.text(), "ok");
}
