//! How a latency is written: its forms, and what is wrong with the others.

use crate::{
    diag::{Code, Diagnostic, Span},
    fault::{
        Fault,
        distribution::{Distribution, Spread, corner_moments, show_at},
        form::{Side, is_curve},
        latency::{Latency, Per, wander::Wander},
    },
    read::{Field, Fields, Kind, Reader, Shape},
    timeline::Moving,
    yaml::{Node, Spanned},
};
use std::{sync::Arc, time::Duration};

const DELAY: Kind = Kind::Moving(&Kind::Duration);

/// What may stand after `latency:`.
pub(super) const KIND: Kind = Kind::Any(&[DELAY, Kind::Map(&SHAPE)]);

static SHAPE: Shape = Shape {
    what: "`latency`",
    fields: &[
        Field::optional("mean", DELAY, "the mean delay; alone, a fixed one"),
        Field::optional("jitter", DELAY, "how far delays stray from `mean`; at most `mean`"),
        Field::optional(
            "shape",
            Kind::Word(&["uniform", "normal", "pareto", "paretonormal"]),
            "the form of the jitter; by default `uniform`",
        ),
        Field::optional("median", DELAY, "as many delays are shorter as are longer; with `p99`"),
        Field::optional("p99", DELAY, "one delay in a hundred is longer; with `median`"),
        Field::optional(
            "percentiles",
            Kind::Names(&DELAY),
            "a table such as `{ p50: 20ms, p90: 80ms, p99: 900ms }`, joined by lines",
        ),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "what is held: `request` (the default), `response` (the default inside of bodies) or `both`",
        ),
        Field::optional(
            "per",
            Kind::Word(&["message", "connection", "chunk", "grpc_message"]),
            "what a delay is drawn for: `message` (the default), `connection`, `chunk` or `grpc_message`",
        ),
        Field::optional(
            "wander",
            Kind::Duration,
            "walk smoothly through the spread instead of drawing, with this period of real time",
        ),
    ],
};

const SPREADS: &[(&str, Spread)] = &[
    ("uniform", Spread::Uniform),
    ("normal", Spread::Normal),
    ("pareto", Spread::Pareto),
    ("paretonormal", Spread::ParetoNormal),
];

const PERS: &[(&str, Per)] = &[
    ("message", Per::Message),
    ("connection", Per::Connection),
    ("chunk", Per::Chunk),
    ("grpc_message", Per::GrpcMessage),
];

type Value = Moving<Duration>;

/// Reads a latency.
pub(super) fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    if !matches!(node.value, Node::Map(_)) || is_curve(&node.value) {
        let delay = reader.moving(node)?;
        not_nothing(&delay, node.span, reader)?;
        let distribution = Arc::new(Distribution::Fixed(delay));
        let (side, per) = (Side::Request, Per::Message);
        return Some(Arc::new(Latency { distribution, side, per, wander: None }));
    }
    let fields = reader.fields(node, &SHAPE)?;
    let distribution = read_distribution(fields, reader);
    let settings = read_settings(fields, reader);
    let (distribution, (side, per, wander)) = (distribution?, settings?);
    if let (Some(wander), true) = (fields.key_span("wander"), distribution.is_fixed()) {
        let title = "a fixed delay has nothing to wander through";
        let help = "add `jitter`, or write `median` and `p99`";
        reader.problem(Diagnostic::new(Code::E0414, title, wander).help(help));
        return None;
    }
    if per == Per::Chunk && !distribution.is_fixed() && wander.is_none() {
        let place = fields.key_span("per").unwrap_or(node.span);
        let title = "with `per: chunk` delays are longer than the spread says";
        reader.problem(
            Diagnostic::new(Code::W0411, title, place)
                .saying("bytes cannot overtake, so the delay is the largest so far")
                .help("leave `per` out, or use `wander`"),
        );
    }
    Some(Arc::new(Latency { distribution: Arc::new(distribution), side, per, wander }))
}

fn read_settings(
    fields: Fields<'_>,
    reader: &mut Reader<'_>,
) -> Option<(Side, Per, Option<Wander>)> {
    let per = match fields.get("per") {
        Some(per) => reader.choice(per, PERS)?,
        None => Per::Message,
    };
    let in_body = matches!(per, Per::Chunk | Per::GrpcMessage);
    let mut side = if in_body { Side::Response } else { Side::Request };
    if let Some(node) = fields.get("side") {
        side = reader.choice(node, Side::WORDS)?;
    }
    if per == Per::Chunk && side != Side::Response {
        let place = fields.key_span("side").unwrap_or(fields.span);
        let title = "`per: chunk` delays the pieces of response bodies only";
        let help = "write `side: response`, or leave `side` out";
        reader.problem(Diagnostic::new(Code::E0414, title, place).help(help));
        return None;
    }
    let Some(node) = fields.get("wander") else { return Some((side, per, None)) };
    let period = reader.quantity::<Duration>(node)?;
    if period == Duration::ZERO {
        let title = "a walk needs a period longer than `0s`";
        let help = "write a period such as `20s`, or leave `wander` out";
        reader.problem(Diagnostic::new(Code::E0203, title, node.span).help(help));
        return None;
    }
    if per == Per::Connection {
        let place = fields.key_span("wander").unwrap_or(node.span);
        let title = "`wander` is the same for everybody, and `per: connection` is not";
        let help = "keep one of them";
        reader.problem(Diagnostic::new(Code::E0414, title, place).help(help));
        return None;
    }
    Some((side, per, Some(Wander { period })))
}

/// The keys of each way to say how long, the ones that need no other first.
const FORMS: &[&[&str]] = &[&["mean", "jitter", "shape"], &["median", "p99"], &["percentiles"]];

fn read_distribution(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Distribution> {
    let key = |form: &&[&'static str]| form.iter().copied().find(|key| fields.get(key).is_some());
    let used: Vec<&'static str> = FORMS.iter().filter_map(key).collect();
    match used[..] {
        [] => {
            reader.problem(
                Diagnostic::new(Code::E0103, "`latency` needs a delay", fields.span)
                    .help("write `mean`, `median` and `p99`, or `percentiles`"),
            );
            None
        }
        [one] => match one {
            "mean" | "jitter" | "shape" => read_around(fields, reader),
            "percentiles" => read_percentiles(fields.get("percentiles")?, reader),
            _ => read_lognormal(fields, reader),
        },
        [one, other, ..] => {
            let place = |key| fields.key_span(key).unwrap_or(fields.span);
            let title = format!("`{one}` and `{other}` say two different things");
            reader.problem(
                Diagnostic::new(Code::E0414, title, place(other))
                    .label(place(one), "the other one is here")
                    .help("write `mean` and `jitter`, or `median` and `p99`, or `percentiles`"),
            );
            None
        }
    }
}

/// The value of a key without which `other` makes no sense.
fn needed<'n>(
    fields: Fields<'n>,
    key: &str,
    other: &str,
    reader: &mut Reader<'_>,
) -> Option<&'n Spanned<Node>> {
    let node = fields.get(key);
    if node.is_none() {
        let title = format!("`{other}` needs `{key}`");
        let place = fields.key_span(other).unwrap_or(fields.span);
        reader.problem(Diagnostic::new(Code::E0414, title, place).help(format!("add `{key}`")));
    }
    node
}

fn not_nothing(delay: &Value, span: Span, reader: &mut Reader<'_>) -> Option<()> {
    if delay.peak() > Duration::ZERO {
        return Some(());
    }
    reader.problem(
        Diagnostic::new(Code::E0413, "a delay of `0s` is no delay", span)
            .help("write a longer delay, such as `300ms`"),
    );
    None
}

fn read_around(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Distribution> {
    let other = if fields.get("jitter").is_some() { "jitter" } else { "shape" };
    let mean_node = needed(fields, "mean", other, reader)?;
    let mean: Option<Value> = reader.moving(mean_node);
    let spread = fields.get("shape").map(|shape| reader.choice(shape, SPREADS));
    let Some(jitter_node) = fields.get("jitter") else {
        if spread.is_some() {
            needed(fields, "jitter", "shape", reader)?;
        }
        let mean = mean?;
        not_nothing(&mean, mean_node.span, reader)?;
        return Some(Distribution::Fixed(mean));
    };
    let jitter: Option<Value> = reader.moving(jitter_node);
    let (mean, jitter) = (mean?, jitter?);
    let spread = spread.unwrap_or(Some(Spread::Uniform))?;
    not_nothing(&mean, mean_node.span, reader)?;
    let moments = corner_moments(&[&mean, &jitter]);
    if let Some(at) = moments.iter().find(|at| jitter.at(at) > mean.at(at)) {
        let mean = show_at(&mean, at);
        reader.problem(
            Diagnostic::new(Code::E0411, "`jitter` is larger than `mean`", jitter_node.span)
                .saying("a message cannot arrive before it was sent")
                .label(mean_node.span, format!("the mean is `{mean}`"))
                .help(format!("lower `jitter` to at most `{mean}`, or use `median` and `p99`")),
        );
        return None;
    }
    Some(Distribution::Around { mean, jitter, spread })
}

fn read_lognormal(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Distribution> {
    let median_node = needed(fields, "median", "p99", reader)?;
    let p99_node = needed(fields, "p99", "median", reader)?;
    let (median, p99) = (reader.moving(median_node), reader.moving(p99_node));
    let (median, p99): (Value, Value) = (median?, p99?);
    not_nothing(&median, median_node.span, reader)?;
    let moments = corner_moments(&[&median, &p99]);
    // A ramp may begin or end at nothing, where both are zero.
    let is_wrong = |m: Duration, p: Duration| p < m || (p == m && p > Duration::ZERO);
    if let Some(at) = moments.iter().find(|at| is_wrong(median.at(at), p99.at(at))) {
        let title = "`p99` is not longer than `median`";
        let median = show_at(&median, at);
        reader.problem(
            Diagnostic::new(Code::E0412, title, p99_node.span)
                .label(median_node.span, format!("the median is `{median}`"))
                .help("write a longer `p99`; for a fixed delay, write it alone"),
        );
        return None;
    }
    Some(Distribution::Lognormal { median, p99 })
}

fn read_percentiles(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Distribution> {
    let table = reader.names(node, "a table such as `{ p50: 20ms, p99: 900ms }`")?;
    let mut points: Vec<(f64, Value, Span)> = Vec::new();
    let mut whole = true;
    for (key, value) in table.entries() {
        let at = key.value.strip_prefix('p').and_then(|number| number.parse::<f64>().ok());
        let at = at.filter(|at| (0.0..=100.0).contains(at));
        if at.is_none() {
            let title = format!("`{}` is not a percentile", key.value.escape_debug());
            let help = "write `p` and a number from 0 to 100, such as `p99.9`";
            reader.problem(Diagnostic::new(Code::E0420, title, key.span).help(help));
        }
        match (at, reader.moving(value)) {
            (Some(at), Some(delay)) => points.push((at / 100.0, delay, value.span)),
            _ => whole = false,
        }
    }
    // The reader refuses equal keys; `p50` and `p50.0` are the same percentile all the same.
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    for pair in points.windows(2) {
        let ((low_at, low, low_span), (high_at, high, high_span)) = (&pair[0], &pair[1]);
        let moments = corner_moments(&[low, high]);
        let falls = moments.iter().any(|at| high.at(at) < low.at(at));
        if falls || low_at >= high_at {
            let title = "the percentiles are out of order";
            reader.problem(
                Diagnostic::new(Code::E0412, title, *high_span)
                    .label(*low_span, "a lower percentile is longer, or the same is given twice")
                    .help("write delays that do not fall from one percentile to the next"),
            );
            whole = false;
        }
    }
    let Some((_, highest, _)) = points.last() else {
        if whole {
            let title = "`percentiles` needs at least one";
            reader.problem(
                Diagnostic::new(Code::E0103, title, node.span)
                    .help("write a table such as `{ p50: 20ms, p99: 900ms }`"),
            );
        }
        return None;
    };
    not_nothing(highest, node.span, reader)?;
    let points = points.into_iter().map(|(at, delay, _)| (at, delay)).collect();
    whole.then_some(Distribution::Percentiles(points))
}
