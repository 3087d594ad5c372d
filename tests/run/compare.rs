//! `firedrill compare`: two drills side by side.

use crate::{
    again::played,
    firedrill::{Done, done, firedrill},
    support::client::Ask,
};
use serde_json::Value;
use std::path::Path;

const LOSES: &str = "name: loses
targets: { purchase: { method: POST, path: /purchase/** } }
phases:
  - name: outage
    for: 10m
    faults: [{ lose_response: { by: reset }, target: purchase, times: { first: 1, per: user } }]
";

fn compare(first: &Path, second: &Path, flags: &[&str]) -> Done {
    let mut command = firedrill(["compare"]);
    command.args(flags).args([first, second]);
    done(command)
}

#[test]
fn a_client_that_learnt_to_keep_its_key_is_better_and_the_other_way_round_worse() {
    let ask = Ask::post("/purchase/1", "{\"order\":1}");
    let keyed = ask.clone().header("idempotency-key", "k-1");
    let twice = |ask: &Ask| {
        let buy = |user: &str| [ask.clone().user(user), ask.clone().user(user)];
        ["alice", "bob", "carol", "dave", "erin"].map(buy).concat()
    };
    let before = played("compare-before", LOSES, &[], &twice(&ask));
    let after = played("compare-after", LOSES, &[], &twice(&keyed));

    let better = compare(&before.record, &after.record, &["--fail-on-worse", "--json"]);
    assert_eq!(better.code, Some(0), "{}", better.err);
    let whole: Value = serde_json::from_str(&better.out).expect("JSON");
    let measures = whole["measures"].as_array().expect("measures");
    let of = |name: &str| measures.iter().find(|row| row["name"] == name).expect("a measure");
    let duplicates = of("duplicate_side_effects");
    assert_eq!(
        (&duplicates["a"]["value"], &duplicates["b"]["value"], &duplicates["change"]),
        (&5.0.into(), &0.0.into(), &"better".into())
    );
    assert_eq!(of("idempotency_key")["change"], "better");
    assert_eq!(whole["worse"], 0);

    let worse = compare(&after.record, &before.record, &["--fail-on-worse"]);
    assert_eq!(worse.code, Some(1), "{}", worse.out);
    let row = worse.out.lines().find(|line| line.starts_with("duplicate_side_effects"));
    assert!(row.is_some_and(|row| row.ends_with("worse")), "{}", worse.out);
    // Nobody asked for a code.
    assert_eq!(compare(&after.record, &before.record, &[]).code, Some(0));
}

#[test]
fn drills_of_different_scenarios_are_compared_by_force_alone() {
    let one = played("compare-one", LOSES, &[], &[]);
    let two = played("compare-two", &LOSES.replace("name: loses", "name: wins"), &[], &[]);
    let refused = compare(&one.record, &two.record, &[]);
    assert_eq!((refused.code, &*refused.out), (Some(2), ""));
    let why = "are records of two different scenarios, `loses` and `wins`";
    assert!(refused.err.contains(why), "{}", refused.err);

    let forced = compare(&one.record, &two.record, &["--force"]);
    assert_eq!(forced.code, Some(0), "{}", forced.err);
    let told = forced.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(why), "{told}");
}

#[test]
fn nothing_is_better_or_worse_for_certain_in_a_record_that_was_cut_off() {
    let ask = Ask::post("/purchase/1", "{\"order\":1}");
    let whole = played("compare-whole", LOSES, &[], &[ask.clone(), ask]);
    let text = std::fs::read_to_string(&whole.record).expect("a record");
    let end = text.trim_end().rfind('\n').expect("lines");
    let cut = whole.folder.join("cut.jsonl");
    std::fs::write(&cut, &text[..=end]).expect("a file");
    let done = compare(&whole.record, &cut, &["--fail-on-worse"]);
    assert_eq!(done.code, Some(3), "{}", done.out);
    assert!(done.out.contains("note: B: the record has no last line"), "{}", done.out);
}
