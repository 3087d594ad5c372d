//! The worst operation as a ladder: client, proxy and upstream side by side, time downwards, each
//! attempt with what was dealt to it, and each wait. Times are told, not drawn to scale.

use crate::{
    event::{Outcome, Upstream},
    report::{
        html::{
            plot::frame::{Area, Drawn, WIDTH, anchored, letters, sheet},
            theme::{AXIS, FAULTY, Ink, MARK, OUTCOMES, PAPER, QUIET, TEXT},
            words,
        },
        rounded, shorten,
    },
    verdict::picture::{Step, Story},
};
use maud::Markup;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};
use std::time::Duration;

/// Attempts that are drawn; of those beyond, the number is told.
const DRAWN: usize = 16;
const HEAD: i32 = 34;
const ATTEMPT: i32 = 74;
const WAIT: i32 = 34;
/// Where the times stand, and the three that take part.
const TIMES: i32 = 84;
const CLIENT: i32 = 104;
const PROXY: i32 = 480;
const UPSTREAM: i32 = 800;

/// The story of an operation.
pub(in crate::report::html) fn ladder(story: &Story) -> Markup {
    let steps = &story.steps[..story.steps.len().min(DRAWN)];
    let waits = steps.len().saturating_sub(1);
    let left = story.count.saturating_sub(steps.len() as u64);
    let rows = |count: usize, each: i32| i32::try_from(count).unwrap_or(0) * each;
    let height = HEAD + rows(steps.len(), ATTEMPT) + rows(waits, WAIT) + 24;
    let size = (WIDTH, u32::try_from(height).unwrap_or(1) + if left > 0 { 20 } else { 0 });
    let label = "The attempts of the operation between client, proxy and upstream.";
    sheet(label, size, |area| {
        for (at, name) in [(CLIENT, "client"), (PROXY, "firedrill"), (UPSTREAM, "upstream")] {
            area.draw(&Text::new(name, (at, 6), anchored(QUIET, HPos::Center, VPos::Top)))?;
            line(area, [(at, 26), (at, height - 6)], AXIS, 1)?;
        }
        let begun = steps.first().map_or(0, |step| step.start);
        let mut at = HEAD;
        for (nth, step) in steps.iter().enumerate() {
            if nth > 0 {
                let before = steps[nth - 1].end;
                wait(area, at, step, before)?;
                at += WAIT;
            }
            attempt(area, at, nth, step, begun)?;
            at += ATTEMPT;
        }
        if left > 0 {
            let text = format!("… and {left} more");
            let style = anchored(TEXT, HPos::Left, VPos::Top);
            area.draw(&Text::new(text, (CLIENT + 10, height - 4), style))?;
        }
        Ok(())
    })
}

fn attempt(area: &Area<'_>, at: i32, nth: usize, step: &Step, begun: u64) -> Drawn {
    let (ask, answer) = (at + 16, at + 62);
    let ink = outcome(step.outcome);
    let time = |time: u64| format!("{:.3} s", time.saturating_sub(begun) as f64 / 1e6);
    let stamp = |area: &Area<'_>, y: i32, at: u64| {
        area.draw(&Text::new(time(at), (TIMES, y), anchored(QUIET, HPos::Right, VPos::Center)))
    };
    stamp(area, ask, step.start)?;
    stamp(area, answer, step.end)?;
    let above = |y: i32| y - 4;
    let says = anchored(TEXT, HPos::Left, VPos::Bottom);
    area.draw(&Text::new(format!("attempt {}", nth + 1), (CLIENT + 10, above(ask)), says.clone()))?;
    arrow(area, (CLIENT, ask), (PROXY, ask), AXIS)?;
    if step.upstream != Upstream::NotSent {
        arrow(area, (PROXY, ask + 4), (UPSTREAM, ask + 4), AXIS)?;
    }
    let said = shorten(&words::upstream(step), 40);
    let right = anchored(TEXT, HPos::Right, VPos::Bottom);
    if let Upstream::Status(status) = step.upstream {
        let ink = if status < 400 { OUTCOMES[0] } else { OUTCOMES[2] };
        arrow(area, (UPSTREAM, answer - 6), (PROXY, answer - 6), ink)?;
        area.draw(&Text::new(said, (UPSTREAM - 10, above(answer - 6)), right))?;
    } else if step.upstream == Upstream::NoReply {
        area.draw(&Text::new(said, (UPSTREAM - 10, above(answer - 6)), right))?;
    }
    area.draw(&Text::new(words::met(step), (CLIENT + 10, above(answer)), says))?;
    if step.outcome == Outcome::ClientGone {
        // It is the client who ends it.
        arrow(area, (CLIENT, answer), (PROXY, answer), ink)?;
        cross(area, (PROXY - 20, answer), ink)?;
    } else {
        arrow(area, (PROXY, answer), (CLIENT, answer), ink)?;
        if step.outcome == Outcome::Broken {
            cross(area, (PROXY - 20, answer), ink)?;
        }
    }
    dealt(area, i32::midpoint(ask, answer) - 1, step)
}

/// What was dealt, as a tag on the proxy.
fn dealt(area: &Area<'_>, at: i32, step: &Step) -> Drawn {
    if step.dealt.is_empty() {
        return Ok(());
    }
    let text = shorten(&step.dealt, 38);
    let half = i32::try_from(text.chars().count()).unwrap_or(40) * 7 / 2 + 8;
    let place = [(PROXY - half, at - 11), (PROXY + half, at + 11)];
    area.draw(&Rectangle::new(place, FAULTY.day().filled()))?;
    area.draw(&Rectangle::new(place, MARK.day().stroke_width(1)))?;
    area.draw(&Text::new(text, (PROXY, at), anchored(TEXT, HPos::Center, VPos::Center)))
}

/// The wait before an attempt, or that there was none.
fn wait(area: &Area<'_>, at: i32, step: &Step, before: u64) -> Drawn {
    let text = if let Some(wait) = step.wait {
        format!("waits {}", rounded(wait))
    } else {
        let early = Duration::from_micros(before.saturating_sub(step.start));
        format!("begins {} before the one above ends", rounded(early))
    };
    line(area, [(CLIENT, at), (CLIENT, at + WAIT - 6)], TEXT, 3)?;
    let middle = at + (WAIT - 6) / 2;
    area.draw(&Text::new(text, (CLIENT + 10, middle), letters(TEXT).pos(centre())))
}

const fn centre() -> plotters::style::text_anchor::Pos {
    plotters::style::text_anchor::Pos { h_pos: HPos::Left, v_pos: VPos::Center }
}

fn line(area: &Area<'_>, points: [(i32, i32); 2], ink: Ink, width: u32) -> Drawn {
    area.draw(&PathElement::new(points, ink.day().stroke_width(width)))
}

fn arrow(area: &Area<'_>, from: (i32, i32), to: (i32, i32), ink: Ink) -> Drawn {
    line(area, [from, to], ink, 2)?;
    let back = if to.0 > from.0 { -8 } else { 8 };
    let head = vec![to, (to.0 + back, to.1 - 4), (to.0 + back, to.1 + 4)];
    area.draw(&Polygon::new(head, ink.day().filled()))
}

/// Something did not get through.
fn cross(area: &Area<'_>, (x, y): (i32, i32), ink: Ink) -> Drawn {
    let behind = [(x - 8, y - 7), (x + 8, y + 7)];
    area.draw(&Rectangle::new(behind, PAPER.day().filled()))?;
    line(area, [(x - 5, y - 5), (x + 5, y + 5)], ink, 2)?;
    line(area, [(x - 5, y + 5), (x + 5, y - 5)], ink, 2)
}

fn outcome(outcome: Outcome) -> Ink {
    let at = Outcome::ALL.iter().position(|known| *known == outcome);
    OUTCOMES[at.unwrap_or(0)]
}
