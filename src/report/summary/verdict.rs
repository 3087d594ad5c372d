//! The first screen for people: the verdict in a line, how the expectations came out, and the
//! three worst findings with what to do about them.

use crate::{
    diag::Look,
    report::{
        money,
        standing::{Standing, worst},
        summary::{
            Summary,
            text::{finish, paint, table},
        },
        wrap,
    },
    verdict::{Grade, Sighting},
};
use anstyle::{AnsiColor, Style};

/// Findings that are told.
const WORST: usize = 3;
/// Where what is said of a finding begins.
const INDENT: usize = 6;

/// The verdict in a line; nothing if it has no more to say than that nothing is expected.
pub(super) fn line(summary: &Summary<'_>, look: Look, width: usize) -> String {
    let standing = Standing::of(summary);
    let is_bare = matches!(standing.word, "NOT JUDGED" | "INCOMPLETE");
    if is_bare && summary.verdict.expectations.is_empty() {
        return String::new();
    }
    let lines = wrap(&format!("{}  {}", standing.word, standing.said), width, 2).join("\n");
    let rest = lines.strip_prefix(standing.word).unwrap_or(&lines);
    // Two spaces set the word apart; wrapping leaves one.
    format!("{} {rest}\n", paint(look, style(standing.grade), standing.word))
}

/// What was expected and what was found, and what to do.
pub(super) fn text(summary: &Summary<'_>, look: Look, width: usize) -> String {
    let mut out = String::new();
    if !summary.verdict.expectations.is_empty() {
        out.push('\n');
        out.push_str(&expectations(summary, look, width));
    }
    if let Some(cost) = summary.verdict.cost.as_ref() {
        out.push_str(&wrap(&format!("cost: {}", money::told(cost)), width, 6).join("\n"));
        out.push('\n');
    }
    let worst = worst(summary.verdict, WORST);
    if !worst.is_empty() {
        out.push('\n');
    }
    for worst in worst {
        let finding = worst.finding;
        let whose = worst.client.map_or_else(String::new, |name| format!("{name}: "));
        let label = finding.grade.name().to_uppercase();
        let said = hanging(&format!("{whose}{}", finding.said), width);
        out.push_str(&paint(look, style(finding.grade), &label));
        out.push_str(&" ".repeat(INDENT.saturating_sub(label.len())));
        out.push_str(&said);
        if !finding.advice.is_empty() {
            out.push_str(&" ".repeat(INDENT));
            out.push_str(&hanging(&format!("to do: {}", finding.advice), width));
        }
        if let Some(sighting) = finding.sightings.first() {
            let seen = hanging(&format!("seen: {}", place(sighting)), width);
            let seen = format!("{}{}", " ".repeat(INDENT), seen.trim_end());
            out.push_str(&paint(look, Style::new().dimmed(), &seen));
            out.push('\n');
        }
    }
    out
}

fn expectations(summary: &Summary<'_>, look: Look, width: usize) -> String {
    let mut table = table(&["verdict", "expected", "found"]);
    for judged in &summary.verdict.expectations {
        let scope =
            if judged.scope.is_empty() { String::new() } else { format!(" ({})", judged.scope) };
        let needs = judged.needs.as_ref();
        let needs = needs.map_or_else(String::new, |needs| format!("; needs {needs}"));
        table.add_row(vec![
            judged.grade.name().to_uppercase(),
            format!("{} {}{scope}", judged.name, judged.limit),
            format!("{}{needs}", judged.said),
        ]);
    }
    let plain = finish(&mut table, 3, (1..3, 24), width);
    // Painted afterwards, since paint has a width to tables.
    let graded = plain.lines().map(|line| {
        let word = line.split(' ').next().unwrap_or_default();
        let grade = [Grade::Pass, Grade::Fail, Grade::Inconclusive, Grade::NotApplicable]
            .into_iter()
            .find(|grade| grade.name().eq_ignore_ascii_case(word));
        match (grade, line.strip_prefix(word)) {
            (Some(grade), Some(rest)) => format!("{}{rest}\n", paint(look, style(grade), word)),
            _ => format!("{line}\n"),
        }
    });
    graded.collect()
}

/// Where in the record.
fn place(sighting: &Sighting) -> String {
    let Sighting { at, conn, seq, what } = sighting;
    format!("{:.3} s, connection {conn}, request {seq}: {what}", *at as f64 / 1e6)
}

/// Lines that begin where the first one does.
fn hanging(text: &str, width: usize) -> String {
    let lines = wrap(text, width.saturating_sub(INDENT), 0);
    lines.join(&format!("\n{}", " ".repeat(INDENT))) + "\n"
}

fn style(grade: Grade) -> Style {
    let colour = match grade {
        Grade::Pass => AnsiColor::Green,
        Grade::Fail => AnsiColor::Red,
        Grade::Warn | Grade::Inconclusive => AnsiColor::Yellow,
        Grade::NotApplicable => return Style::new().dimmed(),
    };
    Style::new().bold().fg_color(Some(colour.into()))
}
