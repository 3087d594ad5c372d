//! `targets`: what a scenario talks about, by name or written in place.

use crate::{
    diag::{Code, Diagnostic, Span, closest, list_of},
    read::Reader,
    scenario::Target,
    select::Matcher,
    yaml::{Node, Spanned},
};

/// All targets so far.
#[derive(Debug, Default)]
pub(super) struct Targets {
    all: Vec<Draft>,
}

#[derive(Debug)]
struct Draft {
    target: Target,
    /// Its name, or the matcher that stands in its place.
    span: Span,
    is_named: bool,
    used: bool,
}

impl Targets {
    /// Reads `targets:`. A target that cannot be read is still known by its name, so that nobody
    /// is told it does not exist.
    pub(super) fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Self {
        let mut targets = Self::default();
        let Some(names) = reader.names(node, "a mapping from names to matchers") else {
            return targets;
        };
        for (name, value) in names.entries() {
            let matchers = reader.one_or_list(value, |r, n| Matcher::read(n, r));
            let target =
                Target { name: name.value.clone(), matchers: matchers.unwrap_or_default() };
            targets.all.push(Draft { target, span: name.span, is_named: true, used: false });
        }
        targets
    }

    /// Those of a scenario that was read before.
    pub(super) fn known(targets: &[Target]) -> Self {
        let draft = |target: &Target| {
            // Nothing is said of where they stand, nor that they are not used.
            let span = Span::default();
            Draft { target: target.clone(), span, is_named: true, used: true }
        };
        Self { all: targets.iter().map(draft).collect() }
    }

    /// The targets that a `target:` means: a name, a matcher, or a list of them.
    pub(super) fn resolve(
        &mut self,
        node: &Spanned<Node>,
        reader: &mut Reader<'_>,
    ) -> Option<Vec<usize>> {
        let mut places = reader.one_or_list(node, |reader, node| self.one(node, reader))?;
        places.sort_unstable();
        places.dedup();
        Some(places)
    }

    /// The one target that a name or a matcher means.
    pub(super) fn one(&mut self, node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<usize> {
        let Node::Text(name) = &node.value else {
            let matcher = Matcher::read(node, reader)?;
            return Some(self.in_place(matcher, node.span));
        };
        let found = self.all.iter_mut().enumerate().find(|(_, draft)| draft.is_called(name));
        if let Some((place, draft)) = found {
            draft.used = true;
            return Some(place);
        }
        let title = format!("nothing defines the target `{name}`");
        let problem = Diagnostic::new(Code::E0301, title, node.span);
        let near = closest(name, self.names()).map(str::to_owned);
        if let Some(near) = &near {
            // Most likely it was meant, so it is not told to be unused as well.
            self.all.iter_mut().filter(|d| d.is_called(near)).for_each(|d| d.used = true);
        }
        reader.problem(match near {
            Some(near) => problem.saying(format!("did you mean `{near}`?")),
            None => problem.help(self.what_to_write(name)),
        });
        None
    }

    fn what_to_write(&self, name: &str) -> String {
        if name.contains('/') {
            let (method, path) = name.rsplit_once(' ').unwrap_or(("", name));
            let method =
                if method.is_empty() { String::new() } else { format!("method: {method}, ") };
            return format!("write a matcher in place as `{{ {method}path: {} }}`", path.trim());
        }
        match list_of(self.names()) {
            none if none.is_empty() => {
                format!("define it: `targets: {{ {name}: {{ path: /some/path/** }} }}`")
            }
            names => format!("define it under `targets:`, or use {names}"),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter(|draft| draft.is_named).map(|draft| &*draft.target.name)
    }

    fn in_place(&mut self, matcher: Matcher, span: Span) -> usize {
        let matchers = vec![matcher];
        let known = self.all.iter().position(|d| !d.is_named && d.target.matchers == matchers);
        known.unwrap_or_else(|| {
            let target = Target { name: matchers[0].show(), matchers };
            self.all.push(Draft { target, span, is_named: false, used: true });
            self.all.len() - 1
        })
    }

    /// A target's name.
    pub(super) fn name(&self, place: usize) -> &str {
        self.all.get(place).map_or("", |draft| &draft.target.name)
    }

    /// Where the target of this place was given, if there are so many.
    pub(super) fn nth(&self, place: usize) -> Option<Span> {
        self.all.get(place).map(|draft| draft.span)
    }

    /// The named ones that nothing has asked for, and where they stand.
    pub(super) fn unused(&self) -> impl Iterator<Item = (&str, Span)> {
        let unused = self.all.iter().filter(|draft| !draft.used);
        unused.map(|draft| (&*draft.target.name, draft.span))
    }

    /// Those that no request can be, and where they stand.
    pub(super) fn hopeless(&self) -> impl Iterator<Item = (&str, Span)> {
        let alone = |draft: &&Draft| draft.target.matchers.iter().any(Matcher::is_tcp_alone);
        self.all.iter().filter(alone).map(|draft| (&*draft.target.name, draft.span))
    }

    /// The targets themselves.
    pub(super) fn finish(self) -> Vec<Target> {
        self.all.into_iter().map(|draft| draft.target).collect()
    }
}

impl Draft {
    fn is_called(&self, name: &str) -> bool {
        self.is_named && self.target.name == name
    }
}
