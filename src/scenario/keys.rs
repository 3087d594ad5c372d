//! The keys that stand beside a fault in its entry.

use crate::{
    diag::Span,
    fault::catalog::CATALOG,
    read::{Field, Fields, Kind, Reader},
    scenario::{
        Places, Times,
        share::{self, WrittenShare},
        targets::Targets,
        when::{self, Flap},
    },
    yaml::Spanned,
};

const TARGET: Kind = Kind::Any(&[Kind::Text, Kind::Ref("matcher")]);

/// The keys that every fault entry may have beside its fault.
pub(super) static COMMON: &[Field] = &[
    Field::optional(
        "name",
        Kind::Text,
        "what tells this fault apart in reports, and what equal faults of two phases share",
    ),
    Field::optional(
        "target",
        Kind::Any(&[TARGET, Kind::List(&TARGET)]),
        "which requests: a name of `targets`, a matcher, or a list of them; all if left out",
    ),
    Field::optional("proxy", Kind::Text, "on which proxy, if there are several"),
    Field::optional(
        "share",
        Kind::Ref("share"),
        "how many of what: `17% of users`; all if left out",
    ),
    Field::optional("pattern", Kind::Map(&when::PATTERN), "on and off inside the phase"),
    Field::optional(
        "times",
        Kind::Any(&[Kind::Integer(1, when::MOST), Kind::Map(&when::TIMES)]),
        "only the first few times",
    ),
    Field::optional("cohort", Kind::Text, "faults of one cohort and one share hit the same users"),
];

/// All keys that a fault entry may have.
pub(crate) fn entry_keys() -> impl Iterator<Item = &'static str> {
    let faults = CATALOG.iter().map(|entry| entry.name);
    faults.chain(COMMON.iter().map(|field| field.name))
}

/// Those of them that may stand beside a `one_of`, where they hold for all its slices.
pub(super) const OF_GROUP: [&str; 4] = ["target", "proxy", "pattern", "cohort"];

/// Their values, with their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub name: Option<Spanned<String>>,
    pub targets: Option<Spanned<Vec<usize>>>,
    pub proxy: Option<Spanned<String>>,
    pub share: Option<Spanned<WrittenShare>>,
    /// One of them could not be read, so the entry is not what its author meant.
    pub broken: bool,
    pub pattern: Option<Spanned<Flap>>,
    pub times: Option<Spanned<Times>>,
    pub cohort: Option<Spanned<String>>,
}

impl Keys {
    /// Reads those that an entry has; what cannot be read is noted and missing.
    pub(super) fn read(
        fields: &Fields<'_>,
        targets: &mut Targets,
        reader: &mut Reader<'_>,
    ) -> Self {
        let mut keys = Self::default();
        for (key, node) in fields.entries() {
            let span = node.span;
            match &*key.value {
                "name" => keys.take(|k| &mut k.name, at(span, reader.name(node))),
                "cohort" => keys.take(|k| &mut k.cohort, at(span, reader.name(node))),
                "proxy" => keys.take(|k| &mut k.proxy, at(span, reader.name(node))),
                "target" => {
                    let places = targets.resolve(node, reader);
                    keys.take(|k| &mut k.targets, at(span, places));
                }
                "share" => keys.take(|k| &mut k.share, at(span, share::read(node, reader))),
                "pattern" => keys.take(|k| &mut k.pattern, at(span, when::pattern(node, reader))),
                "times" => keys.take(|k| &mut k.times, at(span, when::times(node, reader))),
                _ => {}
            }
        }
        keys
    }

    /// Where they stand, beside a fault at this place.
    pub(super) fn places(&self, fault: Span) -> Places {
        Places {
            fault,
            proxy: self.proxy.as_ref().map(|proxy| proxy.span),
            target: self.targets.as_ref().map(|targets| targets.span),
            share: self.share.as_ref().map(|share| share.span),
            times: self.times.as_ref().map(|times| times.span),
        }
    }

    fn take<T>(&mut self, field: impl FnOnce(&mut Self) -> &mut Option<T>, value: Option<T>) {
        self.broken |= value.is_none();
        *field(self) = value;
    }

    /// Takes over what a `one_of` says for all its slices.
    pub(super) fn inherit(&mut self, group: &Self) {
        self.targets = self.targets.take().or_else(|| group.targets.clone());
        self.proxy = self.proxy.take().or_else(|| group.proxy.clone());
        self.pattern = self.pattern.take().or_else(|| group.pattern.clone());
        self.cohort.clone_from(&group.cohort);
        self.broken |= group.broken;
    }
}

fn at<T>(span: Span, value: Option<T>) -> Option<Spanned<T>> {
    value.map(|value| Spanned { value, span })
}
