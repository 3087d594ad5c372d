//! What the verdict says of a play, in the letters of the table of golden verdicts.

use crate::cell::Played;
use firedrill::{
    dice::Seed,
    event::Event,
    verdict::{Finding, Grade, Judge, Verdict},
};
use std::sync::Arc;

/// Judges what was recorded, and nothing else: no client of a play names its operations.
pub(crate) fn judge(played: &Played) -> Verdict {
    let sources = played.scenario.users.sources.len();
    let mut judge = Judge::new(Arc::clone(&played.scenario), Seed(1), sources, Box::new(()));
    let mut events: Vec<&Event> = played.events.iter().collect();
    events.sort_by_key(|event| when(event));
    for event in events {
        judge.fold(event);
    }
    judge.finish(0)
}

/// When an event was told; edges come before what ends at the same moment.
fn when(event: &Event) -> (u64, bool) {
    match event {
        Event::Exchange(exchange) => (exchange.t_end, true),
        Event::Connection(connection) => (connection.ended, true),
        Event::Edge(edge) => (u64::try_from(edge.actual.as_micros()).expect("few"), false),
        _ => (0, false),
    }
}

/// One letter for each thing that is wrong, with `~` after those that are only a warning.
///
/// `A` amplification, `S` more than three attempts when all fails, `I` immediate retries, `J` no
/// jitter, `T` no timeout, `U` unsafe re-sends, `K` key churn, `X` duplicates, `4` retries of final
/// errors, `H` a herd at recovery, `N` some never recover, `B` a breaker on most clients, `Z` some are
/// stalled, `G` hedging, `R` `Retry-After` ignored.
pub(crate) fn letters(verdict: &Verdict) -> String {
    let found = |name: &str| verdict.parts[0].findings.iter().find(|f| f.detector == name);
    let number = |name: &str, figure: &str| {
        found(name).and_then(|finding| finding.figures.get(figure)?.as_f64()).unwrap_or(0.0)
    };
    let graded = |finding: Option<&Finding>| match finding.map(|finding| finding.grade) {
        Some(Grade::Fail) => Some(""),
        Some(Grade::Warn) => Some("~"),
        _ => None,
    };
    let mut letters = Vec::new();
    let mut note = |letter: &str, mark: Option<&str>| {
        letters.extend(mark.map(|mark| format!("{letter}{mark}")));
    };
    let when = |is: bool| is.then_some("");
    note("A", graded(found("amplification")));
    note("S", when(graded(found("saturation")) == Some("")));
    let shape = found("backoff").and_then(|finding| finding.figures.get("shape")?.as_str());
    note("I", when(shape == Some("immediate")));
    note("J", when(graded(found("jitter")) == Some("")));
    note("T", when(graded(found("timeout")) == Some("")));
    let resent = number("duplicates", "unsafe_resends") > 0.0;
    let after_503 = number("duplicates", "unsafe_resends_after_503") > 0.0;
    note("U", if resent { Some("") } else { after_503.then_some("~") });
    note("K", when(number("duplicates", "key_churn") > 0.0));
    note("X", when(number("duplicates", "duplicated") > 0.0));
    note("4", when(graded(found("final_errors")) == Some("")));
    note(
        "H",
        when(number("recovery", "overshoot_grade") > 1.0).or((number(
            "recovery",
            "overshoot_grade",
        ) > 0.0)
            .then_some("~")),
    );
    note("N", when(number("recovery", "never") > 0.0));
    // One client that trips by chance is no breaker of all.
    note("B", when(number("breaker", "opened") > 1.0));
    note("Z", when(number("breaker", "stalled") > 0.0));
    note("G", when(number("hedging", "hedged") > 0.0));
    note("R", when(graded(found("retry_after")) == Some("")));
    letters.join(" ")
}
