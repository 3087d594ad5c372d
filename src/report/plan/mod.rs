//! A scenario's timeline as a picture in text: when, what, to whom.
//!
//! Above, one row for each fault with a bar whose height follows its share over time; below, the
//! phases in words. It is a pure function of the scenario, so that it can be compared as a whole.

mod axis;
mod list;
mod paint;
mod rows;
mod words;

pub use paint::Glyphs;

use crate::{
    diag::Look,
    report,
    scenario::Scenario,
    timeline::{Speed, Timeline},
    units::show_duration,
};
use axis::Axis;
use paint::Paint;
use std::time::Duration;

/// The narrowest picture that still shows something, in columns.
const NARROWEST: usize = 40;

/// The widest that an eye can follow, in columns.
const WIDEST: usize = 400;

/// How a plan is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How fast the drill will be played.
    pub speed: Speed,
    /// The longest a plateau may be, if it is to be shortened.
    pub longest: Option<Duration>,
    /// With or without colour.
    pub look: Look,
    /// What bars and lines are made of.
    pub glyphs: Glyphs,
}

impl Default for Options {
    fn default() -> Self {
        Self { speed: Speed::REAL, longest: None, look: Look::Plain, glyphs: Glyphs::Blocks }
    }
}

/// The plan of a scenario, `width` columns wide; it ends with a line break.
pub fn picture(scenario: &Scenario, width: usize, options: &Options) -> String {
    let width = width.clamp(NARROWEST, WIDEST);
    let timeline = scenario.timeline(options.longest);
    let paint = Paint::new(options.look);
    let rows = rows::rows(scenario);
    let label = rows::label_width(&rows, width);
    let axis = Axis::new(&timeline, width - label);

    let mut lines = header(scenario, &timeline, options, width, paint);
    lines.push(String::new());
    lines.extend(axis.draw(scenario, &timeline, label, paint));
    for row in &rows {
        lines.extend(row.draw(scenario, &timeline, &axis, (label, width), paint));
    }
    if !axis.to_scale {
        lines.push(paint.faint("Not to scale: short phases are widened."));
    }
    lines.push(String::new());
    lines.extend(list::phases(scenario, &timeline, options.speed, width, paint));

    let mut text = String::new();
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    options.glyphs.spell(&text)
}

fn header(
    scenario: &Scenario,
    timeline: &Timeline,
    options: &Options,
    width: usize,
    paint: Paint,
) -> Vec<String> {
    let length = timeline.length();
    let mut facts = vec![scenario.name.clone(), show_duration(length)];
    if options.speed != Speed::REAL {
        let run = timeline.run_time(length, options.speed);
        facts.push(format!("{} at {}", words::about(run), options.speed));
    }
    let whole = scenario.timeline(None).length();
    if whole != length {
        facts.push(format!("shortened from {}", show_duration(whole)));
    }
    if let Some(seed) = scenario.seed {
        facts.push(format!("seed {seed}"));
    }
    let title = scenario.title.as_deref().unwrap_or(&scenario.name);
    let mut lines: Vec<String> =
        report::wrap(title, width, 0).iter().map(|line| paint.strong(line)).collect();
    lines.extend(report::wrap(&facts.join(" · "), width, 0));
    lines
}

#[cfg(test)]
mod tests;
