//! How long attempts took, over time: the darker, the more of them.

use crate::{
    report::html::{
        plot::frame::{Unit, WIDTH, axes, behind, edges, power, sheet, whole},
        theme::HEAT,
    },
    verdict::picture::{LATENCIES, Pictures, latency_from},
};
use maud::Markup;
use plotters::prelude::*;

/// `None` if nothing came.
pub(in crate::report::html) fn heat(pictures: &Pictures) -> Option<Markup> {
    let bins = pictures.latencies.as_ref().filter(|bins| !bins.counts().is_empty())?;
    let counts = bins.counts();
    let used = |row: &usize| counts.iter().any(|column| column[*row] > 0);
    let first = (0..LATENCIES).find(used)?;
    let last = (0..LATENCIES).rev().find(used)?;
    // Whole factors of ten, never less than two of them, and room for the names of phases.
    let low = latency_from(first / 4 * 4);
    let high = latency_from(((last + 4) / 4 * 4).max(first / 4 * 4 + 8));
    let top = high * 3.0;
    let most = counts.iter().flatten().copied().max().unwrap_or(1);
    let unit = Unit::of(pictures.horizon as f64 / 1e6);
    let end = unit.micros(pictures.horizon.max(1));
    let label = "How long attempts took, over time, on a scale of powers of ten.";
    Some(sheet(label, (WIDTH, 300), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_right(18)
            .x_label_area_size(30)
            .y_label_area_size(74)
            .build_cartesian_2d(0.0..end, (low * 0.999..top).log_scale())?;
        behind(&mut chart, pictures, unit, (low, top))?;
        let names = ("", "time an attempt took");
        axes(&mut chart, &|x| unit.label(*x), &|y| power(*y), names, 12)?;
        for (at, column) in (0_u64..).zip(counts) {
            let from = unit.micros(at * bins.width());
            let to = unit.micros((at + 1) * bins.width()).min(end);
            let cells = column.iter().enumerate().filter(|(_, count)| **count > 0);
            chart.draw_series(cells.map(|(row, count)| {
                let place = [(from, latency_from(row)), (to, latency_from(row + 1))];
                Rectangle::new(place, HEAT[shade(*count, most)].day().filled())
            }))?;
        }
        edges(&mut chart, pictures, unit, (low, top))
    }))
}

/// Which of the shades: each stands for so many times more than the one before.
fn shade(count: u32, most: u32) -> usize {
    let share = f64::from(count).ln_1p() / f64::from(most.max(1)).ln_1p();
    whole(share * HEAT.len() as f64).min(HEAT.len() - 1)
}
