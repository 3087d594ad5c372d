//! Proxies made, changed and taken away.

use crate::{
    stage::{Stage, until, visit},
    support::client::End,
};
use serde_json::json;
use std::{fs, net::TcpListener, path::Path};

#[test]
fn a_proxy_that_is_made_carries_traffic_until_it_is_taken_away() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    assert!(visit(address, "/a").is_ok());

    let gone = stage.delete("proxies/shop");

    assert_eq!((gone.status, &*gone.text), (204, ""));
    assert_eq!(visit(address, "/a").end, End::Refused);
    assert_eq!(stage.get("proxies/shop").status, 404);
}

#[test]
fn all_of_a_proxy_is_told() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    let _met = visit(address, "/a");

    let shop = || stage.get("proxies/shop").json();
    let told = until(shop, |told| told["connections"]["open"] == 0);

    let keys: Vec<&String> = told.as_object().expect("an object").keys().collect();
    let all =
        ["bytes", "connections", "enabled", "faults", "listen", "name", "protocol", "upstream"];
    assert_eq!(keys, all);
    assert_eq!(told["listen"], address.to_string());
    assert_eq!(told["upstream"], stage.upstream().url());
    assert_eq!((&told["protocol"], &told["enabled"]), (&json!("http"), &json!(true)));
    assert_eq!(told["connections"]["accepted"], 1);
    assert_eq!(stage.get("proxies").json()["proxies"], json!([told]));
}

#[test]
fn whatever_a_proxy_was_told_is_told_as_it_can_be_sent() {
    let stage = Stage::idle();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ctl-told");
    fs::create_dir_all(&folder).expect("a folder");
    let signed = rcgen::generate_simple_self_signed(["shop".to_owned()]).expect("signed");
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let (cert, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    let secret = key.lines().nth(1).expect("its first line").to_owned();
    let (cert, key) = (file("shop.pem", cert), file("shop.key", key));
    let all = [
        json!({
            "protocol": "http", "upstream": "https://10.0.0.7",
            "users": [{ "header": "x-user-id" }, { "cookie": "sid" }, { "query": "key" }, "peer"],
            "host": "rewrite", "mark": false, "upstream_http": "http2",
            "tls": { "ca": cert, "sni": "shop.example", "cert": cert, "key": key },
            "terminate": { "cert": cert, "key": key, "client_ca": cert },
            "proxy_protocol": { "accept": ["10.0.0.0/8", "::1/128"], "send": "v2" },
            "forwarded": "both",
        }),
        json!({ "protocol": "http", "upstream": "https://10.0.0.7", "tls": { "verify": false } }),
        json!({
            "protocol": "tcp", "upstream": "10.0.0.7:443",
            "sni": { "shop.example": "10.0.0.8:443", "*.example": "[::1]:443" },
            "proxy_protocol": { "send": "v1" },
        }),
        json!({
            "protocol": "forward", "allow": ["api.example.com", "127.0.0.1:*"], "intercept": false,
            "upstream_http": "http1",
        }),
    ];
    for (at, mut sent) in all.into_iter().enumerate() {
        sent["name"] = format!("proxy-{at}").into();
        sent["listen"] = "127.0.0.1:0".into();
        sent["enabled"] = false.into();

        let answer = stage.post("proxies", sent.to_string());

        assert_eq!(answer.status, 201, "{}", answer.text);
        let told = answer.json();
        for (key, value) in sent.as_object().expect("an object") {
            assert_eq!(told[key], *value, "{key} of {}", answer.text);
        }
        let beside = ["bytes", "connections", "faults"];
        let more = told.as_object().expect("an object").keys();
        let more: Vec<&String> =
            more.filter(|key| sent.get(key).is_none() && !beside.contains(&key.as_str())).collect();
        assert!(more.is_empty() || (at == 3 && more == ["upstream"]), "{more:?}");
        assert!(!answer.text.contains(&secret), "no key is ever shown");
    }
}

#[test]
fn a_file_that_is_not_there_is_told_with_its_place() {
    let stage = Stage::idle();
    let body = "name: shop\nlisten: 0\nupstream: https://127.0.0.1:1\ntls: { ca: /nowhere.pem }\n";

    let answer = stage.post("proxies", body);

    assert_eq!(answer.status, 422, "{}", answer.text);
    let problem = &answer.json()["problems"][0];
    assert_eq!((&problem["code"], &problem["line"]), (&json!("E0721"), &json!(4)));
}

#[test]
fn one_that_is_switched_off_refuses_and_keeps_its_port_for_later() {
    let stage = Stage::idle();
    let address = stage.http("shop");

    let off = stage.patch("proxies/shop", r#"{"enabled": false}"#).json();
    assert_eq!(off["enabled"], false);
    assert_eq!(visit(address, "/a").end, End::Refused);

    let on = stage.patch("proxies/shop", "enabled: yes").json();
    assert_eq!(on["listen"], address.to_string());
    assert!(visit(address, "/a").is_ok());
}

#[test]
fn a_port_that_is_taken_is_a_conflict_and_makes_no_proxy() {
    let stage = Stage::idle();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("an address").to_string();

    let body = json!({ "name": "shop", "listen": listen, "upstream": "http://127.0.0.1:1" });
    let answer = stage.post("proxies", body.to_string());

    assert_eq!(answer.status, 409, "{}", answer.text);
    let why = answer.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(why.contains(&listen) && why.contains("in use"), "{why}");
    assert_eq!(stage.get("proxies").json(), json!({ "proxies": [] }));
}

#[test]
fn a_name_is_given_once() {
    let stage = Stage::idle();
    let address = stage.http("shop");

    let body = json!({ "name": "shop", "listen": "127.0.0.1:0", "upstream": "http://127.0.0.1:1" });

    assert_eq!(stage.post("proxies", body.to_string()).status, 409);
    assert!(visit(address, "/a").is_ok());
}

#[test]
fn a_misspelt_key_is_refused_with_the_right_one() {
    let stage = Stage::idle();
    for (body, said) in [
        (r#"{"name": "shop", "listen": "127.0.0.1:0", "upstrem": "http://h"}"#, "`upstream`"),
        (r#"{"nmae": "shop", "listen": "127.0.0.1:0", "upstream": "http://h"}"#, "`name`"),
    ] {
        let answer = stage.post("proxies", body);
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.text.contains("E0101") && answer.text.contains(said), "{}", answer.text);
    }
    stage.http("shop");
    let answer = stage.patch("proxies/shop", r#"{"enable": false}"#);
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains("did you mean `enabled`?"), "{}", answer.text);
    assert_eq!(stage.get("proxies/shop").json()["enabled"], true);
}

#[test]
fn an_upstream_that_is_none_changes_nothing() {
    let stage = Stage::idle();
    let address = stage.http("shop");

    let answer = stage.patch("proxies/shop", r#"{"upstream": "http://h/path", "enabled": false}"#);

    assert_eq!(answer.status, 422, "{}", answer.text);
    assert!(visit(address, "/a").is_ok());
}
