//! Toxics as objects: made, listed, changed, taken away.

use crate::server::Server;
use serde_json::json;

/// Every type, with what a bare one of it looks like.
const BARE: [(&str, &str); 8] = [
    ("latency", r#"{"latency":0,"jitter":0}"#),
    ("bandwidth", r#"{"rate":0}"#),
    ("slow_close", r#"{"delay":0}"#),
    ("timeout", r#"{"timeout":0}"#),
    ("reset_peer", r#"{"timeout":0}"#),
    ("slicer", r#"{"average_size":0,"size_variation":0,"delay":0}"#),
    ("limit_data", r#"{"bytes":0}"#),
    ("noop", "{}"),
];

fn server() -> Server {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    server
}

#[test]
fn a_bare_toxic_of_every_type_is_told_whole_and_in_order() {
    let server = server();
    for (kind, attributes) in BARE {
        let answer = server.toxic(&format!(r#"{{"type":"{kind}"}}"#));
        let body = format!(
            "{{\"attributes\":{attributes},\"name\":\"{kind}_downstream\",\"type\":\"{kind}\",\
             \"stream\":\"downstream\",\"toxicity\":1}}"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.body, body);
        assert_eq!(server.get(&format!("/proxies/p/toxics/{kind}_downstream")).body, body);
    }
}

#[test]
fn what_is_said_of_a_toxic_is_told_again() {
    let server = server();
    let toxic = "{\"name\":\"mine\",\"type\":\"slicer\",\"stream\":\"upstream\",\"toxicity\":0.3,\
                 \"attributes\":{\"average_size\":64,\"size_variation\":32,\"delay\":10}}";
    let body = "{\"attributes\":{\"average_size\":64,\"size_variation\":32,\"delay\":10},\
                \"name\":\"mine\",\"type\":\"slicer\",\"stream\":\"upstream\",\"toxicity\":0.3}";
    assert_eq!(server.toxic(toxic).body, body);
}

#[test]
fn loss_of_packets_is_known() {
    let answer = server().toxic(r#"{"type":"packet_loss","attributes":{"loss_rate":0.02}}"#);
    assert_eq!(answer.json()["attributes"]["loss_rate"], 0.02);
    assert_eq!(answer.json()["attributes"]["correlation"], 0);
}

#[test]
fn a_stream_is_read_whatever_its_case_and_told_as_written() {
    let answer = server().toxic(r#"{"type":"latency","stream":"UPSTREAM"}"#);
    let told = answer.json();
    assert_eq!((&told["stream"], &told["name"]), (&json!("UPSTREAM"), &json!("latency_UPSTREAM")));
}

#[test]
fn toxics_are_listed_upstream_first_then_as_they_came() {
    let server = server();
    for (name, stream) in
        [("d1", "downstream"), ("u1", "upstream"), ("d0", "downstream"), ("u0", "Upstream")]
    {
        server.toxic(&format!(r#"{{"name":"{name}","type":"noop","stream":"{stream}"}}"#));
    }
    let list = server.get("/proxies/p/toxics");
    let names: Vec<_> = list.json().as_array().expect("a list").clone();
    let names: Vec<_> = names.iter().map(|toxic| toxic["name"].as_str().unwrap_or("")).collect();
    assert_eq!(names, ["u1", "u0", "d1", "d0"]);
    let proxy = server.get("/proxies/p").body;
    assert!(proxy.ends_with(&format!("\"toxics\":{}}}", list.body)), "{proxy}");
}

#[test]
fn a_name_is_taken_in_both_directions() {
    let server = server();
    server.toxic(r#"{"name":"t","type":"noop"}"#);
    let answer =
        server.post("/proxies/p/toxics", r#"{"name":"t","type":"latency","stream":"upstream"}"#);
    answer.is_error(409, "toxic already exists");
}

#[test]
fn names_of_another_proxy_are_free() {
    let server = server();
    let _proxy = server.proxy_named("q", "x:1");
    server.toxic(r#"{"name":"t","type":"noop"}"#);
    assert_eq!(server.post("/proxies/q/toxics", r#"{"name":"t","type":"noop"}"#).status, 200);
}

#[test]
fn an_update_may_be_posted_or_patched_and_is_merged() {
    let server = server();
    server.toxic(r#"{"name":"t","type":"latency","attributes":{"latency":100,"jitter":5}}"#);
    let t = "/proxies/p/toxics/t";
    let posted = server.post(t, r#"{"attributes":{"latency":200}}"#);
    assert_eq!(posted.status, 200);
    assert!(posted.body.starts_with(r#"{"attributes":{"latency":200,"jitter":5}"#));
    let patched = server.patch(t, r#"{"attributes":{"jitter":null,"JITTER":7},"toxicity":0.5}"#);
    assert_eq!(patched.status, 200);
    assert!(patched.body.starts_with(r#"{"attributes":{"latency":200,"jitter":7}"#));
    assert!(patched.body.ends_with(r#""toxicity":0.5}"#), "{}", patched.body);
    assert_eq!(server.get(t).body, patched.body);
}

#[test]
fn an_update_keeps_what_it_does_not_name() {
    let server = server();
    let before =
        server.toxic(r#"{"name":"t","type":"bandwidth","toxicity":0.5,"attributes":{"rate":9}}"#);
    for body in ["{}", r#"{"attributes":{}}"#, r#"{"attributes":null,"toxicity":null}"#] {
        assert_eq!(server.post("/proxies/p/toxics/t", body).body, before.body, "{body}");
    }
}

#[test]
fn an_update_changes_neither_name_nor_type_nor_stream() {
    let server = server();
    let before = server.toxic(r#"{"name":"t","type":"latency","attributes":{"latency":9}}"#);
    let body = r#"{"name":"u","type":"noop","stream":"upstream"}"#;
    assert_eq!(server.post("/proxies/p/toxics/t", body).body, before.body);
    assert_eq!(server.get("/proxies/p/toxics/u").status, 404);
}

#[test]
fn a_toxic_that_is_deleted_is_gone() {
    let server = server();
    server.toxic(r#"{"name":"t","type":"noop"}"#);
    let answer = server.delete("/proxies/p/toxics/t");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    server.delete("/proxies/p/toxics/t").is_error(404, "toxic not found");
    assert_eq!(server.get("/proxies/p/toxics").body, "[]");
}

#[test]
fn a_toxicity_is_told_in_its_shortest_form() {
    let server = server();
    for toxicity in ["0.3", "0.1", "1", "0", "0.05", "0.333"] {
        let toxic = format!(r#"{{"name":"t","type":"noop","toxicity":{toxicity}}}"#);
        let answer = server.toxic(&toxic);
        let end = format!(r#""toxicity":{toxicity}}}"#);
        assert!(answer.body.ends_with(&end), "{toxicity}: {}", answer.body);
        server.delete("/proxies/p/toxics/t");
    }
}
