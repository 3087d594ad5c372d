//! The clients side by side: what each got, and what it cost the service.

use crate::{
    demo::{Account, Policy, Tally},
    units::show_duration,
};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::{iter::once, time::Duration};

/// How wide the comparison may be.
const WIDTH: u16 = 100;

/// How a demonstration went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The clients, in the order of [`crate::demo::CLIENTS`].
    pub clients: Vec<Played>,
}

/// How one client fared.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which client.
    pub policy: Policy,
    /// What it counted, all its users together.
    pub tally: Tally,
    /// What the shop charged it.
    pub account: Account,
}

/// One line of the comparison: its name, its value, and the sentence around the values.
struct Row {
    name: &'static str,
    value: fn(&Played) -> String,
    /// What the first client is said to have done; the others follow with their values.
    verb: &'static str,
    noun: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        name: "operations",
        value: |played| played.tally.operations.to_string(),
        verb: "began",
        noun: "operations",
    },
    Row {
        name: "served",
        value: |played| share(played.tally.served()),
        verb: "got",
        noun: "of what it asked for",
    },
    Row {
        name: "attempts per operation",
        value: |played| ratio(played.tally.amplification()),
        verb: "sent",
        noun: "attempts per operation",
    },
    Row {
        name: "peak attempts per second",
        value: |played| played.tally.peak_per_second().to_string(),
        verb: "sent up to",
        noun: "in one second",
    },
    Row {
        name: "longest operation",
        value: |played| show_duration(whole_millis(played.tally.worst)),
        verb: "kept a user up to",
        noun: "",
    },
    Row {
        name: "double charges",
        value: |played| played.account.duplicate_charges().to_string(),
        verb: "paid",
        noun: "of its charges for nothing",
    },
    Row {
        name: "bought unawares",
        value: |played| played.unaware().to_string(),
        verb: "paid unawares for",
        noun: "of its orders",
    },
];

impl Played {
    /// Orders the shop charged and the client does not believe placed.
    pub const fn unaware(&self) -> u64 {
        self.account.orders.saturating_sub(self.tally.purchases)
    }
}

impl Outcome {
    /// The comparison as a table: one row per measure, one column per client, and a sentence.
    pub fn show(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(WIDTH);
        let names = self.clients.iter().map(|played| played.policy.name.to_owned());
        table.set_header(once(String::new()).chain(names));
        for row in ROWS {
            let values: Vec<_> = self.clients.iter().map(row.value).collect();
            let sentence = self.sentence(row, &values);
            table.add_row(once(row.name.to_owned()).chain(values).chain(once(sentence)));
        }
        for place in 1..=self.clients.len() {
            if let Some(column) = table.column_mut(place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    /// `naive sent 3.9 attempts per operation, careful 1.1`.
    fn sentence(&self, row: &Row, values: &[String]) -> String {
        let mut clauses = Vec::new();
        for (played, value) in self.clients.iter().zip(values) {
            let name = played.policy.name;
            clauses.push(if clauses.is_empty() {
                format!("{name} {} {value} {}", row.verb, row.noun).trim_end().to_owned()
            } else {
                format!("{name} {value}")
            });
        }
        clauses.join(", ")
    }
}

fn share(fraction: Option<f64>) -> String {
    fraction.map_or_else(none, |fraction| format!("{:.1}%", fraction * 100.0))
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(none, |ratio| format!("{ratio:.1}"))
}

fn none() -> String {
    "–".to_owned()
}

/// A wait is said to the millisecond: what is below that is the scheduler's.
fn whole_millis(wait: Duration) -> Duration {
    Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::naive;

    #[test]
    fn every_row_tells_its_difference_in_one_sentence() {
        let naive = Played {
            policy: naive::POLICY,
            tally: Tally {
                operations: 100,
                succeeded: 60,
                failed: 20,
                attempts: 390,
                purchases: 11,
                worst: Duration::from_micros(1_234_567),
                ..Tally::default()
            },
            account: Account { orders: 12, charges: 15 },
        };
        let other = Played {
            policy: Policy { name: "careful", ..naive::POLICY },
            tally: Tally::default(),
            account: Account::default(),
        };

        let shown = Outcome { clients: vec![naive, other] }.show();

        for sentence in [
            "naive began 100 operations, careful 0",
            "naive got 75.0% of what it asked for, careful –",
            "naive sent 3.9 attempts per operation, careful –",
            "naive kept a user up to 1.234s, careful 0s",
            "naive paid 3 of its charges for nothing, careful 0",
            "naive paid unawares for 1 of its orders, careful 0",
        ] {
            let found = shown.lines().filter(|line| line.contains(sentence)).count();
            assert_eq!(found, 1, "{sentence}\n{shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= usize::from(WIDTH)), "{shown}");
    }
}
