//! The entries of `faults:`.

use crate::{
    diag::{Code, Diagnostic, Span, closest, list_of},
    fault::catalog::{self, CATALOG},
    read::{Fields, Reader},
    scenario::{
        draft::{DraftEntry, DraftPhase},
        keys::{COMMON, Keys, OF_GROUP},
        targets::Targets,
    },
    yaml::{Node, Spanned},
};

/// Reads one item of `faults:` into its phase.
pub(super) fn read(
    node: &Spanned<Node>,
    phase: &mut DraftPhase,
    targets: &mut Targets,
    reader: &mut Reader<'_>,
) {
    let Some(fields) = entries(node, reader) else { return };
    let Some(list) = fields.get("one_of") else {
        let entry = fault(&fields, targets, reader);
        phase.entries.extend(entry);
        return;
    };
    only_group_keys(&fields, reader);
    let keys = Keys::read(&fields, targets, reader);
    let Some(items) = reader.list(list) else { return };
    if items.is_empty() {
        let problem = Diagnostic::new(Code::E0107, "`one_of` has no slices", list.span);
        reader.problem(problem.help("add one: `- { respond: 503, share: 10% }`"));
    }
    let group = phase.groups.len();
    phase.groups.push(fields.key_span("one_of").unwrap_or(fields.span));
    for item in items {
        let Some(fields) = entries(item, reader) else { continue };
        if fields.get("one_of").is_some() {
            let title = "a `one_of` cannot stand inside another";
            let problem = Diagnostic::new(Code::E0505, title, item.span);
            reader.problem(problem.help("write all slices into one `one_of`"));
            continue;
        }
        if let Some(cohort) = fields.key_span("cohort") {
            let title = "a slice of `one_of` has no cohort of its own";
            let problem = Diagnostic::new(Code::E0505, title, cohort);
            reader.problem(problem.help("write `cohort` beside `one_of`: it is one draw for all"));
        }
        let Some(mut entry) = fault(&fields, targets, reader) else { continue };
        entry.group = Some(group);
        entry.keys.inherit(&keys);
        phase.entries.push(entry);
    }
}

/// The mapping of an entry; a fault's name alone is a near miss worth a word.
fn entries<'n>(node: &'n Spanned<Node>, reader: &mut Reader<'_>) -> Option<Fields<'n>> {
    if let Node::Text(text) = &node.value
        && let Some(entry) = catalog::find(text)
    {
        let title = format!("`{}` stands alone", entry.name);
        let problem = Diagnostic::new(Code::E0105, title, node.span);
        reader.problem(problem.help(format!("write `{}`", first_example(entry))));
        return None;
    }
    reader.names(node, "a fault entry, such as `latency: 300ms`")
}

fn first_example(entry: &catalog::Entry) -> &'static str {
    entry.examples.first().and_then(|example| example.lines().next()).unwrap_or(entry.name)
}

/// One fault with the keys beside it.
fn fault(
    fields: &Fields<'_>,
    targets: &mut Targets,
    reader: &mut Reader<'_>,
) -> Option<DraftEntry> {
    let found = the_fault(fields, reader);
    let keys = Keys::read(fields, targets, reader);
    let (kind, span, value) = found?;
    let fault = (kind.read)(value, reader)?;
    Some(DraftEntry { kind, fault, span, keys, group: None })
}

type Found<'n> = (&'static catalog::Entry, Span, &'n Spanned<Node>);

/// Finds the one key that names a fault; says so if there is none, or more, or an unknown key.
fn the_fault<'n>(fields: &Fields<'n>, reader: &mut Reader<'_>) -> Option<Found<'n>> {
    let mut found: Vec<Found<'n>> = Vec::new();
    let mut unknown: Vec<&Spanned<String>> = Vec::new();
    for (key, value) in fields.entries() {
        match catalog::find(&key.value) {
            Some(kind) if found.iter().all(|(known, ..)| known.name != kind.name) => {
                found.push((kind, key.span, value));
            }
            None if COMMON.iter().all(|field| field.name != key.value) => unknown.push(key),
            _ => {}
        }
    }
    if let (true, Some(key)) = (found.is_empty(), unknown.first()) {
        no_such_fault(key, reader);
        unknown.remove(0);
    } else if found.is_empty() {
        let title = "the entry names no fault";
        let problem = Diagnostic::new(Code::E0105, title, fields.span);
        reader.problem(
            problem.help("add one, such as `latency: 300ms`; `firedrill faults` lists them"),
        );
    }
    for key in unknown {
        unknown_key(key, found.first().map(|(kind, ..)| *kind), reader);
    }
    if let [(first, place, _), (second, span, _), ..] = found[..] {
        let title = format!("the entry names two faults, `{}` and `{}`", first.name, second.name);
        let problem = Diagnostic::new(Code::E0105, title, span).label(place, "the first fault");
        reader.problem(problem.help("write them as two items, or as slices of `one_of`"));
        return None;
    }
    found.first().copied()
}

/// What other tools call our faults.
const ELSEWHERE: &[(&str, &str)] = &[
    ("abort", "respond"),
    ("delay", "latency"),
    ("down", "refuse"),
    ("drop", "blackhole"),
    ("error", "respond"),
    ("http_status", "respond"),
    ("jitter", "latency"),
    ("loss", "packet_loss"),
    ("rate", "bandwidth"),
    ("slow", "latency"),
    ("status", "respond"),
    ("throttle", "rate_limit"),
    ("throttling", "rate_limit"),
    ("timeout", "hang"),
    ("limit_rate", "bandwidth"),
    ("ratelimit", "rate_limit"),
    ("quota", "rate_limit"),
    ("capacity", "overload"),
    ("queue", "overload"),
    ("mirror", "duplicate"),
    ("replay", "duplicate"),
    ("shadow", "duplicate"),
    ("bit_flip", "corrupt"),
    ("chunked_dribble", "dribble"),
    ("limit", "limit_data"),
    ("slicer", "slice"),
    ("slow_body", "dribble"),
    ("trickle", "dribble"),
    ("reset_peer", "reset"),
];

fn no_such_fault(key: &Spanned<String>, reader: &mut Reader<'_>) {
    let title = format!("there is no fault `{}`", key.value);
    let problem = Diagnostic::new(Code::E0104, title, key.span);
    let names = || CATALOG.iter().map(|entry| entry.name).chain(["one_of"]);
    let common = || COMMON.iter().map(|field| field.name);
    let elsewhere = ELSEWHERE.iter().find(|(theirs, _)| *theirs == key.value);
    let elsewhere = elsewhere.and_then(|(_, ours)| catalog::find(ours)).map(|entry| entry.name);
    reader.problem(match elsewhere.or_else(|| closest(&key.value, names().chain(common()))) {
        Some(name) => problem.saying(format!("did you mean `{name}`?")),
        None => problem.help(format!("the faults are {}", list_of(names()))),
    });
}

fn unknown_key(key: &Spanned<String>, kind: Option<&catalog::Entry>, reader: &mut Reader<'_>) {
    let title = format!("unknown key `{}` in a fault entry", key.value);
    let problem = Diagnostic::new(Code::E0101, title, key.span);
    let names = || COMMON.iter().map(|field| field.name);
    let inside = kind.filter(|kind| kind.kind.has_key(&key.value));
    reader.problem(match (inside, closest(&key.value, names())) {
        (Some(kind), _) => {
            let name = kind.name;
            problem.help(format!("write it inside the fault: `{name}: {{ {}: … }}`", key.value))
        }
        (None, Some(name)) => problem.saying(format!("did you mean `{name}`?")),
        (None, None) => {
            problem.help(format!("beside its fault an entry may have {}", list_of(names())))
        }
    });
}

fn only_group_keys(fields: &Fields<'_>, reader: &mut Reader<'_>) {
    for (key, _) in fields.entries() {
        if key.value == "one_of" || OF_GROUP.contains(&&*key.value) {
            continue;
        }
        let known = catalog::find(&key.value).is_some()
            || COMMON.iter().any(|field| field.name == key.value);
        if known {
            let title = format!("`{}` cannot stand beside `one_of`", key.value);
            let problem = Diagnostic::new(Code::E0505, title, key.span);
            reader
                .problem(problem.help("write it into the slices, each of which is a fault entry"));
        } else {
            unknown_key(key, None, reader);
        }
    }
}
