//! The summary for people.

use crate::{
    diag::Look,
    engine::FaultTally,
    event::Outcome,
    observe::{Cell, End, Observations},
    report::{rounded, shorten, summary::Summary, wrap},
    timeline::Speed,
    units::show_duration,
};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::{ops::Range, time::Duration};

/// The narrowest that tables can be told apart in, in columns.
const NARROWEST: usize = 60;

pub(super) fn text(summary: &Summary<'_>, look: Look, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut out = super::verdict::line(summary, look, width);
    out.push_str(&head(summary, look));
    out.push_str(&super::verdict::text(summary, look, width));
    let came = summary.observations.exchanges > 0;
    if came {
        out.push('\n');
        out.push_str(&phases(summary, width));
    }
    if !summary.observations.relays.is_empty() {
        out.push('\n');
        out.push_str(&relays(summary, width));
    }
    // Connections without a request are told of by the faults that met them.
    if summary.tallies.iter().any(|tally| came || tally.considered > 0) {
        out.push('\n');
        out.push_str(&faults(summary, width));
    }
    let foot = foot(summary, look, width);
    if !foot.is_empty() {
        out.push('\n');
        out.push_str(&foot);
    }
    out
}

fn head(summary: &Summary<'_>, look: Look) -> String {
    let seen = summary.observations;
    let name = paint(look, Style::new().bold(), &summary.scenario.name);
    let end = match summary.end {
        End::Finished => "played to its end in",
        End::CommandEnded => "ended with its command after",
        End::Interrupted => "interrupted after",
        End::Aborted => "aborted after",
        End::Failed | End::Lost => "broke off after",
    };
    let mut line = format!("{name} {end} {}", rounded(summary.took));
    if summary.speed != Speed::REAL {
        line.push_str(&format!(", compressed {}", summary.speed));
    }
    if let Some(longest) = summary.longest_phase {
        line.push_str(&format!(", plateaus cut to {}", show_duration(longest)));
    }
    line.push_str(&format!("  (run {}, seed {})\n", summary.run, summary.seed));
    line.push_str(&summary.origin.head());
    let relays = relayed(summary);
    if seen.exchanges == 0 && !relays.is_empty() {
        return line + &relays;
    }
    if seen.exchanges == 0 {
        line.push_str(&nobody(seen));
        return line;
    }
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
    if seen.handshakes_dealt > 0 {
        let handshakes = count(seen.handshakes_dealt, "handshake");
        line.push_str(&format!("{handshakes} of TLS failed as was dealt to them\n"));
    }
    line + &relays
}

/// Why no request came, as far as that is known.
fn nobody(seen: &Observations) -> String {
    if seen.handshakes() == 0 && seen.unasked > 0 {
        return format!(
            "no request came by: clients went {} after the handshake of TLS, as some do that do not trust \
             us (`firedrill ca --help`)\n",
            if seen.unasked == 1 { "once".to_owned() } else { format!("{} times", seen.unasked) }
        );
    }
    if seen.handshakes() == 0 && seen.forwards {
        return "no request came by: does the client heed HTTPS_PROXY (Node before 24 does not),\n\
                and does NO_PROXY leave out what it asks for? docs/forward.md says what each client takes\n"
            .to_owned();
    }
    if seen.handshakes() == 0 {
        return "no request came by; point the client at the proxy instead of the service\n"
            .to_owned();
    }
    format!("no request came by: {} of TLS failed\n", count(seen.handshakes(), "handshake"))
}

/// What became of connections whose bytes were passed on, in a line, if there were any.
fn relayed(summary: &Summary<'_>) -> String {
    let relays = &summary.observations.relays;
    if relays.is_empty() {
        return String::new();
    }
    let (connections, injected) = relays
        .values()
        .fold((0, 0), |(c, i), relays| (c + relays.connections, i + relays.injected));
    format!(
        "{} of bytes; injected into {} ({})\n",
        count(connections, "connection"),
        thousands(injected),
        percent(injected, connections),
    )
}

fn phases(summary: &Summary<'_>, width: usize) -> String {
    let mut table = table(&[
        "phase", "target", "requests", "ok", "4xx", "5xx", "broken", "gone", "p50", "p90", "p99",
    ]);
    // What came before the first phase or after the last one stands last: it is no part of the
    // drill.
    let cells = &summary.observations.cells;
    let (outside, inside): (Vec<_>, Vec<_>) =
        cells.iter().partition(|((phase, _), _)| phase.is_none());
    let outside = outside.into_iter().filter(|((_, target), _)| target.is_none());
    for ((phase, target), cell) in inside.into_iter().chain(outside) {
        let phase = phase.map_or("(outside)", |at| summary.scenario.phases[at].name.as_str());
        let target = target.map_or("all", |at| {
            summary.scenario.targets.get(at).map_or("?", |target| target.name.as_str())
        });
        table.add_row(row(if target == "all" { phase } else { "" }, target, cell));
    }
    finish(&mut table, 2, (0..2, 12), width)
}

/// What went through proxies that pass bytes on.
fn relays(summary: &Summary<'_>, width: usize) -> String {
    let mut table =
        table(&["proxy", "connections", "injected", "no upstream", "to upstream", "to clients"]);
    for (name, relays) in &summary.observations.relays {
        table.add_row(vec![
            shorten(name, 36),
            thousands(relays.connections),
            thousands(relays.injected),
            thousands(relays.unconnected),
            bytes(relays.up),
            bytes(relays.down),
        ]);
    }
    finish(&mut table, 1, (0..1, 12), width)
}

/// A number of bytes, to three digits.
pub(in crate::report) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut left = number as f64;
    let mut unit = "B";
    for larger in UNITS {
        if left < 1000.0 {
            break;
        }
        left /= 1024.0;
        unit = larger;
    }
    let digits = usize::from(unit != "B" && left < 9.95);
    format!("{left:.digits$}{unit}")
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

fn faults(summary: &Summary<'_>, width: usize) -> String {
    let mut table = table(&["fault", "what", "share", "meant for", "hit", "rate", "held"]);
    for tally in summary.tallies {
        table.add_row(fault_row(summary, tally));
    }
    finish(&mut table, 3, (1..2, 17), width)
}

fn fault_row(summary: &Summary<'_>, tally: &FaultTally) -> Vec<String> {
    let entry = summary.chief(&tally.name);
    let what = entry.map_or_else(|| tally.describe.clone(), |entry| entry.fault.describe());
    // A name that was made from the kind would say the same twice.
    let what = if tally.name.starts_with(tally.kind) || what.starts_with(tally.kind) {
        what
    } else {
        format!("{}: {what}", tally.kind)
    };
    let share = entry.map_or_else(String::new, |entry| {
        if entry.share.is_all() { "all".to_owned() } else { shorten(&entry.share.show(), 30) }
    });
    let counted = |text: String| if tally.gate { "–".to_owned() } else { text };
    let held = if tally.held.is_zero() || tally.hit == 0 {
        "–".to_owned()
    } else {
        let each = tally.held / u32::try_from(tally.hit).unwrap_or(u32::MAX);
        rounded(each)
    };
    vec![
        shorten(&tally.name, 36),
        what,
        share,
        counted(thousands(tally.considered)),
        counted(thousands(tally.hit)),
        counted(percent(tally.hit, tally.considered)),
        held,
    ]
}

fn foot(summary: &Summary<'_>, look: Look, width: usize) -> String {
    let mut out = String::new();
    if !summary.observations.edges.is_empty() {
        let off = rounded(summary.observations.worst_edge());
        out.push_str(&format!("phases began within {off} of their plan\n"));
    }
    let warn = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    let mut say = |label: &str, text: &str| {
        // The label is measured plain and painted afterwards.
        let lines = wrap(&format!("{label}: {text}"), width, 2).join("\n");
        let rest = lines.strip_prefix(label).unwrap_or(&lines);
        out.push_str(&format!("{}{rest}\n", paint(look, warn, label)));
    };
    for caution in summary.cautions() {
        say("note", &caution);
    }
    for silence in summary.silences() {
        say("inconclusive", &format!("`{}` hit nothing: {}", silence.fault, silence.why));
    }
    out
}

pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    table
}

/// Numbers stand to the right; the first `words` columns are none. Those of `wraps` may take
/// several lines, but are not made narrower than so many columns.
pub(super) fn finish(
    table: &mut Table,
    words: usize,
    (wraps, least): (Range<usize>, u16),
    width: usize,
) -> String {
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX));
    let contents = table.column_max_content_widths();
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if at >= words {
            column.set_cell_alignment(CellAlignment::Right);
        }
        column.set_constraint(if wraps.contains(&at) {
            // Rather a table that is too wide than a column of letters.
            let content = contents.get(at).map_or(least, |width| width.saturating_add(2));
            ColumnConstraint::LowerBoundary(Width::Fixed(content.min(least)))
        } else {
            ColumnConstraint::ContentWidth
        });
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

pub(super) fn paint(look: Look, style: Style, text: &str) -> String {
    match look {
        Look::Plain => text.to_owned(),
        Look::Coloured => format!("{style}{text}{style:#}"),
    }
}

pub(in crate::report) fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(number), if number == 1 { "" } else { "s" })
}

pub(in crate::report) fn percent(part: u64, whole: u64) -> String {
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
pub(in crate::report) fn thousands(number: u64) -> String {
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
    fn bytes_are_told_in_a_few_digits() {
        let shown = [0, 999, 1_000, 10_240, 1_500_000, 5 << 40].map(bytes);
        assert_eq!(shown, ["0B", "999B", "1.0KiB", "10KiB", "1.4MiB", "5.0TiB"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
    }
}
