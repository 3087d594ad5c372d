//! A fault that stands alone: an entry as of a scenario, read for somebody who puts it on a proxy
//! by hand.

use crate::{
    diag::{Code, Diagnostic},
    read::{Fields, Reader},
    scenario::{
        FaultEntry, Scenario, Target, check, draft::DraftPhase, entry, names, targets::Targets,
    },
    yaml::{Node, Spanned},
};

/// A fault with all that it talks about.
#[derive(Clone, Debug)]
pub struct FaultAlone {
    /// The fault and the keys beside it. Its `targets` are places in [`targets`](Self::targets).
    pub entry: FaultEntry,
    /// The matchers it talks about.
    pub targets: Vec<Target>,
    /// Whether its name was given, and is not one that goes without saying.
    pub named: bool,
}

impl Scenario {
    /// Reads a fault as an entry of `faults:` of this scenario, whose targets it may name. What is
    /// wrong is noted, and something may be given out even so.
    pub fn fault_alone(&self, node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<FaultAlone> {
        if let Some(span) = Fields::of(node).and_then(|fields| fields.key_span("one_of")) {
            let title = "`one_of` chooses among several faults, and this is one by hand";
            let problem = Diagnostic::new(Code::E0505, title, span);
            reader.problem(problem.help("put its slices on the proxy one by one"));
            return None;
        }
        let mut targets = Targets::known(&self.targets);
        let mut phase = DraftPhase::default();
        entry::read(node, &mut phase, &mut targets, reader);
        let draft = phase.entries.pop()?;
        check::alone(&draft, reader);
        let name = names::of(std::slice::from_ref(&draft), &targets).pop()?;
        let named = draft.keys.name.is_some();
        let mut entry = draft.finish(name);
        // Those it names alone: each takes room on the proxy.
        let all = targets.finish();
        let targets = entry.targets.iter().filter_map(|at| all.get(*at).cloned()).collect();
        entry.targets = (0..entry.targets.len()).collect();
        Some(FaultAlone { entry, targets, named })
    }
}
