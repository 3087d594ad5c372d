//! Proxies: made, listed, looked at, switched off and on, taken away.

use crate::{
    peer::{End, Peer, Service, echo},
    server::Server,
};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
};

fn is_refused(address: SocketAddr) -> bool {
    let met = TcpStream::connect(address);
    met.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[test]
fn a_proxy_that_is_made_is_told_whole_and_in_order() {
    let server = Server::start();
    let answer = server
        .post("/proxies", r#"{"name":"p","listen":"127.0.0.1:0","upstream":"localhost:6379"}"#);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let listen = answer.listen();
    assert_ne!(listen.port(), 0);
    let body = format!(
        "{{\"name\":\"p\",\"listen\":\"{listen}\",\"upstream\":\"localhost:6379\",\
         \"enabled\":true,\"Logger\":{{}},\"toxics\":[]}}"
    );
    assert_eq!(answer.body, body);
    assert_eq!(server.get("/proxies/p").body, body);
    assert_eq!(server.get("/proxies").body, format!("{{\"p\":{body}}}"));
}

#[test]
fn proxies_are_listed_by_name() {
    let server = Server::start();
    for name in ["mysql", "Zoo", "api", "redis"] {
        server.proxy_named(name, "x:1");
    }
    let list = server.get("/proxies").body;
    let at = |name: &str| list.find(&format!("\"{name}\":{{\"name\"")).expect("it is listed");
    assert!(at("Zoo") < at("api") && at("api") < at("mysql") && at("mysql") < at("redis"));
}

#[test]
fn a_name_is_escaped_as_go_escapes_it() {
    let server = Server::start();
    let body = r#"{"name":"a<b>&\"é","listen":"127.0.0.1:0","upstream":"x:1"}"#;
    let answer = server.post("/proxies", body);
    let begin = r#"{"name":"a\u003cb\u003e\u0026\"é","listen""#;
    assert!(answer.body.starts_with(begin), "{}", answer.body);
    assert_eq!(server.get("/proxies/a%3Cb%3E%26%22%C3%A9").json()["name"], "a<b>&\"é");
}

#[test]
fn a_proxy_passes_bytes_both_ways() {
    let server = Server::start();
    let service = Service::start();
    let (client, behind) = service.pair(server.proxy(service.address()));
    client.send(b"question");
    behind.gets(b"question");
    behind.send(b"answer");
    client.gets(b"answer");
}

#[test]
fn a_proxy_that_is_made_disabled_does_not_listen() {
    let server = Server::start();
    let body = r#"{"name":"p","listen":"localhost:0","upstream":"x:1","enabled":false}"#;
    let answer = server.post("/proxies", body);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["enabled"], false);
    assert_eq!(answer.json()["listen"], "localhost:0", "as it was written");
}

#[test]
fn a_proxy_that_was_made_disabled_listens_when_it_is_enabled() {
    let server = Server::start();
    let upstream = echo();
    let body =
        format!(r#"{{"name":"p","listen":"localhost:0","upstream":"{upstream}","enabled":false}}"#);
    assert_eq!(server.post("/proxies", &body).status, 201);
    let answer = server.post("/proxies/p", r#"{"enabled":true}"#);
    assert_eq!((answer.status, &answer.json()["enabled"]), (200, &true.into()));
    let client = Peer::to(answer.listen());
    client.time_to(&client, b"hello");
}

#[test]
fn a_proxy_that_is_disabled_closes_its_port_and_its_connections() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    let (client, behind) = service.pair(listen);
    client.time_to(&behind, b"hello");
    let answer = server.post("/proxies/p", r#"{"enabled":false}"#);
    assert_eq!((answer.status, &answer.json()["enabled"]), (200, &false.into()));
    assert_eq!((client.ends(), behind.ends()), (End::Fin, End::Fin));
    assert!(is_refused(listen));
    assert_eq!(answer.listen(), listen, "the port is remembered");
}

#[test]
fn a_proxy_that_is_enabled_again_has_its_port_and_its_toxics() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"limit_data","attributes":{"bytes":3}}"#);
    server.post("/proxies/p", r#"{"enabled":false}"#);
    assert_eq!(server.get("/proxies/p/toxics").json()[0]["name"], "limit_data_downstream");
    let answer = server.post("/proxies/p", r#"{"enabled":true}"#);
    assert_eq!(answer.listen(), listen);
    let (client, behind) = service.pair(listen);
    behind.send(b"abcdef");
    assert_eq!(client.rest().0, b"abc");
}

#[test]
fn a_proxy_that_is_deleted_is_gone_with_its_port_connections_and_toxics() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"type":"noop"}"#);
    let (client, behind) = service.pair(listen);
    client.time_to(&behind, b"hello");
    let answer = server.delete("/proxies/p");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!((client.ends(), behind.ends()), (End::Fin, End::Fin));
    assert!(is_refused(listen));
    assert!(TcpListener::bind(listen).is_ok(), "its port is free");
    server.get("/proxies/p").is_error(404, "proxy not found");
    server.delete("/proxies/p").is_error(404, "proxy not found");
    let _again = server.proxy(service.address());
    assert_eq!(server.get("/proxies/p/toxics").body, "[]");
}

#[test]
fn a_client_of_an_upstream_that_is_away_connects_and_meets_the_end() {
    let server = Server::start();
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let listen = server.proxy(nobody.expect("an address"));
    let client = Peer::to(listen);
    assert_eq!(client.ends(), End::Fin);
}

#[test]
fn an_upstream_is_resolved_anew_at_each_connection() {
    let server = Server::start();
    let service = Service::start();
    let upstream = format!("localhost:{}", service.address().port());
    let listen = server.proxy(upstream);
    for _ in 0..2 {
        let (client, behind) = service.pair(listen);
        client.time_to(&behind, b"hello");
    }
}
