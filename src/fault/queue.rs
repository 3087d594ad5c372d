//! Bytes that wait their turn: a ring of chunks, cut without copying.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Bytes in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    chunks: VecDeque<Bytes>,
    len: usize,
}

impl Queue {
    /// How many bytes wait.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether none do.
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a chunk at the end.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.chunks.push_back(bytes);
        }
    }

    /// Takes a chunk of at most `most` bytes from the front; `None` if there is none.
    pub(super) fn take(&mut self, most: usize) -> Option<Bytes> {
        if most == 0 {
            return None;
        }
        let front = self.chunks.front_mut()?;
        let taken =
            if front.len() > most { front.split_to(most) } else { self.chunks.pop_front()? };
        self.len -= taken.len();
        Some(taken)
    }

    /// Takes `most` bytes from the front, or all if there are fewer, as one chunk.
    pub(super) fn gather(&mut self, most: usize) -> Option<Bytes> {
        let first = self.take(most)?;
        if first.len() == most || self.is_empty() {
            return Some(first);
        }
        let mut joined = BytesMut::with_capacity(most.min(first.len() + self.len));
        joined.extend_from_slice(&first);
        while let Some(next) = self.take(most - joined.len()) {
            joined.extend_from_slice(&next);
        }
        Some(joined.freeze())
    }
}

/// Takes the front of a ring if `is_wanted`.
pub(super) fn pop_if<T>(ring: &mut VecDeque<T>, is_wanted: impl FnOnce(&T) -> bool) -> Option<T> {
    if ring.front().is_some_and(is_wanted) { ring.pop_front() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_in_order_and_no_more_than_asked() {
        let mut queue = Queue::default();
        queue.push(Bytes::from_static(b"abcdef"));
        queue.push(Bytes::new());
        queue.push(Bytes::from_static(b"gh"));

        assert_eq!(queue.take(4).as_deref(), Some(&b"abcd"[..]));
        assert_eq!(queue.take(4).as_deref(), Some(&b"ef"[..]));
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.take(0), None);
        assert_eq!(queue.take(9).as_deref(), Some(&b"gh"[..]));
        assert!(queue.is_empty() && queue.take(9).is_none());
    }

    #[test]
    fn what_is_gathered_is_one_chunk_of_the_size_asked() {
        let mut queue = Queue::default();
        for part in ["abc", "d", "efgh"] {
            queue.push(Bytes::from(part));
        }

        assert_eq!(queue.gather(2).as_deref(), Some(&b"ab"[..]));
        assert_eq!(queue.gather(4).as_deref(), Some(&b"cdef"[..]));
        assert_eq!(queue.gather(usize::MAX).as_deref(), Some(&b"gh"[..]));
        assert_eq!(queue.gather(1), None);
    }
}
