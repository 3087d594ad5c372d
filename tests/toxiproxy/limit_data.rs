//! `limit_data`: so many bytes and not one more.

use crate::{
    peer::{End, Service, numbered},
    server::Server,
};
use std::net::SocketAddr;

fn server(bytes: u32) -> (Server, Service, SocketAddr) {
    let (server, service) = (Server::start(), Service::start());
    let listen = server.proxy(service.address());
    server
        .toxic(&format!(r#"{{"name":"t","type":"limit_data","attributes":{{"bytes":{bytes}}}}}"#));
    (server, service, listen)
}

#[test]
fn a_connection_ends_with_its_last_byte() {
    let (_server, service, listen) = server(100_000);
    let (client, behind) = service.pair(listen);
    let all = numbered(100_000);
    behind.send(&all);
    client.gets(&all);
    assert_eq!(client.ends(), End::Fin);
}

#[test]
fn what_is_beyond_is_cut_off_in_the_middle_of_a_chunk() {
    let (_server, service, listen) = server(100);
    let (client, behind) = service.pair(listen);
    let all = numbered(250);
    behind.time_to(&client, &all[..60]);
    behind.send(&all[60..]);
    assert_eq!(client.rest().0, all[60..100]);
}

#[test]
fn each_connection_has_the_bytes_for_itself_and_the_other_direction_has_no_limit() {
    let (_server, service, listen) = server(10);
    for _ in 0..3 {
        let (client, behind) = service.pair(listen);
        client.time_to(&behind, &numbered(100_000));
        behind.send(b"0123456789abc");
        assert_eq!(client.rest().0, b"0123456789");
    }
}

#[test]
fn none_at_all_ends_a_connection_at_its_first_chunk() {
    let (_server, service, listen) = server(0);
    let (client, behind) = service.pair(listen);
    client.time_to(&behind, b"open");
    behind.send(b"never");
    client.ends();
}

#[test]
fn an_update_counts_what_passed_before_it() {
    let (server, service, listen) = server(100);
    let (client, behind) = service.pair(listen);
    let all = numbered(200);
    behind.time_to(&client, &all[..60]);
    server.post("/proxies/p/toxics/t", r#"{"attributes":{"bytes":80}}"#);
    behind.send(&all[60..]);
    assert_eq!(client.rest().0, all[60..80]);
}

#[test]
fn a_limit_below_what_passed_ends_a_connection_at_its_next_chunk() {
    let (server, service, listen) = server(100);
    let (client, behind) = service.pair(listen);
    behind.time_to(&client, &numbered(60));
    server.post("/proxies/p/toxics/t", r#"{"attributes":{"bytes":10}}"#);
    client.time_to(&behind, b"still open");
    behind.send(b"more");
    client.ends();
}

#[test]
fn on_a_live_connection_it_counts_from_the_toxic_on() {
    let server = Server::start();
    let service = Service::start();
    let (client, behind) = service.pair(server.proxy(service.address()));
    behind.time_to(&client, &numbered(1000));
    server.toxic(r#"{"type":"limit_data","attributes":{"bytes":10}}"#);
    behind.send(b"0123456789abc");
    assert_eq!(client.rest().0, b"0123456789");
}
