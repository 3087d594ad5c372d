//! D13, recovery: how soon after the last fault all is as before, and at what price.
//!
//! **Time.** *tₑ* = the end of the last fault. *T* = the first *t* ≥ *tₑ* from which on, for 30 s or
//! three windows, success is at least 99 % (or what it was in calm) and goodput at least 90 % of that
//! in calm. A window is 10 s, or as long as 20 successes take in calm, to a minute at most; it may
//! fall short by two standard deviations of a count whose variance per second is as in calm. Pass up
//! to 30 s, warn up to 120 s, fail above. See `pace.rs`.
//!
//! **Each client.** One that was at work when the faults began, of which so many requests are
//! expected in 30 s that silence is no chance (10, or ln 100*n* for *n* clients), that failed, and
//! that has no success in \[*tₑ*, *tₑ* + 30 s\], fails, whatever the aggregate says. One that falls
//! silent without a failure has stopped by itself. If none of its successes comes for a minute or
//! more it is taken to be gone for good, which is critical. Of very many clients a sample is watched.
//!
//! **Peak.** *O* = the most attempts in any window wholly after *tₑ*, over the mean in calm; windows
//! of max(1 s, 10/λ) slide by a quarter. A steady client has peaks, too: *O\** = *O* over the larger
//! of what such a client reaches in 95 of 100 runs and what this one reached in calm. Pass *O* ≤ 2 or
//! *O\** ≤ 1, warn up to 4, fail above.
//!
//! **Backlog.** *C* = the most that Σ(attempts − λ) after *tₑ* ever comes to, over λ·*T*(fault): what
//! was put off and is made up for.
//!
//! Sources: Google SRE, chapter 22 (thundering herds after an outage); Microsoft's account of the
//! Outlook outage of August 2013 (re-admission had to be slow "to avoid another flood").

mod pace;
mod peak;

use crate::verdict::{
    detect::{Cx, Detector},
    finding::{Claim, Finding, Grade, Measured, Weight},
    span::Span,
    tracks::Track,
};
use pace::Pace;

/// A recovery up to here is good, in seconds.
const GOOD: f64 = 30.0;
/// One up to here is bearable.
const BEARABLE: f64 = 120.0;
/// A client that is not back after so many seconds is taken to be gone.
const GONE: usize = 60;
/// The least number of requests expected in 30 s of a client of whom silence means something.
const EXPECTED: f64 = 10.0;

/// See the module's documentation. All it needs is gathered for it.
#[derive(Debug)]
pub struct Recovery;

/// Clients that were at work when the faults began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    watched: u32,
    /// No success in 30 s.
    late: u32,
    /// No success at all, in a minute or more.
    gone: u32,
    /// When the last of them was back, in seconds after the faults.
    last: usize,
    /// Whether it was.
    all_back: bool,
}

impl Detector for Recovery {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn code(&self) -> &'static str {
        "D13"
    }

    fn weight(&self) -> Weight {
        Weight::Major
    }

    fn leans_on_links(&self) -> bool {
        false
    }

    fn leans_on_calm(&self, _term: Option<&str>) -> bool {
        true
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let pace = Pace::of(cx);
        let lost = lost(cx);
        let mut parts = vec![by_time(&pace), by_peak(cx)];
        if lost.late > 0 {
            let said = format!(
                "{} of {} clients had no success within 30 s{}",
                lost.late,
                lost.watched,
                if lost.gone > 0 {
                    format!(", {} of them none at all", lost.gone)
                } else {
                    String::new()
                }
            );
            parts.insert(0, Finding::new(Grade::Fail, Claim::Existential, said).advice(
                "find out what they wait for: a circuit breaker that never probes, a pool of dead \
                 connections, a name that is not resolved again, a call without a timeout",
            ));
        }
        let grade = parts.iter().map(|part| part.grade).max().unwrap_or_default();
        let told = parts.iter().filter(|part| !part.said.is_empty());
        let said: Vec<&str> = told.map(|part| &*part.said).collect();
        // A client that is not back is a sighting.
        let claim = if lost.late > 0 { Claim::Existential } else { Claim::Quantitative };
        let mut finding = Finding::new(grade, claim, said.join("; "));
        let worst = parts.iter().filter(|part| part.grade == grade);
        finding.advice =
            worst.map(|part| part.advice.clone()).find(|a| !a.is_empty()).unwrap_or_default();
        finding.needs = parts.iter().find_map(|part| part.needs.clone());
        for part in parts {
            finding.figures.extend(part.figures);
        }
        if lost.gone > 0 || matches!(pace, Pace::Never { watched, .. } if watched >= GONE) {
            finding = finding.weighing(Weight::Critical);
        }
        finding
            .figure("clients_watched", lost.watched)
            .figure("clients_late", lost.late)
            .figure("never", lost.gone)
    }

    fn measure(&self, term: &str, _phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        Some(match term {
            "recovery_time" => time(cx),
            "recovery_peak" => peak::peak(cx).map_or_else(|why| why, |peak| peak.measured()),
            "recovery_backlog" => peak::backlog(cx),
            _ => return None,
        })
    }
}

/// When all was as before; with clients that are not back it is not.
fn time(cx: &Cx<'_>) -> Measured {
    let lost = lost(cx);
    if lost.late > 0 {
        let low = lost.last as f64;
        let value = if lost.all_back { low } else { f64::INFINITY };
        let sample =
            format!("{} of {} clients had no success within 30 s", lost.late, lost.watched);
        return Measured::Number { low, value, high: value, sample };
    }
    match Pace::of(cx) {
        Pace::Back { after, window, .. } => {
            Measured::exact(after as f64, format!("in windows of {window} s"))
        }
        Pace::Never { watched, share } => Measured::Number {
            low: watched as f64,
            value: f64::INFINITY,
            high: f64::INFINITY,
            sample: format!(
                "{:.0} % of the goodput in calm, {watched} s after the faults",
                share * 100.0
            ),
        },
        Pace::TooFew { said, needs } => Measured::too_few(said, needs),
        Pace::NotExercised(why) => Measured::NotExercised(why.to_owned()),
    }
}

fn by_time(pace: &Pace) -> Finding {
    match pace {
        Pace::Back { after, window, goodput } => {
            let seconds = *after as f64;
            let grade = match seconds {
                _ if seconds <= GOOD => Grade::Pass,
                _ if seconds <= BEARABLE => Grade::Warn,
                _ => Grade::Fail,
            };
            let said = format!(
                "back at {:.0} % of the goodput in calm {after} s after the faults (windows of {window} s)",
                goodput * 100.0
            );
            let finding =
                Finding::new(grade, Claim::Quantitative, said).figure("recovery_time", *after);
            if grade == Grade::Pass {
                return finding;
            }
            finding.advice(
                "let waits end sooner: cap the backoff, probe more often, shed what is queued",
            )
        }
        Pace::Never { watched, share } => {
            let said = format!(
                "not back {watched} s after the faults: {:.0} % of the goodput in calm",
                share * 100.0
            );
            let finding = if *watched as f64 > GOOD {
                Finding::new(Grade::Fail, Claim::Quantitative, said)
            } else {
                Finding::inconclusive(said, "two minutes of calm after the faults")
            };
            finding
                .advice("find out what it waits for: a breaker that never closes, dead connections")
                .figure("watched", *watched)
        }
        Pace::TooFew { said, needs } => Finding::inconclusive(said.clone(), needs.clone()),
        Pace::NotExercised(why) => Finding::not_applicable(*why),
    }
}

fn by_peak(cx: &Cx<'_>) -> Finding {
    let Ok(peak) = peak::peak(cx) else { return Finding::not_applicable("") };
    let grade = match peak.height {
        height if height <= 2.0 || height <= peak.chance => Grade::Pass,
        height if height <= 4.0 => Grade::Warn,
        _ => Grade::Fail,
    };
    let finding = Finding::new(grade, Claim::Quantitative, peak.said())
        .figure("recovery_peak", peak.height)
        .figure("peak_by_chance", peak.chance)
        .figure(
            "overshoot_grade",
            match grade {
                Grade::Fail => 2,
                Grade::Warn => 1,
                _ => 0,
            },
        );
    if grade == Grade::Pass {
        return finding;
    }
    finding.advice(
        "spread what waits when the service is back: jitter over the whole wait, a bounded queue that \
         drops what is old, a slow start",
    )
}

/// Whether clients that should be back are.
fn lost(cx: &Cx<'_>) -> Lost {
    let mut lost = Lost { all_back: true, ..Lost::default() };
    let (Some(calm), Some(fault), Some(after)) = (Span::calm(cx), Span::fault(cx), Span::after(cx))
    else {
        return lost;
    };
    if after.seconds() < 30 {
        return lost;
    }
    let least = (100.0 * cx.tracks.len() as f64).ln().max(EXPECTED);
    for track in cx.tracks.iter() {
        let back = match back(track, calm, fault, after, least) {
            Back::Exempt => continue,
            Back::After(seconds) => Some(seconds),
            Back::Never => None,
        };
        lost.watched += 1;
        lost.late += u32::from(back.is_none_or(|after| after >= 30));
        lost.gone += u32::from(back.is_none() && after.seconds() >= GONE);
        lost.all_back &= back.is_some();
        lost.last = lost.last.max(back.unwrap_or(after.seconds()));
    }
    lost
}

/// Whether a client is back.
enum Back {
    /// After so many seconds it had a success.
    After(usize),
    /// It had none.
    Never,
    /// It need not be.
    Exempt,
}

fn back(track: &Track, calm: Span, fault: Span, after: Span, least: f64) -> Back {
    let series = track.series(after.to);
    let from = calm.from.max(track.first());
    let seconds = calm.to.saturating_sub(from) as f64;
    let rate = f64::from(series.between(from, calm.to).starts) / seconds;
    // As many again must have come in calm: a rate from less is a guess.
    if seconds < 1.0 || rate * 30.0 < least || rate * seconds < EXPECTED {
        return Back::Exempt;
    }
    // It had stopped before anything went wrong.
    let lately = calm.to.saturating_sub(crate::verdict::span::seconds_of((7.0 / rate).max(5.0)));
    let is_at_work = series.between(lately, fault.from + 1).starts > 0;
    let back = (after.from..after.to).position(|at| series.between(at, at + 1).served > 0);
    let soon = back.is_some_and(|after| after < 30);
    // Nothing went wrong for it, so it stopped by itself, or what it waits for is still under way.
    let has_failed =
        series.between(fault.from, after.to).failed() > 0 || series.in_flight(after.from) > 0;
    match back {
        _ if !is_at_work || !(soon || has_failed) => Back::Exempt,
        Some(after) => Back::After(after),
        None => Back::Never,
    }
}

#[cfg(test)]
mod tests;
