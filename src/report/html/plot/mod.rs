//! Plots as SVG inside the page.

mod frame;
mod heat;
mod ladder;
mod outcomes;
mod recovery;
mod tries;
mod waits;

pub(super) use heat::heat;
pub(super) use ladder::ladder;
pub(super) use outcomes::outcomes;
pub(super) use recovery::recovery;
pub(super) use tries::tries;
pub(super) use waits::waits;
