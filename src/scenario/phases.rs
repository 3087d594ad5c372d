//! `phases`: what happens, in order.

use crate::{
    diag::{Code, Diagnostic},
    read::{Field, Kind, Reader, Shape},
    scenario::{OpenConnections, draft::DraftPhase, entry, targets::Targets},
    units::Quantity,
    yaml::{Node, Spanned},
};
use std::time::Duration;

/// The keys of a phase.
pub(super) static PHASE: Shape = Shape {
    what: "a phase",
    fields: &[
        Field::required("name", Kind::Text, "what reports and commands call it"),
        Field::required("for", Kind::Duration, "how long it lasts, in scenario time"),
        Field::optional("about", Kind::Text, "a remark for plans and reports"),
        Field::optional(
            "compress",
            Kind::Flag,
            "whether `--speed` and `--longest-phase` apply to it; yes if left out",
        ),
        Field::optional(
            "connections",
            Kind::Word(&["keep", "drain", "reset"]),
            "what its beginning does to open connections; `keep` if left out",
        ),
        Field::optional(
            "faults",
            Kind::List(&Kind::Ref("fault")),
            "what is wrong during it; nothing if left out",
        ),
    ],
};

const CONNECTIONS: [(&str, OpenConnections); 3] = [
    ("keep", OpenConnections::Keep),
    ("drain", OpenConnections::Drain),
    ("reset", OpenConnections::Reset),
];

/// Reads `phases:`.
pub(super) fn read(
    node: &Spanned<Node>,
    targets: &mut Targets,
    reader: &mut Reader<'_>,
) -> Vec<DraftPhase> {
    let Some(items) = reader.list(node) else { return Vec::new() };
    if items.is_empty() {
        let problem = Diagnostic::new(Code::E0308, "the scenario has no phases", node.span);
        reader.problem(problem.help("add one: `- { name: calm, for: 1m }`"));
    }
    items.iter().filter_map(|item| phase(item, targets, reader)).collect()
}

fn phase(
    node: &Spanned<Node>,
    targets: &mut Targets,
    reader: &mut Reader<'_>,
) -> Option<DraftPhase> {
    let fields = reader.fields_so_far(node, &PHASE)?;
    let mut phase = DraftPhase {
        name: None,
        about: None,
        length: None,
        compress: true,
        connections: OpenConnections::Keep,
        entries: Vec::new(),
        written: 0,
        groups: Vec::new(),
        curve_times: Vec::new(),
    };
    for (key, value) in fields.entries() {
        let span = value.span;
        match &*key.value {
            "name" => phase.name = reader.name(value).map(|value| Spanned { value, span }),
            "for" => phase.length = length(value, reader).map(|value| Spanned { value, span }),
            "about" => phase.about = reader.text(value),
            "compress" => phase.compress = reader.boolean(value).unwrap_or(true),
            "connections" => {
                phase.connections = reader.choice(value, &CONNECTIONS).unwrap_or_default();
            }
            "faults" => {
                for item in reader.list(value).unwrap_or_default() {
                    phase.written += 1;
                    curve_times(item, &mut phase.curve_times);
                    entry::read(item, &mut phase, targets, reader);
                }
            }
            _ => {}
        }
    }
    Some(phase)
}

fn length(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Duration> {
    let length: Duration = reader.quantity(node)?;
    if length.is_zero() {
        let problem = Diagnostic::new(Code::E0309, "the phase takes no time", node.span);
        reader.problem(problem.help("give it a length, such as `30s`, or remove it"));
        return None;
    }
    Some(length)
}

/// Collects the times of every `curve` below a node, whatever fault it belongs to.
fn curve_times(node: &Spanned<Node>, times: &mut Vec<Spanned<Duration>>) {
    match &node.value {
        Node::List(items) => items.iter().for_each(|item| curve_times(item, times)),
        Node::Map(entries) => {
            for (key, value) in entries {
                curve_times(value, times);
                if let Node::List(points) = &value.value
                    && key.value == "curve"
                {
                    times.extend(points.iter().filter_map(time_of));
                }
            }
        }
        _ => {}
    }
}

fn time_of(point: &Spanned<Node>) -> Option<Spanned<Duration>> {
    let Node::List(pair) = &point.value else { return None };
    let Spanned { value: Node::Text(time), span } = pair.first()? else { return None };
    Duration::parse(time).ok().map(|value| Spanned { value, span: *span })
}
