//! The how-manieth time of each key: counters in bounded memory.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

const SHARDS: usize = 64;

/// Counts per key, from one.
///
/// Keys are hashes already. Beyond the limit new keys share a counter with others: their ordinals
/// then depend on who came first, and memory stays bounded.
#[derive(Debug)]
pub(super) struct Ordinals {
    shards: Vec<Mutex<HashMap<u64, u64, BuildHasherDefault<AsIs>>>>,
    limit: usize,
    overflow: Vec<AtomicU64>,
}

/// A hasher for keys that are hashes.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Ordinals {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            limit: limit / SHARDS,
            overflow: (0..1024).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The next ordinal of a key.
    pub(super) fn next(&self, key: u64) -> u64 {
        // Bits from the middle choose the shard: the map itself uses those at both ends.
        let shard = usize::try_from((key >> 32) & 63).unwrap_or(0);
        let mut counts = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= self.limit && !counts.contains_key(&key) {
            let slot = usize::try_from(key & 1023).unwrap_or(0);
            return self.overflow[slot].fetch_add(1, Ordering::Relaxed) + 1;
        }
        let count = counts.entry(key).or_insert(0);
        *count += 1;
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_counts_for_itself() {
        let ordinals = Ordinals::new(1_000);
        assert_eq!([ordinals.next(7), ordinals.next(7), ordinals.next(8)], [1, 2, 1]);
    }

    #[test]
    fn a_shard_has_keys_of_all_top_bits() {
        let ordinals = Ordinals::new(64_000);
        for top in 0..64_u64 {
            ordinals.next(top << 58);
        }
        assert_eq!(ordinals.shards[0].lock().unwrap().len(), 64);
    }

    #[test]
    fn memory_stays_bounded() {
        let ordinals = Ordinals::new(640);
        for key in 0..100_000_u64 {
            ordinals.next(key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        let kept: usize = ordinals.shards.iter().map(|s| s.lock().unwrap().len()).sum();
        assert!(kept <= 640, "{kept}");
    }
}
