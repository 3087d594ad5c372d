//! `slow_close`: the end comes later, the data does not.

use crate::{
    peer::{End, Service},
    server::Server,
};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_end_is_late_and_the_data_prompt() {
    let server = Server::start();
    let service = Service::start();
    for stream in ["downstream", "upstream"] {
        let listen = server.proxy(service.address());
        let toxic =
            format!(r#"{{"type":"slow_close","stream":"{stream}","attributes":{{"delay":800}}}}"#);
        server.toxic(&toxic);
        let (client, behind) = service.pair(listen);
        let (from, to) = if stream == "downstream" { (behind, client) } else { (client, behind) };
        let begun = Instant::now();
        assert!(from.time_to(&to, b"the last words") < 700 * MS);
        from.finish();
        assert_eq!(to.ends(), End::Fin);
        let took = begun.elapsed();
        assert!((800 * MS..2500 * MS).contains(&took), "{stream}: {took:?}");
        server.delete("/proxies/p");
    }
}

#[test]
fn the_other_direction_ends_at_once() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"slow_close","attributes":{"delay":60000}}"#);
    let (client, behind) = service.pair(listen);
    client.finish();
    assert_eq!(behind.ends(), End::Fin);
}

#[test]
fn an_end_that_waits_comes_when_it_is_removed() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"slow_close","attributes":{"delay":60000}}"#);
    let (client, behind) = service.pair(listen);
    behind.finish();
    client.stays_silent_for(200 * MS);
    server.delete("/proxies/p/toxics/t");
    assert_eq!(client.ends(), End::Fin);
}
