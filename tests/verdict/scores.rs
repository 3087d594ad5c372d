//! How often each verdict is right: what is said of every client in every outage, against what the
//! simulation says of the same definitions. docs/verdict.md has the table; it is written from the
//! tables that the plays are held against, by
//!
//! ```sh
//! VERDICT_SCORES=rewrite cargo test --test verdict scores
//! ```

use crate::{
    cell::Cell,
    expected::SCENARIOS,
    golden::{GOLDEN, golden},
};
use std::{fs, path::Path};

/// The letters, and what each says.
const VERDICTS: &[(&str, &str)] = &[
    ("A", "amplifies"),
    ("S", "saturates: more than three attempts when all fails"),
    ("I", "retries at once"),
    ("J", "no jitter"),
    ("T", "no timeout"),
    ("U", "sends unsafe requests again"),
    ("K", "changes its key"),
    ("X", "a duplicate took effect"),
    ("4", "retries final errors"),
    ("H", "comes back as a herd"),
    ("N", "some clients never recover"),
    ("B", "a circuit breaker"),
    ("Z", "stalled, and no breaker"),
    ("G", "hedges"),
];

/// Whether letters have one of these, and with which mark.
fn has<'l>(letters: &'l str, letter: &str) -> Option<&'l str> {
    letters.split(' ').find_map(|word| word.strip_prefix(letter))
}

fn table() -> String {
    let mut table =
        "| verdict | true positive | false positive | false negative | true negative | \
                     found, with another grade |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for (letter, says) in VERDICTS {
        let [mut tp, mut fp, mut miss, mut tn, mut other] = [0; 5];
        for (client, row) in GOLDEN {
            for (column, expected) in row.iter().enumerate() {
                let judged = golden(Cell::new(client, SCENARIOS[column]), column);
                match (has(expected, letter), has(judged, letter)) {
                    (Some(expected), Some(judged)) if expected == judged => tp += 1,
                    (Some(_), Some(_)) => other += 1,
                    (None, Some(_)) => fp += 1,
                    (Some(_), None) => miss += 1,
                    (None, None) => tn += 1,
                }
            }
        }
        table.push_str(&format!("| {says} | {tp} | {fp} | {miss} | {tn} | {other} |\n"));
    }
    table
}

#[test]
fn scores_are_those_of_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verdict.md");
    let text = fs::read_to_string(&path).expect("the documentation");
    let (begin, end) = ("<!-- scores -->\n", "<!-- /scores -->");
    let from = text.find(begin).expect("a place for the scores") + begin.len();
    let upto = text.find(end).expect("an end of the scores");
    if std::env::var("VERDICT_SCORES").as_deref() == Ok("rewrite") {
        let text = format!("{}{}{}", &text[..from], table(), &text[upto..]);
        fs::write(&path, text).expect("a file");
        return;
    }
    assert_eq!(&text[from..upto], table(), "VERDICT_SCORES=rewrite writes it");
}
