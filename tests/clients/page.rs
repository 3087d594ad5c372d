//! The tables in `docs/real-clients.md`, from the golden files.

use crate::{
    golden,
    roster::ROSTER,
    row::{Cell, Key, METHODS, Row, Span, Told},
    verdict,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A table, and what stands before and behind it on the page.
struct Table {
    name: &'static str,
    of: fn(&[Row]) -> String,
}

const TABLES: [Table; 2] =
    [Table { name: "measured", of: table }, Table { name: "verdict", of: verdicts }];

const HEAD: &str = "\
| client | version | 503 | 503 + RA | 429 + RA | 404 | reset | cut | RA | gaps, s | held, s | dripped, s | verdict |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/real-clients.md")
}

impl Table {
    fn shown(&self, rows: &[Row]) -> String {
        let [begin, end] = self.marks();
        format!("{begin}{}{end}", (self.of)(rows))
    }

    fn marks(&self) -> [String; 2] {
        ["begin", "end"].map(|which| format!("<!-- {}: {which} -->\n", self.name))
    }
}

/// Puts the tables of all golden files into the page.
pub(crate) fn rewrite() {
    let rows = golden::all();
    let mut page = fs::read_to_string(path()).expect("the page");
    for table in &TABLES {
        let [begin, end] = table.marks();
        let (before, rest) = page.split_once(&begin).expect("where the table begins");
        let (_, after) = rest.split_once(&end).expect("where the table ends");
        page = format!("{before}{}{after}", table.shown(&rows));
    }
    fs::write(path(), page).expect("the page");
}

fn table(rows: &[Row]) -> String {
    let named = |name: &'static str| rows.iter().filter(move |row| row.client == name);
    let lines = ROSTER.iter().flat_map(|client| named(client.name)).map(line);
    lines.fold(HEAD.to_owned(), |table, line| table + &line)
}

/// How often each detector was sure, and how often it had seen too little.
fn verdicts(rows: &[Row]) -> String {
    let counted = |of: fn(&Told) -> &Vec<String>, name: &str| {
        let all = rows.iter().flat_map(|row| row.told.values()).flat_map(of);
        all.filter(|detector| *detector == name).count()
    };
    let lines = verdict::names().map(|name| {
        let (right, open) = (counted(|t| &t.right, name), counted(|t| &t.open, name));
        let silent = rows.iter().map(|row| row.told.len()).sum::<usize>() - right - open;
        format!("| `{name}` | {right} | {open} | {silent} |\n")
    });
    let head = "| detector | right | too little seen | not put to the test |\n|---|---|---|---|\n";
    lines.fold(head.to_owned(), |table, line| table + &line)
}

fn line(row: &Row) -> String {
    let both = |class: &str| METHODS.map(|method| row.cell(class, method));
    let attempts = ["503", "503-after", "429-after", "404", "reset", "cut"].map(|class| {
        let [get, post] = both(class);
        let unsafe_here = matches!(class, "reset" | "cut") && post.is_sent_again_unguarded();
        let post_shown = counts(post.attempts);
        let mark = if post.attempts[1] > 1 && post.key == Some(Key::Stable) { " key" } else { "" };
        let post = if unsafe_here { format!("**{post_shown}**") } else { post_shown };
        format!("{}/{post}{mark}", counts(get.attempts))
    });
    let [waits_503, waits_429] =
        ["503-after", "429-after"].map(|class| both(class).into_iter().find_map(Cell::waits));
    let waits = match (waits_503, waits_429) {
        (None, None) => "–",
        (Some(true), Some(true) | None) | (None, Some(true)) => "yes",
        (Some(false), Some(false) | None) | (None, Some(false)) => "no",
        (Some(true), Some(false)) => "503 only",
        (Some(false), Some(true)) => "429 only",
    };
    // The longest there are; after a 503 if that is one of them.
    let classes = ["cut", "reset", "503"].iter().flat_map(|class| both(class).into_iter().rev());
    let longest = classes.map(|cell| &cell.gaps).max_by_key(|gaps| gaps.len());
    let gaps: Vec<_> = longest.into_iter().flatten().copied().map(seconds).collect();
    let [held, dripped] = ["hold", "drip"].map(|class| {
        let [get, post] = both(class).map(|cell| patience(cell, row.held));
        if get == post { get } else { format!("{get}/{post}") }
    });
    let counted =
        |of: fn(&Told) -> &Vec<String>| row.told.values().map(|t| of(t).len()).sum::<usize>();
    let (right, open) = (counted(|t| &t.right), counted(|t| &t.open));
    format!(
        "| `{}` | {} | {} | {waits} | {} | {held} | {dripped} | {right}, {open} open |\n",
        row.client,
        row.version,
        attempts.join(" | "),
        if gaps.is_empty() { "–".to_owned() } else { gaps.join(", ") },
    )
}

/// How long a client waited, and whether it then asked again.
fn patience(cell: &Cell, held: f64) -> String {
    let again = if cell.attempts[1] > 1 { ", again" } else { "" };
    cell.patience
        .map_or_else(|| format!("≥ {held}{again}"), |waited| format!("{}{again}", seconds(waited)))
}

fn counts([least, most]: Span<usize>) -> String {
    if least == most { least.to_string() } else { format!("{least}–{most}") }
}

/// A span of seconds; as one where its ends are about the same.
fn seconds([least, most]: Span<f64>) -> String {
    let one = |value: f64| {
        let text = if value < 1.0 { format!("{value:.2}") } else { format!("{value:.1}") };
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let is_one = most - least <= (0.05 * most).max(0.03);
    if is_one { one(least) } else { format!("{}–{}", one(least), one(most)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_what_was_measured() {
        let page = fs::read_to_string(path()).expect("the page");
        let rows = golden::all();
        for table in &TABLES {
            let shown = table.shown(&rows);
            assert!(page.contains(&shown), "paste this:\n{shown}");
        }
    }

    #[test]
    fn seconds_are_shown_as_exactly_as_they_are_known() {
        let cases = [
            ([0.0, 0.02], "0"),
            ([0.0, 1.0], "0–1"),
            ([0.52, 0.57], "0.52–0.57"),
            ([16.0, 16.03], "16"),
            ([60.06, 60.09], "60.1"),
        ];
        for (span, expected) in cases {
            assert_eq!(seconds(span), expected);
        }
    }
}
