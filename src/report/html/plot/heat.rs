//! How long attempts took, over time: the darker, the more of them.

use crate::{
    report::html::{
        plot::frame::{Unit, WIDTH, axes, phases, sheet, whole},
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
    // Whole factors of ten, and never less than two of them.
    let low = first / 4 * 4;
    let high = ((last + 4) / 4 * 4).max(low + 8);
    let most = counts.iter().flatten().copied().max().unwrap_or(1);
    let horizon = pictures.horizon.max(1);
    let unit = Unit::of(horizon as f64 / 1e6);
    let end = unit.micros(horizon);
    let label = "How long attempts took, over time, on a scale of powers of ten.";
    Some(sheet(label, (WIDTH, 300), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_right(18)
            .x_label_area_size(30)
            .y_label_area_size(58)
            .build_cartesian_2d(0.0..end, low as f64..high as f64 + 1.6)?;
        let span = (low as f64, high as f64 + 1.6);
        phases(&mut chart, &pictures.legs, horizon, unit, span)?;
        // Rows are numbered, and only those that begin a factor of ten have a label.
        let name = |row: &f64| match (*row, *row % 4.0) {
            (row, rest) if rest.abs() < 1e-6 && row <= high as f64 => seconds(whole(row)),
            _ => String::new(),
        };
        chart.configure_mesh().disable_mesh().disable_axes().draw()?;
        axes(&mut chart, &|x| unit.label(*x), &name, ("", "time an attempt took"))?;
        for (at, column) in (0_u64..).zip(counts) {
            let from = unit.micros(at * bins.width());
            let to = unit.micros((at + 1) * bins.width()).min(end);
            let cells = column.iter().enumerate().filter(|(_, count)| **count > 0);
            chart.draw_series(cells.map(|(row, count)| {
                let place = [(from, row as f64), (to, row as f64 + 1.0)];
                Rectangle::new(place, HEAT[shade(*count, most)].day().filled())
            }))?;
        }
        Ok(())
    }))
}

/// Which of the shades: each stands for so many times more than the one before.
fn shade(count: u32, most: u32) -> usize {
    let share = f64::from(count).ln_1p() / f64::from(most.max(1)).ln_1p();
    whole(share * HEAT.len() as f64).min(HEAT.len() - 1)
}

/// Where a row begins, in words.
fn seconds(row: usize) -> String {
    let seconds = latency_from(row);
    if seconds < 0.000_9 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 0.9 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{seconds:.0} s")
    }
}
