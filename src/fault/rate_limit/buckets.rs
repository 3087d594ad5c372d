//! Token buckets in bounded memory.

use crate::fault::Tick;
use std::{collections::HashMap, time::Duration};

/// Buckets kept. A bucket that is full again is like none, so it can be forgotten.
const MOST: usize = 1 << 16;
/// Buckets that everybody else shares while that many are in use.
const SHARED: usize = 1 << 10;
/// How often full buckets are looked for, once there are too many.
const SWEEP: Duration = Duration::from_secs(1);
/// What a request may lack of its token: what rounding makes of a refill that is just enough.
const SLACK: f64 = 1e-9;

/// A token bucket for each key, full at the start. Keys are hashes.
///
/// Beyond [`MOST`] keys that are not full again, new keys share buckets with others: they are
/// limited sooner then, and memory stays bounded.
#[derive(Debug)]
pub(super) struct Buckets {
    kept: HashMap<u64, Bucket>,
    shared: Vec<Bucket>,
    swept: Tick,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Tokens it lacks to be full.
    lacks: f64,
    /// When it lacked them.
    at: Tick,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self { kept: HashMap::new(), shared: Vec::new(), swept: Tick::ZERO }
    }

    /// Takes a token out of the bucket of a key; or says how long it takes until there is one.
    /// `rate` is tokens per second, `depth` what a full bucket holds, at least one.
    pub(super) fn take(
        &mut self,
        key: u64,
        now: Tick,
        rate: f64,
        depth: f64,
    ) -> Result<(), Duration> {
        if self.kept.len() >= MOST && !self.kept.contains_key(&key) {
            self.sweep(now, rate);
        }
        let bucket = if self.kept.len() < MOST || self.kept.contains_key(&key) {
            self.kept.entry(key).or_default()
        } else {
            self.shared.resize(SHARED, Bucket::default());
            let slot = usize::try_from(key % SHARED as u64).unwrap_or(0);
            &mut self.shared[slot]
        };
        bucket.take(now, rate, depth)
    }

    /// Forgets the buckets that are full again.
    fn sweep(&mut self, now: Tick, rate: f64) {
        if now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            self.kept.retain(|_, bucket| bucket.lacks_at(now, rate) > 0.0);
        }
    }
}

impl Bucket {
    fn lacks_at(&self, now: Tick, rate: f64) -> f64 {
        // Requests that race may be asked about in another order than they looked at the time.
        let refill = now.saturating_sub(self.at).as_secs_f64() * rate;
        (self.lacks - refill).max(0.0)
    }

    fn take(&mut self, now: Tick, rate: f64, depth: f64) -> Result<(), Duration> {
        self.lacks = self.lacks_at(now, rate);
        self.at = self.at.max(now);
        let missing = self.lacks + 1.0 - depth;
        if missing > SLACK {
            return Err(Duration::try_from_secs_f64(missing / rate).unwrap_or(Duration::MAX));
        }
        self.lacks += 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_full_bucket_gives_its_depth_at_once_and_then_the_rate() {
        let mut buckets = Buckets::new();
        let mut take = |at| buckets.take(1, at, 10.0, 3.0);
        for _ in 0..3 {
            assert_eq!(take(Tick::ZERO), Ok(()));
        }
        assert_eq!(take(Tick::ZERO), Err(100 * MS));
        assert_eq!(take(60 * MS), Err(40 * MS));
        assert_eq!(take(100 * MS), Ok(()));
        assert_eq!(take(100 * MS), Err(100 * MS));
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused_however_long() {
        for (rate, gap) in
            [(10.0, 100_000), (100.0 / 60.0, 600_000), (3.0, 333_334), (0.1, 10_000_000)]
        {
            let mut buckets = Buckets::new();
            for nth in 0..100_000 {
                let at = Duration::from_micros(gap) * nth;
                assert_eq!(buckets.take(1, at, rate, 1.0), Ok(()), "the {nth}th at {rate}/s");
            }
        }
    }

    #[test]
    fn who_comes_twice_as_often_gets_half() {
        let mut buckets = Buckets::new();
        let passed = (0..1_000).filter(|nth| buckets.take(1, 50 * MS * *nth, 10.0, 1.0).is_ok());
        assert_eq!(passed.count(), 500);
    }

    #[test]
    fn each_key_has_its_own() {
        let mut buckets = Buckets::new();
        assert_eq!(buckets.take(1, Tick::ZERO, 1.0, 1.0), Ok(()));
        assert_eq!(buckets.take(2, Tick::ZERO, 1.0, 1.0), Ok(()));
        assert!(buckets.take(1, Tick::ZERO, 1.0, 1.0).is_err());
    }

    #[test]
    fn a_bucket_holds_no_more_than_its_depth_after_a_rest() {
        let mut buckets = Buckets::new();
        let day = Duration::from_secs(86_400);
        let passed = (0..10).filter(|_| buckets.take(1, day, 10.0, 3.0).is_ok());
        assert_eq!(passed.count(), 3);
    }

    #[test]
    fn memory_stays_bounded_and_full_buckets_are_forgotten_first() {
        let mut buckets = Buckets::new();
        let key = |nth: u64| nth.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for nth in 0..200_000 {
            let _taken = buckets.take(key(nth), Tick::ZERO, 1.0, 1.0);
        }
        assert_eq!((buckets.kept.len(), buckets.shared.len()), (MOST, SHARED));
        // Those who are known are still told apart; newcomers are limited with others.
        assert!(buckets.take(key(0), Tick::ZERO, 1.0, 1.0).is_err());
        assert!(buckets.take(key(300_000), Tick::ZERO, 1.0, 1.0).is_err());

        // A second later all are full again, and there is room for everybody.
        assert_eq!(buckets.take(key(400_000), Duration::from_secs(1), 1.0, 1.0), Ok(()));
        assert_eq!(buckets.kept.len(), 1);
    }
}
