//! D12, circuit breakers: whether a client stops asking, and how soon it asks again.
//!
//! Client by client, with a rate λ of *first* attempts in calm. It is **open** from the first *t* in
//! the faults on at which, over *w* = max(5 s, 20/λ), first attempts are at most 10 % of λ*w* and all
//! attempts at most 20 % of λ*w* + 1; that it gets so quiet by chance has a probability of 5·10⁻⁷. What
//! looks alike is told apart (`watch.rs`):
//!
//! - **stalled**: as many attempts are under way as half of the most there ever were, and at least
//!   one, all through the second half of the window: it is silent because every slot is held. A window
//!   in which that is not so has to be found, or it is no breaker.
//! - **backoff only**: what is left of the traffic are repeats, not first attempts: one that tries
//!   again without end and has one slot for it.
//! - **demand stopped**: nothing failed before it fell silent.
//!
//! One that falls silent after failures, sends nothing more and is not back 30 s after the faults has
//! a breaker that never closes, or is dead; nobody can tell, and either is a failure. Otherwise a
//! breaker is told of, not graded: failures before it opened, how long after the first failing
//! attempt began, the gap between its probes (median, if the MAD is below 25 %), and how long after
//! the faults it closed: the first success after which first attempts come at half of λ or more for
//! max(5 s, 10/λ). All of it is measured to the second.
//!
//! Connections on which nothing was asked (a TLS handshake that failed, a reset at once) may be anybody's: a
//! window with more than 10 % of λ*w* of them is not quiet.
//!
//! That there is none is said only of clients with 100 failures or more over 30 s or more: the usual
//! ones need a hundred calls to open. A breaker that counts failures in a row does not open in a
//! partial outage, and should not.
//!
//! While it is open the load should be a fifth of that in calm, or less (`fails_fast`).
//!
//! Sources: Nygard, "Release It!"; the defaults of Polly (10 % of 100 calls in 30 s), resilience4j
//! (50 % of 100 calls) and failsafe (5 in a row).

mod watch;

use crate::verdict::{
    detect::{Cx, Detector},
    finding::{Claim, Finding, Grade, Measured, Opens, Weight},
    span::Span,
    stats::{Observed, rate_ratio},
    words::counted,
};
use std::fmt::Write as _;
use watch::{Opening, Seen, watch};

/// A client not back after so many seconds is not going to be, as far as can be told.
const BACK: usize = 30;

/// Who has a timeout as short as this needs no other one, in seconds.
const SHORT: f64 = 10.0;

/// See the module's documentation. All it needs is gathered for it.
#[derive(Debug)]
pub struct Breaker;

/// What the clients did.
#[derive(Clone, Debug, Default)]
struct Found {
    openings: Vec<Opening>,
    stalled: u32,
    backoff: u32,
    /// Fell silent for good.
    silent: u32,
    /// Fell silent, and the drill ended too soon to tell for how long.
    unknown: u32,
    stopped: u32,
    /// Went on through enough failures.
    absent: u32,
    /// Failed too few times.
    few: u32,
    /// Clients with a rate that is known, which met the faults.
    clients: u32,
}

impl Detector for Breaker {
    fn name(&self) -> &'static str {
        "breaker"
    }

    fn code(&self) -> &'static str {
        "D12"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn leans_on_links(&self) -> bool {
        false
    }

    fn leans_on_calm(&self, _term: Option<&str>) -> bool {
        true
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let found = Found::of(cx, None);
        let finding = judge(&found, cx)
            // One that fell silent for good opened, as far as anybody can tell.
            .figure("opened", found.openings.len() + found.silent as usize)
            .figure("stalled", found.stalled)
            .figure("backoff_only", found.backoff)
            .figure("silent", found.silent)
            .figure("stopped", found.stopped)
            .figure("none", found.absent)
            .figure("clients", found.clients);
        let Some(worst) = found.worst() else { return finding };
        finding
            .figure("opens_after", worst.opens)
            .figure("failures", worst.failures)
            .figure("probe_interval", worst.probe)
            .figure("closes_after", worst.closes.filter(|closes| closes.is_finite()))
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        match term {
            "circuit_breaker" => Some(Found::of(cx, phase).measured(cx)),
            "fails_fast" => Some(Found::of(cx, phase).load(cx)),
            _ => None,
        }
    }
}

impl Found {
    fn of(cx: &Cx<'_>, phase: Option<usize>) -> Self {
        let mut found = Self::default();
        let (Some(calm), Some(fault)) = (Span::calm(cx), Span::asked(cx, phase)) else {
            return found;
        };
        let after = Span::after(cx);
        for track in cx.tracks.iter() {
            let knocks = cx.course.knocks();
            let Some(seen) = watch(track, knocks, calm, fault, after) else { continue };
            found.clients += 1;
            match seen {
                Seen::Opened(opening) => found.openings.push(opening),
                Seen::Stalled => found.stalled += 1,
                Seen::Backoff => found.backoff += 1,
                Seen::Silent { for_good: true } => found.silent += 1,
                Seen::Silent { for_good: false } => found.unknown += 1,
                Seen::Stopped => found.stopped += 1,
                Seen::Absent => found.absent += 1,
                Seen::Few => found.few += 1,
                Seen::Unhurt => {}
            }
        }
        found
    }

    /// How the slowest of them opens and closes.
    fn worst(&self) -> Option<Opens> {
        let last =
            |what: fn(&Opening) -> f64| self.openings.iter().map(what).max_by(f64::total_cmp);
        let closes = self.openings.iter().filter_map(|opening| opening.closes);
        Some(Opens {
            opens: last(|opening| opening.after as f64)?,
            failures: self.openings.iter().map(|opening| u64::from(opening.failures)).max()?,
            probe: self.openings.iter().filter_map(Opening::probe).min_by(f64::total_cmp),
            closes: closes.max_by(f64::total_cmp),
        })
    }

    fn measured(&self, cx: &Cx<'_>) -> Measured {
        let sample = format!(
            "on {} of {} clients ({})",
            self.openings.len(),
            self.clients,
            cx.tracks.sample()
        );
        let others = self.absent + self.stalled + self.backoff + self.silent;
        let Some(worst) = self.worst().filter(|_| self.openings.len() as u64 >= u64::from(others))
        else {
            return self.none(&sample);
        };
        Measured::Breaker { opens: worst, sample }
    }

    /// Most have none, or nobody can tell.
    fn none(&self, sample: &str) -> Measured {
        if self.stalled + self.backoff + self.absent > 0 {
            let why = [
                (self.stalled, "stalled with every slot held"),
                (self.backoff, "only backed off"),
                (self.absent, "went on"),
                (self.silent, "fell silent for good"),
            ];
            let why = why.iter().filter(|(count, _)| *count > 0);
            let why: Vec<String> = why.map(|(count, what)| format!("{count} {what}")).collect();
            return Measured::Flag { is: false, sample: format!("{sample}; {}", why.join(", ")) };
        }
        if self.silent > 0 {
            let said = format!("{} clients fell silent and did not come back", self.silent);
            return Measured::Flag { is: false, sample: said };
        }
        if self.few + self.unknown > 0 {
            let said = format!("{sample}; {} had too few failures to open one", self.few);
            return Measured::too_few(said, NEEDS);
        }
        Measured::NotExercised(self.why().to_owned())
    }

    fn why(&self) -> &'static str {
        if self.clients == 0 {
            "no client has a rate in calm to compare with"
        } else {
            "nothing failed that could open a circuit breaker"
        }
    }

    fn load(&self, cx: &Cx<'_>) -> Measured {
        let attempts: u64 = self.openings.iter().map(|opening| u64::from(opening.attempts)).sum();
        let expected: f64 = self.openings.iter().map(|opening| opening.expected).sum();
        let base: u64 = self.openings.iter().map(|opening| u64::from(opening.base)).sum();
        // As many as in calm would be a ratio of one.
        let this = Observed { events: attempts, exposure: expected };
        let calm = Observed { events: base, exposure: base as f64 };
        let sample = format!("{attempts} attempts while open, {expected:.0} would be usual");
        match rate_ratio(this, calm, cx.level) {
            Some(interval) if expected > 0.0 => Measured::interval(interval, sample),
            _ if self.openings.is_empty() => {
                Measured::NotExercised("no circuit breaker was seen to open".to_owned())
            }
            _ => Measured::too_few(sample, "a circuit breaker that is open for longer"),
        }
    }
}

const NEEDS: &str = "100 failures of one client over 30 s";

fn judge(found: &Found, cx: &Cx<'_>) -> Finding {
    let tell = |grade, said: String| Finding::new(grade, Claim::Informational, said);
    let lost = found.openings.iter().filter(|o| o.closes == Some(f64::INFINITY)).count();
    if found.silent > 0 || lost > 0 {
        let said = format!(
            "{} of {} clients stopped asking after failures and did not come back within {} s of the \
             end of the faults: a circuit breaker that does not close, or a dead client",
            found.silent as usize + lost,
            found.clients,
            Span::after(cx).map_or(BACK, Span::seconds),
        );
        return tell(Grade::Fail, said)
            .advice("let an open circuit breaker probe at an interval, and close upon a success");
    }
    if let Some(worst) = found.worst() {
        let mut said = format!(
            "circuit breaker on {} of {}: opens {:.0} s after the first failing attempt at \
             the latest ({})",
            found.openings.len(),
            cx.tracks.sample(),
            worst.opens,
            counted(worst.failures, "failure")
        );
        if let Some(probe) = worst.probe {
            let _ = write!(said, ", probes every {probe:.0} s");
        }
        if let Some(closes) = worst.closes {
            let _ = write!(said, ", closes {closes:.0} s after the faults");
        }
        return tell(Grade::Pass, said);
    }
    if found.stalled > 0 {
        let said = format!(
            "{} of {} clients fell silent with every slot held: stalled, not a circuit breaker",
            found.stalled, found.clients
        );
        let finding = tell(Grade::Warn, said);
        return match cx.timeout {
            // It has one, and all the same nothing else gets through while slots are held.
            Some(timeout) if timeout <= SHORT => finding.advice(
                "fail at once what finds no free slot, or give what fails slots of its own: its timeout \
                 alone does not keep the rest going",
            ),
            _ => finding.advice("set a timeout, so that calls that get no answer give their slot back"),
        };
    }
    if found.absent + found.backoff > 0 {
        let said = format!(
            "no circuit breaker: {} of {} clients went on through {} failures and more, {} waited \
             between repeats",
            found.absent,
            found.clients,
            watch::FAILURES,
            found.backoff
        );
        return tell(Grade::Pass, said);
    }
    if found.few + found.unknown > 0 {
        let said = format!(
            "no circuit breaker was seen; {} of {} clients had too few failures to \
             open one",
            found.few, found.clients
        );
        return Finding::inconclusive(said, NEEDS);
    }
    Finding::not_applicable(found.why())
}

#[cfg(test)]
mod tests;
