//! The clients side by side: what each got, and what it cost the service.

use crate::{
    demo::{Account, Policy, Tally},
    units::show_duration,
};
use comfy_table::{CellAlignment, Table, presets};
use std::{iter::once, time::Duration};

/// How a demonstration went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The clients, in the order in which they were named.
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

/// One line of the comparison: its name, its value, and what that counts.
struct Row {
    name: &'static str,
    value: fn(&Played) -> String,
    counts: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        name: "operations",
        value: |played| played.tally.operations.to_string(),
        counts: "what users wanted done",
    },
    Row {
        name: "served",
        value: |played| share(played.tally.served()),
        counts: "of them, in the end",
    },
    Row {
        name: "attempts per operation",
        value: |played| ratio(played.tally.amplification()),
        counts: "below 1: not asking while nothing works",
    },
    Row {
        name: "busiest second",
        value: |played| played.tally.peak_per_second().to_string(),
        counts: "attempts in it",
    },
    Row {
        name: "longest operation",
        value: |played| show_duration(whole_millis(played.tally.worst)),
        counts: "until the user knew",
    },
    Row {
        name: "double charges",
        value: |played| played.account.duplicate_charges().to_string(),
        counts: "for orders that were paid already",
    },
    Row {
        name: "bought unawares",
        value: |played| played.unaware().to_string(),
        counts: "orders paid for, and the user was told that it failed",
    },
];

impl Played {
    /// Orders the shop charged and the client does not believe placed.
    pub const fn unaware(&self) -> u64 {
        self.account.orders.saturating_sub(self.tally.purchases)
    }
}

impl Outcome {
    /// The comparison as a table, one row per measure and one column per client, and below it who
    /// the clients are.
    pub fn show(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let names = self.clients.iter().map(|played| played.policy.name.to_owned());
        table.set_header(once(String::new()).chain(names));
        for row in ROWS {
            let values = self.clients.iter().map(row.value);
            table.add_row(once(row.name.to_owned()).chain(values).chain(once(row.counts.into())));
        }
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if (1..=self.clients.len()).contains(&place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        let mut shown = lines.join("\n") + "\n\n";
        for played in &self.clients {
            shown.push_str(&format!("{}: {}\n", played.policy.name, played.policy.about));
        }
        shown
    }
}

fn share(fraction: Option<f64>) -> String {
    fraction.map_or_else(none, |fraction| format!("{:.1} %", fraction * 100.0))
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
    use crate::demo::find;

    #[test]
    fn every_row_sets_the_clients_side_by_side_and_says_what_it_counts() {
        let hasty = find("hasty").expect("a client");
        let one = Played {
            policy: hasty,
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
            policy: Policy { name: "careful", ..hasty },
            tally: Tally::default(),
            account: Account::default(),
        };

        let shown = Outcome { clients: vec![one, other] }.show();

        let words: Vec<Vec<&str>> = shown.lines().map(|l| l.split_whitespace().collect()).collect();
        for row in [
            "operations 100 0 what users wanted done",
            "served 75.0 % – of them, in the end",
            "attempts per operation 3.9 – below 1: not asking while nothing works",
            "longest operation 1.234s 0s until the user knew",
            "double charges 3 0 for orders that were paid already",
            "bought unawares 1 0 orders paid for, and the user was told that it failed",
        ] {
            let row: Vec<&str> = row.split_whitespace().collect();
            assert!(words.contains(&row), "{row:?}\n{shown}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
        assert!(shown.ends_with(&format!("careful: {}\n", hasty.about)), "{shown}");
    }
}
