//! Forms that several faults share: a fault that takes no settings, and the sides of an exchange.

use crate::{
    diag::{Code, Diagnostic},
    fault::{Stage, Way},
    read::{Kind, Reader},
    yaml::{Node, Spanned},
};

/// Reads the value of a fault that takes no settings: `{}` or nothing.
pub(super) fn read_nothing(
    name: &str,
    node: &Spanned<Node>,
    reader: &mut Reader<'_>,
) -> Option<()> {
    match &node.value {
        Node::Null => Some(()),
        Node::Map(entries) => match entries.first() {
            None => Some(()),
            Some((key, _)) => {
                let title = format!("unknown key `{}` in `{name}`", key.value);
                reader.problem(
                    Diagnostic::new(Code::E0101, title, key.span)
                        .help(format!("write `{name}: {{}}`: it takes no settings")),
                );
                None
            }
        },
        other => {
            let title = format!("`{name}` takes no settings, found {}", other.what());
            reader.problem(
                Diagnostic::new(Code::E0003, title, node.span)
                    .help(format!("write `{name}: {{}}`")),
            );
            None
        }
    }
}

/// Whether it is `{ curve: … }`, a value that moves and not a mapping of settings.
pub(super) fn is_curve(node: &Node) -> bool {
    matches!(node, Node::Map(entries) if entries.iter().any(|(key, _)| key.value == "curve"))
}

/// Which half of an exchange a fault is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What the client sends.
    Request,
    /// What the client gets.
    Response,
    /// Both, each on its own.
    Both,
}

impl Side {
    /// The words of a file.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("request", Self::Request), ("response", Self::Response), ("both", Self::Both)];
    /// The words alone, for the schema.
    pub(super) const NAMES: &'static [&'static str] = &["request", "response", "both"];

    /// Whether bytes that travel this way are on this side.
    pub(super) const fn includes(self, way: Way) -> bool {
        matches!(
            (self, way),
            (Self::Both, _) | (Self::Request, Way::Up) | (Self::Response, Way::Down)
        )
    }

    /// As the file writes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Both => "both",
        }
    }
}

/// Which of the two messages of an exchange an edit changes. Not both: what is wrong with the one
/// is hardly ever what is wrong with the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// What the upstream gets.
    Request,
    /// What the client gets.
    Response,
}

impl Half {
    /// What it may be, for the schema.
    pub(super) const KIND: Kind = Kind::Word(&["response", "request"]);

    /// Reads a side; without one it is the response.
    pub(super) fn read(node: Option<&Spanned<Node>>, reader: &mut Reader<'_>) -> Option<Self> {
        let words = [("response", Self::Response), ("request", Self::Request)];
        node.map_or(Some(Self::Response), |node| reader.choice(node, &words))
    }

    /// The stage at which it is changed.
    pub(super) const fn stages(self) -> &'static [Stage] {
        match self {
            Self::Request => &[Stage::Request],
            Self::Response => &[Stage::Response],
        }
    }

    /// What is changed, in a few words; the response goes without saying.
    pub(super) fn describe(self, what: String) -> String {
        match self {
            Self::Request => format!("request: {what}"),
            Self::Response => what,
        }
    }
}
