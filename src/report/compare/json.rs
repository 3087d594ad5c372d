//! A comparison for scripts.

use crate::{
    report::compare::{Change, Comparison, Ran, Row},
    scenario::vocabulary::Side,
    verdict::Measured,
};
use serde_json::{Value, json};

/// The version of its keys.
const FORMAT: u32 = 1;

impl Comparison {
    /// For a script: stable keys, and a version.
    pub fn json(&self) -> Value {
        let ran = |ran: &Ran| json!({ "file": ran.file, "run": ran.run, "seed": ran.seed, "requests": ran.requests });
        json!({
            "format": FORMAT,
            "a": ran(&self.ran[0]),
            "b": ran(&self.ran[1]),
            "level": self.level,
            "level_each": self.each,
            "better": self.count(Change::Better),
            "worse": self.count(Change::Worse),
            "same": self.count(Change::Same),
            "measures": self.rows.iter().map(row).collect::<Vec<_>>(),
            "cautions": self.notes,
        })
    }
}

fn row(row: &Row) -> Value {
    let good = match row.term.side {
        Side::Most => Some("less"),
        Side::Least => Some("more"),
        Side::Both | Side::Is => None,
    };
    let change = match row.change {
        Change::OnlyFirst => "only_a",
        Change::OnlySecond => "only_b",
        change => change.name(),
    };
    json!({
        "name": row.term.name,
        "good": good,
        "change": change,
        "a": row.first.as_ref().map(measured),
        "b": row.second.as_ref().map(measured),
    })
}

/// JSON has no infinity: `never` is a value without a number.
fn measured(measured: &Measured) -> Value {
    match measured {
        Measured::Number { low, value, high, sample } => {
            json!({ "value": value, "low": low, "high": high, "sample": sample })
        }
        Measured::Word { word, sample } => json!({ "word": word, "sample": sample }),
        Measured::Flag { is, sample } => json!({ "is": is, "sample": sample }),
        Measured::Breaker { opens, sample } => json!({
            "opens_s": opens.opens,
            "after_failures": opens.failures,
            "probe_s": opens.probe,
            "closes_s": opens.closes.filter(|closes| closes.is_finite()),
            "sample": sample,
        }),
        Measured::Routes { routes, sample } => json!({ "routes": routes, "sample": sample }),
        Measured::TooFew { said, needs } => json!({ "too_few": said, "needs": needs }),
        Measured::NotExercised(why) => json!({ "not_exercised": why }),
    }
}
