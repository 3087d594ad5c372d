//! Errors by their exact words: clients compare them.

use crate::{
    peer::{Service, echo},
    server::Server,
};
use std::net::TcpListener;

#[test]
fn a_proxy_that_is_not_there_is_told() {
    let server = Server::start();
    for (method, path) in [
        ("GET", "/proxies/x"),
        ("POST", "/proxies/x"),
        ("PATCH", "/proxies/x"),
        ("DELETE", "/proxies/x"),
        ("GET", "/proxies/x/toxics"),
        ("POST", "/proxies/x/toxics"),
        ("GET", "/proxies/x/toxics/t"),
        ("POST", "/proxies/x/toxics/t"),
        ("PATCH", "/proxies/x/toxics/t"),
        ("DELETE", "/proxies/x/toxics/t"),
    ] {
        server.ask(method, path, &[], "{}").is_error(404, "proxy not found");
    }
}

#[test]
fn a_toxic_that_is_not_there_is_told() {
    let server = Server::start();
    let _proxy = server.proxy(echo());
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        server.ask(method, "/proxies/p/toxics/t", &[], "{}").is_error(404, "toxic not found");
    }
}

#[test]
fn a_body_that_is_no_json_is_told() {
    let server = Server::start();
    let _proxy = server.proxy(echo());
    server.toxic(r#"{"name":"t","type":"noop"}"#);
    let paths = ["/proxies", "/proxies/p", "/proxies/p/toxics", "/proxies/p/toxics/t"];
    for path in paths {
        server.post(path, "").is_error(400, "bad request body: EOF");
        server.post(path, r#"{"name":"#).is_error(400, "bad request body: unexpected EOF");
        server.post(path, "nonsense").is_error_like(400, "bad request body: ");
        server.post(path, "[]").is_error_like(400, "bad request body: ");
    }
}

#[test]
fn a_value_of_a_wrong_type_is_told_as_go_would() {
    let server = Server::start();
    let answer = server.post("/proxies", r#"{"name":5}"#);
    let why = "json: cannot unmarshal number into Go struct field Proxy.name of type string";
    answer.is_error(400, &format!("bad request body: {why}"));
}

#[test]
fn a_proxy_needs_a_name_and_an_upstream() {
    let server = Server::start();
    for body in ["{}", r#"{"name":""}"#, r#"{"name":null,"upstream":"x:1"}"#] {
        server.post("/proxies", body).is_error(400, "missing required field: name");
    }
    for body in [r#"{"name":"p"}"#, r#"{"name":"p","upstream":""}"#] {
        server.post("/proxies", body).is_error(400, "missing required field: upstream");
    }
    assert_eq!(server.get("/proxies").body, "{}");
}

#[test]
fn a_name_that_is_taken_is_told_before_a_port_that_is() {
    let server = Server::start();
    let listen = server.proxy(echo());
    let body = format!(r#"{{"name":"p","listen":"{listen}","upstream":"x:1"}}"#);
    server.post("/proxies", &body).is_error(409, "proxy already exists");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let server = Server::start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|address| (address, taken)).expect("an address");
    let body = format!(r#"{{"name":"p","listen":"{}","upstream":"x:1"}}"#, taken.0);
    let why = format!("listen tcp {}: bind: address already in use", taken.0);
    server.post("/proxies", &body).is_error(500, &why);
    server.get("/proxies/p").is_error(404, "proxy not found");
}

#[test]
fn a_port_that_another_proxy_has_is_taken() {
    let server = Server::start();
    let listen = server.proxy(echo());
    let body = format!(r#"{{"name":"q","listen":"{listen}","upstream":"x:1"}}"#);
    let why = format!("listen tcp {listen}: bind: address already in use");
    server.post("/proxies", &body).is_error(500, &why);
}

#[test]
fn an_address_without_a_port_is_told() {
    let server = Server::start();
    let body = r#"{"name":"p","listen":"foo","upstream":"x:1"}"#;
    let why = "listen tcp: address foo: missing port in address";
    server.post("/proxies", body).is_error(500, why);
    assert_eq!(server.get("/proxies").body, "{}");
}

#[test]
fn an_address_without_a_port_changes_nothing() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    let (client, behind) = service.pair(listen);
    let before = server.get("/proxies/p").body;
    let answer = server.post("/proxies/p", r#"{"listen":"foo","upstream":"other:1"}"#);
    answer.is_error(500, "address foo: missing port in address");
    assert_eq!(server.get("/proxies/p").body, before);
    client.send(b"still");
    behind.gets(b"still");
}

#[test]
fn a_host_that_has_no_address_is_told() {
    let server = Server::start();
    let body = r#"{"name":"p","listen":"no-such-host.invalid:0","upstream":"x:1"}"#;
    let answer = server.post("/proxies", body);
    answer.is_error_like(500, "listen tcp: lookup no-such-host.invalid");
    assert_eq!(server.get("/proxies").body, "{}");
}

#[test]
fn a_toxic_of_a_wrong_stream_or_type_or_name_is_told_in_that_order() {
    let server = Server::start();
    let _proxy = server.proxy(echo());
    server.toxic(r#"{"name":"t","type":"noop"}"#);
    let post = |body: &str| server.post("/proxies/p/toxics", body);
    let stream = "stream was invalid, can be either upstream or downstream";
    for wrong in [r#""sideways""#, r#""""#] {
        let body = format!(r#"{{"name":"t","type":"x","stream":{wrong},"attributes":7}}"#);
        post(&body).is_error(400, stream);
    }
    post(r#"{"name":"t","type":"x","attributes":{"latency":"no"}}"#)
        .is_error(400, "invalid toxic type");
    post("{}").is_error(400, "invalid toxic type");
    post(r#"{"name":"t","type":"latency","attributes":{"latency":"no"}}"#)
        .is_error(409, "toxic already exists");
    post(r#"{"name":"u","type":"latency","attributes":{"latency":"no"}}"#)
        .is_error_like(400, "bad request body: ");
    assert_eq!(server.get("/proxies/p/toxics").json().as_array().map(Vec::len), Some(1));
}
