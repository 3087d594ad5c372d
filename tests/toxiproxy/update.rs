//! Updates of a proxy: what they change, and what becomes of its connections.

use crate::{
    peer::{End, Peer, Service, echo},
    server::Server,
};
use std::net::{TcpListener, TcpStream};

#[test]
fn an_update_may_be_posted_or_patched() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    for method in ["POST", "PATCH"] {
        let body = format!(r#"{{"upstream":"{}:2"}}"#, method.to_lowercase());
        let answer = server.ask(method, "/proxies/p", &[], &body);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["upstream"], format!("{}:2", method.to_lowercase()));
    }
}

#[test]
fn what_an_update_does_not_name_stays() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    let before = server.get("/proxies/p").body;
    for body in ["{}", "null", r#"{"enabled":null,"listen":null,"upstream":null}"#] {
        let answer = server.post("/proxies/p", body);
        assert_eq!((answer.status, answer.body), (200, before.clone()), "{body}");
    }
}

#[test]
fn a_name_is_never_changed() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    assert_eq!(server.post("/proxies/p", r#"{"name":"q"}"#).json()["name"], "p");
    assert_eq!(server.get("/proxies/q").status, 404);
}

#[test]
fn toxics_in_an_update_of_a_proxy_are_not_looked_at() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    server.toxic(r#"{"name":"t","type":"noop"}"#);
    let answer = server.post("/proxies/p", r#"{"toxics":[]}"#);
    assert_eq!(answer.json()["toxics"][0]["name"], "t");
}

#[test]
fn the_same_address_by_another_name_leaves_connections_alone() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    let (client, behind) = service.pair(listen);
    let upstream = service.address();
    for name in [listen.to_string(), format!("localhost:{}", listen.port())] {
        let body = format!(r#"{{"listen":"{name}","upstream":"{upstream}","enabled":true}}"#);
        let answer = server.post("/proxies/p", &body);
        assert_eq!((answer.status, answer.listen()), (200, listen), "{name}");
        client.time_to(&behind, b"still there");
    }
}

#[test]
fn another_upstream_ends_connections_and_serves_new_ones() {
    let server = Server::start();
    let (old, new) = (Service::start(), Service::start());
    let listen = server.proxy(old.address());
    let (client, behind) = old.pair(listen);
    client.time_to(&behind, b"hello");
    let body = format!(r#"{{"upstream":"{}"}}"#, new.address());
    let answer = server.post("/proxies/p", &body);
    assert_eq!((answer.status, answer.listen()), (200, listen));
    assert_eq!((client.ends(), behind.ends()), (End::Fin, End::Fin));
    let (client, behind) = new.pair(listen);
    client.time_to(&behind, b"hello");
}

#[test]
fn another_address_is_listened_on_and_the_old_one_free() {
    let server = Server::start();
    let old = server.proxy(echo());
    let answer = server.post("/proxies/p", r#"{"listen":"127.0.0.1:0"}"#);
    let new = answer.listen();
    assert_eq!(answer.status, 200);
    assert!(new.port() != 0 && new.port() != old.port());
    assert!(TcpStream::connect(old).is_err());
    let client = Peer::to(new);
    client.time_to(&client, b"hello");
}

#[test]
fn toxics_outlast_an_update() {
    let server = Server::start();
    let service = Service::start();
    let _old = server.proxy("x:1");
    server.toxic(r#"{"type":"limit_data","attributes":{"bytes":3}}"#);
    let body = format!(r#"{{"upstream":"{}","listen":"127.0.0.1:0"}}"#, service.address());
    let (client, behind) = service.pair(server.post("/proxies/p", &body).listen());
    behind.send(b"abcdef");
    assert_eq!(client.rest().0, b"abc");
}

#[test]
fn a_port_that_is_taken_leaves_a_proxy_disabled_with_the_new_address() {
    let server = Server::start();
    let _old = server.proxy("x:1");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let answer = server.post("/proxies/p", &format!(r#"{{"listen":"{address}"}}"#));
    answer.is_error(500, &format!("listen tcp {address}: bind: address already in use"));
    let now = server.get("/proxies/p");
    assert_eq!((now.listen(), &now.json()["enabled"]), (address, &false.into()));
    drop(taken);
    let answer = server.post("/proxies/p", r#"{"enabled":true}"#);
    assert_eq!((answer.status, answer.listen()), (200, address));
}

#[test]
fn a_wrong_type_among_right_ones_changes_nothing() {
    let server = Server::start();
    let _proxy = server.proxy("x:1");
    let before = server.get("/proxies/p").body;
    let answer = server.post("/proxies/p", r#"{"upstream":"y:2","enabled":"no"}"#);
    answer.is_error_like(400, "bad request body: json: cannot unmarshal string into");
    assert_eq!(server.get("/proxies/p").body, before);
}
