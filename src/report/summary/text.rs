//! The summary for people.

use crate::{
    diag::Look,
    engine::FaultTally,
    event::Outcome,
    observe::{Cell, End},
    report::summary::Summary,
    timeline::Speed,
    units::show_duration,
};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use std::time::Duration;

pub(super) fn text(summary: &Summary<'_>, look: Look) -> String {
    let mut out = head(summary, look);
    out.push('\n');
    if summary.observations.cells.is_empty() {
        out.push_str("no request came by\n");
    } else {
        out.push_str(&phases(summary));
    }
    if !summary.tallies.is_empty() {
        out.push('\n');
        out.push_str(&faults(summary));
    }
    out.push('\n');
    out.push_str(&foot(summary, look));
    out
}

fn head(summary: &Summary<'_>, look: Look) -> String {
    let seen = summary.observations;
    let name = paint(look, Style::new().bold(), &summary.scenario.name);
    let end = match summary.end {
        End::Finished => "played to its end",
        End::CommandEnded => "ended with its command",
        End::Interrupted => "interrupted",
        End::Failed | End::Lost => "broke off",
    };
    let mut line = format!("{name} {end} in {}", rounded(summary.took));
    if summary.speed != Speed::REAL {
        line.push_str(&format!(", compressed {}", summary.speed));
    }
    if let Some(longest) = summary.longest_phase {
        line.push_str(&format!(", plateaus cut to {}", show_duration(longest)));
    }
    line.push_str(&format!("  (run {}, seed {})\n", summary.run, summary.seed));
    let users = count(seen.users.len() as u64, "user");
    line.push_str(&format!(
        "{} from {users}{}; injected into {} ({}), {} {} hit\n",
        count(seen.exchanges, "request"),
        if seen.users.is_full() { " or more" } else { "" },
        thousands(seen.injected),
        percent(seen.injected, seen.exchanges),
        thousands(seen.users_hit.len() as u64),
        if seen.users_hit.len() == 1 { "user" } else { "users" },
    ));
    line
}

fn phases(summary: &Summary<'_>) -> String {
    let mut table = table(&[
        "phase", "target", "requests", "ok", "4xx", "5xx", "broken", "gone", "p50", "p90", "p99",
    ]);
    for ((phase, target), cell) in &summary.observations.cells {
        let phase = phase.map_or("(outside)", |at| summary.scenario.phases[at].name.as_str());
        let target = target.map_or("all", |at| {
            summary.scenario.targets.get(at).map_or("?", |target| target.name.as_str())
        });
        table.add_row(row(if target == "all" { phase } else { "" }, target, cell));
    }
    finish(&mut table, 2)
}

fn row(phase: &str, target: &str, cell: &Cell) -> Vec<String> {
    let share = |outcome| match cell.count(outcome) {
        0 => "–".to_owned(),
        count => percent(count, cell.requests),
    };
    let latency = cell.latency();
    let show = |pick: fn(&crate::observe::Latency) -> Duration| {
        latency.as_ref().map_or("–".to_owned(), |latency| rounded(pick(latency)))
    };
    let mut row = vec![phase.to_owned(), target.to_owned(), thousands(cell.requests)];
    row.extend(Outcome::ALL.map(share));
    row.extend([show(|l| l.p50), show(|l| l.p90), show(|l| l.p99)]);
    row
}

fn faults(summary: &Summary<'_>) -> String {
    let mut table = table(&["fault", "what", "meant for", "hit", "share", "held"]);
    for tally in summary.tallies {
        table.add_row(fault_row(tally));
    }
    finish(&mut table, 2)
}

fn fault_row(tally: &FaultTally) -> Vec<String> {
    let what = if tally.describe.starts_with(tally.kind) {
        tally.describe.clone()
    } else {
        format!("{} {}", tally.kind, tally.describe)
    };
    let counted = |text: String| if tally.gate { "–".to_owned() } else { text };
    let held = if tally.held.is_zero() || tally.hit == 0 {
        "–".to_owned()
    } else {
        let each = tally.held / u32::try_from(tally.hit).unwrap_or(u32::MAX);
        format!("{} each", rounded(each))
    };
    vec![
        tally.name.to_string(),
        what,
        counted(thousands(tally.considered)),
        counted(thousands(tally.hit)),
        counted(percent(tally.hit, tally.considered)),
        held,
    ]
}

fn foot(summary: &Summary<'_>, look: Look) -> String {
    let mut out = String::new();
    if !summary.observations.edges.is_empty() {
        let off = rounded(summary.observations.worst_edge());
        out.push_str(&format!("phases began within {off} of their plan\n"));
    }
    let warn = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    for caution in summary.cautions() {
        out.push_str(&format!("{}: {caution}\n", paint(look, warn, "note")));
    }
    for silence in summary.silences() {
        let label = paint(look, warn, "inconclusive");
        out.push_str(&format!("{label}: `{}` hit nothing: {}\n", silence.fault, silence.why));
    }
    out
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    table
}

/// Numbers stand to the right; the first columns are words.
fn finish(table: &mut Table, words: usize) -> String {
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if at >= words {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

fn paint(look: Look, style: Style, text: &str) -> String {
    match look {
        Look::Plain => text.to_owned(),
        Look::Coloured => format!("{style}{text}{style:#}"),
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(number), if number == 1 { "" } else { "s" })
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let share = part as f64 / whole as f64 * 100.0;
    // Neither "0.0 %" for something nor "100.0 %" for not quite all.
    if part > 0 && share < 0.05 {
        return "<0.1 %".to_owned();
    }
    if part < whole && share > 99.95 {
        return ">99.9 %".to_owned();
    }
    format!("{share:.1} %")
}

/// `12,345`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration to three digits or so.
fn rounded(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let step = match micros {
        0..1_000 => 1,
        1_000..10_000 => 100,
        10_000..1_000_000 => 1_000,
        1_000_000..100_000_000 => 100_000,
        _ => 1_000_000,
    };
    show_duration(Duration::from_micros((micros + step / 2) / step * step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_not_nothing_and_nearly_all_is_not_all() {
        assert_eq!(percent(1, 100_000), "<0.1 %");
        assert_eq!(percent(99_999, 100_000), ">99.9 %");
        assert_eq!(percent(17, 100), "17.0 %");
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
    }

    #[test]
    fn durations_keep_three_digits() {
        assert_eq!(rounded(Duration::from_micros(123_456)), "123ms");
        assert_eq!(rounded(Duration::from_micros(1_234_567)), "1.2s");
        assert_eq!(rounded(Duration::from_micros(90)), "90us");
    }
}
