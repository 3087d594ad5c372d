//! Reading a tree by its shape, collecting every problem instead of stopping at the first.
//!
//! A [`Shape`] declares the keys of a mapping once; the reader refuses what it does not name, and
//! the JSON Schema for editors is written from the same tables.

mod shape;

pub use shape::{Field, Kind, Need, Shape};

use crate::{
    diag::{Code, Diagnostic, Problems, Span, closest, list_of},
    timeline::Moving,
    units::{Quantity, QuantityError},
    yaml::{Node, Spanned},
};
use std::{collections::HashMap, path::PathBuf, time::Duration};

/// Reads nodes and notes what is wrong with them. Every method returns `None` after it has noted
/// why.
#[derive(Debug)]
pub struct Reader<'p> {
    problems: &'p mut Problems,
    folder: Option<PathBuf>,
    has_files: bool,
}

/// The entries of one mapping, checked against its shape.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'n> {
    entries: &'n [(Spanned<String>, Spanned<Node>)],
    /// The mapping itself.
    pub span: Span,
}

impl<'n> Fields<'n> {
    /// The entries of a mapping as they are, when another reader looks after its keys.
    pub fn of(node: &'n Spanned<Node>) -> Option<Self> {
        let Node::Map(entries) = &node.value else { return None };
        Some(Self { entries, span: node.span })
    }

    /// The value of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<&'n Spanned<Node>> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The place of a key, if it is there.
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.entry(key).map(|(key, _)| key.span)
    }

    /// All entries, in the order of the file.
    pub fn entries(&self) -> &'n [(Spanned<String>, Spanned<Node>)] {
        self.entries
    }

    fn entry(&self, key: &str) -> Option<&'n (Spanned<String>, Spanned<Node>)> {
        self.entries.iter().find(|(name, _)| name.value == key)
    }
}

impl<'p> Reader<'p> {
    /// A reader that notes problems in `problems`. Files that a scenario names are looked for in
    /// `folder`; a scenario without one (a bundled one) may name none.
    pub fn new(problems: &'p mut Problems, folder: Option<PathBuf>) -> Self {
        Self { problems, folder, has_files: true }
    }

    /// A reader to which every file is empty: what a scenario would have read is not there any more.
    pub fn without_files(problems: &'p mut Problems) -> Self {
        Self { problems, folder: None, has_files: false }
    }

    /// Whether files that a scenario names are to be read.
    pub fn has_files(&self) -> bool {
        self.has_files
    }

    /// Where the scenario's file is.
    pub fn folder(&self) -> Option<&PathBuf> {
        self.folder.as_ref()
    }

    /// Notes a problem.
    pub fn problem(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Notes that `node` is not what was expected, `expected` with its article.
    pub fn wrong_kind(&mut self, node: &Spanned<Node>, expected: &str) {
        let title = format!("expected {expected}, found {}", node.value.what());
        self.problem(Diagnostic::new(Code::E0003, title, node.span));
    }

    /// The entries of a mapping: unknown, repeated and missing keys are noted, and a mapping that
    /// misses one is none.
    pub fn fields<'n>(&mut self, node: &'n Spanned<Node>, shape: &Shape) -> Option<Fields<'n>> {
        let fields = self.fields_so_far(node, shape)?;
        let mut required = shape.fields.iter().filter(|field| field.need == Need::Required);
        required.all(|field| fields.get(field.name).is_some()).then_some(fields)
    }

    /// As [`fields`](Self::fields), but what is there is given out even if a key is missing: for
    /// mappings so large that the problems inside are worth telling at once.
    pub fn fields_so_far<'n>(
        &mut self,
        node: &'n Spanned<Node>,
        shape: &Shape,
    ) -> Option<Fields<'n>> {
        let fields = self.keys(node, shape)?;
        for field in shape.fields.iter().filter(|field| field.need == Need::Required) {
            if fields.get(field.name).is_none() {
                let title = format!("{} needs `{}`", shape.what, field.name);
                self.problem(
                    Diagnostic::new(Code::E0103, title, node.span)
                        .help(format!("`{}`: {}", field.name, field.doc)),
                );
            }
        }
        Some(fields)
    }

    /// The entries of a mapping that may be a part of what its shape says: unknown and repeated
    /// keys are noted, and what is missing is the caller's business.
    pub fn keys<'n>(&mut self, node: &'n Spanned<Node>, shape: &Shape) -> Option<Fields<'n>> {
        let Node::Map(entries) = &node.value else {
            self.wrong_kind(node, &format!("a mapping with the keys of {}", shape.what));
            return None;
        };
        self.repeated(entries);
        let names = || shape.fields.iter().map(|field| field.name);
        for (key, _) in entries {
            if names().any(|name| name == key.value) {
                continue;
            }
            let title = format!("unknown key `{}` in {}", key.value, shape.what);
            let problem = Diagnostic::new(Code::E0101, title, key.span);
            self.problem(match closest(&key.value, names()) {
                Some(name) => problem.saying(format!("did you mean `{name}`?")),
                None => {
                    problem.help(format!("the keys of {} are {}", shape.what, list_of(names())))
                }
            });
        }
        Some(Fields { entries, span: node.span })
    }

    /// The entries of a mapping whose keys are free names.
    pub fn names<'n>(&mut self, node: &'n Spanned<Node>, what: &str) -> Option<Fields<'n>> {
        let Node::Map(entries) = &node.value else {
            self.wrong_kind(node, what);
            return None;
        };
        self.repeated(entries);
        Some(Fields { entries, span: node.span })
    }

    fn repeated(&mut self, entries: &[(Spanned<String>, Spanned<Node>)]) {
        let mut firsts: HashMap<&str, Span> = HashMap::new();
        for (key, _) in entries {
            if let Some(first) = firsts.get(&*key.value) {
                let title = format!("`{}` is given twice", key.value);
                self.problem(
                    Diagnostic::new(Code::E0102, title, key.span)
                        .label(*first, "first given here")
                        .help("remove one of them"),
                );
            } else {
                firsts.insert(&key.value, key.span);
            }
        }
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, node: &'n Spanned<Node>) -> Option<&'n [Spanned<Node>]> {
        if let Node::List(items) = &node.value {
            Some(items)
        } else {
            let title = format!("expected a list, found {}", node.value.what());
            let problem = Diagnostic::new(Code::E0003, title, node.span);
            self.problem(problem.help("begin each item with `- ` on a line of its own"));
            None
        }
    }

    /// One value, or a list of at least one; all that can be read, if all can.
    pub fn one_or_list<T>(
        &mut self,
        node: &Spanned<Node>,
        mut read: impl FnMut(&mut Self, &Spanned<Node>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Node::List(items) = &node.value else {
            return read(self, node).map(|one| vec![one]);
        };
        if items.is_empty() {
            let title = "the list is empty, so nothing can agree with it";
            let problem = Diagnostic::new(Code::E0107, title, node.span);
            self.problem(problem.help("leave the key out to set no condition"));
            return None;
        }
        let read: Vec<Option<T>> = items.iter().map(|item| read(self, item)).collect();
        read.into_iter().collect()
    }

    /// A text; numbers are taken as they were written where YAML made them numbers.
    pub fn text(&mut self, node: &Spanned<Node>) -> Option<String> {
        match &node.value {
            Node::Text(text) => Some(text.clone()),
            Node::Int(number) => Some(number.to_string()),
            Node::Float(number) => Some(number.to_string()),
            _ => {
                self.wrong_kind(node, "a text");
                None
            }
        }
    }

    /// A text that is not empty, spaces around it cut off.
    pub fn name(&mut self, node: &Spanned<Node>) -> Option<String> {
        let text = self.text(node)?;
        if text.trim().is_empty() {
            let problem = Diagnostic::new(Code::E0108, "the text is empty", node.span);
            self.problem(problem.help("write at least one character"));
            return None;
        }
        Some(text.trim().to_owned())
    }

    /// A yes or no: `true`, `false`, `yes`, `no`, `on`, `off`.
    pub fn boolean(&mut self, node: &Spanned<Node>) -> Option<bool> {
        match &node.value {
            Node::Bool(value) => Some(*value),
            Node::Text(text) if matches!(&**text, "yes" | "on") => Some(true),
            Node::Text(text) if matches!(&**text, "no" | "off") => Some(false),
            _ => {
                self.wrong_kind(node, "`yes` or `no`");
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, node: &Spanned<Node>, least: i64, most: i64) -> Option<i64> {
        match node.value {
            Node::Int(number) if (least..=most).contains(&number) => Some(number),
            Node::Int(number) => {
                let title = format!("`{number}` is out of range: from {least} to {most}");
                self.problem(Diagnostic::new(Code::E0203, title, node.span));
                None
            }
            _ => {
                self.wrong_kind(node, "a whole number");
                None
            }
        }
    }

    /// A number.
    pub fn number(&mut self, node: &Spanned<Node>) -> Option<f64> {
        match node.value {
            #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a digit does not matter")]
            Node::Int(number) => Some(number as f64),
            Node::Float(number) if number.is_finite() => Some(number),
            _ => {
                self.wrong_kind(node, "a number");
                None
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, node: &Spanned<Node>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names = || words.iter().map(|(word, _)| *word);
        let title = format!("`{text}` is not one of {}", list_of(names()));
        let problem = Diagnostic::new(Code::E0205, title, node.span);
        self.problem(match closest(&text, names()) {
            Some(word) => problem.saying(format!("did you mean `{word}`?")),
            None => problem,
        });
        None
    }

    /// A quantity with its unit.
    pub fn quantity<T: Quantity>(&mut self, node: &Spanned<Node>) -> Option<T> {
        let text = self.quantity_text::<T>(node)?;
        self.parsed(text.trim(), node.span)
    }

    /// A quantity that may move over its phase: `A`, `A -> B`, or `{ curve: [[t, A], …] }`.
    pub fn moving<T: Quantity>(&mut self, node: &Spanned<Node>) -> Option<Moving<T>> {
        if let Node::Map(_) = &node.value {
            let fields = self.fields(node, &shape::CURVE)?;
            return self.curve(fields.get("curve")?);
        }
        let text = self.quantity_text::<T>(node)?;
        self.moving_text(&text, node.span)
    }

    /// The text form of a moving quantity.
    pub fn moving_text<T: Quantity>(&mut self, text: &str, span: Span) -> Option<Moving<T>> {
        let Some((from, to)) = text.split_once("->") else {
            return self.parsed(text.trim(), span).map(Moving::Fixed);
        };
        let (from, to) = (from.trim(), to.trim());
        let (from_span, to_span) = (within(span, text, from), within(span, text, to));
        let (from, to) = (self.parsed(from, from_span), self.parsed(to, to_span));
        Some(Moving::Line { from: from?, to: to? })
    }

    /// The points of a curve.
    pub fn curve<T: Quantity>(&mut self, node: &Spanned<Node>) -> Option<Moving<T>> {
        let mut points: Vec<(Duration, T)> = Vec::new();
        for item in self.list(node)? {
            let [at, value] = self.list(item)? else {
                self.wrong_kind(item, "a pair of a time and a value, such as `[30s, 40%]`");
                return None;
            };
            let (time, value) = (self.quantity(at), self.quantity(value));
            let (time, value) = (time?, value?);
            if points.last().is_some_and(|(last, _)| *last >= time) {
                let title = "the points of a curve go forwards in time";
                let problem = Diagnostic::new(Code::E0204, title, at.span);
                self.problem(problem.help("put the points into the order of their times"));
                return None;
            }
            points.push((time, value));
        }
        if points.is_empty() {
            self.problem(Diagnostic::new(Code::E0204, "a curve needs a point", node.span));
            return None;
        }
        Some(Moving::Curve(points))
    }

    fn quantity_text<T: Quantity>(&mut self, node: &Spanned<Node>) -> Option<String> {
        match &node.value {
            Node::Text(text) => Some(text.clone()),
            Node::Int(_) | Node::Float(_) => self.text(node),
            _ => {
                self.wrong_kind(node, &format!("{}, such as {}", T::WHAT, T::FORMS));
                None
            }
        }
    }

    fn parsed<T: Quantity>(&mut self, text: &str, span: Span) -> Option<T> {
        let error = match T::parse(text) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let (code, help) = match &error {
            QuantityError::NoUnit(number) => (
                Code::E0201,
                format!("write {}; {} is written {}", T::guess(number), T::WHAT, T::FORMS),
            ),
            QuantityError::OutOfRange { .. } => {
                (Code::E0203, format!("{} is written {}", T::WHAT, T::FORMS))
            }
            _ => (Code::E0202, format!("{} is written {}", T::WHAT, T::FORMS)),
        };
        self.problem(Diagnostic::new(code, error.to_string(), span).help(help));
        None
    }
}

/// The place of a part of a text; all of it if quotes or folds hide where the part stands.
pub(crate) fn within(span: Span, text: &str, part: &str) -> Span {
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    if span.end - span.start != text.len() || start + part.len() > text.len() {
        return span;
    }
    Span::new(span.start + start, span.start + start + part.len())
}
