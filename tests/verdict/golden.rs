//! The golden verdicts: what a judge has to say of each client in each outage.
//!
//! The letters are those of [`letters`](crate::judged::letters). They come from the simulation that
//! the table of numbers is from; where a play of the same definitions turns out otherwise for a
//! reason that can be told, the cell is listed apart, with the reason.

use crate::cell::Cell;

/// A client, and its letters in each outage, in the order of the table of numbers.
type Row = (&'static str, [&'static str; 8]);

#[rustfmt::skip]
const GOLDEN: &[Row] = &[
    ("oneshot", ["", "", "", "", "", "", "", ""]),
    ("naive", ["", "", "", "T H Z", "", "T H Z", "T H Z", ""]),
    ("immediate", ["A S I U~ H", "A~ I U~", "A S I U H", "I U X", "A S I U~", "A~ I U H",
                   "A S I U H", "A~ I U X"]),
    ("fixed", ["A S J H", "A~ J", "", "J", "A~ S J", "A~ S J H", "A S J H", "A~ J"]),
    ("expnoj", ["A S J H~", "A~ J", "", "J", "A~ J", "A~ S J", "A S J H", "A~ J"]),
    ("fulljitter", ["A S H~", "A~ S", "S", "", "A~", "A~ S", "A S H", "A~"]),
    ("budget", ["", "", "", "", "", "", "", ""]),
    ("breaker", ["B", "A~ B", "", "", "B", "B", "B", "A~"]),
    ("doublebuy", ["A~ U~", "A~ U~", "U", "U X", "A~ U~", "A~ U", "A~ U H", "A~ U X"]),
    ("keyperattempt", ["A~ U~ K", "A~ U~ K", "U K", "U K X", "A~ U~ K", "A~ U K", "A~ U K H",
                       "A~ U K X"]),
    ("retry4xx", ["A S H~", "A~", "", "", "A~ S 4", "A~ S", "A S H", "A~"]),
    ("hedger", ["", "", "", "A~ G", "", "G", "A~ G", ""]),
    ("sticky", ["N B", "N B", "", "", "N B", "N B", "N B", "B"]),
];

/// What is otherwise here, and why.
const OTHERWISE: &[(Cell, &str)] = &[
    // Two operations that never end are all that fails: two of twelve clients may be chance, and
    // nothing is known of operations that fail in the end.
    (Cell::new("immediate", "apple17"), "A~ I U H"),
    // The same: what began while everything failed was served in the end, or went on for good.
    (Cell::new("immediate", "microsoft"), "A I U~"),
    // What falls to the third that hears nothing is tried again without end.
    (Cell::new("immediate", "aws"), "A~ S I U H"),
    // The busiest second is that of one draw: here a little more than four times the calm's.
    (Cell::new("expnoj", "amazon"), "A S J H"),
    // Here a little more than twice, as chance makes of a steady client.
    (Cell::new("retry4xx", "amazon"), "A S"),
    // The last of the four outages within it comes back at the very end.
    (Cell::new("expnoj", "aws"), "A~ S J H~"),
    // Five failures in a row come to two of those who are hit: a purchase with three attempts and the
    // next one's.
    (Cell::new("breaker", "apple17"), "B"),
    (Cell::new("sticky", "apple17"), "N"),
    // With three requests in ten cut, five in a row come to several clients in three minutes.
    (Cell::new("breaker", "cut"), "A~ B"),
    (Cell::new("sticky", "cut"), "N B"),
];

/// The letters that a cell has to have.
pub(crate) fn golden(cell: Cell, column: usize) -> &'static str {
    let otherwise = OTHERWISE.iter().find(|(other, _)| *other == cell);
    otherwise.map_or_else(
        || {
            let row = GOLDEN.iter().find(|(client, _)| *client == cell.client);
            row.map_or("", |(_, letters)| letters[column])
        },
        |(_, letters)| letters,
    )
}
