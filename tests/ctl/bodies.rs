//! Bodies and paths that nobody should send.

use crate::{
    stage::Stage,
    support::client::{Ask, PATIENCE},
};
use firedrill::{config::Secret, control::Guard};
use http::Method;
use serde_json::json;

#[test]
fn no_body_brings_it_down_or_changes_anything() {
    let stage = Stage::playing("{ name: x, phases: [{ name: a, for: 10m }] }");
    stage.http("shop");
    stage.put_on("{ latency: 1ms, proxy: shop, name: slow }");
    let before = stage.get("status").json();
    let deep = "[".repeat(100_000);
    let long = format!("{{ latency: 1ms, name: {} }}", "x".repeat(2 << 20));
    let bombs = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "7",
        "\"text\"",
        "{}",
        "\u{0}",
        "\u{feff}",
        "---\n---\n",
        "? a",
        &deep,
        &long,
        bombs,
        "{ latency: }",
        "{ latency: { : } }",
        "{ proxy: [] , latency: 1ms }",
        "{ proxy: shop, latency: [[]] }",
        "{ name: '', latency: 1ms }",
        "!!binary x",
    ];
    for body in bodies {
        for (method, path) in [
            (Method::POST, "faults"),
            (Method::PUT, "faults/shop/slow"),
            (Method::POST, "proxies"),
            (Method::POST, "drill/seek"),
            (Method::POST, "drill/speed"),
        ] {
            let answer = stage.send(method, &format!("/api/v1/{path}"), body);
            let start: String = body.chars().take(40).collect();
            assert_eq!(answer.status, 422, "{path} {start:?}: {}", answer.text);
            let json = answer.json();
            assert_eq!(json["type"], "urn:firedrill:unreadable", "{path} {start:?}");
            assert_eq!(
                (&json["status"], &json["title"]),
                (&json!(422), &json!("Unprocessable Entity"))
            );
            assert!(json["detail"].is_string());
        }
    }
    let after = stage.get("status").json();
    assert_eq!(before["proxies"][0]["faults"][0]["what"], after["proxies"][0]["faults"][0]["what"]);
    assert_eq!(after["proxies"].as_array().map(Vec::len), Some(1));
    assert_eq!(after["scenario"]["phase"], "a");
}

#[test]
fn a_path_that_is_none_is_told_as_a_problem() {
    let stage = Stage::idle();
    for (method, path, status) in [
        (Method::GET, "/api/v1/nothing", 404),
        (Method::GET, "/api/v1/proxies/shop", 404),
        (Method::GET, "/api/v1/faults/shop/slow", 404),
        (Method::DELETE, "/api/v1/faults/shop/slow", 404),
        (Method::PATCH, "/api/v1/proxies/shop", 404),
        (Method::DELETE, "/api/v1/proxies/shop", 404),
        (Method::PUT, "/api/v1/status", 405),
        (Method::GET, "/api/v1/drill/pause", 405),
    ] {
        let answer = stage.send(method, path, "");
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert_eq!(answer.json()["status"], status, "{path}");
    }
}

/// The client's requests are for this host.
fn named() -> Guard {
    Guard { hosts: vec!["shop.example".into()], ..Guard::default() }
}

#[test]
fn what_is_told_says_what_it_is() {
    let stage = Stage::guarded(named());
    for (path, kind) in [
        ("/api/v1/status", "application/json"),
        ("/api/v1/nothing", "application/problem+json"),
        ("/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ] {
        let met = Ask::get(path).at(stage.admin(), PATIENCE);
        assert_eq!(met.header("content-type"), Some(kind), "{path}");
    }
}

#[test]
fn a_page_of_another_site_commands_nothing() {
    let stage = Stage::guarded(named());
    stage.http("shop");
    let from = |site: &str| {
        let ask = Ask::post("/api/v1/faults", "{ respond: 503 }").header("origin", site);
        ask.at(stage.admin(), PATIENCE).status
    };
    assert_eq!(from("http://evil.example"), 403);
    assert_eq!(stage.get("faults").json(), json!({ "faults": [] }));
    assert_eq!(from("http://shop.example"), 201);
}

#[test]
fn a_near_miss_of_a_proxy_is_told() {
    let stage = Stage::idle();
    stage.http("shop");
    let answer = stage.get("proxies/shpo").json();
    assert_eq!(answer["detail"], "there is no proxy `shpo`; did you mean `shop`?");
}

#[test]
fn without_the_token_nothing_is_told() {
    let guard = Guard { token: Secret::new("s3cret"), ..Guard::default() };
    let stage = Stage::guarded(guard);
    for path in ["/api/v1/status", "/metrics"] {
        let answer = stage.send(Method::GET, path, "");
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.text.contains("version"), "{}", answer.text);
    }
}
