//! Links attempts to operations.
//!
//! Attempts come in the order in which they end. One joins an operation that carries the same key
//! or name, else one of the same user that asks for the same thing (method, path, query, body) and
//! of which nothing was served before the attempt began, unless it lies too far back: see
//! [`Windows`] for what is too far. Whatever cannot be joined any more is handed on. Memory is
//! bounded: when too many operations are open, the one that would be closed next is closed early.

use crate::verdict::{
    attempt::{Attempt, Class},
    operation::{Link, Operation},
    window::Windows,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// Operations that may be open at a time.
const OPEN: usize = 200_000;
/// How long a served operation stays open, in microseconds, for attempts that overlapped it.
const SERVED: u64 = 5_000_000;
/// How long a served operation with a key stays open: the key should hold as long.
const KEYED: u64 = 60_000_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Linker {
    windows: Windows,
    open: HashMap<u64, Operation>,
    next: u64,
    /// By what attempts ask for, the youngest operation.
    prints: HashMap<u64, u64>,
    /// By keys and names of operations.
    names: HashMap<u64, u64>,
    /// When each may be closed, as far as was known when that was written down.
    due: BinaryHeap<Reverse<(u64, u64)>>,
    /// Operations that were closed before their time.
    pub early: u64,
}

impl Linker {
    /// What is known of how far back an attempt may be linked.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Takes an attempt in. `in_calm` says that nothing was wrong when it came.
    pub fn push(&mut self, attempt: Attempt, in_calm: bool, done: &mut dyn FnMut(Operation)) {
        let now = attempt.end;
        self.windows.see(&attempt, in_calm);
        if self.reuses_key(&attempt) {
            self.begin(Operation::with_used_key(attempt));
        } else if let Some((id, link)) = self.find(&attempt) {
            self.join(id, attempt, link);
        } else {
            self.begin(Operation::new(attempt));
        }
        self.close(now, done);
    }

    /// Closes whatever is open.
    pub fn finish(&mut self, done: &mut dyn FnMut(Operation)) {
        let mut ids: Vec<u64> = self.open.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.hand_on(id, done);
        }
    }

    /// Whether the key of an attempt belongs to something else, which was over before: served, or
    /// refused for good.
    fn reuses_key(&self, attempt: &Attempt) -> bool {
        let open = attempt.key.and_then(|key| self.open.get(self.names.get(&key)?));
        open.is_some_and(|other| {
            let is_other = other.first().content != attempt.content;
            let is_read = attempt.received > 0 && other.first().received > 0;
            let is_served = other.served_at().is_some_and(|served| served < attempt.start);
            let is_refused = other.last().class == Some(Class::Final);
            is_other && is_read && (is_served || is_refused)
        })
    }

    fn find(&self, attempt: &Attempt) -> Option<(u64, Link)> {
        let named = names(attempt).find_map(|name| self.names.get(&name));
        if let Some(id) = named {
            return Some((*id, Link::Key));
        }
        // A client that names its operations has said that this is another one.
        if attempt.is_declared {
            return None;
        }
        let found = |print: u64| {
            let id = *self.prints.get(&print)?;
            let operation = self.open.get(&id)?;
            self.fits(operation, attempt).then_some((id, operation))
        };
        let plain = || Some((found(attempt.print)?.0, Link::Print));
        // Of a request that was broken off before its body was read nobody knows the body.
        let unread = || {
            let (id, operation) = found(attempt.vague ^ VAGUE)?;
            let is_unread = attempt.received == 0 || operation.last().received == 0;
            is_unread.then_some((id, Link::Print))
        };
        let near = || Some((found(attempt.masked? ^ MASKED)?.0, Link::Near));
        plain().or_else(unread).or_else(near)
    }

    /// Whether an attempt may be one of an operation that asks for the same.
    fn fits(&self, operation: &Operation, attempt: &Attempt) -> bool {
        let is_free = operation.served_at().is_none_or(|served| served >= attempt.start);
        // No new request has a number, however soon new ones come.
        if attempt.is_numbered() && operation.last().counter < attempt.counter {
            return is_free && !operation.first().is_declared;
        }
        let since = attempt.start.checked_sub(operation.last_end());
        // Of two that overlap the one did not wait for the other: a poll on its beat is no retry.
        let gap = since.unwrap_or_else(|| attempt.start.abs_diff(operation.last_start()));
        let beat = attempt.start.abs_diff(operation.last_start());
        if self.windows.is_on_beat(attempt.route, beat) {
            return false;
        }
        is_free && !operation.first().is_declared && gap <= self.windows.of(attempt.route)
    }

    fn begin(&mut self, operation: Operation) {
        let id = self.next;
        self.next += 1;
        self.remember(id, operation.first());
        self.open.insert(id, operation);
        self.due.push(Reverse((self.due_of(id), id)));
    }

    fn join(&mut self, id: u64, attempt: Attempt, link: Link) {
        self.remember(id, &attempt);
        if let Some(operation) = self.open.get_mut(&id) {
            operation.add(attempt, link);
        }
    }

    /// Notes what later attempts may be known by.
    fn remember(&mut self, id: u64, attempt: &Attempt) {
        self.names.extend(names(attempt).map(|name| (name, id)));
        self.prints.extend(prints(attempt).map(|print| (print, id)));
    }

    fn due_of(&self, id: u64) -> u64 {
        let Some(operation) = self.open.get(&id) else { return 0 };
        let wait = match operation.served_at() {
            Some(_) if names(operation.first()).next().is_none() => SERVED,
            Some(_) => KEYED,
            None => self.windows.of(operation.first().route).max(SERVED),
        };
        operation.last_end().saturating_add(wait)
    }

    fn close(&mut self, now: u64, done: &mut dyn FnMut(Operation)) {
        while let Some(Reverse((due, id))) = self.due.peek().copied() {
            let is_full = self.open.len() > OPEN;
            if due > now && !is_full {
                return;
            }
            self.due.pop();
            let due = self.due_of(id);
            if due > now && !is_full {
                self.due.push(Reverse((due, id)));
                continue;
            }
            self.early += u64::from(due > now);
            self.hand_on(id, done);
        }
    }

    fn hand_on(&mut self, id: u64, done: &mut dyn FnMut(Operation)) {
        let Some(operation) = self.open.remove(&id) else { return };
        for attempt in operation.attempts() {
            for (known, marks) in [
                (&mut self.prints, prints(attempt).collect::<Vec<u64>>()),
                (&mut self.names, names(attempt).collect()),
            ] {
                for mark in marks {
                    // A younger operation may go by it by now.
                    if known.get(&mark) == Some(&id) {
                        known.remove(&mark);
                    }
                }
            }
        }
        done(operation);
    }
}

/// Keeps what is known by a masked body apart from what is known by a whole one.
const MASKED: u64 = 0x6d61_736b_6564_2121;
/// The same for what is known without its body.
const VAGUE: u64 = 0x7661_6775_6521_2121;

fn prints(attempt: &Attempt) -> impl Iterator<Item = u64> {
    let masked = attempt.masked.map(|masked| masked ^ MASKED);
    let vague = attempt.is_unsafe.then_some(attempt.vague ^ VAGUE);
    [Some(attempt.print), masked, vague].into_iter().flatten()
}

fn names(attempt: &Attempt) -> impl Iterator<Item = u64> {
    [attempt.key, attempt.operation].into_iter().flatten()
}
