//! What plots have in common: the sheet they are drawn on, axes of time, phases behind.

use crate::{
    report::{
        html::theme::{AXIS, EDGE, FAULTY, GRID, Ink, QUIET, TEXT},
        shorten,
    },
    verdict::{Leg, picture::Pictures},
};
use maud::{Markup, PreEscaped, html};
use plotters::{
    coord::{Shift, ranged1d::ValueFormatter, types::RangedCoordf64},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::io;

/// How wide a plot is, in its own pixels; a page scales it.
pub(super) const WIDTH: u32 = 860;
/// The height of letters.
const LETTERS: f64 = 15.0;
/// About how wide a letter is.
const LETTER: f64 = 6.6;

pub(super) type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;
pub(super) type Chart<'c, 's, Y> = ChartContext<'c, SVGBackend<'s>, Cartesian2d<RangedCoordf64, Y>>;
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// Draws a plot. What it shows is told by `label` where it cannot be seen.
pub(super) fn sheet(
    label: &str,
    (width, height): (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Markup {
    let mut svg = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        draw(&area).and_then(|()| area.present())
    };
    if drawn.is_err() {
        return html! { p.quiet { "This plot could not be drawn." } };
    }
    // Its size is the page's to choose; only its proportions stay.
    let head = format!("<svg width=\"{width}\" height=\"{height}\" ");
    let body = svg.strip_prefix(&head).unwrap_or_default();
    let small = body.replace(">\n", ">").replace(" opacity=\"1\"", "");
    html! {
        div.wide {
            (PreEscaped("<svg class=\"plot\" role=\"img\" aria-label=\""))
            (label)
            (PreEscaped("\" "))
            (PreEscaped(small))
        }
    }
}

/// Letters of a colour.
pub(super) fn letters(ink: Ink) -> TextStyle<'static> {
    ("sans-serif", LETTERS).into_font().color(&ink.day())
}

/// Letters that stand so.
pub(super) fn anchored(ink: Ink, across: HPos, along: VPos) -> TextStyle<'static> {
    letters(ink).pos(Pos::new(across, along))
}

/// A unit of time that makes for short labels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) seconds: f64,
    name: &'static str,
}

impl Unit {
    /// For stretches as long as this, in seconds.
    pub(super) fn of(seconds: f64) -> Self {
        let (length, name) = match seconds {
            0.0..300.0 => (1.0, "s"),
            300.0..18_000.0 => (60.0, "min"),
            18_000.0..400_000.0 => (3_600.0, "h"),
            _ => (86_400.0, "days"),
        };
        Self { seconds: length, name }
    }

    /// Microseconds in this unit.
    pub(super) fn micros(self, micros: u64) -> f64 {
        micros as f64 / 1e6 / self.seconds
    }

    pub(super) fn label(self, value: f64) -> String {
        format!("{} {}", short(value), self.name)
    }
}

/// A number without digits that say nothing.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Draws axes and a quiet grid.
pub(super) fn axes<Y>(
    chart: &mut Chart<'_, '_, Y>,
    x: &dyn Fn(&f64) -> String,
    y: &dyn Fn(&f64) -> String,
    names: (&str, &str),
    labels: usize,
) -> Drawn
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .bold_line_style(GRID.day())
        .light_line_style(RGBAColor(0, 0, 0, 0.0))
        .axis_style(AXIS.day())
        .label_style(letters(TEXT))
        .axis_desc_style(letters(QUIET))
        .x_label_formatter(x)
        .y_label_formatter(y)
        .x_labels(labels)
        .y_labels(6)
        .x_desc(names.0)
        .y_desc(names.1);
    mesh.draw()
}

/// Draws the phases with faults behind what comes next.
pub(super) fn behind<Y>(
    chart: &mut Chart<'_, '_, Y>,
    pictures: &Pictures,
    unit: Unit,
    (low, high): (f64, f64),
) -> Drawn
where
    Y: Ranged<ValueType = f64>,
{
    let faulty = spans(pictures, unit).filter(|(leg, _, _)| leg.is_faulty);
    chart
        .draw_series(faulty.map(|(_, from, to)| {
            Rectangle::new([(from, low), (to, high)], FAULTY.day().filled())
        }))?;
    Ok(())
}

/// Draws where phases begin, and what they are called, as far as there is room.
pub(super) fn edges<Y>(
    chart: &mut Chart<'_, '_, Y>,
    pictures: &Pictures,
    unit: Unit,
    (low, high): (f64, f64),
) -> Drawn
where
    Y: Ranged<ValueType = f64>,
{
    let (pixels, _) = chart.plotting_area().dim_in_pixel();
    for (leg, from, to) in spans(pictures, unit) {
        let share = (to - from) / unit.micros(pictures.horizon.max(1));
        let room = share * f64::from(pixels) / LETTER;
        let name = shorten(&leg.name, whole(room).saturating_sub(1));
        // Of many short ones the lines would hide what is behind them.
        if name.chars().count() > 2 {
            let edge = PathElement::new([(from, low), (from, high)], EDGE.day().stroke_width(1));
            chart.draw_series([edge])?;
            let style = anchored(QUIET, HPos::Left, VPos::Top);
            let text = EmptyElement::at((from, high)) + Text::new(name, (4, 3), style);
            chart.draw_series([text])?;
        }
    }
    Ok(())
}

/// The phases that were played, with their beginning and end.
fn spans(pictures: &Pictures, unit: Unit) -> impl Iterator<Item = (&Leg, f64, f64)> {
    let horizon = pictures.horizon;
    pictures.legs.iter().filter_map(move |leg| {
        let to = leg.ended.unwrap_or(horizon).min(horizon);
        Some((leg, unit.micros(leg.begun?.min(to)), unit.micros(to)))
    })
}

/// A wait or a latency as a label, if it is a power of ten of seconds.
pub(super) fn power(seconds: f64) -> String {
    let power = seconds.log10();
    match (power - power.round()).abs() < 1e-6 {
        false => String::new(),
        true if seconds < 0.000_9 => format!("{:.1} ms", seconds * 1e3),
        true if seconds < 0.9 => format!("{:.0} ms", seconds * 1e3),
        true => format!("{seconds:.0} s"),
    }
}

/// A number of letters, of pixels, of rows.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
pub(super) fn whole(value: f64) -> usize {
    value as usize
}

/// The points of a line that stands on each level for a while: `(from, level)`, and where it ends.
pub(super) fn steps(levels: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let ends = levels.iter().skip(1).map(|(from, _)| *from).chain([end]);
    levels
        .iter()
        .zip(ends)
        .flat_map(|((from, level), to)| [(*from, *level), (to, *level)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_no_digits_that_say_nothing() {
        assert_eq!([0.0, 2.0, 0.25, -0.001].map(short), ["0", "2", "0.25", "0"]);
        assert_eq!(Unit::of(7_200.0).label(90.0), "90 min");
    }

    #[test]
    fn what_a_plot_is_called_cannot_break_out_of_it() {
        let plot = sheet("\"><script>", (10, 10), |_| Ok(())).into_string();
        assert!(!plot.contains("<script"), "{plot}");
        assert!(plot.contains("viewBox=\"0 0 10 10\"") && !plot.contains("width=\"10\""), "{plot}");
    }
}
