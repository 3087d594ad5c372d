//! `share`: how many of what a fault hits.

use crate::{
    diag::{Code, Diagnostic, Span, closest, list_of},
    read::{Field, Kind, Reader, Shape, within},
    scenario::Share,
    select::Unit,
    timeline::Moving,
    units::{Percent, Quantity},
    yaml::{Node, Spanned},
};

/// A share as the file has it: what it is counted in may be left to the fault.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WrittenShare {
    pub amount: Moving<Percent>,
    pub unit: Option<Unit>,
}

const UNITS: [(&str, Unit); 3] =
    [("requests", Unit::Requests), ("users", Unit::Users), ("connections", Unit::Connections)];

/// The long form, for a share that moves through points.
pub(super) static CURVED: Shape = Shape {
    what: "a share",
    fields: &[
        Field::required(
            "curve",
            Kind::Ref("points"),
            "points of a time in the phase and a share, such as `[[0s, 1%], [30s, 40%]]`",
        ),
        Field::optional(
            "of",
            Kind::Word(&["requests", "users", "connections"]),
            "what it is counted in; requests if left out, connections for a fault on those",
        ),
    ],
};

pub(super) fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<WrittenShare> {
    if let Node::Map(_) = &node.value {
        let fields = reader.fields(node, &CURVED)?;
        let unit = fields.get("of").map(|of| reader.choice(of, &UNITS));
        let amount = fields.get("curve").and_then(|points| reader.curve(points));
        return Some(WrittenShare {
            amount: amount?,
            unit: unit.map_or(Some(None), |u| u.map(Some))?,
        });
    }
    let Node::Text(text) = &node.value else {
        return Some(WrittenShare { amount: reader.moving(node)?, unit: None });
    };
    let (amount, unit) = text.rsplit_once(" of ").map_or((&**text, None), |(a, u)| (a, Some(u)));
    let unit = match unit.map(str::trim) {
        Some(word) => Some(named(word, within(node.span, text, word), reader)?),
        None => None,
    };
    Some(WrittenShare {
        amount: reader.moving_text(amount, within(node.span, text, amount))?,
        unit,
    })
}

fn named(word: &str, span: Span, reader: &mut Reader<'_>) -> Option<Unit> {
    if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == word) {
        return Some(*unit);
    }
    let names = || UNITS.iter().map(|(name, _)| *name);
    let title = format!("a share cannot be counted in `{word}`");
    let problem =
        Diagnostic::new(Code::E0501, title, span).help(format!("count it in {}", list_of(names())));
    reader.problem(match closest(word, names()) {
        Some(name) => problem.saying(format!("did you mean `{name}`?")),
        None => problem,
    });
    None
}

impl Share {
    /// Everything of `unit`.
    pub const fn all(unit: Unit) -> Self {
        Self { amount: Moving::Fixed(Percent::ALL), unit }
    }

    /// As the file writes it: `17% of users`.
    pub fn show(&self) -> String {
        format!("{} of {}", self.amount.show(), self.unit.name())
    }

    /// Whether it is the whole, all the time.
    pub fn is_all(&self) -> bool {
        self.amount.corners().iter().all(|corner| *corner >= Percent::ALL)
    }

    /// Whether it is nothing, all the time.
    pub fn is_none(&self) -> bool {
        self.amount.peak().show() == Percent::NONE.show() && self.amount.peak() <= Percent::NONE
    }
}
