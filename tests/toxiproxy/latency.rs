//! `latency`: counted from a chunk's arrival, never a brake.

use crate::{
    peer::{End, Peer, Service, echo, numbered},
    server::{AT_ONCE, Server},
};
use std::{thread, time::Duration};

const MS: Duration = Duration::from_millis(1);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(1);

fn latency(name: &str, stream: &str, latency: u32) -> String {
    format!(
        "{{\"name\":\"{name}\",\"type\":\"latency\",\"stream\":\"{stream}\",\
         \"attributes\":{{\"latency\":{latency}}}}}"
    )
}

#[test]
fn every_chunk_of_its_direction_is_late_and_none_of_the_other() {
    let server = Server::start();
    let service = Service::start();
    for (stream, other) in [("upstream", "downstream"), ("downstream", "upstream")] {
        let listen = server.proxy(service.address());
        server.toxic(&latency("t", stream, 1000));
        let (client, behind) = service.pair(listen);
        let (from, to) = if stream == "upstream" { (&client, &behind) } else { (&behind, &client) };
        for _ in 0..2 {
            let late = from.time_to(to, b"late");
            assert!((1000 * MS..1000 * MS + SLACK).contains(&late), "{stream}: {late:?}");
            let prompt = to.time_to(from, b"prompt");
            assert!(prompt < 900 * MS, "{other}: {prompt:?}");
        }
        server.delete("/proxies/p");
    }
}

#[test]
fn several_add_up() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(&latency("a", "downstream", 400));
    server.toxic(&latency("b", "downstream", 200));
    let (client, behind) = service.pair(listen);
    let took = behind.time_to(&client, b"late");
    assert!((600 * MS..600 * MS + SLACK).contains(&took), "{took:?}");
}

/// Were each chunk held in its turn, this would take half a minute and more.
#[test]
fn a_stream_is_late_and_not_slow() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(&latency("t", "downstream", 300));
    let (client, behind) = service.pair(listen);
    let all = numbered(4_000_000);
    let sent = all.clone();
    let sender = thread::spawn(move || behind.send(&sent));
    let took = client.time_to_get(&all);
    sender.join().expect("it is sent");
    assert!((290 * MS..5000 * MS).contains(&took), "{took:?}");
}

#[test]
fn jitter_stays_in_its_bounds_and_varies() {
    let server = Server::start();
    let client = Peer::to(server.proxy(echo()));
    server.toxic(r#"{"type":"latency","attributes":{"latency":60,"jitter":50}}"#);
    let times: Vec<_> = (0..20).map(|_| client.time_to(&client, b"?")).collect();
    let (least, most) = (times.iter().min().expect("some"), times.iter().max().expect("some"));
    assert!(*least >= 10 * MS, "{times:?}");
    assert!(*most > *least + 20 * MS, "{times:?}");
    let middle = times.iter().sum::<Duration>() / 20;
    assert!((35 * MS..500 * MS).contains(&middle), "{times:?}");
}

#[test]
fn jitter_keeps_the_order() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"latency","attributes":{"latency":20,"jitter":20}}"#);
    let (client, behind) = service.pair(listen);
    let all = numbered(4000);
    for four in all.chunks(4) {
        behind.send(four);
    }
    client.gets(&all);
}

#[test]
fn a_live_connection_becomes_late_and_prompt_again() {
    let server = Server::start();
    let client = Peer::to(server.proxy(echo()));
    client.time_to(&client, b"before");
    server.toxic(&latency("t", "downstream", 600));
    assert!(client.time_to(&client, b"late") >= 600 * MS);
    server.post("/proxies/p/toxics/t", r#"{"attributes":{"latency":300}}"#);
    let less = client.time_to(&client, b"less");
    assert!((300 * MS..300 * MS + SLACK).contains(&less), "{less:?}");
    server.delete("/proxies/p/toxics/t");
    let after = client.time_to(&client, b"after");
    assert!(after < 250 * MS, "{after:?}");
}

#[test]
fn what_waits_goes_on_at_once_when_it_is_removed() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(&latency("t", "downstream", 60_000));
    let (client, behind) = service.pair(listen);
    for chunk in [b"one", b"two", b"six"] {
        behind.send(chunk);
    }
    client.stays_silent_for(200 * MS);
    let answer = server.delete("/proxies/p/toxics/t");
    assert!(answer.took < AT_ONCE, "{:?}", answer.took);
    assert!(client.time_to_get(b"onetwosix") < SLACK);
}

#[test]
fn what_waits_goes_by_the_new_time_when_it_is_updated() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(&latency("t", "downstream", 60_000));
    let (client, behind) = service.pair(listen);
    behind.send(b"one");
    client.stays_silent_for(200 * MS);
    server.post("/proxies/p/toxics/t", r#"{"attributes":{"latency":1}}"#);
    assert!(client.time_to_get(b"one") < SLACK);
}

#[test]
fn neither_connecting_nor_an_end_without_data_is_late() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(&latency("t", "upstream", 60_000));
    server.toxic(&latency("u", "downstream", 60_000));
    let (client, behind) = service.pair(listen);
    drop(behind);
    assert_eq!(client.ends(), End::Fin);
}

#[test]
fn an_end_waits_for_the_data_before_it() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(&latency("t", "downstream", 300));
    let (client, behind) = service.pair(listen);
    behind.send(b"the last words");
    drop(behind);
    assert_eq!(client.rest(), (b"the last words".to_vec(), End::Fin));
}
