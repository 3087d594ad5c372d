//! The JSON Schema of scenario files, for editors. Written from the tables the reader goes by, so
//! that the two cannot drift apart; where a schema cannot say it, the reader is the authority.

use crate::{
    fault::catalog::CATALOG,
    read::{Field, Kind, Need, Shape},
    scenario::{
        expect::SCOPE,
        file::SCENARIO,
        impact::{STOP, WATCHED},
        keys::{COMMON, OF_GROUP},
        share::CURVED,
        vocabulary::{Measure, Side, Term, VOCABULARY},
    },
    select::{MATCHER, USERS},
    units::{ByteRate, ByteSize, Factor, MessageCount, Percent, Quantity, RequestRate},
};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The schema, draft 2020-12; what `config` reads is left for it to define.
pub(crate) fn scenario_schema() -> Value {
    let mut schema = mapping(&SCENARIO);
    let root = [
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("Firedrill scenario")),
        ("description", json!("An outage to replay: phases, faults, and what a good client does.")),
        ("$defs", definitions()),
    ];
    put(&mut schema, root);
    schema
}

fn definitions() -> Value {
    json!({
        "duration": quantity::<Duration>(),
        "percent": quantity::<Percent>(),
        "size": quantity::<ByteSize>(),
        "messages": quantity::<MessageCount>(),
        "rate": quantity::<ByteRate>(),
        "requests": quantity::<RequestRate>(),
        "factor": quantity::<Factor>(),
        "points": points(),
        "share": share(),
        "matcher": with(mapping(&MATCHER), [("minProperties", json!(1))]),
        "users": one_or_list(&users()),
        "fault": {
            "if": { "required": ["one_of"] },
            "then": { "$ref": "#/$defs/one_of" },
            "else": { "$ref": "#/$defs/one_fault" },
        },
        "one_fault": one_fault(),
        "one_of": one_of(),
        "expectation": expectation(),
        "stop": stop(),
    })
}

/// A value of a kind.
fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": ["string", "number"] }),
        Kind::Flag => json!({ "enum": [true, false, "yes", "no", "on", "off"] }),
        Kind::Integer(least, most) => {
            let mut integer = json!({ "type": "integer", "minimum": least });
            if *most < i64::MAX {
                put(&mut integer, [("maximum", json!(most))]);
            }
            integer
        }
        Kind::Number => json!({ "type": "number" }),
        Kind::Duration => reference("duration"),
        Kind::Percent => reference("percent"),
        Kind::Size => reference("size"),
        Kind::Messages => reference("messages"),
        Kind::Rate => reference("rate"),
        Kind::Requests => reference("requests"),
        Kind::Moving(kind) => moving(kind),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Map(shape) => mapping(shape),
        Kind::Names(kind) => json!({ "type": "object", "additionalProperties": value(kind) }),
        Kind::List(kind) => json!({ "type": "array", "items": value(kind) }),
        Kind::Any(kinds) => json!({ "anyOf": kinds.iter().map(value).collect::<Vec<_>>() }),
        Kind::Ref(name) => reference(name),
        Kind::Free => json!({}),
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// A mapping with its keys, and no others.
pub(crate) fn mapping(shape: &Shape) -> Value {
    let required: Vec<&str> =
        shape.fields.iter().filter(|f| f.need == Need::Required).map(|f| f.name).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties(shape.fields),
        "additionalProperties": false,
    });
    if !required.is_empty() {
        put(&mut schema, [("required", json!(required))]);
    }
    schema
}

fn properties<'f>(fields: impl IntoIterator<Item = &'f Field>) -> Map<String, Value> {
    let property = |field: &Field| {
        (field.name.to_owned(), with(value(&field.kind), [("description", json!(field.doc))]))
    };
    fields.into_iter().map(property).collect()
}

fn quantity<T: Quantity>() -> Value {
    json!({
        "type": "string",
        "pattern": format!(r"^\s*{}\s*$", T::PATTERN),
        "description": format!("{}: {}", T::WHAT, T::FORMS.replace('`', "")),
    })
}

/// `A`, `A -> B`, or a curve.
fn moving(kind: &Kind) -> Value {
    let line = |pattern: &str| json!({ "type": "string", "pattern": arrow(pattern) });
    let text = match kind {
        Kind::Duration => line(Duration::PATTERN),
        Kind::Percent => line(Percent::PATTERN),
        Kind::Size => line(ByteSize::PATTERN),
        Kind::Messages => line(MessageCount::PATTERN),
        Kind::Rate => line(ByteRate::PATTERN),
        Kind::Requests => line(RequestRate::PATTERN),
        other => value(other),
    };
    let curve = json!({
        "type": "object",
        "properties": { "curve": reference("points") },
        "required": ["curve"],
        "additionalProperties": false,
    });
    json!({ "anyOf": [text, curve] })
}

fn arrow(pattern: &str) -> String {
    format!(r"^\s*{pattern}(\s*->\s*{pattern})?\s*$")
}

fn points() -> Value {
    let point = json!({
        "type": "array",
        "prefixItems": [reference("duration")],
        "minItems": 2,
        "maxItems": 2,
    });
    json!({ "type": "array", "items": point, "minItems": 1 })
}

fn share() -> Value {
    let text = format!(
        r"^\s*{0}(\s*->\s*{0})?(\s+of\s+(requests|users|connections))?\s*$",
        Percent::PATTERN
    );
    json!({ "anyOf": [{ "type": "string", "pattern": text }, mapping(&CURVED)] })
}

fn users() -> Value {
    let source = with(mapping(&USERS), [("minProperties", json!(1)), ("maxProperties", json!(1))]);
    json!({ "anyOf": [{ "const": "peer" }, source] })
}

fn one_or_list(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "array", "items": schema, "minItems": 1 }] })
}

/// An entry with one fault: all of the catalogue are offered, exactly one is right.
fn one_fault() -> Value {
    let mut keys = properties(COMMON);
    let mut choices = Vec::new();
    for entry in CATALOG {
        let fault = with(value(&entry.kind), [("description", json!(entry.summary))]);
        keys.insert(entry.name.to_owned(), fault);
        choices.push(json!({ "required": [entry.name] }));
    }
    json!({
        "type": "object",
        "properties": keys,
        "oneOf": choices,
        "additionalProperties": false,
    })
}

fn one_of() -> Value {
    let mut keys = properties(COMMON.iter().filter(|field| OF_GROUP.contains(&field.name)));
    let slice = json!({
        "allOf": [reference("one_fault"), { "required": ["share"] }],
        "not": { "required": ["cohort"] },
    });
    let slices = json!({
        "type": "array",
        "items": slice,
        "minItems": 1,
        "description": "faults that exclude each other; together at most 100%",
    });
    keys.insert("one_of".to_owned(), slices);
    json!({
        "type": "object",
        "properties": keys,
        "required": ["one_of"],
        "additionalProperties": false,
    })
}

fn expectation() -> Value {
    let term =
        |term: &Term| (term.name.to_owned(), with(limit(term), [("description", json!(term.doc))]));
    exactly_one(&VOCABULARY.iter().map(term).collect())
}

/// The forms of a limit: bare, with a scope, and if it has two ends as a pair.
fn limit(term: &Term) -> Value {
    let bare = value(&term.measure.kind());
    if let Measure::Breaker = term.measure {
        return bare;
    }
    let mut keys = properties(&SCOPE);
    let mut choices = Vec::new();
    for key in term.side.keys() {
        keys.insert((*key).to_owned(), bare.clone());
        choices.push(json!({ "required": [key] }));
    }
    let long = json!({
        "type": "object",
        "properties": keys,
        "anyOf": choices,
        "additionalProperties": false,
    });
    let mut forms = vec![bare.clone(), long];
    if term.side == Side::Both {
        forms.push(json!({ "type": "array", "items": bare, "minItems": 2, "maxItems": 2 }));
    }
    json!({ "anyOf": forms })
}

fn stop() -> Value {
    let rule = |(name, doc): (&str, &str)| {
        (name.to_owned(), with(mapping(&STOP), [("description", json!(doc))]))
    };
    exactly_one(&WATCHED.into_iter().map(rule).collect())
}

/// A mapping that names one thing out of several.
fn exactly_one(properties: &Map<String, Value>) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    })
}

fn with<const N: usize>(mut schema: Value, keywords: [(&str, Value); N]) -> Value {
    put(&mut schema, keywords);
    schema
}

fn put<const N: usize>(schema: &mut Value, keywords: [(&str, Value); N]) {
    if let Value::Object(object) = schema {
        object.extend(keywords.map(|(key, value)| (key.to_owned(), value)));
    }
}
