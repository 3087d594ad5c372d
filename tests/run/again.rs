//! `firedrill report`: what a drill came to, told again from its record; and records that are not what
//! they should be.

use crate::{
    beside::Beside,
    firedrill::{Done, done, firedrill, folder, run, scenario, start},
    support::{
        client::{Ask, PATIENCE},
        upstream::Upstream,
    },
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A drill that a client went through.
pub(crate) struct Drill {
    pub(crate) folder: PathBuf,
    pub(crate) record: PathBuf,
    pub(crate) done: Done,
}

const SHOP: &str = "name: shop
seed: 7
targets: { purchase: { method: POST, path: /purchase/** } }
phases:
  - name: outage
    for: 10m
    faults:
      - { lose_response: { by: reset }, name: lost, target: purchase, times: { first: 1, per: user } }
      - { latency: 5ms, name: slow }
expect:
  - duplicate_side_effects: 0
  - retry_amplification: 1.5x
  - uses_fallback: /cached/**
";

/// Plays a scenario with a record and a summary until all was asked.
pub(crate) fn played(name: &str, text: &str, flags: &[&str], asks: &[Ask]) -> Drill {
    let (upstream, folder) = (Upstream::start(), folder(name));
    let record = folder.join("run.jsonl");
    let mut command = run(&scenario(&folder, text), &upstream.url());
    command.args(flags).arg("--record").arg(&record);
    command.arg("--json").arg(folder.join("run.json"));
    let beside = Beside::add(&mut command, &folder, "", 0);
    let drill = start(command);
    let address = drill.address();
    for ask in asks {
        ask.at(address, PATIENCE);
    }
    beside.stop();
    Drill { folder, record, done: drill.finish() }
}

fn purchases(key: Option<&str>) -> Vec<Ask> {
    let ask = Ask::post("/purchase/1", "{\"order\":1}").user("alice");
    let ask = key.map_or(ask.clone(), |key| ask.header("idempotency-key", key));
    vec![ask.clone(), ask, Ask::get("/browse").user("bob")]
}

pub(crate) fn report(records: &[&Path], flags: &[&str]) -> Done {
    let mut command = firedrill(["report"]);
    command.args(flags).args(records);
    done(command)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a summary")).expect("JSON")
}

/// Words as they are wrapped nowhere.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A copy of a record whose lines were changed.
fn changed(drill: &Drill, name: &str, change: impl FnOnce(&mut Vec<String>)) -> PathBuf {
    let text = fs::read_to_string(&drill.record).expect("a record");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    let path = drill.folder.join(name);
    fs::write(&path, lines.join("\n") + "\n").expect("a file");
    path
}

fn edited(line: &str, edit: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::from_str(line).expect("JSON");
    edit(&mut value);
    value.to_string()
}

fn has_no_pass(done: &Done) -> bool {
    !done.out.contains("PASS")
}

/// All of it: not one key is left out of the comparison.
#[test]
fn a_report_says_what_the_drill_said() {
    for (name, key, code) in [("again-fails", None, 1), ("again-passes", Some("k-1"), 0)] {
        let flags = ["--target", "purchase=POST /purchase/1", "--speed", "2"];
        let drill = played(name, SHOP, &flags, &purchases(key));
        let path = drill.folder.join("again.json");
        let again = report(&[&drill.record], &["--json", path.to_str().expect("UTF-8")]);

        assert_eq!(drill.done.code, Some(code), "{}{}", drill.done.out, drill.done.err);
        assert_eq!(again.code, Some(code), "{}", again.err);
        assert_eq!(again.out, drill.done.out);
        assert_eq!(json(&path), json(&drill.folder.join("run.json")));
    }
}

#[test]
fn a_report_has_all_formats_that_the_drill_has() {
    let drill = played("again-formats", SHOP, &[], &purchases(None));
    let path = |name: &str| drill.folder.join(name).to_str().expect("UTF-8").to_owned();
    let (html, junit, markdown) = (path("r.html"), path("r.xml"), path("r.md"));
    let flags = ["--html", &html, "--junit", &junit, "--markdown", &markdown];
    assert_eq!(report(&[&drill.record], &flags).code, Some(1));
    for (path, holds) in [(&html, "<html"), (&junit, "<testsuites"), (&markdown, "| ")] {
        let text = fs::read_to_string(path).expect("a report").replace('\\', "");
        assert!(text.contains(holds) && text.contains("duplicate_side_effects"), "{path}");
    }
    let both = report(&[&drill.record], &["--html", &html, "--json", &html]);
    assert_eq!(both.code, Some(2));
    assert!(both.err.contains("two formats cannot both go to"), "{}", both.err);
}

#[test]
fn a_report_needs_neither_the_scenario_nor_the_files_that_it_names() {
    let page = folder("again-page").join("page.html");
    fs::write(&page, "<h1>sorry</h1>").expect("a page");
    let text = "name: page
phases: [{ name: outage, for: 10m, faults: [{ respond: { status: 503, file: page.html } }] }]
";
    // The folder of a drill is emptied at its start.
    let (upstream, record) = (Upstream::start(), page.with_file_name("run.jsonl"));
    let folder = page.parent().expect("a folder");
    let mut command = run(&scenario(folder, text), &upstream.url());
    command.arg("--record").arg(&record);
    let beside = Beside::add(&mut command, folder, "", 0);
    let drill = start(command);
    assert_eq!(Ask::get("/").at(drill.address(), PATIENCE).body, b"<h1>sorry</h1>");
    beside.stop();
    let drill = drill.finish();
    fs::remove_file(&page).expect("a page");
    fs::remove_file(folder.join("drill.yaml")).expect("a scenario");

    let again = report(&[&record], &[]);

    assert_eq!((again.code, &again.out), (Some(0), &drill.out), "{}", again.err);
}

#[test]
fn what_was_never_put_to_the_test_fails_if_that_is_asked() {
    let text = "name: calm
phases: [{ name: slow, for: 10m, faults: [{ latency: 1ms }] }]
expect: [{ duplicate_side_effects: 0 }]
";
    let drill = played("again-strict", text, &["--strict"], &[Ask::get("/")]);
    let again = report(&[&drill.record], &["--strict"]);
    let lenient = report(&[&drill.record], &[]);

    assert_eq!((drill.done.code, again.code, lenient.code), (Some(1), Some(1), Some(0)));
    let why = "never put to the test, and `--strict`: duplicate_side_effects";
    assert!(drill.done.err.contains(why), "{}", drill.done.err);
    assert!(again.err.contains(why), "{}", again.err);
    assert!(flat(&lenient.out).contains("N/A duplicate_side_effects"), "{}", lenient.out);
}

/// Three requests show one duplicate, and nothing about rates.
#[test]
fn three_requests_are_too_few_to_say() {
    let drill = played("again-three", SHOP, &[], &purchases(Some("k-1")));
    let again = report(&[&drill.record], &[]);

    let told = flat(&again.out);
    assert!(told.contains("INCONCLUSIVE retry_amplification 1.5x"), "{told}");
    assert!(!told.contains("PASS retry_amplification"), "{told}");
}

#[test]
fn a_record_that_was_cut_off_passes_nothing() {
    // Fewer than five would clear nobody.
    let ask = Ask::post("/purchase/1", "{\"order\":1}").header("idempotency-key", "k-1");
    let buy = |user: &str| [ask.clone().user(user), ask.clone().user(user)];
    let asks = ["alice", "bob", "carol", "dave", "erin"].map(buy).concat();
    let drill = played("again-cut", SHOP, &[], &asks);
    let told = flat(&drill.done.out);
    assert!(told.contains("PASS duplicate_side_effects"), "{told}");

    let without_end = changed(&drill, "no-end.jsonl", |lines| {
        lines.pop();
    });
    let done = report(&[&without_end], &[]);
    assert_eq!(done.code, Some(3), "{}", done.out);
    assert!(has_no_pass(&done), "{}", done.out);
    assert!(
        flat(&done.out).contains("the record has no last line: it was cut off"),
        "{}",
        done.out
    );
    assert!(done.out.contains("\nshop broke off after"), "{}", done.out);
    assert!(done.out.starts_with("INCOMPLETE  broke off before its end; "), "{}", done.out);

    let text = fs::read_to_string(&without_end).expect("a record");
    let in_half = drill.folder.join("half.jsonl");
    fs::write(&in_half, &text[..text.len() - 40]).expect("a file");
    let done = report(&[&in_half], &[]);
    assert_eq!(done.code, Some(3), "{}", done.out);
    assert!(has_no_pass(&done), "{}", done.out);
    assert!(
        flat(&done.out).contains("the record breaks off in the middle of line"),
        "{}",
        done.out
    );
}

/// What was seen was seen: an effect too many stays one, whatever else is missing.
#[test]
fn a_duplicate_in_a_record_that_was_cut_off_is_one() {
    let drill = played("again-cut-fails", SHOP, &[], &purchases(None));
    let cut = changed(&drill, "cut.jsonl", |lines| {
        lines.pop();
    });
    let done = report(&[&cut], &[]);
    assert_eq!(done.code, Some(1), "{}", done.out);
    assert!(flat(&done.out).contains("FAIL duplicate_side_effects 0 1"), "{}", done.out);
}

#[test]
fn a_record_that_was_changed_passes_nothing() {
    let drill = played("again-changed", SHOP, &[], &purchases(Some("k-1")));
    let exchanges = |lines: &[String]| -> Vec<usize> {
        let is_one = |line: &String| line.contains("\"type\":\"exchange\"");
        lines.iter().enumerate().filter(|(_, line)| is_one(line)).map(|(at, _)| at).collect()
    };
    let doubted = |path: &Path, why: &str| {
        let done = report(&[path], &[]);
        assert_eq!(done.code, Some(3), "{}{}", done.out, done.err);
        assert!(has_no_pass(&done), "{}", done.out);
        assert!(flat(&done.out).contains(why), "{why}: {}", done.out);
    };

    let jumped = changed(&drill, "jumped.jsonl", |lines| {
        let at = exchanges(lines)[0];
        lines[at] = edited(&lines[at], |line| line["t"]["end"] = 1.into());
    });
    doubted(&jumped, "times run backwards in 1 line");
    let back = changed(&drill, "back.jsonl", |lines| {
        let at = exchanges(lines)[0];
        lines[at] = edited(&lines[at], |line| line["t"]["end"] = 3_600_000_000_u64.into());
    });
    doubted(&back, "times run backwards in");
    let twice = changed(&drill, "twice.jsonl", |lines| {
        let at = exchanges(lines)[0];
        lines.insert(at, lines[at].clone());
    });
    doubted(&twice, "of exchanges that were told of before");
    let fewer = changed(&drill, "fewer.jsonl", |lines| {
        let at = exchanges(lines)[2];
        lines.remove(at);
    });
    doubted(&fewer, "the last line counts 3 exchanges, and 2 are there");
}

#[test]
fn what_is_no_record_is_refused_with_the_line() {
    let drill = played("again-foreign", SHOP, &[], &purchases(None));
    let refused = |path: &Path, why: &str| {
        let done = report(&[path], &[]);
        assert_eq!((done.code, &*done.out), (Some(2), ""), "{why}");
        assert!(done.err.contains(why), "{why}: {}", done.err);
    };
    let written = |name: &str, text: &str| {
        let path = drill.folder.join(name);
        fs::write(&path, text).expect("a file");
        path
    };

    refused(&drill.folder.join("none.jsonl"), "No such file or directory");
    refused(&written("empty.jsonl", ""), "it is empty");
    let yaml = drill.folder.join("drill.yaml");
    refused(&yaml, "it is no record of firedrill: its first line is no JSON object");
    let log = written("log.jsonl", "{\"level\":\"info\"}\n{\"level\":\"warn\"}\n");
    refused(&log, "its first line is not of the type `run`");
    let newer = changed(&drill, "newer.jsonl", |lines| {
        lines[0] = edited(&lines[0], |line| line["format"] = 2.into());
    });
    refused(&newer, "its format is 2, and this version reads format 1");
    let inside = changed(&drill, "inside.jsonl", |lines| "nonsense".clone_into(&mut lines[2]));
    refused(&inside, "line 3 is no JSON");
    let another = changed(&drill, "another.jsonl", |lines| {
        lines[0] = edited(&lines[0], |line| line["scenario_text"] = "name: other".into());
    });
    refused(&another, "the scenario's text was changed");
    let double = changed(&drill, "double.jsonl", |lines| lines.extend(lines.clone()));
    refused(&double, "comes after the end: is this more than one record?");
}

#[test]
fn a_record_of_an_older_version_is_told_without_a_verdict() {
    let drill = played("again-older", SHOP, &[], &purchases(None));
    let older = changed(&drill, "older.jsonl", |lines| {
        lines[0] = edited(&lines[0], |line| {
            let line = line.as_object_mut().expect("an object");
            for key in ["scenario_text", "bindings", "start_at_ms", "proxies"] {
                line.remove(key);
            }
        });
    });
    let done = report(&[&older], &[]);
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(flat(&done.out).contains("its expectations cannot be judged"), "{}", done.out);
    assert!(done.out.contains("3 requests from 2 users"), "{}", done.out);
    assert!(!done.out.contains("FAIL") && has_no_pass(&done), "{}", done.out);
}

#[test]
fn several_drills_of_one_scenario_are_told_as_one() {
    let one = played("again-one", SHOP, &[], &purchases(None));
    let two = played("again-two", SHOP, &["--seed", "8"], &purchases(None));
    let done = report(&[&one.record, &two.record], &["--json", "-"]);

    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(done.err.contains("from 2 records, "), "{}", done.err);
    let whole: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!((&whole["requests"], &whole["records"][1]["seed"]), (&6.into(), &8.into()));
    // Alice of the first drill is not the Alice of the second, or hers would be one operation of
    // three purchases.
    assert_eq!(whole["verdict"]["expectations"][0]["value"], 2.0);
    assert_eq!(whole["records"][1]["users_apart"], true);
    let lost = whole["faults"].as_array().expect("faults").iter().find(|f| f["fault"] == "lost");
    assert_eq!(lost.expect("a fault")["hit"], 2);
}

#[test]
fn drills_that_do_not_belong_together_are_refused() {
    let one = played("again-shop", SHOP, &[], &[]);
    let other = played("again-other", &SHOP.replace("name: shop", "name: bank"), &[], &[]);
    let fast = played("again-fast", SHOP, &["--speed", "3"], &[]);
    let refused = |other: &Path, why: &str| {
        let done = report(&[&one.record, other], &[]);
        assert_eq!((done.code, &*done.out), (Some(2), ""), "{why}");
        assert!(done.err.contains(why), "{why}: {}", done.err);
    };
    refused(&other.record, "they are records of two different scenarios, `shop` and `bank`");
    refused(&fast.record, "they were played with different `--speed`");
    refused(&one.record, "nothing is to be counted twice");
}
