//! The JSON Schema against what the reader takes: both have to agree on what is right, and the
//! schema has to catch what an editor can catch.

use firedrill::{
    config::json_schema,
    diag::{Problems, Source},
    fault::catalog::CATALOG,
    scenario::bundled::BUNDLED,
    yaml::{self, Node, Spanned},
};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::{fs, path::Path};

fn validator() -> Validator {
    jsonschema::draft202012::new(&json_schema()).expect("a schema")
}

fn value(node: &Spanned<Node>) -> Value {
    match &node.value {
        Node::Null => Value::Null,
        Node::Bool(value) => json!(value),
        Node::Int(value) => json!(value),
        Node::Float(value) => json!(value),
        Node::Text(value) => json!(value),
        Node::List(items) => items.iter().map(value).collect(),
        Node::Map(entries) => entries.iter().map(|(k, v)| (k.value.clone(), value(v))).collect(),
    }
}

fn tree(text: &str) -> Option<Value> {
    let source = Source::new("test", text);
    yaml::parse(&source, &mut Problems::default()).as_ref().map(value)
}

#[track_caller]
fn accepts(validator: &Validator, what: &str, text: &str) {
    let tree = tree(text).expect("YAML");
    let errors: Vec<String> = validator
        .iter_errors(&tree)
        .map(|error| format!("{} at {}", error, error.instance_path))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

/// A scenario of one phase with one fault entry.
fn around(entry: &str) -> String {
    let mut lines = entry.lines();
    let mut text = String::from("name: x\ntargets: { purchase: { path: /a } }\nphases:\n");
    text.push_str(&format!(
        "- name: a\n  for: 1m\n  faults:\n  - {}\n",
        lines.next().unwrap_or("")
    ));
    for line in lines {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

#[test]
fn the_schema_is_a_schema() {
    let schema = json_schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
}

#[test]
fn every_bundled_scenario_is_valid() {
    let validator = validator();
    for bundled in BUNDLED {
        accepts(&validator, bundled.name, bundled.text);
    }
}

#[test]
fn every_example_of_the_catalogue_is_valid() {
    let validator = validator();
    for entry in CATALOG {
        for example in entry.examples {
            accepts(&validator, example, &around(example));
        }
    }
}

#[test]
fn all_forms_of_the_language_are_valid() {
    let validator = validator();
    for (what, entry) in [
        ("share of users", "respond: 503\nshare: 0% -> 17% of users\ntarget: purchase"),
        ("curve", "respond: 503\nshare: { curve: [[0s, 1%], [30s, 40%]], of: users }"),
        ("ratio", "respond: 503\nshare: 1/2000"),
        ("flap", "hang: {}\npattern: { every: 10s, on: 3s }\ntimes: { first: 2, per: run }"),
        ("targets", "hang: {}\ntarget: [purchase, { method: [GET, PUT], not: { path: /x } }]"),
        ("one_of", "one_of:\n- { respond: 500, share: 10% }\n- { hang: {}, share: 5% }\ncohort: x"),
    ] {
        accepts(&validator, what, &around(entry));
    }
    let rest = "
users: [{ header: x-user-id }, peer]
expect:
  - duplicate_side_effects: 0
  - retry_amplification: { max: 1.5x, phase: a }
  - request_timeout: [1s, 10s]
  - circuit_breaker: { opens_within: 20s }
stop_when: [{ upstream_errors: { above: 50%, for: 10s } }]
confidence: { level: 95% }
impact: { per_minute: [1, 2], currency: USD, target: purchase }
";
    accepts(&validator, "the rest", &(around("hang: {}") + rest));
}

const CONFIG: &str = "
admin: { listen: 0.0.0.0:8474, token: { env: FIREDRILL_TOKEN }, open: no, hosts: [drill.example] }
proxies:
  shop:
    listen: 8080
    upstream: https://127.0.0.1:3000
    enabled: no
    users: { header: x-user-id }
    host: rewrite
    mark: no
    tls: { ca: shop.pem }
  db: { listen: 127.0.0.1:15432, upstream: 127.0.0.1:5432, protocol: tcp }
";

#[test]
fn a_config_is_valid_alone_and_beside_a_scenario() {
    let validator = validator();
    accepts(&validator, "alone", CONFIG);
    accepts(&validator, "with users", &(CONFIG.to_owned() + "users: peer\n"));
    accepts(&validator, "beside a scenario", &(around("hang: {}") + CONFIG));
    accepts(&validator, "empty", "proxies:\n");
}

#[test]
fn half_a_scenario_beside_a_config_is_not_valid() {
    let validator = validator();
    for half in ["", "admin: {}", "proxies: {}\nname: x", "proxies: {}\nphases: []"] {
        let tree = tree(&format!("{half}\n")).unwrap_or(Value::Null);
        assert!(!validator.is_valid(&tree), "{half}");
    }
}

#[test]
fn typical_mistakes_are_not_valid() {
    let validator = validator();
    for entry in [
        "respond: 503\nshare: 17",
        "respond: 503\nshare: 17% of cats",
        "respond: 503\nlatency: 300ms",
        "share: 17%",
        "latecny: 300ms",
        "latency: 300",
        "respond: 503\nretry_after: 30s",
        "respond: 99",
        "hang: {}\ntarget: {}",
        "one_of:\n- { respond: 500 }",
        "one_of:\n- { respond: 500, share: 10% }\nshare: 20%",
    ] {
        assert!(!validator.is_valid(&tree(&around(entry)).expect("YAML")), "{entry}");
    }
    for rest in [
        "oops: 1",
        "proxies: { a: { listen: 1 } }",
        "proxies: { ..: { listen: 1, upstream: a } }",
        "proxies: { a: { listen: 1, upstream: a, protocol: udp } }",
        "admin: { token: s3cret }",
        "expect: [{ recovery_tiem: 30s }]",
        "expect: [{ recovery_time: { min: 30s } }]",
        "expect: [{ recovery_time: 30s, max_attempts: 3 }]",
        "stop_when: [{ upstream_errors: { above: 50% } }]",
        "impact: { per_minute: lots, currency: USD }",
        "users: { header: a, cookie: b }",
    ] {
        let text = around("hang: {}") + rest + "\n";
        assert!(!validator.is_valid(&tree(&text).expect("YAML")), "{rest}");
    }
}

/// What only warns is no reason for an editor to frown.
#[test]
fn what_the_reader_takes_the_schema_takes() {
    let validator = validator();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    for case in fs::read_dir(folder).expect("the folder") {
        let case = case.expect("an entry");
        if case.file_name().to_string_lossy().starts_with('W') {
            let text = fs::read_to_string(case.path().join("scenario.yaml")).expect("a scenario");
            accepts(&validator, &case.file_name().to_string_lossy(), &text);
        }
    }
}
