//! The verdict in a line, and the worst of what was found: what every report begins with.

use crate::{
    observe::End,
    report::summary::Summary,
    verdict::{Finding, Grade, Part, Verdict, Weight},
};
use std::cmp::Reverse;

/// The verdict in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// One word, in capitals.
    pub word: &'static str,
    /// What colour it has.
    pub grade: Grade,
    /// What it rests on.
    pub said: String,
}

impl Standing {
    /// That of a drill.
    pub fn of(summary: &Summary<'_>) -> Self {
        let judged = &summary.verdict.expectations;
        let count = |grade: Grade| judged.iter().filter(|judged| judged.grade == grade).count();
        let met = met(judged.len(), &count, summary.verdict);
        let silences = summary.silences();
        let broken = match summary.end {
            End::Interrupted => Some("interrupted before its end"),
            End::Aborted => Some("aborted before its end"),
            End::Failed | End::Lost => Some("broke off before its end"),
            End::Finished | End::CommandEnded => None,
        };
        let (word, grade, why) = if count(Grade::Fail) > 0 {
            ("FAIL", Grade::Fail, None)
        } else if let Some(broken) = broken {
            ("INCOMPLETE", Grade::Inconclusive, Some(broken.to_owned()))
        } else if summary.upstream_never_answered() {
            let why = "the upstream never answered".to_owned();
            ("INCONCLUSIVE", Grade::Inconclusive, Some(why))
        } else if let Some(doubt) = summary.origin.doubts.first() {
            ("INCONCLUSIVE", Grade::Inconclusive, Some(doubt.clone()))
        } else if let Some(silence) = silences.first() {
            let others = match silences.len() {
                1 => String::new(),
                more => format!(" and {} more", more - 1),
            };
            let why = format!("`{}`{others} hit nothing", silence.fault);
            ("INCONCLUSIVE", Grade::Inconclusive, Some(why))
        } else if count(Grade::Inconclusive) > 0 {
            ("INCONCLUSIVE", Grade::Inconclusive, None)
        } else if count(Grade::Pass) > 0 {
            ("PASS", Grade::Pass, None)
        } else if judged.is_empty() {
            ("NOT JUDGED", Grade::NotApplicable, None)
        } else {
            ("NOT TESTED", Grade::Inconclusive, None)
        };
        // Nobody knows what the scenario expects whose text is not there.
        let is_known = !judged.is_empty() || summary.origin.doubts.is_empty();
        let met = is_known.then_some(met);
        let said = [why, met].into_iter().flatten().collect::<Vec<_>>().join("; ");
        Self { word, grade, said }
    }
}

fn met(all: usize, count: &dyn Fn(Grade) -> usize, verdict: &Verdict) -> String {
    if all == 0 {
        let found = worst(verdict, usize::MAX);
        let failed = found.iter().filter(|worst| worst.finding.grade == Grade::Fail).count();
        let found = match failed {
            0 => String::new(),
            1 => ", and 1 finding is bad".to_owned(),
            more => format!(", and {more} findings are bad"),
        };
        return format!("the scenario expects nothing of its clients{found}");
    }
    let told = [
        (Grade::Fail, "failed"),
        (Grade::Inconclusive, "inconclusive"),
        (Grade::NotApplicable, "not put to the test"),
    ];
    let others: Vec<String> = told
        .into_iter()
        .filter(|(grade, _)| count(*grade) > 0)
        .map(|(grade, word)| format!("{} {word}", count(grade)))
        .collect();
    let rest = if others.is_empty() { String::new() } else { format!(": {}", others.join(", ")) };
    let plural = if all == 1 { "" } else { "s" };
    format!("{} of {all} expectation{plural} met{rest}", count(Grade::Pass))
}

/// One of the worst findings.
#[derive(Clone, Copy, Debug)]
pub struct Worst<'v> {
    /// What was found.
    pub finding: &'v Finding,
    /// Of which client program, if there are several.
    pub client: Option<&'v str>,
}

/// The worst findings, the worst first: at most so many, each of another detector, of the client
/// that did worst. Test cases are parts of the same traffic and have reports of their own.
pub fn worst(verdict: &Verdict, most: usize) -> Vec<Worst<'_>> {
    let several = verdict.parts.iter().any(|part| part.client.is_some());
    let parts =
        verdict.parts.iter().filter(|part| part.case.is_none() && part.client.is_some() == several);
    let mut all: Vec<(_, Worst<'_>)> = parts
        .flat_map(|part| {
            let client = part.client.as_deref();
            let bad = part.findings.iter().filter(|finding| is_bad(finding));
            bad.map(move |finding| {
                // Where two clients did as badly, that of the worse record is told.
                let badness = (finding.grade, finding.weight, record(part));
                (Reverse(badness), Worst { finding, client })
            })
        })
        .collect();
    all.sort_by_key(|(badness, _)| *badness);
    let mut told: Vec<Worst<'_>> = Vec::new();
    for (_, worst) in all {
        if told.iter().all(|known| known.finding.detector != worst.finding.detector) {
            told.push(worst);
        }
    }
    told.truncate(most);
    told
}

fn is_bad(finding: &Finding) -> bool {
    finding.grade >= Grade::Warn && finding.weight > Weight::Note
}

/// How many findings of a part are bad: the critical ones, those that failed, all.
fn record(part: &Part) -> (usize, usize, usize) {
    let count = |is: &dyn Fn(&Finding) -> bool| {
        part.findings.iter().filter(|finding| is_bad(finding) && is(finding)).count()
    };
    let failed = |finding: &Finding| finding.grade == Grade::Fail;
    let critical = |finding: &Finding| failed(finding) && finding.weight == Weight::Critical;
    (count(&critical), count(&failed), count(&|_| true))
}
