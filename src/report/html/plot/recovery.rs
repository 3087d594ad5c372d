//! What came in around the end of the faults: whether a herd did.

use crate::{
    report::html::{
        plot::frame::{WIDTH, anchored, axes, sheet, short, steps},
        theme::{CLIENTS, MARK, TEXT},
    },
    verdict::picture::Recovery,
};
use maud::Markup;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

/// `None` if nothing came then.
pub(in crate::report::html) fn recovery(recovery: &Recovery) -> Option<Markup> {
    let most = recovery.arrivals.iter().max().filter(|most| **most > 0)?;
    let since = |time: u64| (time as f64 - recovery.at as f64) / 1e6;
    let levels: Vec<(f64, f64)> = (0_u64..)
        .zip(&recovery.arrivals)
        .map(|(at, count)| (since(recovery.from + at * 100_000), f64::from(*count)))
        .collect();
    let (first, last) = (levels.first()?.0, levels.last()?.0 + 0.1);
    let top = f64::from(*most).max(recovery.calm.unwrap_or(0.0)) * 1.2;
    let label = "Attempts that came in each tenth of a second around the end of the faults.";
    Some(sheet(label, (WIDTH, 250), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_right(18)
            .x_label_area_size(44)
            .y_label_area_size(58)
            .build_cartesian_2d(first..last, 0.0..top)?;
        let x = |x: &f64| format!("{} s", short(*x));
        let names = ("time after the last fault", "attempts per 100 ms");
        axes(&mut chart, &x, &|y| short(*y), names, 13)?;
        let mut points = vec![(first, 0.0)];
        points.extend(steps(&levels, last));
        points.push((last, 0.0));
        chart.draw_series([Polygon::new(points, CLIENTS[0].day().filled())])?;
        let edge = PathElement::new([(0.0, 0.0), (0.0, top)], MARK.day().stroke_width(2));
        chart.draw_series([edge])?;
        let style = anchored(TEXT, HPos::Left, VPos::Top);
        let text = EmptyElement::at((0.0, top)) + Text::new("faults end", (6, 2), style);
        chart.draw_series([text])?;
        if let Some(calm) = recovery.calm {
            let level = PathElement::new([(first, calm), (last, calm)], TEXT.day().stroke_width(1));
            chart.draw_series([level])?;
        }
        Ok(())
    }))
}
