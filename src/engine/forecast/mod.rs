//! What a scenario would have done to an attempt that nobody made.
//!
//! A verdict asks it how well the best of clients could have done: how hard an outage was is not the
//! client's doing. It compiles the same sets as a run does and asks the same lots, so that it is right
//! about the very users who were hit. Faults by hand are not in it, since no scenario has them.

use crate::{
    dice::Dice,
    engine::{Play, active::ActiveSet, armed::Armed, station::Site},
    event::PhaseEdge,
    fault::{Denial, Tick},
    scenario::Scenario,
    select::Unit,
    timeline::{Moment, Speed, Timeline},
};
use std::{collections::BTreeMap, time::Duration};

/// A scenario as it acts on one proxy, to be asked after the fact.
#[derive(Debug)]
pub struct Forecast {
    /// By phase.
    sets: Vec<ActiveSet>,
    timeline: Timeline,
    speed: Speed,
    start_at: Duration,
}

/// The parts of all draws of one lot that fall to faults which deny an attempt, each `[from, to)` of
/// `[0, 1)`. Faults with one lot (slices of a `one_of`, or of one cohort) share the draw.
type Lots = Vec<((Dice, Unit), Vec<(f64, f64)>)>;

impl Forecast {
    /// The forecast for a proxy on which a scenario was played so.
    pub fn new(scenario: &Scenario, play: &Play, site: &Site) -> Self {
        let (salt, mut counts) = (site.salt(), BTreeMap::new());
        let mut compile =
            |phase| ActiveSet::compile(scenario, phase, site, salt, play.seed, &mut counts);
        Self {
            sets: (0..scenario.phases.len()).map(&mut compile).collect(),
            timeline: scenario.timeline(play.longest_phase),
            speed: play.speed,
            start_at: play.start_at,
        }
    }

    /// With what probability an attempt of a user that these targets mean (a bit each, as
    /// [`Injector::targets`](crate::engine::Injector::targets) gives them), on a connection of its own,
    /// comes to nothing by injection, `elapsed` scenario time into a phase.
    ///
    /// For a share of users it is 0 or 1: they are the same ones each time. For shares *fᵢ* of requests
    /// or connections it is 1 − Π(1 − *fᵢ*), where faults that share a draw count as one with their
    /// slices together. `None` if it hangs on what else happens: the load (`rate_limit`, `overload`),
    /// the length of a body, or how often the fault has hit before (`times`). What only slows or
    /// changes an answer denies nothing; neither does a phase that there is not.
    pub fn fails(&self, user: u64, targets: u64, phase: usize, elapsed: Duration) -> Option<f64> {
        let Some(set) = self.sets.get(phase) else {
            return Some(0.0);
        };
        let time = self.timeline.start_of(phase) + elapsed;
        let run = self.timeline.run_time(time, self.speed);
        let moment = Moment { elapsed, length: self.timeline.length_of(phase), run };
        let (mut lots, mut doubtful) = (Lots::new(), false);
        for armed in &set.faults {
            let slice = slice(armed, user, targets, &moment);
            let Some(slice) = slice.filter(|(from, to)| from < to) else {
                continue;
            };
            match armed.denial() {
                Denial::Never => {}
                Denial::Perhaps => doubtful = true,
                Denial::Always => match lots.iter_mut().find(|(lot, _)| *lot == armed.lot()) {
                    Some((_, slices)) => slices.push(slice),
                    None => lots.push((armed.lot(), vec![slice])),
                },
            }
        }
        let passes: f64 = lots.iter_mut().map(|(_, slices)| 1.0 - covered(slices)).product();
        // Whatever else may happen, nothing passes.
        let is_known = !doubtful || passes <= 0.0;
        is_known.then_some(1.0 - passes)
    }

    /// The same for a time since the drill's start, from the `edges` as they happened, in order of time;
    /// before the first of them, or after one that ended the timeline, nothing is injected.
    ///
    /// A clock that was stopped, set to another speed or moved inside a phase leaves no edge; where a
    /// share moves or a pattern goes on and off, that is not seen here.
    pub fn fails_at(&self, edges: &[PhaseEdge], user: u64, targets: u64, at: Tick) -> Option<f64> {
        let Some((phase, elapsed)) = self.position(edges, at) else {
            return Some(0.0);
        };
        self.fails(user, targets, phase, elapsed)
    }

    /// The phase in force at a time since the drill's start, and how much of its scenario time had
    /// gone by.
    pub fn position(&self, edges: &[PhaseEdge], at: Tick) -> Option<(usize, Duration)> {
        // Faults go by the plan, however late the edge was announced.
        let edge = edges.partition_point(|edge| edge.planned <= at).checked_sub(1)?;
        let PhaseEdge { phase, planned, .. } = edges[edge];
        let phase = phase.filter(|phase| *phase < self.timeline.phases())?;
        let start = self.timeline.start_of(phase);
        let first = if edge == 0 { self.start_at.max(start) } else { start };
        let time = self.timeline.advance(first, at.saturating_sub(planned), self.speed);
        let last = self.timeline.length_of(phase).saturating_sub(Duration::from_nanos(1));
        Some((phase, time.saturating_sub(start).min(last)))
    }
}

/// The part of its lot's draws in which a fault hits an attempt; `None` if it is none of its attempts.
fn slice(armed: &Armed, user: u64, targets: u64, moment: &Moment) -> Option<(f64, f64)> {
    const WHOLE: (f64, f64) = (0.0, 1.0);
    if !armed.is_on(moment) {
        return None;
    }
    if armed.fault.gate().is_some() {
        // The listener is shut for everybody.
        return Some(WHOLE);
    }
    if !armed.is_meant_for(targets) {
        return None;
    }
    match armed.unit() {
        Unit::Users => armed.includes_user(user, moment).then_some(WHOLE),
        Unit::Requests | Unit::Connections => Some(armed.slice(moment)),
    }
}

/// How much of `[0, 1)` slices cover together.
fn covered(slices: &mut [(f64, f64)]) -> f64 {
    slices.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut upto) = (0.0, 0.0_f64);
    for (from, to) in slices {
        sum += (*to - from.max(upto)).max(0.0);
        upto = upto.max(*to);
    }
    sum
}

#[cfg(test)]
mod tests;
