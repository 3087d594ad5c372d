//! How far back an attempt may be linked to one that asked for the same, learnt in calm.
//!
//! In calm nothing is retried, so a request that recurs after it was served is a new one: a poll, a
//! reload, the next customer with the same basket. How soon such recurrences come is measured for
//! each route; under faults an attempt is linked only if it comes sooner than all but one in a
//! hundred of them. A poller with a period of five seconds is thus never taken for a retrier, and
//! what it retries within its period still is. Where nothing recurs the window is a minute, or more
//! if waits that are known for certain (by a key, by `Retry-After`) are longer.
//!
//! What comes on a beat (four recurrences in five within a tenth of one period, from start to start) is
//! never linked on that beat, however late the answer before it came.
//!
//! This is the measured purity of links: with it, at most one link in a hundred joins what does not
//! belong together.

use crate::verdict::attempt::Attempt;
use std::collections::HashMap;

/// The window where nothing is known, in microseconds.
const USUAL: u64 = 60_000_000;
/// No window is longer.
const LONGEST: u64 = 180_000_000;
/// A window below this is worth nothing: links by content fail on such a route.
const WORTHLESS: u64 = 1_000_000;
/// One recurrence in this many may lie inside the window.
const PURITY: u64 = 100;
/// Served requests remembered per generation.
const REMEMBERED: usize = 200_000;
/// The share of recurrences on one beat that makes a poller.
const ON_BEAT: f64 = 0.8;
/// Recurrences that show a beat.
const BEATS: u64 = 3;
/// How far off the beat a poll may be.
const OFF_BEAT: f64 = 0.08;
/// Upper bounds of recurrence gaps double from a millisecond, in quarter steps.
const STEPS: i32 = 4;
const BINS: usize = 72;

/// See the module's documentation.
#[derive(Debug)]
pub struct Windows {
    routes: HashMap<u16, Recurrences>,
    /// When what was served last was begun and ended, in two generations.
    young: HashMap<u64, (u64, u64)>,
    old: HashMap<u64, (u64, u64)>,
    longest: u64,
}

/// How soon requests recur on one route.
#[derive(Clone, Debug)]
struct Recurrences {
    served: u64,
    gaps: [u64; BINS],
    window: u64,
    /// The period that recurrences keep, in microseconds, from start to start; how many there were,
    /// and how many of them were on it.
    beat: f64,
    recurred: u64,
    on_beat: u64,
}

impl Default for Windows {
    fn default() -> Self {
        Self { routes: HashMap::new(), young: HashMap::new(), old: HashMap::new(), longest: USUAL }
    }
}

impl Windows {
    /// How long after the end of an operation an attempt of this route may join it, in microseconds.
    pub fn of(&self, route: u16) -> u64 {
        let learnt = self.routes.get(&route).map(|route| route.window);
        learnt.unwrap_or(u64::MAX).min(self.longest)
    }

    /// Whether an attempt that begins so long after the beginning of another is a poll on its beat.
    pub fn is_on_beat(&self, route: u16, since: u64) -> bool {
        let Some(route) = self.routes.get(&route) else { return false };
        let keeps =
            route.on_beat >= BEATS && route.on_beat as f64 >= ON_BEAT * route.recurred as f64;
        let beats = (since as f64 / route.beat).round();
        keeps
            && beats >= 1.0
            && (since as f64 / route.beat - beats).abs() <= OFF_BEAT * beats.sqrt()
    }

    /// Whether links by content are worthless on a route: what is asked for recurs at once.
    pub fn is_blind(&self, route: u16) -> bool {
        self.of(route) < WORTHLESS
    }

    /// ρ, the probability that a link by content, made within the window of its route, joins what
    /// does not belong together: recurrences inside the windows over requests served in calm.
    pub fn rho(&self) -> f64 {
        let (mut inside, mut served) = (0, 0);
        for route in self.routes.values() {
            inside += route.gaps[..bin(route.window.min(self.longest))].iter().sum::<u64>();
            served += route.served;
        }
        if served == 0 { 0.0 } else { inside as f64 / served as f64 }
    }

    pub(super) fn see(&mut self, attempt: &Attempt, in_calm: bool) {
        if let Some(wait) = attempt.retry_after {
            let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
            self.allow(wait.saturating_add(10_000_000));
        }
        if !in_calm {
            return;
        }
        let last = self.young.get(&attempt.print).or_else(|| self.old.get(&attempt.print)).copied();
        let route = self.routes.entry(attempt.route).or_insert_with(Recurrences::new);
        if let Some((begun, ended)) = last
            && let Some(gap) = attempt.start.checked_sub(ended)
        {
            route.keep_beat(attempt.start.saturating_sub(begun) as f64);
            route.recurred(gap);
        }
        if attempt.is_served() {
            route.served += 1;
            if self.young.len() >= REMEMBERED {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(attempt.print, (attempt.start, attempt.end));
        }
    }

    /// Waits as long as this are known to happen.
    fn allow(&mut self, wait: u64) {
        self.longest = self.longest.max(wait.min(LONGEST));
    }
}

impl Recurrences {
    fn new() -> Self {
        Self { served: 0, gaps: [0; BINS], window: u64::MAX, beat: 0.0, recurred: 0, on_beat: 0 }
    }

    /// Follows a slowly moving period; the first recurrence sets it.
    fn keep_beat(&mut self, period: f64) {
        self.recurred += 1;
        if self.beat <= 0.0 || self.on_beat == 0 {
            self.beat = period;
            self.on_beat = 1;
        } else if (period / self.beat - 1.0).abs() <= OFF_BEAT {
            self.beat += (period - self.beat) / 8.0;
            self.on_beat += 1;
        } else if self.on_beat * 4 < self.recurred {
            // It was none.
            (self.beat, self.on_beat) = (period, 1);
        }
    }

    fn recurred(&mut self, gap: u64) {
        self.gaps[bin(gap)] += 1;
        let all: u64 = self.gaps.iter().sum();
        let mut inside = 0;
        for (at, count) in self.gaps.iter().enumerate() {
            inside += count;
            // Of what recurs at all: a poller with ten polls has shown its period already. A single
            // one may be chance.
            if all >= 2 && inside * PURITY > all.max(self.served) {
                self.window = lower(at);
                return;
            }
        }
        self.window = u64::MAX;
    }
}

/// The bin of a gap in microseconds.
fn bin(gap: u64) -> usize {
    let millis = (gap as f64 / 1e3).max(1.0);
    let at = (millis.log2() * f64::from(STEPS)).floor();
    if at >= (BINS - 1) as f64 { BINS - 1 } else { bin_of(at) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to BINS")]
fn bin_of(at: f64) -> usize {
    at.max(0.0) as usize
}

/// The lower bound of a bin, in microseconds; the first begins at nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few minutes")]
fn lower(at: usize) -> u64 {
    if at == 0 { 0 } else { ((at as f64 / f64::from(STEPS)).exp2() * 1e3) as u64 }
}
