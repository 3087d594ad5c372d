//! The one file that names the YAML crate: text in, a tree of values with their places out.
//!
//! Everything else reads the tree, since only a tree keeps the place of every value and lets a
//! reader go on after a problem. Size, depth and aliases are bounded here.

use crate::diag::{Code, Diagnostic, Problems, Source, Span};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Larger files are refused unread.
pub const MAX_BYTES: usize = 1 << 20;
/// Values after aliases are expanded.
const MAX_NODES: usize = 20_000;
/// Levels of nesting.
const MAX_DEPTH: usize = 32;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Spanned<Node>>),
    /// A mapping in the order of the file; keys may repeat, which the reader reports.
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    /// What it is, with its article, for messages.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a yes or no",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// The same value in JSON; of a key that is given twice, the last one.
    pub fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::from(*value),
            Self::Float(value) => Value::from(*value),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => items.iter().map(|item| item.value.json()).collect(),
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| (key.value.clone(), value.value.json())).collect()
            }
        }
    }
}

/// Reads a file into a tree; says what is wrong and returns nothing if it is no YAML.
pub fn parse(source: &Source, problems: &mut Problems) -> Option<Spanned<Node>> {
    let whole = Span::new(0, first_line(&source.text));
    if source.text.len() > MAX_BYTES {
        let title = "the file is larger than 1 MiB";
        problems.push(
            Diagnostic::new(Code::E0002, title, whole).help("split the scenario into several"),
        );
        return None;
    }
    if let Some(problem) = control_character(source) {
        problems.push(problem);
        return None;
    }
    let mut options = serde_yaml::Options::default();
    options.duplicate_keys = serde_yaml::options::DuplicateKeyPolicy::PassThrough;
    options.with_snippet = false;
    // `no` is a text until somebody asks for a yes or no, and `017` is not fifteen.
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    let mut budget = serde_yaml::Budget::default();
    budget.max_nodes = MAX_NODES;
    budget.max_depth = MAX_DEPTH;
    budget.max_events = 4 * MAX_NODES;
    budget.max_aliases = 1_000;
    budget.max_documents = 1;
    options.budget = Some(budget);
    match serde_yaml::from_str_with_options::<serde_yaml::Spanned<Raw>>(&source.text, options) {
        Ok(tree) => Some(convert(tree, source)),
        Err(error) => {
            problems.push(unreadable(&error, source));
            None
        }
    }
}

fn unreadable(error: &serde_yaml::Error, source: &Source) -> Diagnostic {
    let place = error.location().map_or(Span::default(), |at| place(at, source));
    let text = error.without_snippet().to_string();
    // Inside an alias only the text tells that a bound was hit.
    let documents = text.contains("Documents") || text.contains("multiple YAML documents");
    if documents {
        let title = "the file holds a second YAML document";
        return Diagnostic::new(Code::E0001, title, place)
            .help("write one scenario into a file, without a line `---` between parts");
    }
    if text.contains("budget breached") || text.contains("limit exceeded") {
        let title = "the file is larger, deeper or more tangled than a scenario may be";
        return Diagnostic::new(Code::E0002, title, place)
            .help("a scenario has at most 20000 values, 32 levels deep, aliases expanded");
    }
    let message = match error.without_snippet() {
        // Values may be anything; it is keys that have to be texts.
        serde_yaml::Error::NullIntoString { .. } => "a key cannot be nothing",
        serde_yaml::Error::Unexpected { .. } => "a key is a text",
        _ => text.lines().next().unwrap_or("not YAML"),
    };
    let message = message.rfind(" at line ").map_or(message, |end| &message[..end]).to_owned();
    let problem = Diagnostic::new(Code::E0001, "the file is not YAML", place);
    let problem = match source.text.get(place.range()).unwrap_or_default() {
        "\t" => problem.help("indent with spaces"),
        "*" | "&" | "%" | "@" | "{" | "}" | "[" | "]" | "`" => {
            problem.help("put quotes around a text with such a character: `'/items/{id}'`")
        }
        _ => problem,
    };
    problem.saying(message)
}

/// Refuses what YAML itself would not print: a terminal would obey it.
fn control_character(source: &Source) -> Option<Diagnostic> {
    let unwanted = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let (at, c) = source.text.char_indices().find(|(_, c)| unwanted(c))?;
    let title = format!("the file holds the control character U+{:04X}", u32::from(c));
    let problem = Diagnostic::new(Code::E0004, title, Span::new(at, at + c.len_utf8()));
    Some(problem.help("remove it; inside quotes it is written as an escape, such as `\\x1b`"))
}

/// The place of an error: some have an offset, all have a line and a column.
fn place(at: serde_yaml::Location, source: &Source) -> Span {
    if at.span().byte_offset().is_some() {
        return span(at, source);
    }
    let line = usize::try_from(at.line()).unwrap_or(usize::MAX).max(1);
    let column = usize::try_from(at.column()).unwrap_or(usize::MAX).max(1);
    let mut lines = source.text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(line - 1).map(str::len).sum();
    let text = lines.next().unwrap_or_default().trim_end();
    let start = text.char_indices().nth(column - 1).map_or(text.len(), |(at, _)| at);
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    Span::new(before + start, before + start + length)
}

fn first_line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

fn span(at: serde_yaml::Location, source: &Source) -> Span {
    let span = at.span();
    let start = span.byte_offset().map_or(0, clamp(source.text.len()));
    let length = span.byte_len().map_or(0, clamp(source.text.len()));
    let rest = &source.text[floor(&source.text, start)..];
    // A mapping's own span may run over many lines; its first line is enough to point at.
    let end = start + length.clamp(1, first_line(rest).max(1));
    let start = floor(&source.text, start);
    let mut end = end.min(source.text.len()).max(start);
    while !source.text.is_char_boundary(end) {
        end += 1;
    }
    let kept = source.text[start..end].trim_end().len();
    Span::new(start, start + kept.max(usize::from(end > start)))
}

fn clamp(limit: usize) -> impl Fn(u64) -> usize {
    move |at| usize::try_from(at).unwrap_or(limit).min(limit)
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn convert(raw: serde_yaml::Spanned<Raw>, source: &Source) -> Spanned<Node> {
    let mut span = span(raw.referenced, source);
    let value = match raw.value {
        Raw::Null => Node::Null,
        Raw::Bool(value) => Node::Bool(value),
        Raw::Int(value) => Node::Int(value),
        Raw::Float(value) => Node::Float(value),
        Raw::Text(text) => Node::Text(text),
        Raw::List(items) => {
            span.end = span.end.max(bracket_end(&source.text, span.start));
            Node::List(items.into_iter().map(|i| convert(i, source)).collect())
        }
        Raw::Map(pairs) => {
            span.end = span.end.max(bracket_end(&source.text, span.start));
            let entries: Vec<_> = pairs.into_iter().map(|(k, v)| entry(k, v, source)).collect();
            // A mapping of lines is pointed at by its first key.
            if let Some((first, _)) = entries.first().filter(|(k, _)| k.span.start == span.start) {
                span.end = span.end.max(first.span.end);
            }
            Node::Map(entries)
        }
    };
    Spanned { value, span }
}

fn entry(
    key: serde_yaml::Spanned<String>,
    value: serde_yaml::Spanned<Raw>,
    source: &Source,
) -> (Spanned<String>, Spanned<Node>) {
    let span = span(key.referenced, source);
    (Spanned { value: key.value, span }, convert(value, source))
}

/// Where the bracket that opens at `start` closes, if it does so on its line; else `start`.
fn bracket_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let mut depth = 0_usize;
    let mut quote = None;
    // Nobody points at more, and a hostile line may open a bracket at every character.
    for (at, c) in rest.char_indices().take(200) {
        match (quote, c) {
            (_, '\n') => break,
            (Some(open), _) => quote = quote.filter(|_| c != open),
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if depth == 0 {
            return if at == 0 { start } else { start + at + c.len_utf8() };
        }
    }
    start
}

/// The tree as the crate hands it over.
enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<serde_yaml::Spanned<Raw>>),
    Map(Vec<(serde_yaml::Spanned<String>, serde_yaml::Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or(Raw::Float(value as f64), Raw::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
