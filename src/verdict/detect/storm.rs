//! D14, storms that outlive their fault.
//!
//! *T* = the last *t* > *tₑ* (the end of the last fault) at which the attempts per operation of 10 s
//! exceed those in calm by a tenth, or success is below 99 % (or below what it was in calm). A window
//! is 10 s, or as long as 20 operations take in calm, to a minute at most; three attempts too many,
//! or three failures, are the least that counts. Pass up to 30 s, warn up to 120 s; fail above, or if
//! it goes on to the end and the load grows.
//!
//! A proxy in front of a service with room to spare cannot show a collapse that retries keep alive:
//! a pass says that the client calms down, not that no service could be kept down by it. For that,
//! see the saturated amplification.
//!
//! Sources: Bronson et al., "Metastable Failures in Distributed Systems" (2021); Huang et al.,
//! "Metastable Failures in the Wild" (2022).

use crate::verdict::{
    detect::{Cx, Detector},
    finding::{Claim, Finding, Grade, Measured, Weight},
    span::{Came, Span, seconds_of},
    stats::{Observed, rate_ratio},
};

/// Seconds of a window, if enough operations begin in them.
const WINDOW: usize = 10;
/// The longest window.
const WIDEST: usize = 60;
/// Operations that a window of calm should hold.
const OPERATIONS: f64 = 20.0;
/// What counts at least: attempts too many, or failures.
const LEAST: f64 = 3.0;
const GOOD: f64 = 30.0;
const BEARABLE: f64 = 120.0;

/// See the module's documentation. All it needs is gathered for it.
#[derive(Debug)]
pub struct Storm;

/// How long a storm went on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Found {
    seconds: usize,
    watched: usize,
    /// To the end of what was watched.
    goes_on: bool,
    grows: bool,
}

impl Detector for Storm {
    fn name(&self) -> &'static str {
        "storm"
    }

    fn code(&self) -> &'static str {
        "D14"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn leans_on_calm(&self, _term: Option<&str>) -> bool {
        true
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let found = match storm(cx) {
            Ok(found) => found,
            Err(Measured::TooFew { said, needs }) => return Finding::inconclusive(said, needs),
            Err(Measured::NotExercised(why)) => return Finding::not_applicable(why),
            Err(_) => return Finding::not_applicable(""),
        };
        let Found { seconds, watched, goes_on, grows } = found;
        let lasted = seconds as f64;
        let grade = match lasted {
            _ if lasted > BEARABLE || grows => Grade::Fail,
            _ if goes_on && watched as f64 <= GOOD => Grade::Inconclusive,
            _ if lasted <= GOOD => Grade::Pass,
            _ => Grade::Warn,
        };
        let said = match (seconds, goes_on) {
            (0, _) => format!("no retries outlived the faults ({watched} s watched)"),
            (_, false) => format!("retries and failures went on for {seconds} s after the faults"),
            (_, true) => format!(
                "retries and failures still went on when the drill ended, {watched} s after the faults{}",
                if grows { ", and the load grew" } else { "" }
            ),
        };
        let mut finding = Finding::new(grade, Claim::Quantitative, said)
            .figure("storm", seconds)
            .figure("watched", watched)
            .figure("goes_on", goes_on);
        if grade == Grade::Inconclusive {
            finding.needs = Some("two minutes of calm after the faults".to_owned());
        }
        if grade <= Grade::Pass {
            return finding;
        }
        finding.advice(
            "give retries a budget, so that a service that is back is not kept down by them",
        )
    }

    fn measure(&self, term: &str, _phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        if term != "storm_persists" {
            return None;
        }
        Some(storm(cx).map_or_else(
            |why| why,
            |found| {
                let value = found.seconds as f64;
                let high = if found.goes_on { f64::INFINITY } else { value };
                let sample = format!("{} s watched after the faults", found.watched);
                Measured::Number { low: value, value, high, sample }
            },
        ))
    }
}

fn storm(cx: &Cx<'_>) -> Result<Found, Measured> {
    let none = |why: &str| Measured::NotExercised(why.to_owned());
    if !cx.course.has_faults() {
        return Err(none("the scenario has no faults"));
    }
    let after = Span::after(cx).ok_or_else(|| none("the drill ended before its faults did"))?;
    let calm =
        Span::calm(cx).ok_or_else(|| none("there was no traffic in calm to compare with"))?;
    let base = calm.came(cx);
    let window = seconds_of(OPERATIONS * base.seconds / base.operations).max(WINDOW);
    if window > WIDEST {
        let said = format!("{:.0} operations in {:.0} s of calm", base.operations, base.seconds);
        return Err(Measured::too_few(said, format!("{OPERATIONS:.0} of them a minute")));
    }
    let watched = after.seconds();
    if watched < window {
        let said = format!("{watched} s were watched after the faults");
        return Err(Measured::too_few(said, format!("{} s of it", 3 * WINDOW)));
    }
    let rages = |from: usize| is_storm(&Span { from, to: from + window }.came(cx), &base);
    let last = (after.from..=after.to - window).rev().find(|from| rages(*from));
    let seconds = last.map_or(0, |last| last - after.from + 1);
    let goes_on = last.is_some_and(|last| last + window + 1 >= after.to);
    Ok(Found {
        seconds: if goes_on { watched } else { seconds },
        watched,
        goes_on,
        grows: goes_on && grows(cx, after),
    })
}

fn is_storm(came: &Came, base: &Came) -> bool {
    let usual = (base.of_operations / base.operations).max(1.0);
    let extra = came.of_operations - usual * came.operations;
    let failed = came.ended - came.served;
    let failing = came.ended * (1.0 - base.served / base.ended.max(1.0));
    let may_fail = (failing + 3.0 * failing.sqrt()).max(0.01 * came.ended);
    extra >= LEAST && extra > 0.1 * usual * came.operations || failed >= LEAST && failed > may_fail
}

/// Whether more comes in the last third than in the first.
fn grows(cx: &Cx<'_>, after: Span) -> bool {
    let third = after.seconds() / 3;
    let seen = |from: usize| {
        let seconds = cx.flow.seconds().iter().skip(from).take(third);
        let events = seconds.map(|second| u64::from(second.attempts)).sum();
        Observed { events, exposure: third as f64 }
    };
    let (first, last) = (seen(after.from), seen(after.to - third));
    rate_ratio(last, first, cx.level).is_some_and(|ratio| ratio.low > 1.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::traffic::{
        BEGINS, ENDS, OVER, Traffic, beat, chance, graded, judged_as, ok,
    };

    /// 12 clients who each do something new every second, and try again if that fails.
    fn retrying(traffic: &mut Traffic, until: f64) {
        for user in 1..=12 {
            for (at, nth) in chance(user, 1.0, 0.0, OVER - 5.0).zip(0..) {
                let what = format!("GET /things/{user}-{nth}");
                if (BEGINS..until).contains(&at) {
                    for again in 0..3 {
                        traffic.add(ok(user, at + 0.5 * f64::from(again)).of(&what).status(503));
                    }
                } else {
                    traffic.add(ok(user, at).of(&what));
                }
            }
        }
    }

    #[test]
    fn a_client_that_calms_down_with_the_fault_passes() {
        let mut traffic = Traffic::expecting("storm_persists: 30s");
        retrying(&mut traffic, ENDS);
        let verdict = traffic.judged();
        judged_as(&verdict.expectations[0], Grade::Pass, "120 s watched");
        let found = verdict.parts[0].findings.iter().find(|f| f.detector == "storm").unwrap();
        graded(found, Grade::Pass, "");
    }

    #[test]
    fn retries_that_go_on_for_a_minute_are_told_as_long() {
        let mut traffic = Traffic::expecting("storm_persists: 30s");
        retrying(&mut traffic, ENDS + 60.0);
        let verdict = traffic.judged();
        assert_eq!(verdict.expectations[0].grade, Grade::Fail);
        let found = verdict.parts[0].findings.iter().find(|f| f.detector == "storm").unwrap();
        assert_eq!(found.grade, Grade::Warn, "{found:?}");
        let lasted = found.figures["storm"].as_u64().unwrap();
        assert!((58..=64).contains(&lasted), "{lasted}");
    }

    #[test]
    fn one_that_goes_on_to_the_end_has_no_end() {
        let mut traffic = Traffic::expecting("storm_persists: 5m");
        retrying(&mut traffic, OVER);
        let verdict = traffic.judged();
        assert_eq!(verdict.expectations[0].grade, Grade::Inconclusive);
        let found = verdict.parts[0].findings.iter().find(|f| f.detector == "storm").unwrap();
        graded(found, Grade::Warn, "still went on when the drill ended");
    }

    #[test]
    fn a_load_that_grows_on_and_on_fails() {
        let mut traffic = Traffic::new();
        retrying(&mut traffic, OVER);
        for nth in 0..100 {
            let from = ENDS + f64::from(nth);
            traffic.extend(beat(f64::from(nth), from, from + 1.0).map(|at| ok(1, at).status(503)));
        }
        graded(&traffic.finding("storm"), Grade::Fail, "and the load grew");
    }

    #[test]
    fn a_stray_failure_long_after_is_no_storm() {
        let mut traffic = Traffic::new();
        retrying(&mut traffic, ENDS);
        traffic.extend([ok(1, 350.0).really(500), ok(2, 380.0).really(500)]);
        graded(&traffic.finding("storm"), Grade::Pass, "");
    }

    #[test]
    fn failures_that_are_usual_are_no_storm() {
        let mut traffic = Traffic::new();
        for (at, nth) in beat(10.0, 0.0, OVER).zip(0_u32..) {
            traffic.add(if nth % 20 == 0 { ok(1, at).really(404) } else { ok(1, at) });
        }
        // Whoever fails as often in calm has no verdict from it, but this is what was seen.
        graded(&traffic.finding("storm"), Grade::Inconclusive, "no retries outlived the faults");
    }

    #[test]
    fn too_little_traffic_and_no_faults() {
        let mut traffic = Traffic::new();
        traffic.extend(beat(0.1, 0.0, OVER).map(|at| ok(1, at)));
        let found = traffic.finding("storm");
        graded(&found, Grade::Inconclusive, "10 operations in 100 s");
        assert!(found.needs.is_some());

        let mut traffic = Traffic::of("\nphases: [{ name: calm, for: 100s }]\n");
        traffic.extend(beat(1.0, 0.0, 100.0).map(|at| ok(1, at)));
        graded(&traffic.finding("storm"), Grade::NotApplicable, "no faults");
    }
}
