//! The verdict for people: how the expectations came out, and what was found.

use crate::{
    diag::Look,
    report::{summary::text::paint, wrap},
    verdict::{Grade, Part, Verdict, Weight},
};
use anstyle::{AnsiColor, Style};

pub(super) fn text(verdict: &Verdict, look: Look, width: usize) -> String {
    let mut out = String::new();
    let mut say = |grade: Grade, text: &str| {
        let label = grade.name().to_uppercase();
        let lines = wrap(&format!("{label} {text}"), width, 2).join("\n");
        let rest = lines.strip_prefix(&label).unwrap_or(&lines);
        out.push_str(&format!("{}{rest}\n", paint(look, style(grade), &label)));
    };
    for judged in &verdict.expectations {
        let scope =
            if judged.scope.is_empty() { String::new() } else { format!(" ({})", judged.scope) };
        say(judged.grade, &format!("{}{scope} {}: {}", judged.name, judged.limit, judged.said));
    }
    for part in &verdict.parts {
        for finding in told(part) {
            let whose = part.client.as_deref().or(part.case.as_deref());
            let whose = whose.map_or_else(String::new, |name| format!("{name}: "));
            say(finding.grade, &format!("{whose}{}. {}", finding.said, finding.advice));
        }
    }
    out
}

/// What is worth telling: what went wrong, the worst first.
fn told(part: &Part) -> Vec<&crate::verdict::Finding> {
    let bad = |finding: &&crate::verdict::Finding| {
        finding.grade >= Grade::Warn && finding.weight > Weight::Note
    };
    let mut findings: Vec<_> = part.findings.iter().filter(bad).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse((finding.grade, finding.weight)));
    findings.truncate(3);
    findings
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
