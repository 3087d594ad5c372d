//! Connections that break off while a fault holds bytes, and faults that break them off.

use crate::support::{Drill, End, eventually};
use crate::tcp::{Line, SECOND, by_hand, bytes, pair, upstream};
use firedrill::{
    engine::HandFault,
    fault::{Way, toxic::Toxic},
};
use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};

/// A toxic as a fault by hand.
fn toxic(toxic: Toxic, way: Way) -> HandFault {
    let mut fault = by_hand("blackhole: {}");
    fault.entry.name = format!("{}_{way:?}", toxic.kind());
    fault.entry.kind = toxic.kind();
    fault.entry.fault = toxic.fault(way);
    fault
}

#[tokio::test]
async fn what_was_sent_before_a_reset_arrives_after_its_delay_and_then_the_reset() {
    let (listener, address) = upstream().await;
    let drill = Drill::of(&["latency: { mean: 200ms, side: response }"]).facing(address);
    let (mut client, mut server) = pair(&drill, &listener).await;

    server.write_all(b"last words").await.expect("sent");
    // Until the proxy has them.
    eventually("the words are held", || {
        (drill.proxy.meters().read().from_upstream == 10).then_some(())
    })
    .await;
    server.set_zero_linger().expect("a socket");
    drop(server);
    let mut words = [0; 10];
    client.read_exact(&mut words).await.expect("the words come first");
    let error = client.read(&mut words).await.expect_err("and then a RST");

    assert_eq!((&words, error.kind()), (b"last words", io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_slow_reader_gets_all_that_may_pass_before_a_reset() {
    const LIMIT: usize = 300 * 1024;
    let (listener, address) = upstream().await;
    let drill = Drill::of(&["limit_data: { bytes: 300KiB, by: reset }"]).facing(address);
    let (mut client, mut server) = pair(&drill, &listener).await;
    let flood = tokio::spawn(async move { while server.write_all(&bytes(8_192)).await.is_ok() {} });

    // Later than the fault has decided: what it let through waits in the kernel.
    eventually("all of it was read", || {
        (drill.proxy.meters().read().from_upstream >= LIMIT as u64).then_some(())
    })
    .await;
    let mut got = Vec::new();
    let error = client.read_to_end(&mut got).await.expect_err("a RST");

    assert_eq!((got.len(), error.kind()), (LIMIT, io::ErrorKind::ConnectionReset));
    flood.await.expect("no panic");
}

#[tokio::test]
async fn a_timeout_ends_the_connection_of_a_client_that_takes_nothing() {
    let (listener, address) = upstream().await;
    let drill = Drill::calm().facing(address);
    let (client, mut server) = pair(&drill, &listener).await;
    let flood = tokio::spawn(async move { while server.write_all(&bytes(8_192)).await.is_ok() {} });
    let mut before = 0;
    eventually("the way to the client is full", || {
        let now = drill.proxy.meters().read().to_clients;
        let full = now > 0 && now == before;
        before = now;
        full.then_some(())
    })
    .await;

    drill.hand.add(toxic(Toxic::Timeout { timeout: 100 }, Way::Down)).expect("it is put there");

    let over = timeout(10 * SECOND, flood).await;
    over.expect("the upstream's connection ends").expect("no panic");
    drop(client);
}

#[tokio::test]
async fn clients_that_left_do_not_wait_for_a_silence_that_has_no_end() {
    let (listener, address) = upstream().await;
    let drill = Drill::calm().facing(address);
    drill.hand.add(toxic(Toxic::Timeout { timeout: 0 }, Way::Down)).expect("it is put there");
    let (client, mut server) = pair(&drill, &listener).await;

    server.write_all(b"never heard").await.expect("sent");
    drop(client);
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.expect("the client's end is passed on");
    drop(server);

    let open = || drill.proxy.meters().read().open;
    eventually("nothing is left", || (open() == 0).then_some(())).await;
    assert_eq!(drill.hand.list().len(), 1, "and the toxic is still there");
}

#[tokio::test(start_paused = true)]
async fn a_limit_keeps_its_count_however_often_it_is_changed() {
    let mut line = Line::of(Drill::calm());
    let (mut client, mut server) = line.pair(1).await;
    let limit = |bytes| toxic(Toxic::LimitData { bytes }, Way::Down);
    line.drill.hand.add(limit(1_000)).expect("it is put there");
    for larger in [900, 200] {
        server.send(bytes(60)).await;
        assert_eq!(client.take(60).await, bytes(60));
        line.drill.hand.replace(limit(larger)).expect("it was there");
    }

    server.send(bytes(200)).await;
    let (rest, end) = client.rest().await;

    assert_eq!((rest.len(), end), (80, End::Fin), "120 of 200 had passed");
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_goes_over_to_the_other_side_lets_go() {
    let mut line = Line::of(Drill::calm());
    let (mut client, mut server) = line.pair(1).await;
    line.drill.hand.add(by_hand("latency: { mean: 1h, side: response }")).expect("it is put there");
    server.send("held").await;
    tokio::time::sleep(SECOND).await;

    let began = Instant::now();
    let other = by_hand("latency: { mean: 1h, side: request }");
    line.drill.hand.replace(other).expect("it was there");

    assert_eq!(
        (client.take(4).await, began.elapsed()),
        (b"held".to_vec(), std::time::Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_a_connection_though_nothing_passes_behind_it() {
    let mut line = Line::of(Drill::calm());
    let (mut client, mut server) = line.pair(1).await;
    line.drill.hand.add(toxic(Toxic::Timeout { timeout: 1_000 }, Way::Down)).expect("put there");
    line.drill.hand.add(toxic(Toxic::Bandwidth { rate: 0 }, Way::Down)).expect("put there");
    let began = Instant::now();
    server.send("lost").await;

    let (rest, end) = client.rest().await;

    assert_eq!((rest, end), (Vec::new(), End::Fin));
    assert_eq!(began.elapsed(), SECOND);
}
