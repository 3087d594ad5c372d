//! What came in around the end of the faults, tenth of a second by tenth of a second.

use crate::verdict::{
    course::{Course, Stage},
    flow::{FINE, Flow},
};

/// How far around the end is looked, in microseconds.
const AROUND: u64 = 30_000_000;

/// Arrivals around the end of the last fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// The end of the last phase with faults, in microseconds since the drill's start.
    pub at: u64,
    /// Where the first bin begins.
    pub from: u64,
    /// Attempts that began, in bins of a tenth of a second.
    pub arrivals: Vec<u32>,
    /// How many there are in a bin in calm; `None` if there was no calm.
    pub calm: Option<f64>,
}

impl Recovery {
    pub(super) fn of(flow: &Flow, course: &Course) -> Option<Self> {
        let at = course.fault_ended()?;
        let first = at.saturating_sub(AROUND) / FINE;
        let last = (at.saturating_add(AROUND)).min(course.horizon()) / FINE;
        let fine = flow.fine();
        let bin = |at: u64| usize::try_from(at).ok().and_then(|at| fine.get(at)).copied();
        let arrivals = (first..=last).map(|at| bin(at).unwrap_or(0)).collect();
        Some(Self { at, from: first * FINE, arrivals, calm: calm(fine, course) })
    }
}

/// The mean of a bin in calm.
fn calm(fine: &[u32], course: &Course) -> Option<f64> {
    let (mut came, mut bins) = (0_u64, 0_u64);
    for (at, leg) in course.legs().iter().enumerate() {
        if course.stage(u16::try_from(at).ok()) != Stage::Base {
            continue;
        }
        let (Some(begun), Some(ended)) = (leg.begun, leg.ended) else { continue };
        let place = |time: u64| usize::try_from(time / FINE).unwrap_or(usize::MAX);
        bins += ended.saturating_sub(begun) / FINE;
        let inside = fine.iter().take(place(ended)).skip(place(begun));
        came += inside.map(|count| u64::from(*count)).sum::<u64>();
    }
    (bins > 0).then(|| came as f64 / bins as f64)
}
