//! `impact` and `stop_when`: what an outage costs, and when to stop by ourselves.

use crate::{
    diag::{Code, Diagnostic},
    read::{Field, Kind, Reader, Shape},
    scenario::{Impact, StopRule, expect::least_nothing, targets::Targets},
    units::{Percent, Quantity},
    yaml::{Node, Spanned},
};
use std::time::Duration;

/// The keys of `impact`.
pub(super) static IMPACT: Shape = Shape {
    what: "`impact`",
    fields: &[
        Field::required(
            "per_minute",
            Kind::Any(&[Kind::Number, Kind::List(&Kind::Number)]),
            "money per minute of total failure: a number, or `[low, high]`",
        ),
        Field::required("currency", Kind::Text, "in what: `USD`"),
        Field::optional(
            "target",
            Kind::Any(&[Kind::Text, Kind::Ref("matcher")]),
            "which requests earn it; all if left out",
        ),
    ],
};

/// The keys of a condition of `stop_when`.
pub(super) static STOP: Shape = Shape {
    what: "a stop condition",
    fields: &[
        Field::required("above", Kind::Percent, "the share of answers above which it counts"),
        Field::required("for", Kind::Duration, "for how long it has to stay there"),
    ],
};

/// What `stop_when` can watch, and what that is.
pub(super) const WATCHED: [(&str, &str); 2] = [
    ("upstream_errors", "genuine failures of the upstream, injected ones not counted"),
    ("client_errors", "failures that clients met, injected ones included"),
];

/// Reads `impact:`.
pub(super) fn read(
    node: &Spanned<Node>,
    targets: &mut Targets,
    reader: &mut Reader<'_>,
) -> Option<Impact> {
    let fields = reader.fields(node, &IMPACT)?;
    let per_minute = fields.get("per_minute").and_then(|money| range(money, reader));
    let currency = fields.get("currency").and_then(|currency| reader.name(currency));
    let target = match fields.get("target") {
        Some(target) => Some(targets.one(target, reader)?),
        None => None,
    };
    Some(Impact { per_minute: per_minute?, currency: currency?, target })
}

fn range(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<(f64, f64)> {
    let Node::List(items) = &node.value else {
        return least_nothing(node, reader).map(|money| (money, money));
    };
    let [low, high] = &items[..] else {
        reader.wrong_kind(node, "a number, or a pair of a low and a high one");
        return None;
    };
    let (least, most) = (least_nothing(low, reader), least_nothing(high, reader));
    let (least, most) = (least?, most?);
    if least > most {
        let problem = Diagnostic::new(Code::E0603, "the low end is above the high one", low.span);
        reader.problem(problem.label(high.span, "the high end").help("exchange them"));
        return None;
    }
    Some((least, most))
}

/// Reads `stop_when:`.
pub(super) fn stop_rules(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Vec<StopRule> {
    let items = reader.list(node).unwrap_or_default();
    items.iter().filter_map(|item| stop_rule(item, reader)).collect()
}

fn stop_rule(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<StopRule> {
    let example = "a condition, such as `upstream_errors: { above: 50%, for: 10s }`";
    let fields = reader.names(node, example)?;
    let [(key, value)] = fields.entries() else {
        let title =
            format!("an item of `stop_when` watches one thing, not {}", fields.entries().len());
        let problem = Diagnostic::new(Code::E0106, title, node.span);
        reader.problem(problem.help("start each condition with a dash of its own"));
        return None;
    };
    let name = Spanned { value: Node::Text(key.value.clone()), span: key.span };
    let what = reader.choice(&name, &WATCHED.map(|(word, _)| (word, word)));
    let fields = reader.fields(value, &STOP)?;
    let above = fields.get("above").and_then(|above| level(above, reader));
    let lasting = fields.get("for").and_then(|lasting| window(lasting, reader));
    Some(StopRule { what: what?, above: above?, lasting: lasting? })
}

fn level(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Percent> {
    let above: Percent = reader.quantity(node)?;
    if above < Percent::ALL {
        return Some(above);
    }
    let problem = Diagnostic::new(Code::E0605, "no share is above `100%`", node.span);
    reader.problem(problem.help("write a smaller one, such as `50%`"));
    None
}

fn window(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Duration> {
    let window: Duration = reader.quantity(node)?;
    if window >= Duration::from_secs(1) {
        return Some(window);
    }
    let title = format!("`{}` is too short to know a share of errors", window.show());
    let problem = Diagnostic::new(Code::E0605, title, node.span);
    reader.problem(problem.help("write at least `1s`"));
    None
}
