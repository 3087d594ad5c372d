//! What a command may change about a proxy that is there.

use crate::{
    config::proxy::{can_be_told_of, place, upstream_of},
    diag::{Code, Diagnostic},
    fault::catalog::Protocol,
    read::{Field, Kind, Reader, Shape},
    units::Place,
    yaml::{Node, Spanned},
};

/// What is to change; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyChange {
    /// Where clients connect.
    pub listen: Option<Place>,
    /// What is behind it, as [`ProxyEntry`](crate::config::ProxyEntry) has it.
    pub upstream: Option<String>,
    /// Whether it listens.
    pub enabled: Option<bool>,
}

static CHANGE: Shape = Shape {
    what: "a change of a proxy",
    fields: &[
        Field::optional("listen", Kind::Text, "where clients connect"),
        Field::optional("upstream", Kind::Text, "the service behind it"),
        Field::optional("allow", Kind::Text, "the hosts that a forward proxy reaches"),
        Field::optional("enabled", Kind::Flag, "whether it listens"),
    ],
};

impl ProxyChange {
    /// Reads a change of a proxy with this protocol. With a problem among what it notes, something
    /// may be given out even so.
    pub fn read(node: &Spanned<Node>, protocol: Protocol, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = reader.fields(node, &CHANGE)?;
        let (key, other) = match protocol {
            Protocol::Forward => ("allow", "upstream"),
            Protocol::Http | Protocol::Tcp => ("upstream", "allow"),
        };
        if let Some(span) = fields.key_span(other) {
            let title = format!("a proxy for {} has no `{other}`", protocol.name());
            let problem = Diagnostic::new(Code::E0414, title, span);
            reader.problem(problem.help(format!("change its `{key}`")));
        }
        Some(Self {
            listen: fields.get("listen").and_then(|node| {
                let place = place(node, reader)?;
                can_be_told_of(&place, protocol, node, reader);
                Some(place)
            }),
            upstream: fields.get(key).and_then(|n| upstream_of(n, protocol, reader)),
            enabled: fields.get("enabled").and_then(|node| reader.boolean(node)),
        })
    }
}
