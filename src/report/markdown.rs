//! The verdict as Markdown, for a comment on a pull request.
//!
//! All that is not ours (names, routes, what a scenario says) is escaped: it can neither format, nor
//! link, nor mention anybody.

use crate::{
    event::Outcome,
    report::{
        money, rounded,
        standing::{Standing, worst},
        summary::Summary,
    },
    verdict::{Grade, Part},
};
use std::fmt::Write as _;

/// Findings that are told with their advice.
const WORST: usize = 3;

/// The summary as Markdown.
pub fn markdown(summary: &Summary<'_>) -> String {
    let standing = Standing::of(summary);
    let mut out = format!(
        "### {} {} {}: {}\n\n",
        sign(standing.grade),
        standing.word,
        code(&summary.scenario.name),
        plain(&standing.said)
    );
    out.push_str(&expectations(summary));
    if let Some(cost) = summary.verdict.cost.as_ref() {
        out.push_str(&format!("**Cost**: {}\n\n", plain(&money::told(cost))));
    }
    out.push_str(&findings(summary));
    out.push_str(&details(summary));
    out
}

fn expectations(summary: &Summary<'_>) -> String {
    let judged = &summary.verdict.expectations;
    if judged.is_empty() {
        return String::new();
    }
    let mut out = String::from("| | expected | found |\n|---|---|---|\n");
    for judged in judged {
        let scope = if judged.scope.is_empty() {
            String::new()
        } else {
            format!("<br>{}", plain(&judged.scope))
        };
        let needs = judged.needs.as_ref();
        let needs = needs.map_or_else(String::new, |needs| format!("<br>needs {}", plain(needs)));
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {} {} | {} {}{scope} | {}{needs} |",
            sign(judged.grade),
            judged.grade,
            code(judged.name),
            plain(&judged.limit),
            plain(&judged.said),
        );
    }
    out + "\n"
}

fn findings(summary: &Summary<'_>) -> String {
    let worst = worst(summary.verdict, WORST);
    if worst.is_empty() {
        return String::new();
    }
    let mut out = String::from("**What to do about it, the worst first**\n\n");
    for (nth, worst) in (1..).zip(worst) {
        let client = worst.client.map_or_else(String::new, |client| format!("{}: ", code(client)));
        let finding = worst.finding;
        let _ = writeln!(
            out,
            "{nth}. {} {client}{}. {}",
            sign(finding.grade),
            plain(&finding.said),
            plain(&sentence(&finding.advice)),
        );
        if let Some(sighting) = finding.sightings.first() {
            let _ = writeln!(
                out,
                "   (first at {:.3} s, connection {}, request {})",
                sighting.at as f64 / 1e6,
                sighting.conn,
                sighting.seq
            );
        }
    }
    out + "\n"
}

fn details(summary: &Summary<'_>) -> String {
    let seen = summary.observations;
    let mut out = format!(
        "<details><summary>{} requests of {} users in {}, {} with something injected (run {}, \
         seed {})</summary>\n\n",
        seen.exchanges,
        seen.users.len(),
        rounded(summary.took),
        seen.injected,
        code(summary.run),
        summary.seed,
    );
    if seen.handshakes() > 0 {
        let _ = writeln!(out, "{} handshakes of TLS failed\n", seen.handshakes());
    }
    out.push_str("| phase | requests | ok | 4xx | 5xx | broken | gone | p50 | p99 |\n");
    out.push_str("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for ((phase, target), cell) in &seen.cells {
        let (Some(phase), None) = (phase, target) else { continue };
        let name = summary.scenario.phases.get(*phase).map_or("?", |phase| phase.name.as_str());
        let counts = Outcome::ALL.map(|outcome| cell.count(outcome).to_string()).join(" | ");
        let latency = cell.latency();
        let show = |time: Option<std::time::Duration>| time.map_or("–".to_owned(), rounded);
        let _ = writeln!(
            out,
            "| {} | {} | {counts} | {} | {} |",
            code(name),
            cell.requests,
            show(latency.map(|latency| latency.p50)),
            show(latency.map(|latency| latency.p99)),
        );
    }
    out.push('\n');
    for part in &summary.verdict.parts {
        out.push_str(&part_of(part));
    }
    for caution in summary.cautions() {
        let _ = writeln!(out, "- note: {}", plain(&caution));
    }
    for silence in summary.silences() {
        let (fault, why) = (code(&silence.fault), plain(&silence.why));
        let _ = writeln!(out, "- inconclusive: {fault} hit nothing: {why}");
    }
    out.trim_end().to_owned() + "\n\n</details>\n"
}

fn part_of(part: &Part) -> String {
    let whose = match (&part.case, &part.client) {
        (Some(case), _) => format!("test case {}", code(case)),
        (None, Some(client)) => format!("client {}", code(client)),
        (None, None) => "all clients".to_owned(),
    };
    let told: Vec<String> = part
        .findings
        .iter()
        .filter(|finding| finding.grade != Grade::NotApplicable)
        .map(|finding| {
            let said = plain(&finding.said);
            format!("- {} {}: {said}", sign(finding.grade), code(finding.detector))
        })
        .collect();
    if told.is_empty() {
        return String::new();
    }
    format!("**{whose}**\n\n{}\n\n", told.join("\n"))
}

const fn sign(grade: Grade) -> &'static str {
    match grade {
        Grade::Pass => "✅",
        Grade::Fail => "❌",
        Grade::Warn => "⚠️",
        Grade::Inconclusive => "❔",
        Grade::NotApplicable => "➖",
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let stop = if text.ends_with('.') { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), letters.as_str())
}

/// A text without any meaning to Markdown.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Backticks of ours are there to be seen; whoever's, they make no code of a table row.
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(letter);
            }
            // No mention.
            '@' => out.push_str("@\u{200b}"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    // What looks like an address becomes a link by itself.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// A name, as code.
fn code(name: &str) -> String {
    format!("<code>{}</code>", plain(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_format_link_mention_or_break_out_of_a_row() {
        let shown = code("<script>|@team `x` [a](http://b)\n| *y* https://c");

        assert!(!shown.contains("<script"), "{shown}");
        assert!(!shown.contains('\n') && !shown.contains("://"), "{shown}");
        assert!(!shown.contains("@team"), "{shown}");
        for bare in ["|", "`", "[", "*"] {
            assert_eq!(shown.matches(bare).count(), shown.matches(&format!("\\{bare}")).count());
        }
    }

    #[test]
    fn advice_is_a_sentence() {
        assert_eq!(sentence("send a key"), "Send a key.");
        assert_eq!(sentence(""), "");
    }
}
