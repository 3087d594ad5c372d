//! `timeout`: a direction swallows everything, and the connection ends in time.

use crate::{
    peer::{End, Service, passing},
    server::Server,
};
use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_direction_swallows_everything_and_the_other_nothing() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"timeout"}"#);
    let (client, behind) = service.pair(listen);
    behind.send(b"lost");
    client.time_to(&behind, b"passed");
    client.stays_silent_for(500 * MS);
}

#[test]
fn what_is_swallowed_is_taken_from_its_sender() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"timeout"}"#);
    let (_client, behind) = service.pair(listen);
    // Far more than every buffer on the way holds.
    behind.send(&vec![7; 32_000_000]);
}

#[test]
fn a_connection_ends_when_its_time_is_up() {
    let server = Server::start();
    let service = Service::start();
    for stream in ["downstream", "upstream"] {
        let listen = server.proxy(service.address());
        server.toxic(&format!(
            r#"{{"type":"timeout","stream":"{stream}","attributes":{{"timeout":700}}}}"#
        ));
        let begun = Instant::now();
        let (client, behind) = service.pair(listen);
        assert_eq!((client.ends(), behind.ends()), (End::Fin, End::Fin));
        let took = begun.elapsed();
        assert!((700 * MS..2500 * MS).contains(&took), "{stream}: {took:?}");
        server.delete("/proxies/p");
    }
}

#[test]
fn a_connection_ends_in_time_whatever_its_traffic() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"timeout","attributes":{"timeout":700}}"#);
    let begun = Instant::now();
    let (client, behind) = service.pair(listen);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // The original starts its clock again with each of these.
            while !over.load(Ordering::Relaxed) && (&behind.0).write_all(b"ping").is_ok() {
                thread::sleep(20 * MS);
            }
        });
        let (rest, _) = client.rest();
        over.store(true, Ordering::Relaxed);
        assert_eq!(rest, b"");
    });
    let took = begun.elapsed();
    assert!((700 * MS..2500 * MS).contains(&took), "{took:?}");
}

#[test]
fn on_a_live_connection_its_time_begins_with_the_toxic() {
    let server = Server::start();
    let service = Service::start();
    let (client, behind) = service.pair(server.proxy(service.address()));
    client.time_to(&behind, b"before");
    client.stays_silent_for(400 * MS);
    let begun = Instant::now();
    server.toxic(r#"{"type":"timeout","attributes":{"timeout":700}}"#);
    client.ends();
    let took = begun.elapsed();
    assert!((700 * MS..2500 * MS).contains(&took), "{took:?}");
}

#[test]
fn without_a_time_a_connection_stays_until_the_toxic_goes_and_ends_with_it() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"timeout"}"#);
    let (client, behind) = service.pair(listen);
    behind.send(b"lost");
    client.stays_silent_for(500 * MS);
    assert_eq!(server.delete("/proxies/p/toxics/t").status, 204);
    assert_eq!((client.ends(), behind.ends()), (End::Fin, End::Fin));
}

#[test]
fn an_update_ends_no_connection() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"timeout"}"#);
    let (client, behind) = service.pair(listen);
    behind.send(b"lost");
    assert_eq!(server.post("/proxies/p/toxics/t", r#"{"toxicity":1}"#).status, 200);
    let answer = server.post("/proxies/p/toxics/t", r#"{"attributes":{"timeout":60000}}"#);
    assert_eq!(answer.status, 200);
    client.stays_silent_for(300 * MS);
    client.time_to(&behind, b"the other way");
}

/// The original ends every connection of the proxy here.
#[test]
fn its_end_ends_only_the_connections_that_it_hit() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"timeout","toxicity":0.5}"#);
    let pairs = service.pairs(listen, 24);
    let passed = passing(&pairs);
    assert!(passed.contains(&true) && passed.contains(&false), "{passed:?}");
    server.delete("/proxies/p/toxics/t");
    for ((client, behind), passed) in pairs.iter().zip(passed) {
        if passed {
            behind.time_to(client, b"still there");
        } else {
            assert_eq!(client.ends(), End::Fin);
        }
    }
}

#[test]
fn a_connection_that_came_before_it_and_was_spared_stays() {
    let server = Server::start();
    let service = Service::start();
    let (client, behind) = service.pair(server.proxy(service.address()));
    server.toxic(r#"{"name":"t","type":"timeout","toxicity":0,"attributes":{"timeout":1}}"#);
    behind.time_to(&client, b"during");
    server.delete("/proxies/p/toxics/t");
    behind.time_to(&client, b"after");
}
