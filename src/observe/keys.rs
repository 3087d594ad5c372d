//! A set of hashed identities in bounded memory.

use std::collections::HashSet;

/// More than these are not told apart.
const LIMIT: usize = 1_000_000;

/// Distinct keys, up to a limit.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: HashSet<u64>,
}

impl KeySet {
    /// Notes a key.
    pub fn insert(&mut self, key: u64) {
        if self.keys.len() < LIMIT {
            self.keys.insert(key);
        }
    }

    /// How many there are; at the limit it says "at least".
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether there may be more than `len` says.
    pub fn is_full(&self) -> bool {
        self.keys.len() >= LIMIT
    }
}
