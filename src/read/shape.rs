//! What a mapping may hold: the tables behind the reader's errors and the JSON Schema.

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// A key of a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub need: Need,
    /// One sentence: what it means, its unit and its default.
    pub doc: &'static str,
}

impl Field {
    /// A key that may be left out.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, need: Need::Optional, doc }
    }

    /// A key that must be there.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, need: Need::Required, doc }
    }
}

/// A mapping.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What it is, with its article: `a phase`, `` `latency` ``.
    pub what: &'static str,
    /// Its keys.
    pub fields: &'static [Field],
}

/// What a value may be, as the JSON Schema tells an editor. The reader is the authority.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A yes or no.
    Flag,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// A number.
    Number,
    /// A duration.
    Duration,
    /// A share without a unit of its own: `17%`.
    Percent,
    /// A number of bytes.
    Size,
    /// A number of messages.
    Messages,
    /// Bytes per second.
    Rate,
    /// Requests per time.
    Requests,
    /// A value of this kind that may move: `A`, `A -> B` or a curve.
    Moving(&'static Kind),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A mapping with these keys.
    Map(&'static Shape),
    /// A mapping from free names to values of this kind.
    Names(&'static Kind),
    /// A list of values of this kind.
    List(&'static Kind),
    /// A value of any of these kinds.
    Any(&'static [Kind]),
    /// Something that the schema describes by name in its `$defs`.
    Ref(&'static str),
    /// Anything.
    Free,
}

impl Kind {
    /// Whether a mapping of this kind may have such a key.
    pub fn has_key(&self, key: &str) -> bool {
        match self {
            Self::Map(shape) => shape.fields.iter().any(|field| field.name == key),
            Self::Any(kinds) => kinds.iter().any(|kind| kind.has_key(key)),
            _ => false,
        }
    }
}

/// A value that moves through points.
pub(super) static CURVE: Shape = Shape {
    what: "a curve",
    fields: &[Field::required(
        "curve",
        Kind::List(&Kind::List(&Kind::Text)),
        "points of a time in the phase and a value, such as `[[0s, 1%], [30s, 40%]]`",
    )],
};
