//! Names that are given twice, and more targets than can be told apart.

use crate::{
    diag::{Code, Diagnostic},
    read::Reader,
    scenario::draft::Draft,
    yaml::Spanned,
};

/// A request's targets are kept as the bits of one number.
const MOST_TARGETS: usize = 64;

pub(super) fn check(draft: &Draft, reader: &mut Reader<'_>) {
    unique(draft.phases.iter().filter_map(|phase| phase.name.as_ref()), "phase", reader);
    for phase in &draft.phases {
        let names = phase.entries.iter().filter_map(|entry| entry.keys.name.as_ref());
        unique(names, "fault of this phase", reader);
    }
    if let Some(span) = draft.targets.nth(MOST_TARGETS) {
        let title = format!("the scenario has more than {MOST_TARGETS} targets");
        let problem = Diagnostic::new(Code::E0307, title, span);
        reader.problem(problem.help("put matchers that are hit alike into one target, as a list"));
    }
}

fn unique<'n>(
    names: impl Iterator<Item = &'n Spanned<String>>,
    what: &str,
    reader: &mut Reader<'_>,
) {
    let mut known: Vec<&Spanned<String>> = Vec::new();
    for name in names {
        match known.iter().find(|first| first.value == name.value) {
            None => known.push(name),
            Some(first) => {
                let title = format!("another {what} is called `{}`", name.value);
                let problem = Diagnostic::new(Code::E0302, title, name.span);
                let problem = problem.label(first.span, "first given here");
                reader.problem(problem.help("give each a name of its own"));
            }
        }
    }
}
