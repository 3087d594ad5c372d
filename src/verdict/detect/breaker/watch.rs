//! One client and its circuit breaker.

use crate::verdict::{
    span::{Span, seconds_of},
    tracks::{Series, Track},
};

/// First attempts in calm without which the rate is a guess.
const LEAST: u32 = 10;
/// Failures without which no absence is told of.
pub(super) const FAILURES: u32 = 100;
/// Seconds of faults without which none is.
const SECONDS: usize = 30;

/// What one client did.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// A circuit breaker opened.
    Opened(Opening),
    /// Every slot was held.
    Stalled,
    /// What it sent were repeats.
    Backoff,
    /// It fell silent and did not come back, or nobody can tell.
    Silent { for_good: bool },
    /// It fell silent, but nothing had failed.
    Stopped,
    /// It went on, through failures enough.
    Absent,
    /// It went on, through too few.
    Few,
    /// Nothing failed.
    Unhurt,
}

/// A circuit breaker that opened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opening {
    /// Seconds after the first failing attempt.
    pub after: usize,
    /// Failures before.
    pub failures: u32,
    /// Gaps between probes, in order of size.
    probes: Vec<usize>,
    /// When it closed after the faults; infinite if it had the time and did not.
    pub closes: Option<f64>,
    /// Attempts while it was open.
    pub attempts: u32,
    /// Attempts that would be usual in that time.
    pub expected: f64,
    /// Attempts in calm.
    pub base: u32,
}

impl Opening {
    /// How far apart its probes are, if they are regular.
    pub(super) fn probe(&self) -> Option<f64> {
        let middle = self.probes.get(self.probes.len() / 2).filter(|_| self.probes.len() >= 2)?;
        let mut off: Vec<usize> = self.probes.iter().map(|gap| gap.abs_diff(*middle)).collect();
        off.sort_unstable();
        let is_regular = off[off.len() / 2] * 4 < *middle;
        is_regular.then_some(*middle as f64)
    }
}

/// What a client did; `None` if it has no rate to compare with. `knocks` are connections on which nobody
/// asked anything, by seconds, whoever's they were.
pub(super) fn watch(
    track: &Track,
    knocks: &[u32],
    calm: Span,
    fault: Span,
    after: Option<Span>,
) -> Option<Seen> {
    let end = after.map_or(fault.to, |after| after.to);
    let series = track.series(end);
    let from = calm.from.max(track.first());
    let seconds = calm.to.checked_sub(from).filter(|seconds| *seconds > 0)? as f64;
    let base = series.between(from, calm.to);
    if base.firsts < LEAST {
        return None;
    }
    let rate = f64::from(base.firsts) / seconds;
    let window = seconds_of((20.0 / rate).max(5.0));
    let client = Client { series, knocks, fault, after, rate, window };
    let mut seen = client.seen();
    if let Seen::Opened(opening) = &mut seen {
        // Until now it was told for how long: at the rate of calm, that would be so many.
        opening.expected *= f64::from(base.starts) / seconds;
        opening.base = base.starts;
    }
    Some(seen)
}

struct Client<'k> {
    series: Series,
    knocks: &'k [u32],
    fault: Span,
    after: Option<Span>,
    rate: f64,
    window: usize,
}

impl Client<'_> {
    fn seen(&self) -> Seen {
        let Span { from, to } = self.fault;
        let failed = |until: usize| self.series.between(from, until).failed();
        let most = self.series.most_in_flight();
        let mut is_stalled = false;
        let last = to.saturating_sub(self.window);
        for at in (from..=last).filter(|at| self.is_quiet(*at)) {
            if self.is_held(at, most) {
                is_stalled = true;
                continue;
            }
            let open = self.falls_silent(at);
            return if failed(open) == 0 { Seen::Stopped } else { self.opened(open) };
        }
        let failures = failed(to);
        match failures {
            _ if is_stalled => Seen::Stalled,
            0 => Seen::Unhurt,
            FAILURES.. if to.saturating_sub(self.first_failing()) >= SECONDS => Seen::Absent,
            _ => Seen::Few,
        }
    }

    fn is_quiet(&self, at: usize) -> bool {
        let came = self.series.between(at, at + self.window);
        let usual = self.rate * self.window as f64;
        let knocks = self.knocks.iter().skip(at).take(self.window);
        let knocks: f64 = knocks.map(|count| f64::from(*count)).sum();
        f64::from(came.firsts) <= 0.1 * usual
            && f64::from(came.starts) <= 0.2 * usual + 1.0
            && knocks <= 0.1 * usual
    }

    fn is_held(&self, at: usize, most: u32) -> bool {
        let mut second_half = at + self.window / 2..at + self.window;
        second_half.all(|at| self.series.in_flight(at) * 2 >= most.max(1))
    }

    /// Where in a quiet window the silence begins: a few stray attempts may come first.
    fn falls_silent(&self, at: usize) -> usize {
        let busy = |at: &usize| self.series.between(*at, *at + 1).starts > 0;
        let end = at + self.window;
        let mut stops: Vec<usize> = (at..end).filter(busy).map(|at| at + 1).collect();
        stops.insert(0, at);
        let next = |from: usize| (from..end).find(busy).unwrap_or(end);
        let lengths = stops.into_iter().map(|from| (next(from) - from, from));
        lengths.rev().max_by_key(|(length, _)| *length).map_or(at, |(_, from)| from)
    }

    /// The second in which the first attempt began that failed.
    fn first_failing(&self) -> usize {
        let Span { from, to } = self.fault;
        (from..to).find(|at| self.series.between(*at, *at + 1).doomed > 0).unwrap_or(from)
    }

    fn opened(&self, open: usize) -> Seen {
        let resumes = seconds_of((10.0 / self.rate).max(5.0));
        let is_back = |at: usize| {
            let firsts = self.series.between(at, at + resumes).firsts;
            f64::from(firsts) >= 0.5 * self.rate * resumes as f64
        };
        let shut = (open + 1..self.fault.to).find(|at| is_back(*at)).unwrap_or(self.fault.to);
        let silence = self.series.between(open, shut);
        let repeats = silence.starts.saturating_sub(silence.firsts);
        if repeats >= 2 && repeats > silence.firsts {
            return Seen::Backoff;
        }
        let closes = self.after.and_then(|after| self.closes(after, resumes, &is_back));
        let goes_on = self.series.between(open, self.series.end()).starts > 0;
        if !goes_on {
            return Seen::Silent { for_good: closes == Some(f64::INFINITY) };
        }
        Seen::Opened(Opening {
            after: open.saturating_sub(self.first_failing()),
            failures: self.series.between(self.fault.from, open + 1).failed(),
            probes: self.probes(open, shut),
            closes,
            attempts: silence.starts,
            expected: (shut - open) as f64,
            base: 0,
        })
    }

    /// How long after the faults the first success comes with which the traffic resumes.
    fn closes(&self, after: Span, resumes: usize, is_back: &dyn Fn(usize) -> bool) -> Option<f64> {
        let is_served = |at: usize| self.series.between(at, at + 1).served > 0;
        let last = after.to.saturating_sub(resumes);
        let closed = (after.from..=last).find(|at| is_served(*at) && is_back(*at));
        match closed {
            Some(at) => Some((at - after.from) as f64),
            None => (after.seconds() >= super::BACK + resumes).then_some(f64::INFINITY),
        }
    }

    /// Gaps between what comes one by one in the silence.
    fn probes(&self, open: usize, shut: usize) -> Vec<usize> {
        let starts = |at: &usize| self.series.between(*at, *at + 1).starts > 0;
        let mut last = open;
        let mut gaps = Vec::new();
        for at in (open..shut).filter(starts) {
            // Two in neighbouring seconds are one.
            if at > last + 1 {
                gaps.push(at - last);
            }
            last = at;
        }
        gaps.sort_unstable();
        gaps
    }
}
