//! Expectations that nothing in the scenario can meet or miss.

use crate::{
    diag::{Code, Diagnostic},
    read::Reader,
    scenario::{
        draft::Draft,
        vocabulary::{self, Measure},
    },
};

pub(super) fn check(draft: &Draft, reader: &mut Reader<'_>) {
    for expectation in &draft.expect {
        let name = expectation.value.name;
        let Some(term) = vocabulary::find(name) else { continue };
        if matches!(term.measure, Measure::Money) && !draft.has_impact {
            let title = format!("`{name}` needs to know what a failure costs");
            let problem = Diagnostic::new(Code::E0604, title, expectation.span);
            reader.problem(problem.help("add `impact: { per_minute: 1000, currency: USD }`"));
        }
        let phase = expectation.value.phase.and_then(|phase| draft.phases.get(phase));
        let Some(phase) = phase.filter(|phase| phase.written == 0 && term.in_trouble) else {
            continue;
        };
        let Some(called) = &phase.name else { continue };
        let title = format!(
            "nothing goes wrong in the phase `{}`, so `{name}` is not put to the test",
            called.value
        );
        let problem = Diagnostic::new(Code::W0601, title, expectation.span);
        let problem = problem.label(called.span, "a phase without faults");
        reader.problem(problem.help("name a phase that has faults"));
    }
}
