//! `pattern` and `times`: when a fault is on, and how often it may hit.

use crate::{
    diag::{Code, Diagnostic},
    read::{Field, Kind, Reader, Shape},
    scenario::{Per, Times},
    timeline::Pattern,
    yaml::{Node, Spanned},
};
use std::time::Duration;

/// The keys of `pattern`.
pub(super) static PATTERN: Shape = Shape {
    what: "`pattern`",
    fields: &[
        Field::required("every", Kind::Duration, "the period, in scenario time"),
        Field::required("on", Kind::Duration, "how long the fault is on at the start of a period"),
    ],
};

/// The keys of `times`.
pub(super) static TIMES: Shape = Shape {
    what: "`times`",
    fields: &[
        Field::required(
            "first",
            Kind::Integer(1, MOST),
            "how often the fault hits before it lets through",
        ),
        Field::optional(
            "per",
            Kind::Word(&["operation", "user", "run"]),
            "what it is counted by; `operation` if left out",
        ),
    ],
};

/// More than this is not "the first few".
pub(super) const MOST: i64 = 1_000_000;

/// A pattern and its period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flap {
    pub pattern: Pattern,
    pub every: Duration,
}

/// Reads `pattern`.
pub(super) fn pattern(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Flap> {
    let fields = reader.fields(node, &PATTERN)?;
    let every = fields.get("every").and_then(|every| reader.quantity(every));
    let on = fields.get("on")?;
    let on_time = reader.quantity(on);
    let (every, on_time) = (every?, on_time?);
    if let Some(pattern) = Pattern::new(every, on_time) {
        return Some(Flap { pattern, every });
    }
    let title = if on_time.is_zero() {
        "a pattern that is on for no time never acts"
    } else {
        "a pattern cannot be on for longer than its period"
    };
    let problem = Diagnostic::new(Code::E0405, title, on.span);
    let problem = match fields.get("every") {
        Some(every) => problem.label(every.span, "the period"),
        None => problem,
    };
    reader.problem(problem.help("make `on` longer than `0s` and at most `every`"));
    None
}

/// Reads `times`: a number, or the long form.
pub(super) fn times(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Times> {
    const PER: [(&str, Per); 3] =
        [("operation", Per::Operation), ("user", Per::User), ("run", Per::Run)];
    if let Node::Int(_) = node.value {
        return Some(Times { first: count(node, reader)?, per: Per::Operation });
    }
    let fields = reader.fields(node, &TIMES)?;
    let first = fields.get("first").and_then(|first| count(first, reader));
    let per = match fields.get("per") {
        Some(per) => reader.choice(per, &PER)?,
        None => Per::Operation,
    };
    Some(Times { first: first?, per })
}

fn count(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<u32> {
    reader.integer(node, 1, MOST).and_then(|count| u32::try_from(count).ok())
}
