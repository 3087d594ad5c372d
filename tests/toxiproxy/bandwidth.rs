//! `bandwidth`: so many thousand bytes a second, for each connection and direction.

use crate::{
    peer::{Service, numbered},
    server::Server,
};
use std::{
    thread,
    time::{Duration, Instant},
};

const MS: Duration = Duration::from_millis(1);

fn server(rate: u32) -> (Server, Service, std::net::SocketAddr) {
    let (server, service) = (Server::start(), Service::start());
    let listen = server.proxy(service.address());
    server.toxic(&format!(r#"{{"name":"t","type":"bandwidth","attributes":{{"rate":{rate}}}}}"#));
    (server, service, listen)
}

#[test]
fn two_hundred_thousand_bytes_take_two_seconds_at_a_hundred() {
    let (_server, service, listen) = server(100);
    let (client, behind) = service.pair(listen);
    let all = numbered(200_000);
    let took = behind.time_to(&client, &all);
    assert!((1900 * MS..3500 * MS).contains(&took), "{took:?}");
}

#[test]
fn the_other_direction_is_not_slowed() {
    let (_server, service, listen) = server(1);
    let (client, behind) = service.pair(listen);
    let took = client.time_to(&behind, &numbered(200_000));
    assert!(took < 2000 * MS, "{took:?}");
}

#[test]
fn it_flows_steadily_from_its_first_byte_to_its_last() {
    let (_server, service, listen) = server(100);
    let (client, behind) = service.pair(listen);
    let all = numbered(100_000);
    behind.send(&all);
    let half = client.time_to_get(&all[..50_000]);
    assert!((400 * MS..1000 * MS).contains(&half), "{half:?}");
    client.gets(&all[50_000..]);
}

#[test]
fn each_connection_has_the_rate_for_itself() {
    let (_server, service, listen) = server(50);
    let pairs = service.pairs(listen, 4);
    let begun = Instant::now();
    let all = numbered(50_000);
    for (_, behind) in &pairs {
        behind.send(&all);
    }
    thread::scope(|scope| {
        for (client, _) in &pairs {
            scope.spawn(|| client.gets(&all));
        }
    });
    let took = begun.elapsed();
    assert!((900 * MS..2800 * MS).contains(&took), "shared, it takes four seconds: {took:?}");
}

#[test]
fn a_pause_earns_nothing() {
    let (_server, service, listen) = server(1);
    let (client, behind) = service.pair(listen);
    client.stays_silent_for(600 * MS);
    let took = behind.time_to(&client, &numbered(1000));
    assert!(took >= 900 * MS, "{took:?}");
}

#[test]
fn a_rate_of_zero_passes_nothing_until_it_goes() {
    let (server, service, listen) = server(0);
    let (client, behind) = service.pair(listen);
    behind.send(b"stalled");
    client.stays_silent_for(500 * MS);
    server.delete("/proxies/p/toxics/t");
    client.gets(b"stalled");
}

#[test]
fn an_update_of_the_rate_counts_at_once() {
    let (server, service, listen) = server(1);
    let (client, behind) = service.pair(listen);
    let all = numbered(60_000);
    behind.send(&all);
    client.gets(&all[..4]);
    server.post("/proxies/p/toxics/t", r#"{"attributes":{"rate":1000}}"#);
    let took = client.time_to_get(&all[4..]);
    assert!(took < 5000 * MS, "at the old rate it takes a minute: {took:?}");
}
