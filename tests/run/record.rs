//! The record: what it holds, what it never holds, and that a seed plays the same drill again.

use crate::{
    beside::Beside,
    firedrill::{folder, folder_of, run, scenario, start},
    support::{
        client::{Ask, Connection, End, Met, PATIENCE},
        upstream::Upstream,
    },
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

/// A record, read back.
pub(crate) struct Record {
    pub(crate) text: String,
    pub(crate) lines: Vec<Value>,
}

/// A change of phase, in microseconds.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) phase: Option<String>,
    pub(crate) planned: u64,
    pub(crate) actual: u64,
}

impl Record {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a record");
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        Self { text, lines }
    }

    pub(crate) fn exchanges(&self) -> Vec<Value> {
        self.of("exchange")
    }

    pub(crate) fn edges(&self) -> Vec<Edge> {
        let edge = |line: Value| Edge {
            phase: line["phase"].as_str().map(str::to_owned),
            planned: line["planned_us"].as_u64().expect("a time"),
            actual: line["actual_us"].as_u64().expect("a time"),
        };
        self.of("phase").into_iter().map(edge).collect()
    }

    fn of(&self, kind: &str) -> Vec<Value> {
        self.lines.iter().filter(|line| line["type"] == kind).cloned().collect()
    }
}

const DRILL: &str = "name: drill
targets: { buy: { method: POST, path: /buy }, browse: { path: /browse } }
phases:
  - name: outage
    for: 10m
    faults:
      - { latency: 20ms, name: slow, target: browse }
      - { respond: { status: 503, retry_after: 7s }, name: busy, target: buy }
      - { lose_response: { by: 500 }, name: lost, target: { path: /lost } }
      - { lose_response: { by: reset }, name: cut, target: { path: /cut } }
";

/// Plays `text` with a record until `asking` is done.
fn recorded<T>(
    name: &str,
    text: &str,
    flags: &[&str],
    asking: impl FnOnce(std::net::SocketAddr) -> T,
) -> (T, Record) {
    let (upstream, folder) = (Upstream::start(), folder(name));
    let path = folder.join("run.jsonl");
    let mut command = run(&scenario(&folder, text), &upstream.url());
    command.args(flags).arg("--record").arg(&path);
    let beside = Beside::add(&mut command, &folder, "", 0);
    let drill = start(command);
    let outcome = asking(drill.address());
    beside.stop();
    let done = drill.finish();
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    (outcome, Record::read(&path))
}

#[test]
fn a_record_begins_with_what_was_played_and_ends_with_its_end() {
    let ((), record) = recorded(
        "frame",
        "name: calm\nseed: 7\nphases: [{ name: calm, for: 10m }]\n",
        &["--speed", "2"],
        |address| {
            for _ in 0..3 {
                assert!(Ask::get("/").at(address, PATIENCE).is_ok());
            }
        },
    );

    let head = &record.lines[0];
    assert_eq!((&head["type"], &head["format"]), (&"run".into(), &1.into()));
    assert_eq!(
        (&head["scenario"], &head["seed"], &head["speed"]),
        (&"calm".into(), &7.into(), &2.0.into())
    );
    assert_eq!(head["phases"], serde_json::json!([["calm", 600_000]]));
    assert_eq!(
        head["users"],
        serde_json::json!(["header x-user-id", "header authorization", "peer address"])
    );
    for key in ["run", "firedrill", "scenario_hash", "started"] {
        assert!(head[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {head}");
    }
    assert_eq!(record.exchanges().len(), 3, "one line per exchange");
    let mut last = record.lines.last().expect("lines").clone();
    let took = last.as_object_mut().and_then(|last| last.remove("took_us"));
    assert!(took.is_some_and(|took| took.as_u64().is_some_and(|took| took > 0)), "{last}");
    assert_eq!(
        last,
        serde_json::json!({ "type": "end", "end": "command_ended", "exchanges": 3, "dropped": 0 })
    );
    assert!(record.text.ends_with('\n'));
}

/// Everything a judge of the client needs of an attempt that went through.
#[test]
fn an_exchange_is_told_from_both_sides() {
    let ask = Ask::post("/browse?page=2", r#"{"id":1}"#)
        .user("alice")
        .header("content-type", "application/json")
        .header("user-agent", "suite/1")
        .header("idempotency-key", "k-1")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("x-request-id", "r-1")
        .header("amz-sdk-invocation-id", "i-1")
        .header("x-stainless-retry-count", "2")
        .header("x-chaos-op", "o-1");
    let drill = DRILL.replace("name: slow, target: browse }", "name: slow }");
    let text =
        drill.lines().take_while(|line| !line.contains("respond")).collect::<Vec<_>>().join("\n")
            + "\n";
    let ((), record) = recorded("both-sides", &text, &[], |address| {
        let mut connection = Connection::to(address);
        assert!(connection.ask(&ask, PATIENCE).is_ok());
        assert!(connection.ask(&ask, PATIENCE).is_ok());
    });

    let exchanges = record.exchanges();
    let (first, second) = (&exchanges[0], &exchanges[1]);
    assert_eq!((&first["conn"]["seq"], &second["conn"]["seq"]), (&1.into(), &2.into()));
    assert_eq!(first["conn"]["id"], second["conn"]["id"]);
    assert!(first["conn"]["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")));
    assert_eq!(
        (&first["client"]["by"], &first["client"]["nth"]),
        (&"header x-user-id".into(), &1.into())
    );
    assert_eq!(
        (&second["client"]["nth"], &second["client"]["agent"]),
        (&2.into(), &"suite/1".into())
    );
    assert_eq!(
        (&first["phase"], &first["targets"]),
        (&"outage".into(), &serde_json::json!(["browse"]))
    );
    let keys = serde_json::json!({
        "idempotency": "k-1", "operation": "o-1", "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
        "request": "r-1", "invocation": "i-1", "attempt": "2",
    });
    assert_eq!(first["keys"], keys);
    let request = &first["request"];
    assert_eq!(
        (&request["method"], &request["path"], &request["query"]),
        (&"POST".into(), &"/browse".into(), &"page=2".into())
    );
    assert_eq!(request["bytes"], 8);
    for key in ["body_hash", "shape_hash", "fingerprint"] {
        assert_eq!(request[key], second["request"][key], "{key}: the same attempt again");
        assert!(request[key].is_string(), "{key}");
    }
    let upstream = &first["upstream"];
    assert_eq!((&upstream["got"], &upstream["status"]), (&"answered".into(), &200.into()));
    assert!(upstream["made"].is_string(), "what a POST made, hashed");
    assert_eq!(first["sent"], serde_json::json!({ "status": 200, "bytes": 64, "complete": true }));
    assert_eq!((&first["outcome"], &first["ended_by"]), (&"ok".into(), &"completed".into()));
    assert_eq!(first["faults"][0]["name"], "slow");
    assert_eq!(first["faults"][0]["delay_us"], 20_000);

    let at = |key: &str| first["t"][key].as_u64().unwrap_or_else(|| panic!("no {key}: {first}"));
    let accepted = first["conn"]["accepted"].as_u64().expect("a time");
    let order = [
        accepted,
        at("first"),
        at("head"),
        at("forwarded"),
        at("answered"),
        at("sent_first"),
        at("end"),
    ];
    assert!(order.is_sorted(), "{first}");
    assert!(at("received") >= at("head") && at("upstream_end") >= at("answered"));
    assert!(at("forwarded") - at("head") >= 20_000, "it was held before it was passed on");
}

#[test]
fn the_record_tells_who_ended_an_exchange_and_what_the_upstream_knew() {
    let asks = [
        Ask::post("/buy", ""),
        Ask::get("/browse"),
        Ask::get("/lost"),
        Ask::get("/cut"),
        Ask::get("/other"),
    ];
    let (met, record) = recorded("ends", DRILL, &[], |address| {
        asks.iter().map(|ask| ask.at(address, PATIENCE)).collect::<Vec<Met>>()
    });

    assert_eq!(met.iter().map(|met| met.status).collect::<Vec<_>>(), [503, 200, 500, 0, 200]);
    assert_eq!(met[3].end, End::Reset);
    let told: Vec<Value> = record
        .exchanges()
        .iter()
        .map(|line| {
            let fault = &line["faults"][0];
            serde_json::json!([
                fault["name"],
                fault["did"],
                line["upstream"]["got"],
                line["sent"]["status"],
                line["outcome"],
                line["ended_by"]
            ])
        })
        .collect();
    let told: BTreeSet<String> = told.iter().map(Value::to_string).collect();
    let expected = [
        r#"["busy","responded","not_sent",503,"5xx","completed"]"#,
        r#"["slow","delayed","answered",200,"ok","completed"]"#,
        r#"["lost","lost_response","answered",500,"5xx","completed"]"#,
        r#"["cut","lost_response","answered",null,"broken","proxy_rst"]"#,
        r#"[null,null,"answered",200,"ok","completed"]"#,
    ];
    assert_eq!(told, expected.map(str::to_owned).into());
    let busy = record.exchanges().into_iter().find(|line| line["sent"]["status"] == 503);
    assert_eq!(busy.expect("one")["sent"]["retry_after"], "7");
}

#[test]
fn a_copy_has_a_line_of_its_own() {
    let text = "name: twice\nphases: [{ name: twice, for: 10m, faults: [{ duplicate: {} }] }]\n";
    let (met, record) = recorded("twice", text, &[], |address| Ask::get("/").at(address, PATIENCE));

    assert_eq!(met.status, 200);
    let (exchanges, copies) = (record.exchanges(), record.of("duplicate"));
    assert_eq!((exchanges.len(), copies.len()), (1, 1), "{}", record.text);
    let (exchange, copy) = (&exchanges[0], &copies[0]);
    assert_eq!(exchange["faults"][0]["did"], "duplicated");
    assert_eq!((&copy["conn"], &copy["seq"]), (&exchange["conn"]["id"], &exchange["conn"]["seq"]));
    assert_eq!(copy["fault"], "duplicate");
    assert_eq!(copy["upstream"], serde_json::json!({ "got": "answered", "status": 200 }));
    let at = |name: &str| copy["t"][name].as_u64().expect("a time");
    assert!(at("forwarded") <= at("answered") && at("answered") <= at("end"), "{copy}");
}

#[test]
fn a_client_that_gives_up_is_told_as_such() {
    let text = "name: hang\nphases: [{ name: hang, for: 10m, faults: [{ hang: {} }] }]\n";
    let ((), record) = recorded("gives-up", text, &[], |address| {
        let met = Ask::get("/").at(address, std::time::Duration::from_millis(300));
        assert_eq!(met.end, End::Silent);
        // The record can be read while it grows; what is in it ended before the drill did.
        let path = folder_of("gives-up").join("run.jsonl");
        let until = Instant::now() + PATIENCE;
        while !fs::read_to_string(&path).expect("a record").contains("\"exchange\"") {
            assert!(Instant::now() < until, "nobody noticed that the client is gone");
            thread::yield_now();
        }
    });

    let exchange = &record.exchanges()[0];
    assert_eq!(exchange["outcome"], "client_gone");
    assert_eq!(exchange["faults"][0]["did"], "hung");
    let at = |key: &str| exchange["t"][key].as_u64().unwrap_or_else(|| panic!("{exchange}"));
    // As long as its patience, and what it takes to notice.
    assert!(at("client_gone") - at("head") >= 290_000, "{exchange}");
}

#[test]
fn no_credential_is_in_a_record() {
    let ask = Ask::get(
        "/browse?page=2&token=s3cr3t&client_secret=s3cr3t&X-Amz-Signature=s3cr3t&%74oken=s3cr3t",
    )
    .header("authorization", "Bearer s3cr3t")
    .header("proxy-authorization", "Basic s3cr3t")
    .header("cookie", "sid=s3cr3t")
    .header("x-api-key", "s3cr3t");
    let ((), record) = recorded("secrets", DRILL, &[], |address| {
        Ask::post("/buy", "").at(address, PATIENCE);
        Ask::get("/lost").at(address, PATIENCE);
        Ask::get("/cut").at(address, PATIENCE);
        assert!(ask.at(address, PATIENCE).is_ok());
    });

    assert!(!record.text.contains("s3cr3t"), "{}", record.text);
    let exchanges = record.exchanges();
    let one = exchanges.iter().find(|line| line["targets"][0] == "browse").expect("it is there");
    assert_eq!(one["client"]["by"], "header authorization");
    assert!(one["client"]["auth"].is_string());
    assert!(
        one["request"]["query"].as_str().is_some_and(|query| query.starts_with("page=2&token=#"))
    );
}

/// Who was refused, when the same users ask in another order and on other connections.
fn hit(name: &str, seed: &str, backwards: bool) -> BTreeSet<String> {
    let text = "name: some\nphases: [{ name: some, for: 10m, faults: [{ respond: 503, share: 30% of users }] }]\n";
    let mut users: Vec<String> = (0..60).map(|at| format!("user-{at}")).collect();
    if backwards {
        users.reverse();
    }
    let (hit, _) = recorded(name, text, &["--seed", seed], |address| {
        let refused = |user: &&String| Ask::get("/").user(user).at(address, PATIENCE).status == 503;
        users.iter().filter(refused).cloned().collect()
    });
    hit
}

#[test]
fn the_same_seed_hits_the_same_users() {
    let first = hit("seed-1", "42", false);
    assert_eq!(first, hit("seed-2", "42", true));
    assert_ne!(first, hit("seed-3", "43", false));
    // 18 of 60 are meant to be; fewer than 4 or more than 35 come once in a hundred thousand
    // seeds, and this one is fixed.
    assert!((4..=35).contains(&first.len()), "{first:?}");
}

#[test]
fn injected_answers_say_what_they_are() {
    let (met, record) = recorded("mark", DRILL, &[], |address| {
        let ask = [Ask::post("/buy", ""), Ask::get("/lost"), Ask::get("/cut"), Ask::get("/browse")];
        ask.map(|ask| ask.at(address, PATIENCE))
    });

    let id = record.lines[0]["run"].as_str().expect("an id");
    assert_eq!(met[0].header("x-firedrill"), Some(&*format!("run={id}; phase=outage; fault=busy")));
    assert_eq!(met[1].header("x-firedrill"), Some(&*format!("run={id}; phase=outage; fault=lost")));
    assert_eq!(met[3].header("x-firedrill"), None, "a late answer is the upstream's own");
}

#[test]
fn the_mark_can_be_left_out() {
    let (met, _) = recorded("no-mark", DRILL, &["--no-mark"], |address| {
        let ask = [Ask::post("/buy", ""), Ask::get("/lost"), Ask::get("/cut"), Ask::get("/browse")];
        ask.map(|ask| ask.at(address, PATIENCE))
    });

    assert_eq!((met[0].status, met[0].header("x-firedrill")), (503, None));
    assert_eq!((met[1].status, met[1].header("x-firedrill")), (500, None));
}

/// A disk that fills while the drill runs: nobody is hurt any longer on the strength of a record
/// that does not exist, and the traffic goes on.
#[test]
fn a_disk_that_fills_ends_the_drill_and_not_the_traffic() {
    let (upstream, folder) = (Upstream::start(), folder("disk"));
    let path: PathBuf = folder.join("run.jsonl");
    let drill = run(&scenario(&folder, DRILL), &upstream.url());
    // Files of this process and its children end at 8 blocks of 512 or 1024 bytes.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]);
    command.arg(drill.get_program()).args(drill.get_args()).arg("--record").arg(&path);
    let beside = Beside::add(&mut command, &folder, "", 0);
    let drill = start(command);
    let mut connection = Connection::to(drill.address());
    let mut refused = 0;
    let first = loop {
        let met = connection.ask(&Ask::post("/buy", ""), PATIENCE);
        assert_eq!(met.end, End::Whole, "traffic was disturbed");
        match met.status {
            503 => refused += 1,
            _ => break met,
        }
    };
    assert!(first.is_ok() && refused > 5, "{refused}");
    drill.line(|line| line.contains("cannot write the record"));
    for _ in 0..20 {
        assert!(connection.ask(&Ask::post("/buy", ""), PATIENCE).is_ok());
        assert!(Ask::post("/buy", "").at(drill.address(), PATIENCE).is_ok());
    }
    beside.stop();
    let done = drill.finish();

    assert_eq!(done.code, Some(5), "{}", done.err);
    assert_eq!(done.err.matches("cannot write the record").count(), 1, "{}", done.err);
    assert!(done.err.contains("File too large"), "{}", done.err);
    assert!(done.out.contains("broke off"), "{}", done.out);
}
