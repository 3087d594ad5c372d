//! How many attempts operations took, client by client.

use crate::{
    report::{
        html::{
            plot::frame::{WIDTH, anchored, axes, sheet},
            theme::{Ink, TEXT},
        },
        summary::text::thousands,
    },
    verdict::picture::{ATTEMPTS, Tries},
};
use maud::Markup;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

/// Where bars begin on a scale that has no zero.
const BOTTOM: f64 = 0.6;

/// Of these clients, each in its colour; `None` if no operation began under faults.
pub(in crate::report::html) fn tries(tries: &[(Ink, &Tries)]) -> Option<Markup> {
    let most =
        tries.iter().flat_map(|(_, tries)| tries.operations).max().filter(|most| *most > 0)?;
    let last = tries
        .iter()
        .filter_map(|(_, tries)| tries.operations.iter().rposition(|count| *count > 0))
        .max()?;
    // A single bar says little about its place.
    let columns = (last + 1).max(5);
    let top = most as f64 * 3.0;
    let label = "Operations by the number of attempts they took, client by client.";
    Some(sheet(label, (WIDTH, 270), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_right(18)
            .x_label_area_size(44)
            .y_label_area_size(74)
            .build_cartesian_2d(0.5..columns as f64 + 0.5, (BOTTOM..top).log_scale())?;
        let count = |y: &f64| {
            // On such a scale only powers of ten are worth a label.
            let power = y.log10();
            if (power - power.round()).abs() < 1e-6 { format!("{y:.0}") } else { String::new() }
        };
        let name = |x: &f64| {
            let nth = x.round();
            let is_whole = (x - nth).abs() < 1e-6;
            match is_whole {
                true if (nth - ATTEMPTS as f64).abs() < 0.5 => format!("{ATTEMPTS} or more"),
                true => format!("{nth:.0}"),
                false => String::new(),
            }
        };
        axes(&mut chart, &name, &count, ("attempts", "operations"), columns + 2)?;
        let wide = 0.8 / tries.len() as f64;
        // For a number above each bar.
        let has_room = columns * tries.len() <= 20;
        for (nth, (ink, tries)) in tries.iter().enumerate() {
            let bars = tries.operations.iter().enumerate().filter(|(_, count)| **count > 0);
            for (at, count) in bars {
                let from = at as f64 + 0.6 + wide * nth as f64;
                let to = from + wide * 0.94;
                let place = [(from, BOTTOM), (to, *count as f64)];
                chart.draw_series([Rectangle::new(place, ink.day().filled())])?;
                if has_room {
                    let style = anchored(TEXT, HPos::Center, VPos::Bottom);
                    let middle = (f64::midpoint(from, to), *count as f64);
                    let text = Text::new(thousands(*count), (0, -3), style);
                    chart.draw_series([EmptyElement::at(middle) + text])?;
                }
            }
        }
        Ok(())
    }))
}
