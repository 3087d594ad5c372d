//! Faults on bytes act below TLS, on the handshake too.

use super::{Secured, secured, shake};
use crate::support::{Drill, GET, OK, Upstream, memory};
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_thin_pipe_makes_for_a_slow_handshake() {
    let (setup, config) = secured(Drill::of(&["bandwidth: 1KiB/s"]));
    let (connector, _) = memory::answering(OK);
    let drill = setup.detached(connector);
    let (near, far) = tokio::io::duplex(64 * 1024);
    drill.proxy.serve(1, far, "10.0.0.1:40000".parse().expect("an address"));

    let start = Instant::now();
    let mut client = shake(&config, "shop.example", near).await.expect("hands are shaken");
    let shaken = start.elapsed();
    assert_eq!(client.ask(GET).await.text(), "ok");

    // A hello and a certificate are some hundred bytes each.
    assert!((700 * MS..5_000 * MS).contains(&shaken), "{shaken:?}");
}

#[tokio::test]
async fn a_blackhole_holds_the_handshake_and_lets_it_go_with_its_phase() {
    let upstream = Upstream::answering(OK).await;
    let phases =
        ["{ name: dark, for: 400ms, faults: [{ blackhole: {} }] }", "{ name: calm, for: 10m }"];
    let secured = Secured::before(Drill::phases(&phases), &upstream);

    let mut client = secured.client().await;

    assert!(secured.drill.injector().tick() >= 400 * MS);
    assert_eq!(client.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn bytes_are_counted_as_they_are_on_the_wire() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::of(&["limit_data: 100B"]), &upstream);

    // A handshake takes more.
    let error = secured.try_client("shop.example").await.expect_err("it is cut off");
    assert!(error.kind() == std::io::ErrorKind::UnexpectedEof, "{error:?}");
    let meters = secured.drill.proxy.meters();
    assert_eq!(meters.read().to_clients, 100);
}
