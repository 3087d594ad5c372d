//! Where in a response body something happens, as a file writes it: `10KiB`, `50%`, `3 events`,
//! `3 messages` or `30s`.

use crate::{
    diag::{Code, Diagnostic},
    fault::{Denial, Offset},
    read::{Kind, Reader},
    timeline::{Moment, Moving},
    units::{ByteSize, MessageCount, Percent, Quantity, show_duration},
    yaml::{Node, Spanned},
};
use std::time::Duration;

/// An [`Offset`] that may move over its phase.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum After {
    /// So many bytes.
    Size(Moving<ByteSize>),
    /// This share of the body.
    Share(Moving<Percent>),
    /// So many server-sent events.
    Events(u64),
    /// So long after the head.
    Time(Duration),
    /// So many messages of a gRPC call.
    Messages(Moving<MessageCount>),
}

impl After {
    /// At the very start of the body.
    pub(super) const START: Self = Self::Size(Moving::Fixed(ByteSize(0)));
    /// What it may be, for the schema.
    pub(super) const KIND: Kind = Kind::Any(&[
        Kind::Moving(&Kind::Size),
        Kind::Moving(&Kind::Percent),
        Kind::Moving(&Kind::Messages),
        Kind::Duration,
        Kind::Text,
    ]);

    /// Reads a size, or a share if there is a percent sign or a fraction in it, or a number of events or
    /// of messages, or a time.
    pub(super) fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        if let Node::Text(text) = &node.value {
            if let Some((number, "event" | "events")) = text.trim().rsplit_once(' ') {
                if let Ok(number) = number.trim().parse() {
                    return Some(Self::Events(number));
                }
                let title = format!("`{text}` is no number of events");
                let problem = Diagnostic::new(Code::E0202, title, node.span);
                reader.problem(problem.help("write `3 events`"));
                return None;
            }
            if let Ok(time) = Duration::parse(text.trim()) {
                return Some(Self::Time(time));
            }
        }
        if mentions(&node.value, &|text| text.contains("message")) {
            reader.moving(node).map(Self::Messages)
        } else if mentions(&node.value, &|text| text.contains(['%', '/'])) {
            reader.moving(node).map(Self::Share)
        } else {
            reader.moving(node).map(Self::Size)
        }
    }

    /// Where it is at `moment`.
    pub(super) fn at(&self, moment: &Moment) -> Offset {
        match self {
            Self::Size(size) => Offset::Bytes(size.at(moment).0),
            Self::Share(share) => Offset::Fraction(share.at(moment).fraction()),
            Self::Messages(count) => Offset::Messages(count.at(moment).0),
            Self::Events(events) => Offset::Events(*events),
            Self::Time(time) => Offset::Time(*time),
        }
    }

    /// Whether it lies behind the end of the body throughout.
    pub(super) fn is_behind_the_end(&self) -> bool {
        matches!(self, Self::Share(share) if share.corners().iter().all(|s| *s == Percent::ALL))
    }

    /// Whether whoever's answer is cut there is denied it. An empty body has nothing to cut, but asks for
    /// nothing either.
    pub(super) fn denies(&self) -> Denial {
        match self {
            Self::Share(_) => Denial::Always,
            Self::Size(size) if size.peak() == ByteSize(0) => Denial::Always,
            Self::Size(_) | Self::Messages(_) | Self::Events(_) | Self::Time(_) => Denial::Perhaps,
        }
    }

    /// Whether it moves.
    pub(super) const fn moves(&self) -> bool {
        match self {
            Self::Size(size) => size.moves(),
            Self::Share(share) => share.moves(),
            Self::Messages(count) => count.moves(),
            Self::Events(_) | Self::Time(_) => false,
        }
    }

    /// As the file writes it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Size(size) => size.show(),
            Self::Share(share) => share.show(),
            Self::Messages(count) => count.show(),
            Self::Events(1) => "1 event".to_owned(),
            Self::Events(events) => format!("{events} events"),
            Self::Time(time) => show_duration(*time),
        }
    }
}

/// Whether a text anywhere in it is of a kind.
fn mentions(node: &Node, is_it: &dyn Fn(&str) -> bool) -> bool {
    match node {
        Node::Text(text) => is_it(text),
        Node::List(items) => items.iter().any(|item| mentions(&item.value, is_it)),
        Node::Map(entries) => entries.iter().any(|(_, value)| mentions(&value.value, is_it)),
        _ => false,
    }
}
