//! The rows of a plan: one for each fault, with a bar that follows its share.

use super::{axis::Axis, paint::Paint, words};
use crate::{
    report,
    scenario::{FaultEntry, Scenario},
    timeline::{Moment, Timeline},
    units::Percent,
};
use std::{ops::Range, time::Duration};

/// From a trace of the peak to all of it.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Looks taken at each column; a flapping fault is seen on and off.
const LOOKS: u32 = 32;

/// A fault over all phases: entries of one name.
#[derive(Debug)]
pub(super) struct Row<'s> {
    name: &'s str,
    /// Each entry, with its phase.
    entries: Vec<(usize, &'s FaultEntry)>,
}

/// All rows, in the order in which their faults first appear.
pub(super) fn rows(scenario: &Scenario) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (phase, entry) in
        scenario.phases.iter().enumerate().flat_map(|(at, p)| p.faults.iter().map(move |f| (at, f)))
    {
        match rows.iter_mut().find(|row| row.name == entry.name) {
            Some(row) => row.entries.push((phase, entry)),
            None => rows.push(Row { name: &entry.name, entries: vec![(phase, entry)] }),
        }
    }
    rows
}

/// Columns for the names of rows: enough for the longest, up to a third of the width.
pub(super) fn label_width(rows: &[Row<'_>], width: usize) -> usize {
    let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    (longest + 2).clamp(8, width / 3)
}

impl Row<'_> {
    /// The name with the bar, and below them what the fault is.
    pub(super) fn draw(
        &self,
        scenario: &Scenario,
        timeline: &Timeline,
        axis: &Axis,
        (label, width): (usize, usize),
        paint: Paint,
    ) -> Vec<String> {
        let name = report::shorten(self.name, label - 1);
        let bar = self.bar(timeline, axis);
        let entry = self.chief(scenario);
        let what = format!(
            "  {} on {}: {}",
            entry.kind,
            words::whom_at_most(entry, self.peak(), scenario),
            entry.fault.describe()
        );
        vec![
            format!("{name:<label$}{}", paint.bar(&*entry.fault, &bar)),
            paint.faint(&report::shorten(&what, width)),
        ]
    }

    /// The largest share it ever has.
    fn peak(&self) -> Percent {
        let peaks = self.entries.iter().map(|(_, entry)| entry.share.amount.peak());
        peaks.fold(Percent::NONE, |most, peak| if peak > most { peak } else { most })
    }

    /// The entry that speaks for the row: that of the longest phase.
    fn chief(&self, scenario: &Scenario) -> &FaultEntry {
        let mut chief = self.entries[0];
        for &(phase, entry) in &self.entries[1..] {
            if scenario.phases[phase].length > scenario.phases[chief.0].length {
                chief = (phase, entry);
            }
        }
        chief.1
    }

    /// Its force over time: each column the mean of a stretch, as a part of the row's peak.
    fn bar(&self, timeline: &Timeline, axis: &Axis) -> String {
        let mut peak = 0.0_f64;
        let means: Vec<f64> = axis
            .columns
            .iter()
            .map(|column| {
                let mut sum = 0.0;
                for time in looks(column) {
                    let (force, on) = self.force(timeline, time);
                    peak = peak.max(force);
                    sum += if on { force } else { 0.0 };
                }
                sum / f64::from(LOOKS)
            })
            .collect();
        means.into_iter().map(|mean| height(mean / peak)).collect()
    }

    /// Its share times its strength at a time, and whether its pattern has it on just then.
    fn force(&self, timeline: &Timeline, time: Duration) -> (f64, bool) {
        let Some(position) = timeline.position(time) else {
            return (0.0, false);
        };
        let moment = Moment {
            elapsed: position.elapsed,
            length: timeline.length_of(position.phase),
            run: Duration::ZERO,
        };
        let Some((_, entry)) = self.entries.iter().find(|(phase, _)| *phase == position.phase)
        else {
            return (0.0, false);
        };
        let share = entry.share.amount.at(&moment).fraction();
        let on = entry.pattern.is_none_or(|pattern| pattern.is_on(&moment));
        (share * entry.fault.strength(&moment), on)
    }
}

/// Times spread evenly over a column.
fn looks(column: &Range<Duration>) -> impl Iterator<Item = Duration> {
    let (start, span) = (column.start, column.end.saturating_sub(column.start));
    (0..LOOKS).map(move |n| start + span.mul_f64((f64::from(n) + 0.5) / f64::from(LOOKS)))
}

/// The glyph for a part of the row's peak, rather than of everything: a row that never exceeds 1 %
/// can be read as well as one that reaches 100 %.
fn height(part: f64) -> char {
    // A hair less, so that rounding never lifts a full eighth into the next.
    let eighths = part * 8.0 - 1e-6;
    let above = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].iter().filter(|h| eighths > **h).count();
    above.checked_sub(1).map_or(' ', |at| HEIGHTS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_at_the_peak_and_empty_at_nothing() {
        let bar: String = [0.0, 0.001, 0.5, 0.501, 1.0].into_iter().map(height).collect();
        assert_eq!(bar, " ▁▄▅█");
    }

    #[test]
    fn a_fault_that_hits_nobody_has_no_bar() {
        assert_eq!(height(f64::NAN), ' ');
    }
}
