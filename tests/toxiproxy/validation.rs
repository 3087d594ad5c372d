//! Attributes that cannot be meant are refused, and what is refused changes nothing.

use crate::{
    peer::{Service, numbered},
    server::Server,
};

#[test]
fn an_attribute_that_cannot_be_meant_is_refused() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    for (kind, attributes) in [
        ("bandwidth", r#"{"rate":-1}"#),
        ("limit_data", r#"{"bytes":-1}"#),
        ("slicer", r#"{"average_size":-1}"#),
        ("slicer", r#"{"average_size":10,"size_variation":-1}"#),
        ("packet_loss", r#"{"loss_rate":1.5}"#),
        ("packet_loss", r#"{"loss_rate":-0.1}"#),
    ] {
        let toxic = format!(r#"{{"type":"{kind}","attributes":{attributes}}}"#);
        let answer = server.post("/proxies/p/toxics", &toxic);
        assert_eq!(answer.status, 400, "{toxic}: {answer:?}");
        assert!(answer.json()["error"].is_string());
    }
    assert_eq!(server.get("/proxies/p/toxics").body, "[]");
}

#[test]
fn a_time_below_zero_is_none() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    for (kind, attribute) in
        [("latency", "latency"), ("latency", "jitter"), ("slow_close", "delay")]
    {
        server.toxic(&format!(
            r#"{{"name":"t","type":"{kind}","attributes":{{"{attribute}":-60000}}}}"#
        ));
        let (client, behind) = service.pair(listen);
        behind.send(b"prompt");
        behind.finish();
        assert_eq!(client.rest().0, b"prompt");
        server.delete("/proxies/p/toxics/t");
    }
}

#[test]
fn an_update_that_is_refused_changes_nothing() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    let before =
        server.toxic(r#"{"name":"t","type":"latency","attributes":{"latency":5,"jitter":2}}"#);
    for body in [
        r#"{"attributes":{"latency":77,"jitter":"x"}}"#,
        r#"{"toxicity":0.5,"attributes":{"latency":"x"}}"#,
        r#"{"attributes":{"latency":77},"toxicity":"x"}"#,
        r#"{"attributes":{"latency":77}"#,
    ] {
        server.post("/proxies/p/toxics/t", body).is_error_like(400, "bad request body: ");
        assert_eq!(server.get("/proxies/p/toxics/t").body, before.body, "{body}");
    }
}

/// Each of these ends or wedges the original with the first byte of traffic.
#[test]
fn no_toxic_whatever_its_attributes_ends_the_server_or_holds_its_traffic() {
    let mut server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    for (kind, attributes) in [
        ("slicer", "{}"),
        ("slicer", r#"{"average_size":0,"size_variation":5}"#),
        ("slicer", r#"{"average_size":1,"size_variation":100}"#),
        ("slicer", r#"{"average_size":9223372036854775807,"size_variation":9223372036854775807}"#),
        ("slicer", r#"{"average_size":-9223372036854775808}"#),
        ("latency", r#"{"jitter":9223372036854775807}"#),
        ("latency", r#"{"latency":-9223372036854775808,"jitter":-9223372036854775808}"#),
        ("latency", r#"{"latency":9223372036854775807,"jitter":9223372036854775807}"#),
        ("bandwidth", r#"{"rate":-1}"#),
        ("bandwidth", r#"{"rate":9223372036854775807}"#),
        ("limit_data", r#"{"bytes":9223372036854775807}"#),
        ("slow_close", r#"{"delay":9223372036854775807}"#),
        ("reset_peer", r#"{"timeout":9223372036854775807}"#),
        ("timeout", r#"{"timeout":9223372036854775807}"#),
        ("timeout", r#"{"timeout":-1}"#),
    ] {
        let toxic = format!(r#"{{"name":"t","type":"{kind}","attributes":{attributes}}}"#);
        let answer = server.post("/proxies/p/toxics", &toxic);
        assert!(matches!(answer.status, 200 | 400), "{toxic}: {answer:?}");
        let (_client, behind) = service.pair(listen);
        behind.send(&numbered(100));
        server.is_well();
        server.delete("/proxies/p/toxics/t");
        let (client, behind) = service.pair(listen);
        client.time_to(&behind, &numbered(100));
    }
}

#[test]
fn a_bare_slicer_passes_everything_on() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    let answer = server.post("/proxies/p/toxics", r#"{"type":"slicer"}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    let (client, behind) = service.pair(listen);
    behind.time_to(&client, &numbered(10_000));
}

#[test]
fn a_chance_outside_its_range_is_taken_as_always_or_never() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    for (toxicity, hits) in [("5", true), ("-1", false)] {
        let toxic = format!(
            r#"{{"name":"t","type":"limit_data","toxicity":{toxicity},"attributes":{{"bytes":1}}}}"#
        );
        let end = format!(r#""toxicity":{toxicity}}}"#);
        assert!(server.toxic(&toxic).body.ends_with(&end));
        let (client, behind) = service.pair(listen);
        behind.send(b"abc");
        behind.finish();
        assert_eq!(client.rest().0, if hits { &b"a"[..] } else { b"abc" });
        server.delete("/proxies/p/toxics/t");
    }
}
