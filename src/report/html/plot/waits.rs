//! How long clients waited before each retry, with the shape that fits.

use crate::{
    report::html::{
        plot::frame::{WIDTH, axes, power, sheet},
        theme::Ink,
    },
    verdict::{
        picture::Waits,
        stats::{Backoff, Shape},
    },
};
use maud::Markup;
use plotters::prelude::*;

/// Points that are drawn of one client and retry.
const DRAWN: usize = 40;
/// The least wait that is told apart, in seconds.
const LEAST: f64 = 0.001;

/// Of these clients, each in its colour; `None` if nobody tried anything again.
pub(in crate::report::html) fn waits(waits: &[(Ink, &Waits)]) -> Option<Markup> {
    let all = || waits.iter().flat_map(|(_, waits)| waits.sample.iter().flatten().copied());
    let longest = all().fold(LEAST, f64::max);
    let shortest = all().fold(f64::INFINITY, f64::min);
    if !shortest.is_finite() {
        return None;
    }
    let columns =
        waits.iter().flat_map(|(_, waits)| waits.sample.iter().map(Vec::len)).max()?.max(3);
    let low = 10_f64.powf(shortest.max(LEAST).log10().floor());
    let high = 10_f64.powf((longest * 1.2).log10().ceil()).max(low * 100.0);
    let label = "The waits before each retry, client by client, with medians and the fitted shape.";
    Some(sheet(label, (WIDTH, 300), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_right(18)
            .x_label_area_size(44)
            .y_label_area_size(74)
            .build_cartesian_2d(0.5..columns as f64 + 0.5, (low * 0.9..high).log_scale())?;
        let name = |x: &f64| {
            if (x - x.round()).abs() < 1e-6 { format!("{x:.0}") } else { String::new() }
        };
        axes(&mut chart, &name, &|y| power(*y), ("retry", "wait before it"), columns + 2)?;
        let wide = 0.8 / waits.len() as f64;
        for (nth, (ink, waits)) in waits.iter().enumerate() {
            let left = 0.6 + wide * nth as f64;
            for index in 0..columns {
                let points = column(waits, index);
                let count = points.len();
                chart.draw_series(points.into_iter().enumerate().map(|(at, wait)| {
                    // Side by side, since many are alike.
                    let aside = (at as f64 + 0.5) / count as f64 * wide * 0.9;
                    let place = (left + index as f64 + aside, wait.max(low));
                    Circle::new(place, 2, ink.day().mix(0.55).filled())
                }))?;
                if let Some(median) = waits.shape.as_ref().and_then(|s| s.medians.get(index)) {
                    let from = left + index as f64;
                    let at = median.max(low);
                    let line = [(from, at), (from + wide * 0.9, at)];
                    let line = PathElement::new(line, ink.day().stroke_width(3));
                    chart.draw_series([line])?;
                }
            }
            let middle = left + wide * 0.45;
            let fitted = waits.shape.as_ref().map(fitted).unwrap_or_default();
            let points = (0_usize..).zip(fitted).map(|(at, y)| (middle + at as f64, y.max(low)));
            chart.draw_series([PathElement::new(
                points.collect::<Vec<_>>(),
                ink.day().stroke_width(1),
            )])?;
        }
        Ok(())
    }))
}

/// Some of the waits before one retry, evenly from all that are kept.
fn column(waits: &Waits, index: usize) -> Vec<f64> {
    let all: Vec<f64> = waits.sample.iter().filter_map(|waits| waits.get(index)).copied().collect();
    let every = all.len().div_ceil(DRAWN).max(1);
    all.into_iter().step_by(every).collect()
}

/// The waits that the named shape has, in seconds; empty if none is named.
pub(super) fn fitted(backoff: &Backoff) -> Vec<f64> {
    let medians = &backoff.medians;
    let flat = backoff.capped_from.unwrap_or(usize::MAX);
    let index = |at: usize| (at + 1).min(flat) as f64;
    let mean = |scaled: &dyn Fn(usize) -> f64| {
        let logs = medians.iter().enumerate().filter(|(_, median)| **median > 0.0);
        let (sum, count) = logs.fold((0.0, 0.0), |(sum, count), (at, median)| {
            (sum + (median / scaled(at)).ln(), count + 1.0)
        });
        if count > 0.0 { (sum / count).exp() } else { 0.0 }
    };
    // What one unit of the shape is, on the scale on which it was fitted.
    let shaped = |scale: &dyn Fn(usize) -> f64| -> Vec<f64> {
        let one = mean(scale);
        (0..medians.len()).map(|at| one * scale(at)).collect()
    };
    // An immediate first retry is no part of the shape.
    if backoff.first_immediate || medians.len() < 2 {
        return Vec::new();
    }
    match (backoff.shape, backoff.growth) {
        (Shape::Constant, _) => shaped(&|_| 1.0),
        (Shape::Linear, _) => shaped(&|at| index(at)),
        (Shape::Exponential, Some(growth)) => shaped(&|at| growth.powf(index(at) - 1.0)),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::stats::classify;

    #[test]
    fn what_is_fitted_is_what_was_waited() {
        let doubling: Vec<Vec<f64>> = vec![vec![0.1, 0.2, 0.4, 0.8, 1.6]; 30];
        let backoff = classify(&doubling, 0.05).expect("gaps");
        let fitted = fitted(&backoff);

        assert_eq!(fitted.len(), 5);
        for (fit, wait) in fitted.iter().zip(&doubling[0]) {
            assert!((fit / wait - 1.0).abs() < 0.05, "{fitted:?}");
        }
    }
}
