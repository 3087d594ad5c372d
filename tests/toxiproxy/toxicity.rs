//! `toxicity`: drawn once for a connection and toxic, and kept.

use crate::{
    peer::{Service, passing},
    server::Server,
};

const BLACK_HOLE: &str = r#"{"name":"t","type":"timeout","toxicity":0.5}"#;

#[test]
fn none_is_nobody_and_one_is_everybody() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    for (toxicity, passes) in [("0", true), ("1", false)] {
        server.toxic(&format!(r#"{{"name":"t","type":"timeout","toxicity":{toxicity}}}"#));
        let pairs = service.pairs(listen, 10);
        assert_eq!(passing(&pairs), [passes; 10]);
        server.delete("/proxies/p/toxics/t");
    }
}

#[test]
fn half_is_about_half() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(BLACK_HOLE);
    let passed = passing(&service.pairs(listen, 60));
    let count = passed.iter().filter(|passed| **passed).count();
    assert!((15..=45).contains(&count), "{count} of 60");
}

/// Appending an unrelated toxic changed every second of them in the original.
#[test]
fn who_is_hit_stays_hit_whatever_comes_and_goes_beside_it() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(BLACK_HOLE);
    let pairs = service.pairs(listen, 40);
    let before = passing(&pairs);
    assert!(before.contains(&true) && before.contains(&false), "{before:?}");
    server.toxic(r#"{"name":"next","type":"noop"}"#);
    server.toxic(r#"{"name":"other","type":"latency","toxicity":0.5,"attributes":{"latency":1}}"#);
    assert_eq!(passing(&pairs), before, "when others came");
    server.delete("/proxies/p/toxics/next");
    server.delete("/proxies/p/toxics/other");
    assert_eq!(passing(&pairs), before, "when they went");
}

/// Nor is it drawn again by an update: a larger one only adds.
#[test]
fn a_larger_chance_hits_those_that_were_hit_and_some_more() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"timeout","toxicity":0.2}"#);
    let pairs = service.pairs(listen, 40);
    let before = passing(&pairs);
    server.post("/proxies/p/toxics/t", r#"{"toxicity":0.8}"#);
    let after = passing(&pairs);
    for (at, (before, after)) in before.iter().zip(&after).enumerate() {
        assert!(*before || !*after, "connection {at} was hit and is no more");
    }
    let count = |passed: &[bool]| passed.iter().filter(|passed| **passed).count();
    assert!(count(&after) + 10 < count(&before), "{before:?} {after:?}");
}

#[test]
fn the_two_directions_are_drawn_by_themselves() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    for stream in ["downstream", "upstream"] {
        server.toxic(&format!(r#"{{"type":"timeout","stream":"{stream}","toxicity":0.5}}"#));
    }
    let pairs = service.pairs(listen, 40);
    let down = passing(&pairs);
    let swapped: Vec<_> = pairs.into_iter().map(|(client, behind)| (behind, client)).collect();
    assert_ne!(passing(&swapped), down);
}
