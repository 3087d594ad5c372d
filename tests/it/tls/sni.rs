//! TLS that is passed on untouched, by the name that is asked for.

use super::{Secured, shake};
use crate::support::{Drill, GET, Setup, Upstream, Wire, memory};
use firedrill::{fault::catalog::Protocol, proxy::Connector};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::Instant};

fn routed(mut setup: Setup, routes: &[(&str, SocketAddr)]) -> Setup {
    let route = |(name, to): &(&str, SocketAddr)| {
        ((*name).to_owned(), Arc::new(Connector::tcp(&to.to_string())))
    };
    setup.settings.sni = routes.iter().map(route).collect();
    setup
}

/// A service behind TLS that answers with its name.
async fn service(name: &str) -> (Upstream, Secured) {
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
    let upstream = Upstream::answering(answer).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    (upstream, secured)
}

#[tokio::test]
async fn each_name_goes_where_it_belongs() {
    let ((_a, shop), (_b, wild), (_c, deep), (_d, others)) = (
        service("shop").await,
        service("wild").await,
        service("deep").await,
        service("others").await,
    );
    let at = |secured: &Secured| secured.drill.address();
    let routes =
        [("Shop.example", at(&shop)), ("*.example", at(&wild)), ("*.deep.example", at(&deep))];
    let drill = routed(Drill::calm(), &routes).facing(at(&others));

    for (name, secured, wanted) in [
        ("shop.example", &shop, "shop"),
        ("SHOP.EXAMPLE", &shop, "shop"),
        ("other.example", &wild, "wild"),
        ("a.b.example", &wild, "wild"),
        ("a.deep.example", &deep, "deep"),
        ("shop.elsewhere", &others, "others"),
        ("example", &others, "others"),
        ("127.0.0.1", &others, "others"),
    ] {
        let socket = TcpStream::connect(drill.address()).await.expect("it accepts");
        // The certificate of the service itself.
        let mut client = shake(&secured.config, name, socket).await.expect("hands are shaken");
        assert_eq!(client.ask(GET).await.text(), wanted, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_tls_goes_to_the_others_as_it_is() {
    let hello = [&[0x16, 3, 1, 0, 4, 1, 0, 0, 0][..], b"and more"].concat();
    for words in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), hello, vec![0x16; 50_000], vec![0; 3]] {
        let nowhere = "127.0.0.1:9".parse().expect("an address");
        let upstream = Upstream::scripted(|mut wire, _| async move {
            while let Some(bytes) = wire.some().await {
                wire.send(bytes).await;
            }
        })
        .await;
        let drill = routed(Drill::calm(), &[("*.example", nowhere)]).facing(upstream.address);
        let mut client = drill.client().await;

        client.send(&words).await;
        client.half_close().await;

        assert_eq!(client.rest().await.0, words);
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_passed_on_in_the_end() {
    for first in [&b""[..], &[0x16, 3, 1]] {
        let (connector, _) = memory::scripted(|mut wire, _| async move {
            wire.send("welcome").await;
            wire.rest().await;
        });
        let nowhere = "127.0.0.1:9".parse().expect("an address");
        let setup = routed(Drill::calm(), &[("*.example", nowhere)]).tcp();
        let drill = setup.detached(connector);
        let mut client = drill.memory_client(1);
        let start = Instant::now();
        client.send(first).await;

        assert_eq!(client.take(7).await, b"welcome");
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }
}

#[tokio::test]
async fn faults_on_bytes_act_on_the_first_words_too() {
    let (_upstream, shop) = service("shop").await;
    let routes = [("shop.example", shop.drill.address())];
    let nowhere = "127.0.0.1:9".parse().expect("an address");
    let drill = routed(Drill::of(&["latency: 300ms"]), &routes).facing(nowhere);
    let start = Instant::now();

    let socket = TcpStream::connect(drill.address()).await.expect("it accepts");
    let mut client = shake(&shop.config, "shop.example", socket).await.expect("hands are shaken");
    assert_eq!(client.ask(GET).await.text(), "shop");

    assert!(start.elapsed() >= Duration::from_millis(600), "{:?}", start.elapsed());
    assert_eq!(drill.injector().protocol(), Protocol::Tcp);
}

#[tokio::test]
async fn one_that_goes_before_it_has_spoken_holds_nobody_up() {
    let (_upstream, shop) = service("shop").await;
    let drill = routed(Drill::calm(), &[("shop.example", shop.drill.address())])
        .facing(shop.drill.address());
    let silent: Vec<Wire<TcpStream>> = {
        let mut silent = Vec::new();
        for _ in 0..50 {
            silent.push(drill.client().await);
        }
        silent
    };
    for client in silent {
        client.reset();
    }

    let socket = TcpStream::connect(drill.address()).await.expect("it accepts");
    let mut client = shake(&shop.config, "shop.example", socket).await.expect("hands are shaken");
    assert_eq!(client.ask(GET).await.text(), "shop");
    assert_eq!(drill.proxy.drain(Duration::from_secs(5)).await, 0);
}
