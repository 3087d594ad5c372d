//! Toxics that come, change and go under traffic: no byte is lost, swapped or said twice.

use crate::{
    peer::{End, Service, numbered},
    server::{PATIENCE, Server},
};
use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

/// Those that harm no byte, each with a change of it.
const HARMLESS: [(&str, &str, &str); 5] = [
    ("latency", r#"{"latency":3,"jitter":3}"#, r#"{"latency":1,"jitter":0}"#),
    ("bandwidth", r#"{"rate":20000}"#, r#"{"rate":50000}"#),
    ("slicer", r#"{"average_size":700,"size_variation":300}"#, r#"{"average_size":5000}"#),
    ("slow_close", r#"{"delay":1}"#, r#"{"delay":2}"#),
    ("noop", "{}", "{}"),
];

/// One round of every one of them, in both directions and for every second connection or all.
fn come_change_and_go(server: &Server) {
    for (at, (kind, attributes, change)) in HARMLESS.iter().enumerate() {
        for stream in ["upstream", "downstream"] {
            let toxicity = if at % 2 == 0 { "0.5" } else { "1" };
            server.toxic(&format!(
                "{{\"name\":\"{kind}-{stream}\",\"type\":\"{kind}\",\"stream\":\"{stream}\",\
                 \"toxicity\":{toxicity},\"attributes\":{attributes}}}"
            ));
        }
        for stream in ["upstream", "downstream"] {
            let path = format!("/proxies/p/toxics/{kind}-{stream}");
            let change = format!(r#"{{"attributes":{change},"toxicity":0.9}}"#);
            assert_eq!(server.post(&path, &change).status, 200);
        }
    }
    // Not in the order in which they came.
    for (kind, _, _) in [HARMLESS[2], HARMLESS[0], HARMLESS[4], HARMLESS[1], HARMLESS[3]] {
        for stream in ["downstream", "upstream"] {
            assert_eq!(server.delete(&format!("/proxies/p/toxics/{kind}-{stream}")).status, 204);
        }
    }
}

#[test]
fn no_byte_is_lost_while_toxics_come_and_go() {
    const LENGTH: usize = 3_000_000;
    let server = Server::start();
    let service = Service::start();
    let pairs = service.pairs(server.proxy(service.address()), 3);
    let all = numbered(LENGTH);
    let over = AtomicBool::new(false);
    let left = std::sync::atomic::AtomicUsize::new(pairs.len() * 2);
    thread::scope(|scope| {
        for (client, behind) in &pairs {
            for (from, to) in [(client, behind), (behind, client)] {
                let (all, over, left) = (&all, &over, &left);
                scope.spawn(move || {
                    for chunk in all.chunks(20_000) {
                        (&from.0).write_all(chunk).expect("it is taken");
                    }
                    from.finish();
                });
                scope.spawn(move || {
                    let (got, end) = to.rest();
                    assert!(got.len() == LENGTH, "{} of {LENGTH} bytes", got.len());
                    assert!(got == *all, "other bytes came");
                    assert_eq!(end, End::Fin);
                    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                        over.store(true, Ordering::Relaxed);
                    }
                });
            }
        }
        let begun = Instant::now();
        while !over.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
            come_change_and_go(&server);
        }
    });
}

#[test]
fn a_small_word_comes_through_whatever_happens_to_the_toxics() {
    let server = Server::start();
    let service = Service::start();
    let (client, behind) = service.pair(server.proxy(service.address()));
    for round in 0..5_u8 {
        thread::scope(|scope| {
            scope.spawn(|| come_change_and_go(&server));
            for at in 0..20 {
                let word = [round, at, 1, 2, 3, 4, 5];
                client.time_to(&behind, &word);
                behind.time_to(&client, &word);
            }
        });
    }
}

#[test]
fn of_many_who_take_a_name_at_once_one_gets_it() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    let ask = |path: &str, body: &str| {
        let statuses: Vec<u16> = thread::scope(|scope| {
            let asks: Vec<_> =
                (0..16).map(|_| scope.spawn(|| server.post(path, body).status)).collect();
            asks.into_iter().map(|ask| ask.join().expect("a status")).collect()
        });
        statuses.iter().filter(|status| **status != 409).copied().collect::<Vec<_>>()
    };
    let proxy = r#"{"name":"q","listen":"127.0.0.1:0","upstream":"x:1"}"#;
    assert_eq!(ask("/proxies", proxy), [201]);
    assert_eq!(ask("/proxies/p/toxics", r#"{"name":"t","type":"noop"}"#), [200]);
    assert_eq!(server.get("/proxies/p/toxics").json().as_array().map(Vec::len), Some(1));
}
