//! Faults put on proxies by hand.

use crate::{
    stage::{Stage, until, visit},
    support::client::{Ask, End, Met, PATIENCE},
};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

#[test]
fn a_fault_is_written_as_in_a_scenario_and_hurts_at_once() {
    let stage = Stage::idle();
    let address = stage.http("shop");

    stage.put_on(r#"{"respond": 503, "target": {"path": "/purchase/**"}, "proxy": "shop"}"#);

    assert_eq!(visit(address, "/purchase/1").status, 503);
    assert_eq!(visit(address, "/other").status, 200);
}

#[test]
fn json_and_yaml_say_the_same() {
    let stage = Stage::idle();
    stage.http("shop");

    stage.put_on("latency: 300ms\nshare: 17% of users\nproxy: shop\nname: slow\nttl: 2m\n");
    let yaml = stage.get("faults/shop/slow").json();
    stage.delete("faults/shop/slow");
    stage.put_on(
        r#"{"latency": "300ms", "share": "17% of users", "proxy": "shop", "name": "slow", "ttl": "2m"}"#,
    );
    let json = stage.get("faults/shop/slow").json();

    let lasting = |fault: &Value| {
        let mut fault = fault.clone();
        fault["since_ms"].take();
        fault["left_ms"].take();
        fault
    };
    assert_eq!(lasting(&yaml), lasting(&json));
    assert_eq!(yaml["share"], "17% of users");
    assert_eq!((&yaml["ttl_ms"], &yaml["origin"]), (&json!(120_000), &json!("api")));
}

#[test]
fn json_is_read_however_it_is_written() {
    let stage = Stage::idle();
    stage.http("shop");
    let long = "x".repeat(2000);
    for (body, name) in [
        ("{\n\t\"latency\":\t\"1ms\",\n\t\"name\": \"\\ud83d\\ude00\"\n}", "\u{1f600}"),
        (r#"{"latency":"1ms","name":"a\/b"}"#, "a/b"),
        (&format!("{{\"name\":\"{long}\",\"latency\":\"1ms\"}}"), &*long),
    ] {
        assert_eq!(stage.put_on(body), name);
    }
}

#[test]
fn a_fault_that_is_taken_away_lets_go_of_what_it_holds() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    let name = stage.put_on("{ hang: {}, proxy: shop }");
    let held = std::thread::spawn(move || visit(address, "/a"));
    until(|| stage.get("faults/shop/hang").json(), |fault| fault["hit"] == 1);

    assert_eq!(stage.delete(&format!("faults/shop/{name}")).status, 204);

    assert_eq!(held.join().expect("a client").end, End::Whole);
    assert_eq!(stage.get("faults").json(), json!({ "faults": [] }));
}

#[test]
fn a_fault_goes_by_itself_when_its_time_is_up() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    stage.put_on("{ respond: 503, proxy: shop, ttl: 300ms }");
    assert_eq!(visit(address, "/a").status, 503);

    until(|| stage.get("faults").json(), |faults| *faults == json!({ "faults": [] }));
    assert_eq!(visit(address, "/a").status, 200);
}

#[test]
fn names_that_go_without_saying_are_made_unique() {
    let stage = Stage::idle();
    stage.http("shop");
    let names = [0; 3].map(|_| stage.put_on("{ latency: 1ms, proxy: shop }"));
    assert_eq!(names, ["latency", "latency#2", "latency#3"]);
    assert_eq!(stage.delete("faults/shop/latency%232").status, 204);
    assert_eq!(stage.put_on("{ latency: 1ms, proxy: shop }"), "latency#2");
}

#[test]
fn a_name_that_is_given_is_given_once() {
    let stage = Stage::idle();
    stage.http("shop");
    stage.put_on("{ latency: 1ms, proxy: shop, name: slow }");
    let again = stage.post("faults", "{ latency: 2ms, proxy: shop, name: slow }");
    assert_eq!(again.status, 409, "{}", again.text);
    assert_eq!(stage.get("faults").json()["faults"].as_array().map(Vec::len), Some(1));
}

#[test]
fn without_a_proxy_it_is_put_on_all_that_it_works_on() {
    let stage = Stage::idle();
    stage.http("one");
    stage.http("two");
    stage.tcp("bytes");
    let on = |fault: &str| {
        let answer = stage.post("faults", fault).json();
        let faults = answer["faults"].as_array().cloned().unwrap_or_default();
        faults.iter().map(|f| f["proxy"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(on("{ respond: 503 }"), ["one", "two"]);
    assert_eq!(on("{ blackhole: {} }"), ["bytes", "one", "two"]);
    assert_eq!(on("{ latency: 1ms, proxy: [two, bytes] }"), ["two", "bytes"]);
}

#[test]
fn on_several_proxies_it_is_put_on_all_or_on_none() {
    let stage = Stage::idle();
    stage.http("one");
    stage.http("two");
    stage.put_on("{ latency: 1ms, proxy: two, name: slow }");

    let answer = stage.post("faults", "{ latency: 1ms, proxy: [one, two], name: slow }");

    assert_eq!(answer.status, 409, "{}", answer.text);
    assert_eq!(stage.get("faults/one/slow").status, 404);
}

#[test]
fn what_cannot_be_played_is_refused_where_it_stands() {
    let stage = Stage::idle();
    stage.http("shop");
    stage.tcp("db");
    for (fault, code, place) in [
        ("{ latensy: 1s, proxy: shop }", "E0104", "latensy"),
        ("{ latency: 300, proxy: shop }", "E0201", "300"),
        ("{ latency: 1s, shaer: 10%, proxy: shop }", "E0101", "shaer"),
        ("{ latency: 1s, tll: 10s, proxy: shop }", "E0101", "tll"),
        ("{ latency: 1s, ttl: 1s, ttl: 2s, proxy: shop }", "E0102", "ttl"),
        ("{ latency: 1s, ttl: 0s, proxy: shop }", "E0203", "0s"),
        ("{ latency: 1s, proxy: shpo }", "E0706", "shpo"),
        ("{ latency: 1s, share: 17% of requests, proxy: db }", "E0707", "17% of requests"),
        ("{ respond: 503, proxy: db }", "E0707", "respond"),
        ("{ refuse: {}, share: 17%, proxy: shop }", "E0401", "17%"),
        ("{ latency: 1s, target: nothing, proxy: shop }", "E0301", "nothing"),
        ("{ one_of: [{ respond: 503, share: 1% }], proxy: shop }", "E0505", "one_of"),
    ] {
        let answer = stage.post("faults", fault);
        assert_eq!(answer.status, 422, "{fault}: {}", answer.text);
        let json = answer.json();
        let problem = &json["problems"][0];
        assert_eq!(problem["code"], code, "{fault}: {}", answer.text);
        let columns = |key: &str| {
            usize::try_from(problem[key].as_u64().expect("a column")).expect("small") - 1
        };
        assert_eq!(&fault[columns("column")..columns("end_column")], place, "{fault}");
    }
    assert_eq!(stage.get("faults").json(), json!({ "faults": [] }));
}

#[test]
fn a_value_that_moves_needs_a_time_to_move_over() {
    let stage = Stage::idle();
    stage.http("shop");
    let answer = stage.post("faults", "{ latency: 0s -> 1s, proxy: shop }");
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains("add `ttl: 30s`"), "{}", answer.text);
    stage.put_on("{ latency: 0s -> 1s, proxy: shop, ttl: 30s }");
}

#[test]
fn another_fault_takes_its_place_or_nothing_changes() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    stage.put_on("{ respond: 503, proxy: shop, name: outage }");
    let _met = visit(address, "/a");

    let changed = stage.put("faults/shop/outage", "{ respond: 429 }");
    assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("outage")));
    assert_eq!(visit(address, "/a").status, 429);

    for (body, status) in [
        ("{ respond: 500, name: other }", 422),
        ("{ respond: 500, proxy: other }", 422),
        ("{ respnd: 500 }", 422),
    ] {
        assert_eq!(stage.put("faults/shop/outage", body).status, status, "{body}");
    }
    assert_eq!(visit(address, "/a").status, 429);
    assert_eq!(stage.put("faults/shop/nothing", "{ respond: 500 }").status, 404);
    let tally = stage.get("faults/shop/outage").json();
    assert_eq!((&tally["meant_for"], &tally["hit"]), (&json!(3), &json!(3)));
}

#[test]
fn all_of_them_go_at_once() {
    let stage = Stage::idle();
    let addresses = [stage.http("one"), stage.http("two")];
    stage.put_on("{ respond: 503 }");
    assert_eq!(stage.delete("faults").status, 204);
    assert_eq!(addresses.map(|address| visit(address, "/a").status), [200, 200]);
}

#[test]
fn a_client_that_takes_nothing_delays_no_command() {
    let stage = Stage::idle();
    let address = stage.tcp("db");
    stage.put_on("{ bandwidth: 1KiB/s, proxy: db }");
    // It asks for more than its buffers hold, and reads none of it.
    let mut clients: Vec<TcpStream> = Vec::new();
    for _ in 0..8 {
        let mut client = TcpStream::connect(address).expect("a connection");
        client.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n").expect("it is taken");
        clients.push(client);
    }
    let start = Instant::now();
    for _ in 0..20 {
        let name = stage.put_on("{ latency: 10s, proxy: db }");
        assert_eq!(stage.get("status").status, 200);
        assert_eq!(stage.delete(&format!("faults/db/{name}")).status, 204);
    }
    // Sixty commands; the traffic would take minutes.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_toxic_is_told_beside_the_others() {
    let stage = Stage::idle();
    stage.tcp("db");
    let toxic = json!({ "type": "latency", "name": "t", "attributes": { "latency": 5 } });
    let added = stage.send(http::Method::POST, "/proxies/db/toxics", toxic.to_string());
    assert_eq!(added.status, 200, "{}", added.text);

    let fault = &stage.get("faults").json()["faults"][0];

    assert_eq!((&fault["name"], &fault["origin"]), (&json!("t"), &json!("toxiproxy")));
    assert_eq!(stage.delete("faults/db/t").status, 204);
}

#[test]
fn what_it_did_is_counted() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    let name = stage.put_on("{ latency: 50ms, target: { path: /slow }, proxy: shop }");
    let met = ["/slow", "/fast", "/slow"].map(|path| visit(address, path));
    assert!(met.iter().all(Met::is_ok));
    assert!(met[0].took() >= Duration::from_millis(50), "{:?}", met[0].took());
    let name = name.replace('/', "%2F").replace(' ', "%20").replace(':', "%3A");
    let fault = stage.get(&format!("faults/shop/{name}")).json();
    assert_eq!((&fault["meant_for"], &fault["hit"]), (&json!(2), &json!(2)), "{fault}");
    assert_eq!(fault["held_ms"], 100);
}

#[test]
fn a_share_of_users_hits_the_same_ones_each_time() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    stage.put_on("{ respond: 503, share: 50% of users, proxy: shop }");
    let fates = |nth: usize| {
        let user = format!("user {nth}");
        [0; 2].map(|_| Ask::get("/a").user(&user).at(address, PATIENCE).status)
    };
    let all: Vec<[u16; 2]> = (0..40).map(fates).collect();
    assert!(all.iter().all(|[first, second]| first == second), "{all:?}");
    let hit = all.iter().filter(|[first, _]| *first == 503).count();
    assert!((8..=32).contains(&hit), "{hit} of 40");
}

#[test]
fn a_cohort_by_hand_hits_the_same_users_with_all_its_faults() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    let keys = "share: 50% of users, cohort: unlucky, proxy: shop";
    stage.put_on(&format!("{{ respond: 503, target: {{ path: /a }}, {keys} }}"));
    stage.put_on(&format!("{{ respond: 429, target: {{ path: /b }}, {keys} }}"));
    let fates = |nth: usize| {
        let user = format!("user {nth}");
        ["/a", "/b"].map(|path| Ask::get(path).user(&user).at(address, PATIENCE).status)
    };
    let all: Vec<[u16; 2]> = (0..40).map(fates).collect();
    assert!(all.iter().all(|both| [[503, 429], [200, 200]].contains(both)), "{all:?}");
    assert!(all.contains(&[503, 429]) && all.contains(&[200, 200]), "{all:?}");
}

#[test]
fn times_are_counted_anew_for_a_fault_that_is_put_on_again() {
    let stage = Stage::idle();
    let address = stage.http("shop");
    for _ in 0..2 {
        stage.put_on("{ respond: 503, times: { first: 1, per: run }, proxy: shop, name: once }");
        assert_eq!([0; 2].map(|_| visit(address, "/a").status), [503, 200]);
        stage.delete("faults/shop/once");
    }
}
