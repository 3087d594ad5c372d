//! Faults that are asked for more than the layer they act on can tell.

use crate::{
    diag::{Code, Diagnostic, Span},
    read::Reader,
    scenario::draft::{DraftEntry, Reach},
    select::Unit,
};

pub(super) fn check(entry: &DraftEntry, reader: &mut Reader<'_>) {
    match entry.reach() {
        Reach::Message => {}
        Reach::Listener => listener(entry, reader),
        Reach::Accept | Reach::Bytes => connection(entry, reader),
    }
}

fn listener(entry: &DraftEntry, reader: &mut Reader<'_>) {
    let (name, keys) = (entry.kind.name, &entry.keys);
    let mut refuse = |key: &str, span: Option<Span>, instead: &str| {
        let Some(span) = span else { return };
        let title = format!("`{name}` closes the listener for everybody, so it has no `{key}`");
        let problem = Diagnostic::new(Code::E0401, title, span);
        reader.problem(problem.help(format!("remove `{key}`{instead}")));
    };
    let share = "; to break a share of connections, use `reset: { at: connect }`";
    let target = "; to fail some requests, use `reset: {}` or `respond: 503`";
    refuse("share", keys.share.as_ref().map(|share| share.span), share);
    refuse("target", keys.targets.as_ref().map(|targets| targets.span), target);
    refuse("times", keys.times.as_ref().map(|times| times.span), target);
    refuse("cohort", keys.cohort.as_ref().map(|cohort| cohort.span), "");
    if entry.group.is_some() {
        let title = format!("`{name}` closes the listener for everybody, so it is no slice");
        let problem = Diagnostic::new(Code::E0401, title, entry.span);
        reader.problem(problem.help("write it outside `one_of`, or use `reset: { at: connect }`"));
    }
}

fn connection(entry: &DraftEntry, reader: &mut Reader<'_>) {
    let (name, keys) = (entry.kind.name, &entry.keys);
    let what = match entry.reach() {
        Reach::Accept => "acts while a connection is made, before there is a request",
        _ => "acts on the bytes of a connection, which carry no request",
    };
    if let Some(targets) = &keys.targets {
        let title = format!("`{name}` {what}, so it has no `target`");
        let problem = Diagnostic::new(Code::E0402, title, targets.span);
        reader.problem(problem.help(
            "remove `target`; choose by `share: 17% of connections`, or by `proxy` if there are several",
        ));
    }
    if let Some(times) = &keys.times {
        let title = format!("`{name}` {what}, so it cannot count `times`");
        let problem = Diagnostic::new(Code::E0404, title, times.span);
        reader.problem(problem.help("remove `times`; to end the fault, end its phase"));
    }
    let Some(share) = &keys.share else { return };
    let units = match (entry.reach(), share.value.unit) {
        (_, Some(Unit::Requests)) if entry.reach() == Reach::Bytes => {
            "count it in `connections` or `users`"
        }
        (_, Some(Unit::Requests)) | (Reach::Accept, Some(Unit::Users)) => {
            "count it in `connections`"
        }
        _ => return,
    };
    let unit = share.value.unit.map_or("", Unit::name);
    let title = if unit == Unit::Users.name() {
        format!("`{name}` acts while a connection is made, before its user is known")
    } else {
        format!("`{name}` {what}, so its share is not one of {unit}")
    };
    reader.problem(Diagnostic::new(Code::E0403, title, share.span).help(units));
}
