//! The drill's clock.

use crate::stage::{Stage, visit};
use serde_json::json;

const SCENARIO: &str = "
name: outage
targets: { buy: { path: /buy } }
phases:
  - { name: calm, for: 10m }
  - { name: storm, for: 20m, faults: [{ respond: 503, target: buy }] }
  - { name: after, for: 10m }
";

#[test]
fn a_phase_is_sought_by_its_name_or_by_a_time() {
    let stage = Stage::playing(SCENARIO);
    let address = stage.http("shop");
    assert_eq!(visit(address, "/buy").status, 200);

    let drill = stage.post("drill/seek", r#"{"to": "storm"}"#).json();
    assert_eq!(drill["phase"], "storm", "{drill}");
    assert_eq!(visit(address, "/buy").status, 503);

    let drill = stage.post("drill/seek", "to: 35m").json();
    assert_eq!(drill["phase"], "after", "{drill}");
    assert!(drill["elapsed_ms"].as_u64().is_some_and(|ms| (300_000..310_000).contains(&ms)));
    assert_eq!(visit(address, "/buy").status, 200);
}

#[test]
fn a_place_that_is_none_is_told_with_one_that_is() {
    let stage = Stage::playing(SCENARIO);
    for (body, said) in [
        ("{ to: strom }", "did you mean `storm`?"),
        ("{ to: 41m }", "the scenario ends at 40m"),
        ("{ too: 1m }", "did you mean `to`?"),
        ("{}", "a seek needs `to`"),
    ] {
        let answer = stage.post("drill/seek", body);
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        assert!(answer.text.contains(said), "{body}: {}", answer.text);
    }
    assert_eq!(stage.get("status").json()["scenario"]["phase"], "calm");
}

#[test]
fn what_the_scenario_does_to_a_proxy_is_told_while_it_does() {
    let stage = Stage::playing(SCENARIO);
    let address = stage.http("shop");
    stage.tcp("db");
    let faults = || stage.get("faults").json()["faults"].clone();
    assert_eq!(faults(), json!([]));

    stage.post("drill/skip", "");
    let _met = visit(address, "/buy");

    let faults = faults();
    assert_eq!(faults.as_array().map(Vec::len), Some(1), "{faults}");
    let fault = &faults[0];
    assert_eq!((&fault["proxy"], &fault["origin"]), (&json!("shop"), &json!("scenario")));
    assert_eq!((&fault["name"], &fault["targets"]), (&json!("respond:buy"), &json!(["buy"])));
    assert_eq!((&fault["meant_for"], &fault["hit"]), (&json!(1), &json!(1)));
}

#[test]
fn a_fault_by_hand_may_name_the_targets_of_the_scenario() {
    let stage = Stage::playing(SCENARIO);
    let address = stage.http("shop");
    assert_eq!(stage.put_on("{ respond: 500, target: buy }"), "respond:buy");
    assert_eq!((visit(address, "/buy").status, visit(address, "/a").status), (500, 200));
}

#[test]
fn it_stands_still_and_goes_on() {
    let stage = Stage::playing(SCENARIO);
    let still = stage.post("drill/pause", "").json();
    assert_eq!((&still["playing"], &still["left_ms"]), (&json!(false), &json!(null)));
    assert_eq!(stage.get("status").json()["scenario"]["time_ms"], still["time_ms"]);
    assert_eq!(stage.post("drill/resume", "").json()["playing"], true);
}

#[test]
fn its_speed_is_changed() {
    let stage = Stage::playing(SCENARIO);
    assert_eq!(stage.post("drill/speed", r#"{"speed": 60}"#).json()["speed"], 60.0);
    assert_eq!(stage.post("drill/speed", "speed: ×2").json()["speed"], 2.0);
    assert_eq!(stage.post("drill/speed", r#"{"speed": 0}"#).status, 422);
}

#[test]
fn an_abort_ends_it_and_is_told_from_other_ends() {
    let stage = Stage::playing(SCENARIO);
    let address = stage.http("shop");
    stage.post("drill/seek", "to: storm");
    stage.put_on("{ latency: 1ms }");

    let drill = stage.post("drill/abort", "").json();

    assert_eq!((&drill["over"], &drill["aborted"]), (&json!(true), &json!(true)));
    assert!(stage.run().controls().status().aborted);
    assert_eq!(visit(address, "/buy").status, 200);
    assert_eq!(stage.get("faults").json(), json!({ "faults": [] }));
    assert_eq!(stage.post("drill/resume", "").status, 409);
    assert_eq!(stage.post("faults", "{ latency: 1ms }").status, 409);
}

#[test]
fn a_drill_that_ends_by_itself_was_not_aborted() {
    let stage = Stage::playing("{ name: x, phases: [{ name: a, for: 10m }] }");
    let mut changes = stage.run().controls().changes();
    stage.post("drill/skip", "");
    while !changes.borrow_and_update().over {
        std::thread::yield_now();
    }
    stage.run().controls().abort();
    let drill = stage.get("status").json()["scenario"].clone();
    assert_eq!((&drill["over"], &drill["aborted"]), (&json!(true), &json!(false)));
    assert_eq!(drill["phase"], json!(null));
}

#[test]
fn without_a_scenario_there_is_nothing_to_command() {
    let stage = Stage::idle();
    for verb in ["pause", "resume", "skip", "abort", "seek", "speed"] {
        let answer = stage.post(&format!("drill/{verb}"), "{}");
        assert_eq!(answer.status, 409, "{verb}: {}", answer.text);
    }
    assert_eq!(stage.get("status").json()["scenario"], json!(null));
    stage.http("shop");
    stage.put_on("{ latency: 1ms }");
}
