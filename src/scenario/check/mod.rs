//! Problems that need more than one value to see.

mod expectations;
mod groups;
mod idle;
mod layers;
mod names;
mod shadow;

use crate::{
    read::Reader,
    scenario::draft::{Draft, DraftEntry},
};

/// Runs all checks. Each notes what it finds; the renderer puts it all in file order.
pub(super) fn all(draft: &Draft, reader: &mut Reader<'_>) {
    names::check(draft, reader);
    for phase in &draft.phases {
        for entry in &phase.entries {
            layers::check(entry, reader);
        }
        groups::check(phase, reader);
        shadow::check(phase, reader);
        idle::check_phase(phase, reader);
    }
    idle::check(draft, reader);
    expectations::check(draft, reader);
}

/// Runs those that one fault by itself is enough for.
pub(super) fn alone(entry: &DraftEntry, reader: &mut Reader<'_>) {
    layers::check(entry, reader);
}
