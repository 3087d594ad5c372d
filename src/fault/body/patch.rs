//! JSON patches (RFC 6902): how a file writes them, and what they do.

use crate::{
    diag::{Code, Diagnostic},
    read::{Field, Fields, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use json_patch::{
    AddOperation, CopyOperation, MoveOperation, PatchOperation, RemoveOperation, ReplaceOperation,
    TestOperation, jsonptr::PointerBuf,
};
use serde_json::Value;

/// The most that a patched document may be, as text. A few `copy`s can double it a few times too
/// often.
const LARGEST: usize = 4 << 20;
/// How deep it may be nested, which is what the reading of JSON allows, too.
const DEEPEST: usize = 128;

pub(super) static OPERATION: Shape = Shape {
    what: "an operation",
    fields: &[
        Field::required(
            "op",
            Kind::Word(&["add", "remove", "replace", "move", "copy", "test"]),
            "`add`, `remove`, `replace`, `move`, `copy` or `test`",
        ),
        Field::required("path", Kind::Text, "where: a JSON pointer such as `/cart/0/sku`"),
        Field::optional("from", Kind::Text, "of `move` and `copy`: where from, a JSON pointer"),
        Field::optional("value", Kind::Free, "of `add`, `replace` and `test`: what"),
    ],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

const WORDS: [(&str, Op); 6] = [
    ("add", Op::Add),
    ("remove", Op::Remove),
    ("replace", Op::Replace),
    ("move", Op::Move),
    ("copy", Op::Copy),
    ("test", Op::Test),
];

/// Reads a list of operations, of which there is at least one.
pub(super) fn read_operations(
    node: &Spanned<Node>,
    reader: &mut Reader<'_>,
) -> Option<Vec<PatchOperation>> {
    let items = reader.list(node)?;
    if items.is_empty() {
        reader.problem(
            Diagnostic::new(Code::E0107, "the list is empty, so it changes nothing", node.span)
                .help("write at least one operation: `{ op: replace, path: /total, value: 0 }`"),
        );
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| read_operation(item, reader)).collect();
    read.into_iter().collect()
}

fn read_operation(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<PatchOperation> {
    let fields = reader.fields(node, &OPERATION)?;
    let op = reader.choice(fields.get("op")?, &WORDS);
    let path = read_pointer(fields.get("path")?, reader);
    let (op, path) = (op?, path?);
    let key = match op {
        Op::Add | Op::Replace | Op::Test => Some("value"),
        Op::Move | Op::Copy => Some("from"),
        Op::Remove => None,
    };
    check_keys(fields, op, key, reader)?;
    let value = fields.get("value").map_or(Value::Null, |node| read_value(node, reader));
    let from = match fields.get("from") {
        Some(node) => read_pointer(node, reader)?,
        None => PointerBuf::new(),
    };
    Some(match op {
        Op::Add => PatchOperation::Add(AddOperation { path, value }),
        Op::Remove => PatchOperation::Remove(RemoveOperation { path }),
        Op::Replace => PatchOperation::Replace(ReplaceOperation { path, value }),
        Op::Move => PatchOperation::Move(MoveOperation { from, path }),
        Op::Copy => PatchOperation::Copy(CopyOperation { from, path }),
        Op::Test => PatchOperation::Test(TestOperation { path, value }),
    })
}

/// An operation has the key that it needs beside its path, and not the other one.
fn check_keys(
    fields: Fields<'_>,
    op: Op,
    needed: Option<&str>,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let name = WORDS.iter().find(|(_, other)| *other == op).map_or("", |(name, _)| name);
    let mut fine = true;
    for key in ["from", "value"] {
        let problem = match (needed == Some(key), fields.key_span(key)) {
            (true, None) => {
                let title = format!("`{name}` needs `{key}`");
                let help = if key == "from" { "from: /a" } else { "value: 0" };
                Diagnostic::new(Code::E0103, title, fields.span)
                    .help(format!("write it beside the path, such as `{help}`"))
            }
            (false, Some(span)) => {
                let title = format!("`{name}` takes no `{key}`");
                Diagnostic::new(Code::E0414, title, span).help("leave it out")
            }
            _ => continue,
        };
        reader.problem(problem);
        fine = false;
    }
    fine.then_some(())
}

fn read_pointer(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<PointerBuf> {
    let text = reader.text(node)?;
    let pointer = PointerBuf::parse(text.as_str()).ok();
    if pointer.is_none() {
        let title = format!("`{}` is not a JSON pointer", text.escape_debug());
        reader.problem(Diagnostic::new(Code::E0303, title, node.span).help(
            "start it with `/`: `/cart/0/sku`; in a name, `~1` is a slash and `~0` is a tilde",
        ));
    }
    pointer
}

/// Any value, as JSON; keys that are given twice are noted.
pub(super) fn read_value(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Value {
    note_repeated(node, reader);
    node.value.json()
}

fn note_repeated(node: &Spanned<Node>, reader: &mut Reader<'_>) {
    match &node.value {
        Node::List(items) => items.iter().for_each(|item| note_repeated(item, reader)),
        Node::Map(_) => {
            if let Some(fields) = reader.names(node, "a mapping") {
                fields.entries().iter().for_each(|(_, value)| note_repeated(value, reader));
            }
        }
        _ => {}
    }
}

/// Carries the operations out; `None` if one of them cannot be, and then the document is of no
/// further use.
pub(super) fn apply(document: &mut Value, operations: &[PatchOperation]) -> Option<()> {
    for operation in operations {
        json_patch::patch_unsafe(document, std::slice::from_ref(operation)).ok()?;
        weight(document, DEEPEST).filter(|bytes| *bytes <= LARGEST)?;
    }
    Some(())
}

/// About how long a document is as text; `None` if it is nested deeper than this.
fn weight(value: &Value, depth: usize) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    let parts = match value {
        Value::String(text) => return Some(text.len() + 3),
        Value::Array(items) => {
            items.iter().try_fold(0, |sum, item| Some(sum + weight(item, depth)?))
        }
        Value::Object(entries) => entries
            .iter()
            .try_fold(0, |sum, (name, item)| Some(sum + name.len() + 4 + weight(item, depth)?)),
        _ => Some(4),
    };
    parts.map(|parts: usize| parts + 2)
}
