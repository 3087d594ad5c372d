//! `expect` and `confidence`: what a good client does, and how sure a judgement has to be.

use crate::{
    diag::{Code, Diagnostic, closest, list_of},
    read::{Field, Fields, Kind, Reader, Shape},
    scenario::{
        Bound, Breaker, Confidence, Expectation, OnInconclusive,
        draft::DraftPhase,
        targets::Targets,
        vocabulary::{self, BREAKER, Measure, Side, Term, VOCABULARY},
    },
    select::Matcher,
    units::{Factor, Percent, Quantity},
    yaml::{Node, Spanned},
};
use std::time::Duration;

/// The keys that narrow an expectation.
pub(super) static SCOPE: [Field; 3] = [
    Field::optional("phase", Kind::Text, "only in this phase"),
    Field::optional(
        "target",
        Kind::Any(&[Kind::Text, Kind::Ref("matcher")]),
        "only for this target",
    ),
    Field::optional("client", Kind::Text, "only for this client"),
];

/// The keys of `confidence`.
pub(super) static CONFIDENCE: Shape = Shape {
    what: "`confidence`",
    fields: &[
        Field::required("level", Kind::Percent, "how sure a claim has to be, such as `95%`"),
        Field::optional(
            "min_operations",
            Kind::Integer(1, i64::MAX),
            "the least number of operations that a claim may rest on",
        ),
        Field::optional(
            "on_inconclusive",
            Kind::Word(&["warn", "fail", "pass"]),
            "what to make of what nobody can say; `warn` unless said",
        ),
    ],
};

/// What an expectation may refer to.
pub(super) struct Known<'k> {
    pub phases: &'k [DraftPhase],
    pub targets: &'k mut Targets,
}

/// Reads `expect:`.
pub(super) fn read(
    node: &Spanned<Node>,
    known: &mut Known<'_>,
    reader: &mut Reader<'_>,
) -> Vec<Spanned<Expectation>> {
    let items = reader.list(node).unwrap_or_default();
    items.iter().filter_map(|item| one(item, known, reader)).collect()
}

fn one(
    node: &Spanned<Node>,
    known: &mut Known<'_>,
    reader: &mut Reader<'_>,
) -> Option<Spanned<Expectation>> {
    let fields = reader.names(node, "an expectation, such as `recovery_time: 30s`")?;
    let [(name, value)] = fields.entries() else {
        let title = format!("an item of `expect` names one thing, not {}", fields.entries().len());
        let problem = Diagnostic::new(Code::E0106, title, node.span);
        reader.problem(problem.help("start each expectation with a dash of its own"));
        return None;
    };
    let Some(term) = vocabulary::find(&name.value) else {
        let title = format!("nothing is known about `{}`", name.value);
        let problem = Diagnostic::new(Code::E0601, title, name.span);
        let names = || VOCABULARY.iter().map(|term| term.name);
        reader.problem(match closest(&name.value, names()) {
            Some(near) => problem.saying(format!("did you mean `{near}`?")),
            None => problem.help("choose from the list that `firedrill explain E0601` shows"),
        });
        return None;
    };
    let mut expectation = Expectation {
        name: term.name,
        limit: String::new(),
        bound: Bound::Flag(true),
        phase: None,
        target: None,
        client: None,
    };
    (expectation.limit, expectation.bound) = match &value.value {
        Node::Map(_) => {
            let fields = long_form(term, value, reader)?;
            let scoped = scope(&mut expectation, &fields, known, reader);
            let limit = limits(term, &fields, reader);
            scoped?;
            limit?
        }
        Node::List(items) if term.side == Side::Both => {
            let [least, most] = &items[..] else {
                reader.wrong_kind(value, "a pair of the least and the most");
                return None;
            };
            range(term, least, most, reader)?
        }
        _ => {
            let (text, value) = limit(term, value, reader)?;
            (text, bound(term.side, value))
        }
    };
    Some(Spanned { value: expectation, span: name.span })
}

/// The entries of the long form. Which keys it has depends on the term.
fn long_form<'n>(
    term: &Term,
    node: &'n Spanned<Node>,
    reader: &mut Reader<'_>,
) -> Option<Fields<'n>> {
    if let Measure::Breaker = term.measure {
        return reader.fields(node, &BREAKER);
    }
    let fields = reader.names(node, "a mapping")?;
    let mut whole = true;
    let keys = term.side.keys();
    let names = || keys.iter().copied().chain(SCOPE.iter().map(|field| field.name));
    for (key, _) in fields.entries() {
        if names().any(|name| name == key.value) {
            continue;
        }
        whole = false;
        reader.problem(wrong_key(term, key, names()));
    }
    if whole && keys.iter().all(|key| fields.get(key).is_none()) {
        let title = format!("`{}` needs {}", term.name, list_of(keys.iter().copied()));
        reader.problem(Diagnostic::new(Code::E0103, title, node.span).help(sentence(term.doc)));
        return None;
    }
    whole.then_some(fields)
}

fn wrong_key<'k>(
    term: &Term,
    key: &Spanned<String>,
    names: impl Iterator<Item = &'k str> + Clone,
) -> Diagnostic {
    let right = list_of(term.side.keys().iter().copied());
    if ["min", "max", "is"].contains(&&*key.value) {
        let title = format!("`{}` is given by {right}, not by `{}`", term.name, key.value);
        return Diagnostic::new(Code::E0602, title, key.span).help(format!("write {right}"));
    }
    let title = format!("unknown key `{}` in `{}`", key.value, term.name);
    let problem = Diagnostic::new(Code::E0101, title, key.span);
    match closest(&key.value, names.clone()) {
        Some(near) => problem.saying(format!("did you mean `{near}`?")),
        None => problem.help(format!("its keys are {}", list_of(names))),
    }
}

fn sentence(doc: &str) -> String {
    format!("it means: {doc}")
}

fn scope(
    expectation: &mut Expectation,
    fields: &Fields<'_>,
    known: &mut Known<'_>,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let mut whole = Some(());
    for (key, value) in fields.entries() {
        let read = match &*key.value {
            "phase" => {
                expectation.phase = phase(value, known.phases, reader);
                expectation.phase.map(|_| ())
            }
            "target" => {
                expectation.target = known.targets.one(value, reader);
                expectation.target.map(|_| ())
            }
            "client" => {
                expectation.client = reader.name(value);
                expectation.client.as_ref().map(|_| ())
            }
            _ => Some(()),
        };
        whole = whole.and(read);
    }
    whole
}

/// The place of a phase by its name.
fn phase(node: &Spanned<Node>, phases: &[DraftPhase], reader: &mut Reader<'_>) -> Option<usize> {
    let name = reader.text(node)?;
    let names = || phases.iter().filter_map(|phase| Some(&*phase.name.as_ref()?.value));
    let found = phases.iter().position(|p| p.name.as_ref().is_some_and(|n| n.value == name));
    if found.is_none() {
        let title = format!("there is no phase `{name}`");
        let problem = Diagnostic::new(Code::E0310, title, node.span);
        reader.problem(match closest(&name, names()) {
            Some(near) => problem.saying(format!("did you mean `{near}`?")),
            None => problem.help(format!("the phases are {}", list_of(names()))),
        });
    }
    found
}

fn limits(term: &Term, fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<(String, Bound)> {
    if let Measure::Breaker = term.measure {
        return breaker(fields, reader);
    }
    if let (Some(least), Some(most)) = (fields.get("min"), fields.get("max")) {
        return range(term, least, most, reader);
    }
    let given = term.side.keys().iter().find_map(|key| Some((*key, fields.get(key)?)));
    let (key, value) = given?;
    let (text, value) = limit(term, value, reader)?;
    if term.side == Side::Both && key == "min" {
        return Some((format!("at least {text}"), bound(Side::Least, value)));
    }
    Some((text, bound(term.side, value)))
}

/// What a value means on its side.
fn bound(side: Side, value: Value) -> Bound {
    match value {
        Value::Number(number) if side == Side::Least => Bound::AtLeast(number),
        Value::Number(number) => Bound::AtMost(number),
        Value::Word(word) => Bound::Word(word),
        Value::Flag(flag) => Bound::Flag(flag),
        Value::Route(route) => Bound::Route(route),
    }
}

/// A value in base units: seconds, fractions, ratios.
enum Value {
    Number(f64),
    Word(&'static str),
    Flag(bool),
    Route(Box<Matcher>),
}

/// The least and the most.
fn range(
    term: &Term,
    least: &Spanned<Node>,
    most: &Spanned<Node>,
    reader: &mut Reader<'_>,
) -> Option<(String, Bound)> {
    let (low, high) = (reader.quantity::<Duration>(least), reader.quantity::<Duration>(most));
    let (low, high) = (low?, high?);
    if low > high {
        let title = format!("the least of `{}` is more than the most", term.name);
        let problem = Diagnostic::new(Code::E0603, title, least.span);
        reader.problem(problem.label(most.span, "the most").help("exchange them"));
        return None;
    }
    let bound = Bound::Within(low.as_secs_f64(), high.as_secs_f64());
    Some((format!("{} to {}", low.show(), high.show()), bound))
}

/// A value of a term, checked: as the file writes it, and what it is.
fn limit(term: &Term, node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<(String, Value)> {
    let number = |text: String, number: f64| Some((text, Value::Number(number)));
    match term.measure {
        Measure::Ratio => match &node.value {
            Node::Text(_) => {
                let share = reader.quantity::<Percent>(node)?;
                number(share.show(), share.fraction())
            }
            _ => least_nothing(node, reader).map(|n| (n.to_string(), Value::Number(n))),
        },
        Measure::Money => least_nothing(node, reader).map(|n| (n.to_string(), Value::Number(n))),
        Measure::Percent => {
            let share = reader.quantity::<Percent>(node)?;
            number(share.show(), share.fraction())
        }
        Measure::Factor => {
            let factor = reader.quantity::<Factor>(node)?;
            number(factor.show(), factor.times())
        }
        Measure::Duration => {
            let time = reader.quantity::<Duration>(node)?;
            number(time.show(), time.as_secs_f64())
        }
        Measure::Count => {
            let count = reader.integer(node, 0, i64::MAX)?;
            number(count.to_string(), count as f64)
        }
        Measure::Flag => {
            let flag = reader.boolean(node)?;
            Some((flag.to_string(), Value::Flag(flag)))
        }
        Measure::Word(words) => {
            let words: Vec<(&str, &'static str)> =
                words.iter().map(|word| (*word, *word)).collect();
            let word = reader.choice(node, &words)?;
            Some((word.to_owned(), Value::Word(word)))
        }
        Measure::Route => {
            let text = reader.text(node)?;
            let matcher = Matcher::route(&text)
                .map_err(|why| reader.problem(Diagnostic::new(Code::E0303, why, node.span)))
                .ok()?;
            Some((text, Value::Route(Box::new(matcher))))
        }
        Measure::Breaker => {
            reader.wrong_kind(node, "a mapping such as `{ opens_within: 20s }`");
            None
        }
    }
}

impl Expectation {
    /// A value of what it limits, with its unit: `1.42x`, `3.1s`, `99.2%`.
    pub fn show(&self, value: f64) -> String {
        let measure = vocabulary::find(self.name).map_or(Measure::Ratio, |term| term.measure);
        measure.show(value)
    }
}

/// A number that is not negative.
pub(super) fn least_nothing(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<f64> {
    let number = reader.number(node)?;
    if number < 0.0 {
        let title = format!("`{number}` is out of range: from 0");
        reader.problem(Diagnostic::new(Code::E0203, title, node.span));
        return None;
    }
    Some(number)
}

fn breaker(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<(String, Bound)> {
    let mut parts: Vec<Option<String>> = Vec::new();
    let mut wanted = Breaker::default();
    for (key, value) in fields.entries() {
        let key = &*key.value;
        if key == "after_failures" {
            let count = reader.integer(value, 1, 1_000_000);
            wanted.after_failures = count.map(i64::unsigned_abs);
            parts.push(count.map(|count| format!("{key} {count}")));
            continue;
        }
        let part = match key {
            "opens_within" => &mut wanted.opens_within,
            "probe_interval" => &mut wanted.probe_interval,
            "closes_within" => &mut wanted.closes_within,
            _ => continue,
        };
        *part = reader.quantity::<Duration>(value);
        parts.push(part.map(|time| format!("{key} {}", time.show())));
    }
    if parts.is_empty() {
        let title = "`circuit_breaker` says nothing about the breaker";
        let problem = Diagnostic::new(Code::E0107, title, fields.span);
        reader.problem(problem.help("write at least one of its parts: `opens_within: 20s`"));
        return None;
    }
    let parts: Option<Vec<String>> = parts.into_iter().collect();
    parts.map(|parts| (parts.join(", "), Bound::Breaker(wanted)))
}

/// What to make of what nobody can say.
const ON_INCONCLUSIVE: [(&str, OnInconclusive); 3] = [
    ("warn", OnInconclusive::Warn),
    ("fail", OnInconclusive::Fail),
    ("pass", OnInconclusive::Pass),
];

/// Reads `confidence:`.
pub(super) fn confidence(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Confidence> {
    let fields = reader.fields(node, &CONFIDENCE)?;
    let level = fields.get("level").and_then(|level| self::level(level, reader));
    let min_operations = match fields.get("min_operations") {
        Some(count) => Some(reader.integer(count, 1, i64::MAX)?.unsigned_abs()),
        None => None,
    };
    let on_inconclusive = match fields.get("on_inconclusive") {
        Some(word) => reader.choice(word, &ON_INCONCLUSIVE)?,
        None => OnInconclusive::default(),
    };
    Some(Confidence { level: level?, min_operations, on_inconclusive })
}

fn level(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Percent> {
    let level: Percent = reader.quantity(node)?;
    if (0.5..1.0).contains(&level.fraction()) {
        return Some(level);
    }
    let title = format!("`{}` is out of range: from `50%` to below `100%`", level.show());
    let problem = Diagnostic::new(Code::E0203, title, node.span);
    reader.problem(problem.help("write how sure a claim has to be, such as `95%`"));
    None
}
