//! What the failures would have cost, and how much of that a better client would have saved.
//!
//! Gross exposure *E* = *r* · ∫ *q*(*t*) d*t*: *r* is what a minute of total failure costs, *q* the
//! share of what is normally bought that was not: one minus the goodput ratio, not one minus the
//! availability, which a client flatters that stops asking. It is told as a range, over the range of
//! *r* and the bounds of *q*, and as an upper bound: buyers who come back later are not subtracted,
//! because nobody knows how many do. Of two famous figures out of three the failure fraction was left
//! out altogether.
//!
//! Attributable to the client is *r* · *T* · (S* − S): what could have been had (the oracle of D19)
//! and was not.
//!
//! Time is the scenario's: a drill that is compressed sixty-fold still tells of forty minutes.

use crate::{
    scenario::{Impact, Scenario},
    verdict::{bench::Bench, course::Course, detect::Cx, finding::Measured},
};
use serde::Serialize;

/// A range of money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Money {
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
}

/// See the module's documentation.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// In what.
    pub currency: String,
    /// Gross exposure; deferred purchases are not subtracted.
    pub exposure: Money,
    /// What a better client could have saved of it; `None` if that is not known for these faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avoidable: Option<Money>,
    /// Minutes of scenario time with faults, as far as they were played.
    pub minutes: f64,
    /// How the sum is made up, phase by phase.
    pub phases: Vec<PhaseCost>,
    /// Effects too many, each of which costs a refund on top.
    pub extra_effects: u64,
}

/// What one phase cost.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseCost {
    /// The phase.
    pub phase: String,
    /// Minutes of scenario time, as far as they were played.
    pub minutes: f64,
    /// The share of purchases that failed: low and high.
    pub failed: (f64, f64),
    /// What that costs.
    pub exposure: Money,
}

/// Money per minute, low and high; minutes; the share that failed, low and high.
pub fn exposure(per_minute: (f64, f64), minutes: f64, failed: (f64, f64)) -> Money {
    let share = |failed: f64| failed.clamp(0.0, 1.0);
    Money {
        low: per_minute.0 * minutes * share(failed.0),
        high: per_minute.1 * minutes * share(failed.1),
    }
}

/// What the failures of a drill would have cost; why that cannot be said, if it cannot.
pub(super) fn cost(
    impact: &Impact,
    scenario: &Scenario,
    bench: &Bench,
    cx: &Cx<'_>,
) -> Result<Cost, String> {
    let mut cost = Cost {
        currency: impact.currency.clone(),
        exposure: Money::default(),
        avoidable: None,
        minutes: 0.0,
        phases: Vec::new(),
        extra_effects: 0,
    };
    for (at, phase) in scenario.phases.iter().enumerate() {
        let minutes = minutes(cx.course, scenario, at);
        if phase.faults.is_empty() || minutes <= 0.0 {
            continue;
        }
        let failed = match bench.measure("goodput_ratio", Some(at), cx) {
            Some(Measured::Number { low, high, .. }) => (1.0 - high, 1.0 - low),
            Some(Measured::TooFew { said, needs }) => {
                return Err(format!("{said}: {needs} would settle it"));
            }
            Some(Measured::NotExercised(why)) => return Err(why),
            _ => return Err("nothing measures it".to_owned()),
        };
        let failed = (failed.0.clamp(0.0, 1.0), failed.1.clamp(0.0, 1.0));
        let exposure = exposure(impact.per_minute, minutes, failed);
        cost.minutes += minutes;
        cost.exposure.low += exposure.low;
        cost.exposure.high += exposure.high;
        cost.phases.push(PhaseCost { phase: phase.name.clone(), minutes, failed, exposure });
    }
    if cost.phases.is_empty() {
        return Err("no phase with faults was played".to_owned());
    }
    if let Some(Measured::Number { value: lost, .. }) = bench.measure("lost_share", None, cx) {
        let at = |rate: f64| rate * cost.minutes * lost;
        cost.avoidable =
            Some(Money { low: at(impact.per_minute.0), high: at(impact.per_minute.1) });
    }
    if let Some(Measured::Number { value, .. }) = bench.measure("duplicate_side_effects", None, cx)
    {
        cost.extra_effects = crate::verdict::micros(value / 1e6);
    }
    Ok(cost)
}

/// Minutes of scenario time of a phase, as far as it was played.
fn minutes(course: &Course, scenario: &Scenario, phase: usize) -> f64 {
    let (Some(leg), Some(written)) = (course.legs().get(phase), scenario.phases.get(phase)) else {
        return 0.0;
    };
    let whole = written.length.as_secs_f64() / 60.0;
    match (leg.begun, leg.ended) {
        (None, _) => 0.0,
        (Some(_), Some(_)) => whole,
        // It broke off: as long as it was played, which compression makes no longer.
        (Some(_), None) => whole.min(course.seconds_of(phase) / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() <= right.abs() * 0.005
    }

    #[test]
    fn amazon_in_2013_as_the_headline_had_it_and_as_a_range() {
        let headline = exposure((117_882.0, 117_882.0), 40.0, (1.0, 1.0));
        assert!(near(headline.low, 4_715_280.0) && near(headline.high, 4_715_280.0));

        // The lowest rate published that week for the shortest time, and the highest for the longest.
        let low = exposure((66_240.0, 117_882.0), 15.0, (1.0, 1.0)).low;
        let high = exposure((66_240.0, 117_882.0), 45.0, (1.0, 1.0)).high;
        assert!(near(low, 993_600.0) && near(high, 5_304_690.0), "{low} {high}");
    }

    #[test]
    fn apple_in_2013_with_the_share_that_its_headline_left_out() {
        let headline = exposure((37_000.0, 37_037.0), 45.0, (1.0, 1.0));
        assert!(near(headline.low, 1_665_000.0));
        let share = exposure((37_037.0, 37_037.0), 45.0, (0.166, 0.166));
        assert!(near(share.low, 277_000.0), "{share:?}");
        let hour = exposure((37_037.0, 37_037.0), 60.0, (0.17, 0.17));
        assert!(near(hour.low, 378_000.0), "{hour:?}");
        let later = exposure((37_037.0, 37_037.0), 206.0, (0.20, 0.20));
        assert!(near(later.low, 1_526_000.0), "{later:?}");
    }

    #[test]
    fn google_in_2013_for_five_minutes_and_for_what_failed_of_them() {
        let headline = exposure((107_600.0, 108_800.0), 5.0, (1.0, 1.0));
        assert!(near(headline.low, 538_000.0) && near(headline.high, 544_000.0));
        // By Google's own account, 0.6 to 1.2 minutes' worth of failure.
        let own = exposure((107_600.0, 108_800.0), 1.0, (0.6, 1.0));
        assert!(near(own.low, 64_560.0), "{own:?}");
    }
}
