//! `slicer`: the same bytes in small pieces.

use crate::{
    peer::{Service, numbered},
    server::Server,
};
use std::{io::Read, time::Duration, time::Instant};

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_bytes_are_the_same() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(
        r#"{"type":"slicer","attributes":{"average_size":100,"size_variation":50,"delay":0}}"#,
    );
    let (client, behind) = service.pair(listen);
    behind.time_to(&client, &numbered(100_000));
}

#[test]
fn they_come_in_pieces_of_about_the_size_with_pauses_between() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    // The delay is in microseconds.
    server.toxic(r#"{"type":"slicer","attributes":{"average_size":100,"delay":40000}}"#);
    let (client, behind) = service.pair(listen);
    let begun = Instant::now();
    let mut sizes = Vec::new();
    behind.send(&numbered(1000));
    let mut piece = [0; 2000];
    while sizes.iter().sum::<usize>() < 1000 {
        sizes.push((&client.0).read(&mut piece).expect("more"));
    }
    let took = begun.elapsed();
    assert!(sizes[0] > 40 && sizes[0] <= 100, "{sizes:?}");
    assert!(sizes.len() >= 5, "{sizes:?}");
    assert!((340 * MS..3000 * MS).contains(&took), "ten pieces at least: {took:?}");
}

#[test]
fn the_other_direction_is_not_sliced() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"slicer","attributes":{"average_size":10,"delay":100000}}"#);
    let (client, behind) = service.pair(listen);
    assert!(client.time_to(&behind, &numbered(10_000)) < 2000 * MS);
}

#[test]
fn what_waits_goes_on_at_once_when_it_is_removed() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"slicer","attributes":{"average_size":1,"delay":1000000}}"#);
    let (client, behind) = service.pair(listen);
    let all = numbered(1000);
    behind.send(&all);
    client.gets(&all[..1]);
    server.delete("/proxies/p/toxics/t");
    assert!(client.time_to_get(&all[1..]) < 5000 * MS);
}
