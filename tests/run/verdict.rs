//! What a drill came to: everything hit, nothing hit, no upstream.

use crate::{
    beside::Beside,
    firedrill::{Done, folder, run, scenario, start},
    support::{
        client::{Ask, Met, PATIENCE},
        upstream::Upstream,
    },
};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

const OUTAGE: &str = "name: outage
targets: { purchase: { method: POST, path: /purchase/** } }
phases:
  - name: outage
    for: 10m
    faults: [{ respond: { status: 503, retry_after: 30s }, target: purchase }]
";

/// Plays a scenario until all was asked.
fn after(name: &str, text: &str, flags: &[&str], upstream: &str, asks: &[Ask]) -> (Vec<Met>, Done) {
    let folder = folder(name);
    let mut command = run(&scenario(&folder, text), upstream);
    command.args(flags);
    let beside = Beside::add(&mut command, &folder, "", 0);
    let drill = start(command);
    let address = drill.address();
    let met = asks.iter().map(|ask| ask.at(address, PATIENCE)).collect();
    beside.stop();
    (met, drill.finish())
}

#[test]
fn a_drill_whose_faults_all_hit_passes() {
    let upstream = Upstream::start();
    let asks = [Ask::post("/purchase/1", "{}"), Ask::get("/browse")];
    let (met, done) = after("all-hit", OUTAGE, &[], &upstream.url(), &asks);

    assert_eq!(met[0].status, 503);
    assert_eq!(met[0].header("retry-after"), Some("30"));
    assert!(met[1].is_ok());
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(!done.out.contains("inconclusive"), "{}", done.out);
}

#[test]
fn a_target_that_nobody_calls_is_inconclusive_and_says_how_to_bind_it() {
    let upstream = Upstream::start();
    let (_, done) = after("no-hit", OUTAGE, &[], &upstream.url(), &[Ask::get("/browse")]);

    assert_eq!(done.code, Some(3));
    let reason = "inconclusive: `respond:purchase` hit nothing: no request for `purchase` (POST \
                  /purchase/**; bind it with `--target`) came by in `outage`";
    // However it is wrapped.
    let told = done.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(reason), "{}", done.out);
}

#[test]
fn a_target_that_is_bound_to_ones_own_route_hits_that_and_nothing_else() {
    let upstream = Upstream::start();
    let asks = [Ask::post("/api/checkout", "{}"), Ask::post("/purchase/1", "{}")];
    let flags = ["--target", "purchase=POST /api/checkout"];
    let (met, done) = after("bound", OUTAGE, &flags, &upstream.url(), &asks);

    assert_eq!(met.iter().map(|met| met.status).collect::<Vec<_>>(), [503, 200]);
    assert_eq!(done.code, Some(0), "{}", done.out);
}

#[test]
fn a_phase_that_was_not_reached_is_inconclusive() {
    let upstream = Upstream::start();
    let text = OUTAGE.replace("phases:", "phases:\n  - { name: calm, for: 10m }");
    let (_, done) =
        after("not-reached", &text, &[], &upstream.url(), &[Ask::post("/purchase/1", "")]);

    assert_eq!(done.code, Some(3));
    assert!(done.out.contains("the drill ended before `outage` began"), "{}", done.out);
}

#[test]
fn a_share_that_fell_on_nobody_is_inconclusive() {
    let upstream = Upstream::start();
    let text = OUTAGE.replace("target: purchase }", "target: purchase, share: 0.0001% of users }");
    let asks = [Ask::post("/purchase/1", "").user("one"), Ask::post("/purchase/1", "").user("two")];
    let (met, done) = after("nobody", &text, &[], &upstream.url(), &asks);

    assert!(met.iter().all(Met::is_ok));
    assert_eq!(done.code, Some(3));
    let reason = "2 requests came by, and its share fell on none of them";
    assert!(done.out.contains(reason), "{}", done.out);
}

/// Whoever starts later has asked for less, and gets a verdict on what they asked for.
#[test]
fn a_phase_that_was_left_out_on_purpose_is_not_missed() {
    let upstream = Upstream::start();
    let text = OUTAGE.replace(
        "phases:",
        "phases:\n  - { name: onset, for: 1m, faults: [{ hang: {}, target: purchase }] }",
    );
    let asks = [Ask::post("/purchase/1", "")];
    let (_, done) = after("left-out", &text, &["--start-at", "outage"], &upstream.url(), &asks);

    assert_eq!(done.code, Some(0), "{}", done.out);
    assert!(done.out.contains("started at 1m: `onset` was left out"), "{}", done.out);
}

#[test]
fn an_upstream_that_refuses_is_told_from_an_injected_failure() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", gone.local_addr().expect("an address"));
    drop(gone);
    let asks = [Ask::get("/browse"), Ask::post("/purchase/1", "")];
    let (met, done) = after("gone", OUTAGE, &[], &url, &asks);

    assert_eq!((met[0].status, met[1].status), (502, 503));
    assert_eq!(met[0].header("x-firedrill"), Some("genuine=connect_failed"));
    let body = String::from_utf8_lossy(&met[0].body);
    assert!(body.contains("cannot connect to the upstream: Connection refused"), "{body}");
    assert!(met[1].header("x-firedrill").is_some_and(|mark| mark.contains("fault=")));
    assert_eq!(done.code, Some(5));
    assert!(done.err.contains(&format!("the upstream {url} never answered")), "{}", done.err);
    assert!(
        done.out.contains("1 genuine failure of the upstream (connect_failed)"),
        "{}",
        done.out
    );
}

/// A `404` is an answer as well, though not one that makes anybody happy.
#[test]
fn an_upstream_that_answered_once_was_there() {
    let upstream = Upstream::start();
    let slow = "name: slow\nphases: [{ name: slow, for: 10m, faults: [{ latency: 1ms }] }]\n";
    let asks = [Ask::get("/missing/1"), Ask::get("/missing/2"), Ask::get("/broken")];
    let (met, done) = after("there", slow, &[], &upstream.url(), &asks);

    assert_eq!(met.iter().map(|met| met.status).collect::<Vec<_>>(), [404, 404, 502]);
    assert_eq!(met[2].header("x-firedrill"), Some("genuine=broken"));
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("1 genuine failure of the upstream (broken)"), "{}", done.out);
}

/// However it is wrapped and set.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Loses the answer to the first purchase of each user.
pub(crate) const LOSES: &str = "name: loses
targets: { purchase: { method: POST, path: /purchase/** } }
phases:
  - name: outage
    for: 10m
    faults: [{ lose_response: { by: reset }, target: purchase, times: { first: 1, per: user } }]
expect: [{ duplicate_side_effects: 0 }]
";

#[test]
fn a_purchase_that_is_sent_again_without_a_key_fails_with_the_exact_count() {
    let upstream = Upstream::start();
    let ask = Ask::post("/purchase/1", "{\"order\":1}");
    let asks = [ask.clone(), ask];
    let (met, done) = after("bought-twice", LOSES, &[], &upstream.url(), &asks);

    assert!(met[1].is_ok(), "{:?}", met[1]);
    assert_eq!(done.code, Some(1), "{}", done.out);
    assert!(
        words(&done.out).contains("FAIL duplicate_side_effects 0 1 (1 unsafe operations)"),
        "{}",
        done.out
    );
    assert!(done.out.starts_with("FAIL  0 of 1 expectation met: 1 failed\n"), "{}", done.out);
}

#[test]
fn a_purchase_that_keeps_its_key_is_no_duplicate() {
    let upstream = Upstream::start();
    let ask = Ask::post("/purchase/1", "{\"order\":1}").header("idempotency-key", "k-1");
    let buy = |user: &str| [ask.clone().user(user), ask.clone().user(user)];
    let asks = ["alice", "bob", "carol", "dave", "erin"].map(buy).concat();
    let (_, done) = after("kept-its-key", LOSES, &[], &upstream.url(), &asks);

    assert_eq!(done.code, Some(0), "{}", done.out);
    let said = words(&done.out);
    assert!(said.contains("PASS duplicate_side_effects 0 0 (0 of 5 cut"), "{}", done.out);
}

#[test]
fn what_nobody_can_say_fails_only_where_the_scenario_says_so() {
    let upstream = Upstream::start();
    let few = LOSES.replace("duplicate_side_effects: 0", "retry_amplification: 1.5x");
    let asks = [Ask::post("/purchase/1", "{\"order\":1}")];
    let (_, told) = after("told-only", &few, &[], &upstream.url(), &asks);
    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);

    let strict = format!("{few}confidence: {{ level: 95%, on_inconclusive: fail }}\n");
    let (_, done) = after("not-met", &strict, &[], &upstream.url(), &asks);
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    let why = "inconclusive, and `on_inconclusive: fail`: retry_amplification";
    assert!(done.err.contains(why), "{}", done.err);
}

#[test]
fn each_test_case_is_told_for_itself() {
    let upstream = Upstream::start();
    let folder = folder("cases");
    let (json, record) = (folder.join("told.json"), folder.join("drill.jsonl"));
    let flags = ["--json", &*json.to_string_lossy(), "--record", &*record.to_string_lossy()]
        .map(String::from);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let buy = |case: &str| {
        let ask = Ask::post(format!("/purchase/{}", case.len()), "{}").user(case);
        ask.header("x-firedrill-case", case)
    };
    // Only the first of each user's purchases is lost; one test sends it again, the other gives up.
    let asks = [buy("buys again"), buy("buys again"), buy("gives up")];
    let (_, done) = after("cases-run", LOSES, &flags, &upstream.url(), &asks);
    assert_eq!(done.code, Some(1), "{}", done.out);

    let text = std::fs::read_to_string(&json).expect("a summary");
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let parts = told["verdict"]["parts"].as_array().expect("parts");
    let grade = |case: &str| {
        let part = parts.iter().find(|part| part["case"] == case).expect("a part");
        let mut findings = part["findings"].as_array().expect("findings").iter();
        let found =
            findings.find(|finding| finding["detector"] == "duplicates").expect("a finding");
        found["grade"].clone()
    };
    assert_eq!(grade("buys again"), "fail");
    assert_eq!(grade("gives up"), "inconclusive", "one request clears nobody");
    let record = std::fs::read_to_string(&record).expect("a record");
    assert!(record.contains("\"case\":\"gives up\""), "{record}");
}

/// A client that sends into a connection which was closed a while ago, and leaves it at that.
#[test]
fn a_client_that_does_not_notice_a_closed_connection_is_told_so() {
    const GET: &[u8] = b"GET /cart HTTP/1.1\r\nhost: shop\r\n\r\n";
    let upstream = Upstream::start();
    let text = "name: idle
phases:
  - { name: calm, for: 2s }
  - { name: closed, for: 10m, connections: drain }
expect: [{ survives_idle_close: true }]
";
    let folder = folder("idle-close");
    let mut command = run(&scenario(&folder, text), &upstream.url());
    let beside = Beside::add(&mut command, &folder, "", 0);
    let drill = start(command);
    let mut client = TcpStream::connect(drill.address()).expect("the drill listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a socket");

    client.write_all(GET).expect("an open connection");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("an answer, and a FIN");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    // Nobody is at the other end, which a client learns by writing twice.
    while client.write_all(GET).is_ok() {}
    beside.stop();
    let done = drill.finish();

    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    assert!(done.out.contains("0 of 1 requests that came too late were asked"), "{}", done.out);
}
