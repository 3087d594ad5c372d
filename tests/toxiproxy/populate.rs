//! `POST /populate`: many proxies at once.

use crate::{
    peer::{End, Service, echo},
    server::{Answer, Server},
};
use std::net::TcpListener;

/// Sees that it is an error with what was done before it.
fn is_error(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        (&answer.json()["error"], &answer.json()["status"]),
        (&message.into(), &status.into())
    );
    assert!(answer.body.starts_with(r#"{"error":"#), "{}", answer.body);
    assert!(answer.body.contains(&format!(r#","status":{status},"proxies":"#)), "{}", answer.body);
    assert!(answer.body.ends_with('}'), "no newline: {}", answer.body);
}

#[test]
fn proxies_are_made_in_their_order() {
    let server = Server::start();
    let body = r#"[{"name":"b","listen":"127.0.0.1:0","upstream":"x:1"},
                   {"name":"a","listen":"127.0.0.1:0","upstream":"y:2","enabled":false}]"#;
    let answer = server.post("/populate", body);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let (a, b) = (server.get("/proxies/a"), server.get("/proxies/b"));
    assert_eq!(answer.body, format!("{{\"proxies\":[{},{}]}}", b.body, a.body));
    assert_eq!((&a.json()["enabled"], &b.json()["enabled"]), (&false.into(), &true.into()));
}

#[test]
fn nothing_to_make_makes_null() {
    let server = Server::start();
    for body in ["[]", "null"] {
        let answer = server.post("/populate", body);
        assert_eq!((answer.status, answer.body.as_str()), (201, r#"{"proxies":null}"#), "{body}");
    }
}

#[test]
fn a_proxy_that_is_the_same_keeps_toxics_and_connections() {
    let server = Server::start();
    let service = Service::start();
    let listen = server.proxy(service.address());
    server.toxic(r#"{"name":"t","type":"noop"}"#);
    let (client, behind) = service.pair(listen);
    client.time_to(&behind, b"hello");
    let same = |listen: String, enabled: bool| {
        let upstream = service.address();
        format!(
            r#"[{{"name":"p","listen":"{listen}","upstream":"{upstream}","enabled":{enabled}}}]"#
        )
    };
    for body in
        [same(listen.to_string(), false), same(format!("localhost:{}", listen.port()), true)]
    {
        let answer = server.post("/populate", &body);
        assert_eq!(answer.status, 201, "{answer:?}");
        let proxy = &answer.json()["proxies"][0];
        assert_eq!(proxy["enabled"], true, "what it says of an old proxy is not looked at");
        assert_eq!(proxy["toxics"][0]["name"], "t");
        client.time_to(&behind, b"still there");
    }
}

#[test]
fn a_proxy_that_differs_is_replaced_by_a_fresh_one() {
    let server = Server::start();
    let (old, new) = (Service::start(), Service::start());
    let listen = server.proxy(old.address());
    server.toxic(r#"{"type":"noop"}"#);
    let (client, behind) = old.pair(listen);
    client.time_to(&behind, b"hello");
    let body = format!(r#"[{{"name":"p","listen":"{listen}","upstream":"{}"}}]"#, new.address());
    let answer = server.post("/populate", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["proxies"][0]["toxics"], serde_json::json!([]));
    assert_eq!((client.ends(), behind.ends()), (End::Fin, End::Fin));
    let (client, behind) = new.pair(listen);
    client.time_to(&behind, b"hello");
}

#[test]
fn proxies_that_are_not_named_stay() {
    let server = Server::start();
    let _proxy = server.proxy(echo());
    server.post("/populate", r#"[{"name":"q","listen":"127.0.0.1:0","upstream":"x:1"}]"#);
    assert_eq!(server.get("/proxies/p").status, 200);
}

#[test]
fn all_are_looked_at_before_any_is_made() {
    let server = Server::start();
    for (second, missing) in [("{}", "name"), (r#"{"name":"b"}"#, "upstream")] {
        let body = format!(r#"[{{"name":"a","listen":"127.0.0.1:0","upstream":"x:1"}},{second}]"#);
        let answer = server.post("/populate", &body);
        is_error(&answer, 400, &format!("missing required field: {missing} at proxy 2"));
        assert_eq!(answer.json()["proxies"], serde_json::Value::Null);
    }
    assert_eq!(server.get("/proxies").body, "{}");
}

#[test]
fn a_body_that_cannot_be_read_makes_nothing() {
    let server = Server::start();
    for body in ["", "{", "[{", r#"{"name":"a"}"#, r#"[{"name":1}]"#, "[1]"] {
        let answer = server.post("/populate", body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        let error = answer.json()["error"].to_string();
        assert!(error.starts_with("\"bad request body: "), "{error}");
        assert_eq!(answer.json()["proxies"], serde_json::Value::Null);
    }
    assert_eq!(server.get("/proxies").body, "{}");
}

#[test]
fn the_first_that_fails_ends_it_and_those_before_it_stay() {
    let server = Server::start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address");
    let body = format!(
        r#"[{{"name":"a","listen":"127.0.0.1:0","upstream":"x:1"}},
            {{"name":"b","listen":"{at}","upstream":"x:1"}},
            {{"name":"c","listen":"127.0.0.1:0","upstream":"x:1"}}]"#
    );
    let answer = server.post("/populate", &body);
    is_error(&answer, 500, &format!("listen tcp {at}: bind: address already in use"));
    let json = answer.json();
    let done = json["proxies"].as_array().expect("those before it");
    assert_eq!((done.len(), &done[0]["name"]), (1, &"a".into()));
    assert_eq!(server.get("/proxies/a").status, 200);
    assert_eq!(server.get("/proxies/b").status, 404);
    assert_eq!(server.get("/proxies/c").status, 404);
}

/// Ten years of users wanted it.
#[test]
fn toxics_of_a_proxy_that_is_made_are_put_on_it() {
    let server = Server::start();
    let service = Service::start();
    let toxics = r#"[{"type":"limit_data","attributes":{"bytes":3}},
                     {"name":"slow","type":"latency","stream":"upstream","toxicity":0.5}]"#;
    let proxy = |name: &str| {
        let upstream = service.address();
        format!(
            r#"{{"name":"{name}","listen":"127.0.0.1:0","upstream":"{upstream}","toxics":{toxics}}}"#
        )
    };
    let made = server.post("/proxies", &proxy("made"));
    assert_eq!(made.status, 201, "{made:?}");
    let populated = server.post("/populate", &format!("[{}]", proxy("populated")));
    assert_eq!(populated.status, 201, "{populated:?}");
    for name in ["made", "populated"] {
        let proxy = server.get(&format!("/proxies/{name}"));
        let toxics = &proxy.json()["toxics"];
        assert_eq!(toxics[0]["name"], "slow", "{toxics}");
        assert_eq!(toxics[1]["name"], "limit_data_downstream", "{toxics}");
        let (client, behind) = service.pair(proxy.listen());
        behind.send(b"abcdef");
        assert_eq!(client.rest().0, b"abc");
    }
}

/// As clients write them that send back what they once got.
#[test]
fn no_toxics_may_be_written_as_null_or_nothing() {
    let server = Server::start();
    for (name, toxics) in [("a", "null"), ("b", "[]")] {
        let body = format!(
            r#"{{"name":"{name}","listen":"127.0.0.1:0","upstream":"x:1","toxics":{toxics}}}"#
        );
        let answer = server.post("/proxies", &body);
        assert_eq!((answer.status, &answer.json()["toxics"]), (201, &serde_json::json!([])));
    }
}

#[test]
fn a_toxic_that_is_wrong_has_no_proxy_made() {
    let server = Server::start();
    let body = r#"{"name":"p","listen":"127.0.0.1:0","upstream":"x:1","toxics":[{"type":"x"}]}"#;
    assert_eq!(server.post("/proxies", body).status, 400);
    assert_eq!(server.post("/populate", &format!("[{body}]")).status, 400);
    assert_eq!(server.get("/proxies").body, "{}");
}

/// It is left as a failed update leaves it: there, and off.
#[test]
fn a_replacement_that_cannot_listen_takes_nothing_away() {
    let server = Server::start();
    let listen = server.proxy("x:1");
    server.toxic(r#"{"name":"t","type":"noop"}"#);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address");
    let body = format!(r#"[{{"name":"p","listen":"{at}","upstream":"x:1"}}]"#);
    let answer = server.post("/populate", &body);
    is_error(&answer, 500, &format!("listen tcp {at}: bind: address already in use"));
    let left = server.get("/proxies/p");
    assert_eq!(left.status, 200, "{left:?}");
    assert_eq!((left.listen(), &left.json()["toxics"][0]["name"]), (listen, &"t".into()));
}

/// What is to be on the new one is put there before the old one goes.
#[test]
fn a_replacement_whose_toxics_are_refused_takes_nothing_away() {
    let server = Server::start();
    let old = server.proxy(echo());
    let toxic = |at| format!(r#"{{"name":"t{at}","type":"latency"}}"#);
    let toxics: Vec<String> = (0..=firedrill::engine::MOST_BY_HAND).map(toxic).collect();
    let toxics = toxics.join(",");
    let body =
        format!(r#"[{{"name":"p","listen":"127.0.0.1:0","upstream":"x:1","toxics":[{toxics}]}}]"#);
    let answer = server.post("/populate", &body);
    assert!(answer.status >= 400, "{answer:?}");
    let kept = server.get("/proxies/p");
    assert_eq!((kept.status, kept.json()["enabled"].as_bool()), (200, Some(true)), "{kept:?}");
    assert!(std::net::TcpStream::connect(old).is_ok(), "it listens on");
}
