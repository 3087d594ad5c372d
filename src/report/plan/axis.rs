//! The time axis: which stretch of scenario time each column stands for.
//!
//! An outage of three days has an onset of minutes. Drawn to scale the onset would vanish, so
//! every phase gets a few columns, and time runs evenly only within a phase.

use super::paint::Paint;
use crate::{report, scenario::Scenario, timeline::Timeline, units::show_duration};
use std::{ops::Range, time::Duration};

/// Columns enough for a phase's name and length to be read.
const LEAST: usize = 8;

/// Columns between two ticks within a phase.
const APART: usize = 14;

/// Steps that people count in, in seconds.
const STEPS: &[u64] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 432_000, 864_000, 2_592_000, 7_776_000,
];

/// The columns of a plan.
#[derive(Debug)]
pub(super) struct Axis {
    /// Scenario time of each column, in order.
    pub(super) columns: Vec<Range<Duration>>,
    /// The first column of each phase, and at the end the number of columns.
    starts: Vec<usize>,
    /// Whether time runs evenly from the first column to the last.
    pub(super) to_scale: bool,
}

impl Axis {
    /// Shares `width` columns out among the phases.
    pub(super) fn new(timeline: &Timeline, width: usize) -> Self {
        let phases = timeline.phases();
        if phases > width {
            return Self::even(timeline, width);
        }
        let lengths: Vec<Duration> = (0..phases).map(|p| timeline.length_of(p)).collect();
        let least = LEAST.min(width.checked_div(phases).unwrap_or(0));
        let widths = share_out(&lengths, width, least);
        let mut columns = Vec::with_capacity(width);
        let mut starts = Vec::with_capacity(phases + 1);
        for (phase, &wide) in widths.iter().enumerate() {
            starts.push(columns.len());
            columns.extend(slices(timeline.start_of(phase), lengths[phase], wide));
        }
        starts.push(columns.len());
        let total = timeline.length().as_secs_f64();
        let fair = |(wide, length): (&usize, &Duration)| {
            (*wide as f64 - width as f64 * length.as_secs_f64() / total).abs() < 1.0
        };
        let to_scale = widths.iter().zip(&lengths).all(fair);
        Self { columns, starts, to_scale }
    }

    /// For more phases than columns: evenly, whatever falls between two columns.
    fn even(timeline: &Timeline, width: usize) -> Self {
        let columns: Vec<_> = slices(Duration::ZERO, timeline.length(), width).collect();
        let first = |phase| columns.partition_point(|c| c.start < timeline.start_of(phase));
        let starts = (0..=timeline.phases()).map(first).collect();
        Self { columns, starts, to_scale: true }
    }

    /// Names of phases, their lengths, a line with ticks, and times at the ticks.
    pub(super) fn draw(
        &self,
        scenario: &Scenario,
        timeline: &Timeline,
        label: usize,
        paint: Paint,
    ) -> Vec<String> {
        let width = self.columns.len();
        let (mut names, mut lengths) = (vec![' '; width], vec![' '; width]);
        let (mut line, mut times) = (vec!['─'; width], vec![' '; width]);
        for (at, phase) in scenario.phases.iter().enumerate() {
            let (start, end) = (self.starts[at], self.starts[at + 1]);
            if start == end {
                continue;
            }
            let room = end - start - 1;
            write(&mut names, start, &report::shorten(&phase.name, room));
            write_if_fits(&mut lengths, start, &show_duration(timeline.length_of(at)), room);
            line[start] = if start == 0 { '├' } else { '┼' };
            write_if_fits(&mut times, start, &show_duration(timeline.start_of(at)), room);
            for (tick, time) in self.ticks(start..end, timeline.start_of(at)) {
                line[tick] = '┬';
                write(&mut times, tick, &show_duration(time));
            }
        }
        let text = |chars: Vec<char>| chars.into_iter().collect::<String>();
        let margin = " ".repeat(label);
        vec![
            format!("{margin}{}", paint.strong(&text(names))),
            format!("{margin}{}", text(lengths)),
            format!("{margin}{}", paint.faint(&text(line))),
            format!("{margin}{}", text(times)),
        ]
    }

    /// Round times within a phase that have room for their labels, and their columns.
    fn ticks(&self, phase: Range<usize>, start: Duration) -> Vec<(usize, Duration)> {
        let columns = &self.columns[phase.clone()];
        let Some(last) = columns.last().filter(|_| columns.len() >= 2 * APART) else {
            return Vec::new();
        };
        let length = last.end.saturating_sub(start).as_secs_f64();
        let apart = length / columns.len() as f64 * APART as f64;
        let Some(step) = STEPS.iter().find(|step| **step as f64 >= apart) else {
            return Vec::new();
        };
        let first = start.as_secs() / step + 1;
        let times = (first..).map(|n| Duration::from_secs(n * step)).take_while(|t| *t < last.end);
        times
            .map(|time| (phase.start + columns.partition_point(|c| c.end <= time), time))
            .filter(|(column, _)| (phase.start + LEAST..phase.end - LEAST).contains(column))
            .collect()
    }
}

/// `length` from `start` in `count` equal slices.
fn slices(
    start: Duration,
    length: Duration,
    count: usize,
) -> impl Iterator<Item = Range<Duration>> {
    let edge = move |n: usize| start + length.mul_f64(n as f64 / count as f64);
    (0..count).map(move |n| edge(n)..edge(n + 1))
}

/// Columns in proportion to lengths, but no fewer than `least` for any; together `width`.
fn share_out(lengths: &[Duration], width: usize, least: usize) -> Vec<usize> {
    let mut small = vec![false; lengths.len()];
    loop {
        let (left, time) = left_over(lengths, &small, width, least);
        let scaled = |length: &Duration| left as f64 * length.as_secs_f64() / time;
        let grown = (0..lengths.len()).find(|&p| !small[p] && scaled(&lengths[p]) < least as f64);
        let Some(phase) = grown else {
            return rounded(lengths, &small, (left, time), least);
        };
        small[phase] = true;
    }
}

/// Columns and seconds that remain for the phases that are not small.
fn left_over(lengths: &[Duration], small: &[bool], width: usize, least: usize) -> (usize, f64) {
    let taken = small.iter().filter(|small| **small).count() * least;
    let large = lengths.iter().zip(small).filter(|(_, small)| !**small);
    (width.saturating_sub(taken), large.map(|(length, _)| length.as_secs_f64()).sum())
}

/// Whole columns whose edges lie where the exact ones do, rounded, so that nothing is lost.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of columns, at most `WIDEST`"
)]
fn rounded(
    lengths: &[Duration],
    small: &[bool],
    (left, time): (usize, f64),
    least: usize,
) -> Vec<usize> {
    let (mut exact, mut given) = (0.0, 0);
    let share = |(length, small): (&Duration, &bool)| {
        if *small {
            return least;
        }
        exact += left as f64 * length.as_secs_f64() / time;
        let wide = (exact.round() as usize).saturating_sub(given);
        given += wide;
        wide
    };
    lengths.iter().zip(small).map(share).collect()
}

fn write(into: &mut [char], at: usize, text: &str) {
    for (slot, c) in into.iter_mut().skip(at).zip(text.chars()) {
        *slot = c;
    }
}

fn write_if_fits(into: &mut [char], at: usize, text: &str, room: usize) {
    if text.chars().count() <= room {
        write(into, at, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Stretch;
    use proptest::prelude::*;

    fn timeline(seconds: &[u64]) -> Timeline {
        let stretch = |s: &u64| Stretch { length: Duration::from_secs(*s), compress: true };
        Timeline::new(seconds.iter().map(stretch).collect())
    }

    fn widths(seconds: &[u64], width: usize) -> Vec<usize> {
        let axis = Axis::new(&timeline(seconds), width);
        axis.starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn phases_of_like_length_are_drawn_to_scale() {
        assert_eq!(widths(&[60, 120, 60], 40), [10, 20, 10]);
        assert!(Axis::new(&timeline(&[60, 120, 60]), 40).to_scale);
    }

    #[test]
    fn a_short_phase_keeps_its_columns_beside_a_long_one() {
        assert_eq!(widths(&[60, 100_000, 60], 60), [LEAST, 44, LEAST]);
        assert!(!Axis::new(&timeline(&[60, 100_000, 60]), 60).to_scale);
    }

    proptest! {
        /// However many phases there are and however long, all columns are there, in order,
        /// without a gap, from the start to the end.
        #[test]
        fn columns_cover_the_timeline(
            seconds in prop::collection::vec(1_u64..1_000_000, 1..80),
            width in 10_usize..200,
        ) {
            let timeline = timeline(&seconds);
            let axis = Axis::new(&timeline, width);

            prop_assert_eq!(axis.columns.len(), width);
            prop_assert_eq!(axis.columns[0].start, Duration::ZERO);
            for pair in axis.columns.windows(2) {
                let gap = pair[1].start.abs_diff(pair[0].end);
                prop_assert!(gap < Duration::from_micros(1));
                prop_assert!(pair[0].start < pair[0].end);
            }
            let end = axis.columns[width - 1].end.abs_diff(timeline.length());
            prop_assert!(end < Duration::from_micros(1));
        }
    }
}
