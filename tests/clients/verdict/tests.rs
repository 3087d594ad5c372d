use super::*;
use crate::{
    class::CLASSES,
    row::{Cell, Key, Span},
};
use serde_json::json;

fn cell(attempts: usize, gaps: &[Span<f64>]) -> Cell {
    Cell { attempts: [attempts; 2], gaps: gaps.to_vec(), key: None, patience: None }
}

fn row(class: &str, get: Cell, post: Cell) -> Row {
    let methods = [("GET".to_owned(), get), ("POST".to_owned(), post)];
    Row {
        client: "x".into(),
        version: "1".into(),
        from: "npm".into(),
        held: 8.5,
        classes: [(class.to_owned(), methods.into())].into(),
        told: [].into(),
        notes: Vec::new(),
    }
}

#[test]
fn a_summary_that_counts_otherwise_is_seen() {
    let of = |attempts| Cell { attempts, ..cell(1, &[]) };
    let row = row("503", of([2, 3]), of([1, 1]));
    let told = |hit: u64, requests: u64| {
        let phases = json!([{}, { "targets": { "all": { "requests": requests } } }]);
        let json = json!({ "faults": [{ "hit": hit }], "phases": phases });
        counts_match(&row, &CLASSES[0], 5, &json)
    };
    assert_eq!(told(15, 20), Ok(()));
    let wrong = |what, told| Err(format!("15 to 20 attempts {what}, and the summary says {told}"));
    assert_eq!(told(14, 20), wrong("met the fault", 14));
    assert_eq!(told(15, 21), wrong("came in it", 21));
}

/// A client that tries twice again, one second and then two after it failed.
fn retrier(class: &str) -> Row {
    let tries = cell(3, &[[1.0, 1.01], [2.0, 2.01]]);
    row(class, tries.clone(), tries)
}

fn once(class: &str) -> Row {
    row(class, cell(1, &[]), cell(1, &[]))
}

fn held(class: &str, patience: Option<Span<f64>>) -> Row {
    let held = Cell { patience, ..cell(1, &[]) };
    row(class, held.clone(), held)
}

fn keyed(class: &str) -> Row {
    let tries = Cell { key: Some(Key::Stable), ..cell(3, &[[1.0, 1.01], [2.0, 2.01]]) };
    row(class, tries.clone(), tries)
}

/// A finding: the detector, the grade, the figures; a row that it may be about, and one that it may not.
type Case = (&'static str, &'static str, Value, Row, Row);

fn judged(detector: &str, grade: &str, figures: &Value, row: &Row) -> Option<String> {
    let (_, rule) = RULES.iter().find(|(name, _)| *name == detector).expect("a rule");
    let findings =
        json!([{ "detector": detector, "grade": grade, "said": "", "figures": figures }]);
    let json = json!({ "verdict": { "parts": [{ "findings": findings }] } });
    let class = CLASSES.iter().find(|class| row.classes.contains_key(class.name));
    rule(Truth { row, class: class.expect("its class") }, &Finding::all(&json)[0])
}

fn tell_apart(cases: impl IntoIterator<Item = Case>) {
    for (detector, grade, figures, right, wrong) in cases {
        let [right, wrong] = [right, wrong].map(|row| judged(detector, grade, &figures, &row));
        assert_eq!(right, None, "{detector} {grade} {figures}");
        assert!(wrong.is_some(), "{detector} {grade} {figures}");
    }
}

#[test]
fn how_often_it_tries_is_held_to_the_row() {
    let (thrice, once) = (|| retrier("503"), || once("503"));
    tell_apart([
        ("retries", "pass", json!({ "retries": true }), thrice(), once()),
        ("retries", "pass", json!({ "retries": false }), once(), thrice()),
        ("retries", "not_applicable", json!({}), held("hold", None), once()),
        ("amplification", "warn", json!({ "amplification": 3.0 }), thrice(), once()),
        ("amplification", "pass", json!({ "amplification": 1.0 }), once(), thrice()),
        ("saturation", "warn", json!({ "saturated_amplification": 3.0 }), thrice(), once()),
    ]);
    for detector in ["layers", "breaker", "hedging", "fallback", "recovery"] {
        let figures = json!({ "opened": 1, "hedged": 1, "never": 1 });
        assert!(judged(detector, "fail", &figures, &once()).is_some(), "{detector}");
    }
}

#[test]
fn how_long_it_waits_for_an_answer_is_held_to_the_row() {
    let (five, nine) = (Some([5.0; 2]), Some([9.0; 2]));
    let (left, stayed) = (json!({ "timeout": 5.0 }), json!({ "no_timeout_up_to": 8.2 }));
    let endured = json!({ "drips_endured": 10 });
    tell_apart([
        ("give_up", "pass", json!({ "longest": 3.0 }), retrier("503"), once("503")),
        ("timeout", "pass", left.clone(), held("hold", five), held("hold", None)),
        ("timeout", "pass", left, held("hold", five), held("hold", nine)),
        ("timeout", "inconclusive", stayed, held("hold", None), held("hold", five)),
        ("timeout", "inconclusive", endured, held("drip", None), held("drip", five)),
    ]);
}

#[test]
fn how_long_it_waits_before_it_tries_again_is_held_to_the_row() {
    let with = |class, gaps: &[Span<f64>]| {
        let tries = cell(gaps.len() + 1, gaps);
        row(class, tries.clone(), tries)
    };
    let jittery = || with("503", &[[0.0, 1.0], [0.0, 2.0]]);
    let hasty = || with("503", &[[0.0; 2]; 2]);
    let obedient = || with("503-after", &[[3.0, 3.1]]);
    let growing = json!({ "shape": "growing", "medians": [1.0, 2.0] });
    let immediate = json!({ "shape": "immediate", "medians": [0.0, 0.0] });
    tell_apart([
        ("backoff", "pass", growing, retrier("503"), hasty()),
        ("backoff", "fail", immediate, hasty(), retrier("503")),
        ("jitter", "fail", json!({ "cv": 0.005 }), retrier("503"), jittery()),
        ("jitter", "pass", json!({ "cv": 0.5 }), jittery(), retrier("503")),
        ("retry_after", "fail", json!({}), retrier("503-after"), obedient()),
        ("retry_after", "pass", json!({}), obedient(), retrier("503-after")),
    ]);
}

#[test]
fn what_it_sends_again_is_held_to_the_row() {
    let resent = json!({ "unsafe_resends": 5 });
    let after_503 = json!({ "unsafe_resends_after_503": 5 });
    tell_apart([
        ("final_errors", "fail", json!({}), retrier("404"), once("404")),
        ("final_errors", "pass", json!({}), once("404"), retrier("404")),
        ("duplicates", "fail", resent, retrier("reset"), keyed("reset")),
        ("duplicates", "warn", after_503, retrier("503"), once("503")),
        ("duplicates", "pass", json!({}), keyed("reset"), retrier("reset")),
    ]);
}
