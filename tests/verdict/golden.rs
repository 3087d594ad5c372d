//! The golden verdicts: what a judge has to say of each client in each outage.
//!
//! The letters are those of [`letters`](crate::judged::letters). They come from the simulation that
//! the table of numbers is from; where a play of the same definitions turns out otherwise for a
//! reason that can be told, the cell is listed apart, with the reason.

use crate::{
    cell::Cell,
    expected::SEED,
    judged::{judge, letters},
};
use firedrill::verdict::Grade;

/// A client, and its letters in each outage, in the order of the table of numbers.
pub(crate) type Row = (&'static str, [&'static str; 8]);

#[rustfmt::skip]
pub(crate) const GOLDEN: &[Row] = &[
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

/// `Retry-After` of 15 s, in the scenario `amazon_ra`: whether a client that tries again ignores it.
const RETRY_AFTER: &[(&str, bool)] = &[
    ("fulljitter", false),
    ("budget", false),
    ("immediate", true),
    ("fixed", true),
    ("expnoj", true),
    ("doublebuy", true),
    ("keyperattempt", true),
    ("retry4xx", true),
    ("breaker", true),
];

/// What those have to be told that the table of numbers does not have: a client, an outage, a
/// detector, its grade, and what it says of it.
const OTHERS: &[(&str, &str, &str, Grade, &str)] = &[
    ("layered", "amazon", "layers", Grade::Warn, "3 × 3"),
    ("key-reuser", "cut", "duplicates", Grade::Fail, "used one key for different bodies"),
    ("poller", "amazon", "amplification", Grade::Pass, "1.00 attempts per operation"),
    ("poller", "blackhole", "amplification", Grade::Pass, "1.00 attempts per operation"),
];

/// The grade of a detector, and what it says.
fn finding(cell: Cell, detector: &str) -> (Grade, String) {
    let verdict = judge(&cell.play(SEED));
    let mut findings = verdict.parts[0].findings.iter();
    let found = findings.find(|finding| finding.detector == detector).expect("a finding");
    (found.grade, found.said.clone())
}

#[test]
fn who_ignores_retry_after_is_told_and_who_obeys_is_not() {
    for (client, ignores) in [RETRY_AFTER[0], RETRY_AFTER[3]] {
        let (grade, said) = finding(Cell::new(client, "amazon_ra"), "retry_after");
        assert_eq!(grade == Grade::Fail, ignores, "{client}: {said}");
    }
}

#[test]
#[ignore = "a minute: cargo test --test verdict -- --include-ignored"]
fn all_who_ignore_retry_after_are_told() {
    for (client, ignores) in RETRY_AFTER {
        let (grade, said) = finding(Cell::new(client, "amazon_ra"), "retry_after");
        assert_eq!(grade == Grade::Fail, *ignores, "{client}: {said}");
    }
    for client in ["oneshot", "naive", "sticky", "hedger"] {
        let (grade, said) = finding(Cell::new(client, "amazon_ra"), "retry_after");
        assert_eq!(grade, Grade::NotApplicable, "{client}: {said}");
    }
}

#[test]
fn other_clients_are_told_what_they_do() {
    for (client, scenario, detector, grade, said) in OTHERS {
        let (told, what) = finding(Cell::new(client, scenario), detector);
        assert_eq!(told, *grade, "{client} in {scenario}: {what}");
        assert!(what.contains(said), "{client} in {scenario}: {what}");
    }
}

/// Prints what is said of one cell: `CELL=layered/amazon cargo test --test verdict tell --
/// --ignored --nocapture`.
#[test]
#[ignore = "prints"]
fn tell() {
    let cells = std::env::var("CELL").unwrap_or_default();
    for cell in cells.split(',').filter_map(|cell| cell.split_once('/')) {
        let name = |name: &str| &*Box::leak(name.to_owned().into_boxed_str());
        let played = Cell::new(name(cell.0), name(cell.1)).play(SEED);
        let verdict = judge(&played);
        println!("{}/{}: {}", cell.0, cell.1, letters(&verdict));
        for found in &verdict.parts[0].findings {
            println!("  {} {} {}: {}", found.code, found.detector, found.grade, found.said);
        }
    }
}

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
