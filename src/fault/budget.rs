//! How much memory delayed bytes may take.
//!
//! A delay must not narrow the pipe: what comes within the delay has to be held, 20 MB at 200 ms
//! and 100 MB/s. So each stream may always hold some, and beyond that takes from a budget that all
//! of the process share, until it is used up; then its source waits. What is lent is given back as
//! soon as the bytes have left.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

/// What each stream may always hold.
pub(super) const OWN: usize = 1024 * 1024;
/// What all of them may hold beyond that, together.
pub(super) const SHARED_BYTES: usize = 256 * 1024 * 1024;
/// What a chunk costs beside its bytes: a place in a ring, and an allocation.
const PER_CHUNK: usize = 96;
/// What is lent at a time; several times what a socket is read with.
const STEP: usize = 64 * 1024;

/// The budget of the process.
pub(super) static SHARED: Budget = Budget::new(SHARED_BYTES);

/// Memory that is lent.
pub(super) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes.
    pub(super) const fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    fn lend(&self) -> bool {
        let less = |left: usize| left.checked_sub(STEP);
        self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::AcqRel);
    }
}

impl fmt::Debug for Budget {
    /// Without what is left, which is nobody's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Budget")
    }
}

/// What one stream holds.
#[derive(Debug)]
pub(super) struct Account {
    budget: &'static Budget,
    lent: usize,
    held: usize,
}

impl Account {
    /// Of a stream that holds nothing.
    pub(super) const fn new(budget: &'static Budget) -> Self {
        Self { budget, lent: 0, held: 0 }
    }

    /// How many bytes may come.
    pub(super) const fn room(&self) -> usize {
        (OWN + self.lent).saturating_sub(self.held)
    }

    /// Makes room, if there is little and the budget has any left.
    pub(super) fn make_room(&mut self) {
        if self.room() < STEP && self.budget.lend() {
            self.lent += STEP;
        }
    }

    /// A chunk of so many bytes is held.
    pub(super) const fn take(&mut self, len: usize) {
        self.held += len + PER_CHUNK;
    }

    /// A chunk of so many bytes is let go.
    pub(super) fn release(&mut self, len: usize) {
        self.held = self.held.saturating_sub(len + PER_CHUNK);
        // Not at once, or a stream at the edge would ask anew with every chunk.
        while self.lent > 0 && self.room() > 3 * STEP {
            self.lent -= STEP;
            self.budget.give_back(STEP);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.budget.give_back(self.lent);
    }
}

#[cfg(test)]
impl Budget {
    /// How much could be lent.
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Acquire)
    }

    /// One that no other test lends from.
    pub(super) fn of_its_own(bytes: usize) -> &'static Self {
        Box::leak(Box::new(Self::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_its_own_and_then_what_is_lent_until_nothing_is_left() {
        let budget = Budget::of_its_own(3 * STEP + 1);
        let mut account = Account::new(budget);
        let mut held = 0;
        loop {
            account.make_room();
            if account.room() == 0 {
                break;
            }
            account.take(10_000);
            held += 10_000 + PER_CHUNK;
        }
        let most = OWN + 3 * STEP;
        assert!((most..most + 10_000 + PER_CHUNK).contains(&held), "{held}");
        assert_eq!(budget.left(), 1);
    }

    #[test]
    fn what_was_lent_comes_back_as_it_leaves_and_when_the_stream_is_gone() {
        let budget = Budget::of_its_own(100 * STEP);
        let mut account = Account::new(budget);
        for _ in 0..50 {
            account.make_room();
            account.take(50_000);
        }
        assert!(budget.left() < 80 * STEP);
        for _ in 0..49 {
            account.release(50_000);
        }
        assert_eq!(budget.left(), 100 * STEP);

        account.take(4 * OWN);
        account.make_room();
        assert_eq!(budget.left(), 99 * STEP);
        drop(account);
        assert_eq!(budget.left(), 100 * STEP);
    }

    #[test]
    fn many_small_chunks_cost_more_than_their_bytes() {
        let mut account = Account::new(Budget::of_its_own(0));
        let mut chunks = 0;
        while account.room() > 0 {
            account.take(1);
            chunks += 1;
        }
        assert!(chunks < OWN / 64, "{chunks} chunks of one byte");
    }
}
