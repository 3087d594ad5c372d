//! Stretches of a drill in whole seconds, and what came in them.

use crate::verdict::{course::Course, detect::Cx, flow::Second};

/// From a second on, up to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first second of it.
    pub from: usize,
    /// The first second after it.
    pub to: usize,
}

/// What came in a span. A rate is per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Came {
    /// How long the span is, in seconds.
    pub seconds: f64,
    /// Attempts that began.
    pub attempts: f64,
    /// Connections that were opened.
    pub connections: f64,
    /// Attempts that ended.
    pub ended: f64,
    /// Attempts that ended well.
    pub served: f64,
    /// Operations that began.
    pub operations: f64,
    /// Their attempts.
    pub of_operations: f64,
}

impl Span {
    /// The calm before the first fault, from the first attempt on; `None` if there was none.
    pub fn calm(cx: &Cx<'_>) -> Option<Self> {
        let to = whole(cx.course.fault_begun()?);
        let seconds = cx.flow.seconds();
        let from = seconds.iter().position(|second| second.attempts > 0)?;
        let begun = cx.course.legs().first().and_then(|leg| leg.begun).unwrap_or(0);
        let from = from.max(up(begun));
        (from < to).then_some(Self { from, to })
    }

    /// From the beginning of the first fault to the end of the last, or of all that was seen.
    pub fn fault(cx: &Cx<'_>) -> Option<Self> {
        Some(Self { from: whole(cx.course.fault_begun()?), to: whole(ended(cx.course)) })
    }

    /// One phase, or all faults.
    pub fn asked(cx: &Cx<'_>, phase: Option<usize>) -> Option<Self> {
        let Some(phase) = phase else { return Self::fault(cx) };
        let leg = cx.course.legs().get(phase)?;
        let to = leg.ended.unwrap_or_else(|| cx.course.horizon());
        Some(Self { from: whole(leg.begun?), to: whole(to) })
    }

    /// From the end of the last fault to the end of all that was seen.
    pub fn after(cx: &Cx<'_>) -> Option<Self> {
        let from = up(cx.course.fault_ended()?);
        Some(Self { from, to: whole(cx.course.horizon()).max(from) })
    }

    /// How long it is, in seconds.
    pub fn seconds(self) -> usize {
        self.to.saturating_sub(self.from)
    }

    /// What came in it.
    pub fn came(self, cx: &Cx<'_>) -> Came {
        let all = cx.flow.seconds();
        let seconds =
            &all[self.from.min(all.len())..self.to.min(all.len()).max(self.from.min(all.len()))];
        let sum = |what: fn(&Second) -> u32| seconds.iter().map(|s| f64::from(what(s))).sum();
        Came {
            seconds: self.seconds() as f64,
            attempts: sum(|second| second.attempts),
            connections: sum(|second| second.connections),
            ended: sum(|second| second.ended),
            served: sum(|second| second.served),
            operations: sum(|second| second.operations),
            of_operations: sum(|second| second.of_operations),
        }
    }
}

/// When the last fault ended; while it has not, the end of all that was seen.
fn ended(course: &Course) -> u64 {
    course.fault_ended().unwrap_or_else(|| course.horizon())
}

/// The second in which a time in microseconds lies.
pub(super) fn whole(time: u64) -> usize {
    usize::try_from(time / 1_000_000).unwrap_or(usize::MAX)
}

/// The first second that lies wholly after it.
fn up(time: u64) -> usize {
    usize::try_from(time.div_ceil(1_000_000)).unwrap_or(usize::MAX)
}

/// Seconds as a whole number; of none, or of ever so many, the largest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
pub(super) fn seconds_of(seconds: f64) -> usize {
    if seconds.is_nan() { usize::MAX } else { (seconds.ceil() as usize).min(usize::MAX / 16) }
}
