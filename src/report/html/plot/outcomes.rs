//! How attempts ended, over time, with the phases behind.

use crate::{
    report::html::{
        plot::frame::{Unit, WIDTH, axes, behind, edges, sheet, short, steps},
        theme::{HANDS, OUTCOMES},
    },
    verdict::picture::{Bins, ENDS, Pictures},
};
use maud::Markup;
use plotters::prelude::*;

/// Bins that are drawn, at most.
const DRAWN: usize = 300;
/// Fewer attempts than this in a bin, on average, make for a comb; then bins are joined.
const FEW: u64 = 6;
/// But not to fewer bins than this.
const LEAST: usize = 24;

/// `None` if nothing came.
pub(in crate::report::html) fn outcomes(pictures: &Pictures) -> Option<Markup> {
    let bins = pictures.outcomes.as_ref().filter(|bins| !bins.counts().is_empty())?;
    let (width, counts) = joined(bins);
    let horizon = pictures.horizon.max(1);
    let unit = Unit::of(horizon as f64 / 1e6);
    let end = unit.micros(horizon);
    let seconds = width as f64 / 1e6;
    let rate = |count: &[u32; ENDS], upto: usize| {
        count[..upto].iter().map(|count| f64::from(*count)).sum::<f64>() / seconds
    };
    let peak = counts.iter().map(|count| rate(count, ENDS)).fold(0.0, f64::max).max(1e-9) * 1.15;
    let levels = |upto: usize| {
        let levels: Vec<(f64, f64)> = (0_u64..)
            .zip(&counts)
            .map(|(at, count)| (unit.micros(at * width).min(end), rate(count, upto)))
            .collect();
        let last = unit.micros(counts.len() as u64 * width).min(end);
        steps(&levels, last)
    };
    let label = "Attempts per second over time, by how they ended, with the phases behind.";
    Some(sheet(label, (WIDTH, 300), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_right(18)
            .x_label_area_size(30)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..end, 0.0..peak)?;
        behind(&mut chart, pictures, unit, (0.0, peak))?;
        axes(&mut chart, &|x| unit.label(*x), &|y| short(*y), ("", "attempts per second"), 12)?;
        for (at, ink) in OUTCOMES.iter().chain([&HANDS]).enumerate() {
            if counts.iter().all(|count| count[at] == 0) {
                continue;
            }
            let mut points = levels(at + 1);
            points.extend(levels(at).into_iter().rev());
            chart.draw_series([Polygon::new(points, ink.day().filled())])?;
        }
        edges(&mut chart, pictures, unit, (0.0, peak))
    }))
}

fn joined(bins: &Bins<ENDS>) -> (u64, Vec<[u32; ENDS]>) {
    let (mut width, mut counts) = (bins.width(), bins.counts().to_vec());
    let all: u64 = counts.iter().flatten().map(|count| u64::from(*count)).sum();
    while counts.len() > DRAWN || counts.len() > LEAST && all < counts.len() as u64 * FEW {
        width *= 2;
        let pairs = counts.chunks(2);
        let join = |pair: &[[u32; ENDS]]| {
            let second = pair.get(1).copied().unwrap_or_default();
            std::array::from_fn(|at| pair[0][at].saturating_add(second[at]))
        };
        counts = pairs.map(join).collect();
    }
    (width, counts)
}
