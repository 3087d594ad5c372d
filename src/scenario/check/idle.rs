//! What is written and will not be seen: shares of nothing, unused names, times beyond a phase.

use crate::{
    diag::{Code, Diagnostic},
    read::Reader,
    scenario::draft::{Draft, DraftPhase},
    units::show_duration,
    yaml::Spanned,
};

pub(super) fn check_phase(phase: &DraftPhase, reader: &mut Reader<'_>) {
    for entry in &phase.entries {
        if let Some(share) = &entry.keys.share
            && entry.share().is_none()
        {
            let title = format!("`{}` hits nobody: its share is 0% throughout", entry.kind.name);
            let problem = Diagnostic::new(Code::W0501, title, share.span);
            reader.problem(problem.help("give it a share, or remove the fault"));
        }
    }
    let Some(length) = &phase.length else { return };
    let shown = show_duration(length.value);
    let mut seen = Vec::new();
    for flap in phase.entries.iter().filter_map(|entry| entry.keys.pattern.as_ref()) {
        if flap.value.every > length.value && !seen.contains(&flap.span) {
            // Slices of one `one_of` may have one pattern.
            seen.push(flap.span);
            let title = format!(
                "a period of {} does not fit into a phase of {shown}",
                show_duration(flap.value.every)
            );
            let problem = Diagnostic::new(Code::W0402, title, flap.span);
            let problem = problem.label(length.span, "the phase");
            reader.problem(problem.help("shorten `every`, or make the phase longer"));
        }
    }
    for time in phase.curve_times.iter().filter(|time| time.value > length.value) {
        let at = show_duration(time.value);
        let title = format!("the point at {at} lies beyond the phase, which ends at {shown}");
        let problem = Diagnostic::new(Code::W0403, title, time.span);
        let problem = problem.label(length.span, "the phase");
        reader.problem(problem.help("move the point into the phase, or make the phase longer"));
    }
}

pub(super) fn check(draft: &Draft, reader: &mut Reader<'_>) {
    for (name, span) in draft.targets.unused() {
        let title = format!("nothing uses the target `{name}`");
        let problem = Diagnostic::new(Code::W0301, title, span);
        reader.problem(problem.help("aim a fault at it, or remove it"));
    }
    for (name, span) in draft.targets.hopeless() {
        let title = format!("no request can be `{name}`: over `tcp` there are no requests");
        let problem = Diagnostic::new(Code::W0302, title, span);
        reader.problem(problem.help("name the proxy instead: `proxy: NAME` beside the fault"));
    }
    let entries = || draft.phases.iter().flat_map(|phase| &phase.entries);
    // The slices of a `one_of` have one cohort, written once.
    let mut cohorts: Vec<&Spanned<String>> =
        entries().filter_map(|entry| entry.keys.cohort.as_ref()).collect();
    cohorts.dedup_by_key(|cohort| cohort.span);
    for cohort in &cohorts {
        if cohorts.iter().filter(|other| other.value == cohort.value).count() == 1 {
            let title = format!("only one fault is of the cohort `{}`", cohort.value);
            let problem = Diagnostic::new(Code::W0502, title, cohort.span);
            reader
                .problem(problem.help("name it beside the faults that are to hit the same users"));
        }
    }
}
