//! `reset_peer`: a RST after the first data, for those that are hit and nobody else.

use crate::{
    peer::{End, Service},
    server::Server,
};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_first_data_is_answered_by_a_reset_at_both_ends() {
    let server = Server::start();
    let service = Service::start();
    for stream in ["downstream", "upstream"] {
        let listen = server.proxy(service.address());
        server.toxic(&format!(r#"{{"type":"reset_peer","stream":"{stream}"}}"#));
        let (client, behind) = service.pair(listen);
        if stream == "downstream" { &behind } else { &client }.send(b"lost");
        assert_eq!((client.ends(), behind.ends()), (End::Rst, End::Rst), "{stream}");
        server.delete("/proxies/p");
    }
}

#[test]
fn the_reset_comes_its_time_after_the_first_data() {
    let server = Server::start();
    let service = Service::start();
    for stream in ["downstream", "upstream"] {
        let listen = server.proxy(service.address());
        server.toxic(&format!(
            r#"{{"type":"reset_peer","stream":"{stream}","attributes":{{"timeout":600}}}}"#
        ));
        let (client, behind) = service.pair(listen);
        client.stays_silent_for(300 * MS);
        let begun = Instant::now();
        if stream == "downstream" { &behind } else { &client }.send(b"lost");
        assert_eq!(client.ends(), End::Rst, "{stream}");
        let took = begun.elapsed();
        assert!((600 * MS..2500 * MS).contains(&took), "{stream}: {took:?}");
        server.delete("/proxies/p");
    }
}

/// The original ends these with a FIN.
#[test]
fn a_connection_that_came_before_it_is_reset_as_well() {
    let server = Server::start();
    let service = Service::start();
    let (client, behind) = service.pair(server.proxy(service.address()));
    behind.time_to(&client, b"before");
    server.toxic(r#"{"type":"reset_peer"}"#);
    behind.send(b"lost");
    assert_eq!((client.ends(), behind.ends()), (End::Rst, End::Rst));
}

/// The original ends these with a RST.
#[test]
fn a_connection_that_is_spared_ends_as_its_peers_end_it() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"reset_peer","toxicity":0}"#);
    let (client, behind) = service.pair(listen);
    behind.time_to(&client, b"data");
    client.time_to(&behind, b"data");
    drop(behind);
    assert_eq!(client.ends(), End::Fin);
    let (client, behind) = service.pair(listen);
    drop(client);
    assert_eq!(behind.ends(), End::Fin);
}

#[test]
fn some_are_reset_and_the_others_go_on() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"reset_peer","toxicity":0.5}"#);
    let mut resets = 0;
    for _ in 0..24 {
        let (client, behind) = service.pair(listen);
        behind.send(b"words");
        behind.finish();
        match client.rest() {
            (words, End::Fin) => assert_eq!(words, b"words"),
            (words, End::Rst) => {
                assert_eq!(words, b"");
                resets += 1;
            }
        }
    }
    assert!((4..=20).contains(&resets), "{resets}");
}

#[test]
fn commands_do_not_wait_for_a_reset_that_waits() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"reset_peer","attributes":{"timeout":60000}}"#);
    let (client, behind) = service.pair(listen);
    behind.send(b"lost");
    client.stays_silent_for(200 * MS);
    let answer = server.delete("/proxies/p/toxics/t");
    assert!(answer.took < crate::server::AT_ONCE, "{:?}", answer.took);
}
