//! How far back an attempt may be linked to one that asked for the same, learnt in calm.
//!
//! In calm nothing is retried, so a request that recurs after it was served is a new one: a poll, a
//! reload, the next customer with the same basket. How soon such recurrences come is measured for
//! each route; under faults an attempt is linked only if it comes sooner than all but one in a
//! hundred of them. A poller with a period of five seconds is thus never taken for a retrier, and
//! what it retries within its period still is. Where nothing recurs the window is a minute, or more
//! if waits that are known for certain (by a key, by `Retry-After`) are longer.
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
/// Upper bounds of recurrence gaps double from a millisecond, in quarter steps.
const STEPS: i32 = 4;
const BINS: usize = 72;

/// See the module's documentation.
#[derive(Debug)]
pub struct Windows {
    routes: HashMap<u16, Recurrences>,
    /// When what was asked for was last served, in two generations.
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
    longest: u64,
}

/// How soon requests recur on one route.
#[derive(Clone, Debug)]
struct Recurrences {
    served: u64,
    gaps: [u64; BINS],
    window: u64,
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
        if let Some(gap) = last.and_then(|last| attempt.start.checked_sub(last)) {
            route.recurred(gap);
        }
        if attempt.is_served() {
            route.served += 1;
            if self.young.len() >= REMEMBERED {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(attempt.print, attempt.end);
        }
    }

    /// Waits as long as this are known to happen.
    fn allow(&mut self, wait: u64) {
        self.longest = self.longest.max(wait.min(LONGEST));
    }
}

impl Recurrences {
    fn new() -> Self {
        Self { served: 0, gaps: [0; BINS], window: u64::MAX }
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
