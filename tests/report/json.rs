//! The JSON report against its schema.

use crate::drill::{SHOP, Telling, shop};
use firedrill::report::summary::json_schema;
use serde_json::Value;

#[track_caller]
fn fits(report: &Value) {
    let schema = json_schema();
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(report)
        .map(|error| format!("{error} at {}", error.instance_path))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::draft202012::meta::is_valid(&json_schema()));
}

#[test]
fn reports_fit_the_schema() {
    fits(&shop(SHOP).summary().json());
    let mut telling = Telling::of("name: bare\nphases: [{ name: a, for: 1m }]\n");
    telling.edge(Some(0), 0.0);
    fits(&telling.over().summary().json());
}

/// A schema that allows everything would fit as well.
#[test]
fn what_is_misspelt_missing_or_of_another_kind_does_not_fit() {
    let schema = json_schema();
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let good = shop(SHOP).summary().json();
    let changed = |change: fn(&mut Value)| {
        let mut report = good.clone();
        change(&mut report);
        report
    };
    for (what, bad) in [
        ("missing", changed(|r| drop(r.as_object_mut().expect("a map").remove("verdict")))),
        ("unknown", changed(|r| r["surprise"] = 1.into())),
        ("word", changed(|r| r["verdict"]["grade"] = "great".into())),
        ("kind", changed(|r| r["requests"] = "many".into())),
        ("deep", changed(|r| r["verdict"]["parts"][0]["findings"][0]["said"] = Value::Null)),
        ("story", changed(|r| r["worst_operation"]["attempts"][0]["start_us"] = "now".into())),
    ] {
        assert!(!validator.is_valid(&bad), "{what} fits");
    }
}

#[test]
fn the_worst_operation_and_the_cost_can_be_read_by_a_script() {
    let report = shop(SHOP).summary().json();

    assert_eq!(report["standing"]["word"], "FAIL");
    let worst = &report["worst_operation"];
    assert_eq!(worst["duplicate"], true);
    assert_eq!(worst["attempts"][0]["dealt"], "lose_response:purchase");
    assert_eq!(worst["attempts"][0]["upstream_status"], 201);
    assert_eq!(report["duplicates"].as_array().map(Vec::len), Some(5));
    assert_eq!(report["verdict"]["cost"]["currency"], "USD");
}
