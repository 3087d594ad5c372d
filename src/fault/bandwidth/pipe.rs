//! A pipe of so many bytes per second, and the filter that sends a stream through it.
//!
//! A pipe counts bytes: how many could have gone through by now, and how many it has promised to
//! carry. Whoever wants to send takes the next stretch of that count as a ticket, and may send when
//! the pipe has come so far. So those who share a pipe take turns, and since a ticket is a place in
//! the count and not a time, a change of rate acts on everything that waits.

use crate::{
    fault::{ByteFilter, Out, Tick, queue::Queue},
    timeline::{Moment, Moving},
    units::ByteRate,
};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What is held at most; a fast pipe needs no more to be kept busy.
const MOST_HELD: usize = 256 * 1024;
/// What a slow pipe holds, so that a head or two fit into it.
const LEAST_HELD: usize = 4 * 1024;
/// Bytes leave in slices of at most this part of a second, so that the flow is even.
const SLICES_PER_SECOND: f64 = 16.0;
/// The largest slice: 16 KiB is what a socket is usually read with.
const LARGEST_SLICE: usize = 16 * 1024;
/// A busy sender may make up for timers that fire late by this much, and no more: a client that
/// did not read for a minute must not get the whole minute's bytes at once.
const CATCH_UP: f64 = 0.05;
/// Two counts that are nearer than this are equal: what rounding to nanoseconds can cost.
const NEAR: f64 = 1e-6;

/// A pipe.
#[derive(Debug)]
pub(super) struct Pipe {
    rate: f64,
    burst: f64,
    last: Tick,
    /// How many bytes could have gone through.
    position: f64,
    /// How many are promised.
    promised: f64,
}

impl Pipe {
    /// A pipe that has rested: `burst` bytes may pass at once.
    pub(super) fn new(burst: u64) -> Self {
        let burst = burst as f64;
        Self { rate: 1.0, burst, last: Tick::ZERO, position: burst, promised: 0.0 }
    }

    fn advance(&mut self, now: Tick) {
        let passed = now.saturating_sub(self.last);
        self.position += passed.as_secs_f64() * self.rate;
        self.last = self.last.max(now);
    }

    /// The place in the count that has to be reached before `size` more bytes may leave.
    fn promise(&mut self, size: usize, busy: bool) -> f64 {
        let lead = if busy { self.burst.max(self.rate * CATCH_UP) } else { self.burst };
        self.promised = self.promised.max(self.position - lead) + size as f64;
        self.promised
    }

    fn has_reached(&self, place: f64) -> bool {
        self.position + NEAR >= place
    }

    /// When a place will be reached at the present rate, never before the time last seen.
    fn reaches(&self, place: f64) -> Tick {
        let seconds = ((place - self.position) / self.rate).max(0.0);
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        // Rounded up, so that the place has been reached by then.
        self.last.saturating_add(wait).saturating_add(Duration::from_nanos(1))
    }
}

/// The next bytes to leave.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    place: f64,
    size: usize,
}

/// Sends one direction of a stream through a pipe.
#[derive(Debug)]
pub(super) struct Narrow {
    pipe: Arc<Mutex<Pipe>>,
    rate: Arc<Moving<ByteRate>>,
    /// Bytes per second while the fault is in force.
    now: Option<f64>,
    gone: bool,
    held: Queue,
    /// How many of the bytes held have gone through and only wait to be pulled.
    due: usize,
    ticket: Option<Ticket>,
    ending: bool,
}

impl Narrow {
    /// A filter through `pipe`.
    pub(super) fn new(pipe: Arc<Mutex<Pipe>>, rate: Arc<Moving<ByteRate>>) -> Self {
        let held = Queue::default();
        Self { pipe, rate, now: None, gone: false, held, due: 0, ticket: None, ending: false }
    }

    fn pipe(&self) -> MutexGuard<'_, Pipe> {
        // The count of a pipe is right after every step, so a panic elsewhere does not spoil it.
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back what was promised and is not needed, so that it delays nobody else.
    fn give_back(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let mut pipe = self.pipe();
            if !pipe.has_reached(ticket.place) {
                pipe.position += ticket.size as f64;
            }
        }
    }

    /// Moves on as far as the pipe has come by `now`.
    fn advance(&mut self, now: Tick, rate: f64) {
        let busy = self.ticket.is_some();
        let mut ticket = self.ticket;
        let mut due = self.due;
        let mut pipe = self.pipe();
        pipe.advance(now);
        loop {
            if let Some(next) = ticket {
                if !pipe.has_reached(next.place) {
                    break;
                }
                due += next.size;
            }
            let size = slice(rate).min(self.held.len() - due);
            ticket = (size > 0).then(|| Ticket { place: pipe.promise(size, busy), size });
            if ticket.is_none() {
                break;
            }
        }
        drop(pipe);
        self.ticket = ticket;
        self.due = due;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is from 1 to 1e12 bytes per second"
)]
fn bytes_in(rate: f64, seconds: f64) -> usize {
    (rate * seconds) as usize
}

fn slice(rate: f64) -> usize {
    bytes_in(rate, 1.0 / SLICES_PER_SECOND).clamp(1, LARGEST_SLICE)
}

impl ByteFilter for Narrow {
    fn tune(&mut self, now: Tick, moment: Option<&Moment>) {
        self.now = moment.filter(|_| !self.gone).map(|m| self.rate.at(m).bytes_per_second());
        match self.now {
            Some(rate) => {
                let mut pipe = self.pipe();
                pipe.advance(now);
                pipe.rate = rate;
            }
            None => self.give_back(),
        }
    }

    fn room(&self) -> usize {
        let most = match self.now {
            Some(rate) => bytes_in(rate, 1.0).clamp(LEAST_HELD, MOST_HELD),
            None => MOST_HELD,
        };
        most.saturating_sub(self.held.len())
    }

    fn push(&mut self, now: Tick, bytes: Bytes) {
        self.held.push(bytes);
        if let Some(rate) = self.now {
            // At once, not at the next pull: the time that bytes take begins when they come.
            self.advance(now, rate);
        }
    }

    fn finish(&mut self, _now: Tick) {
        self.ending = true;
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        match self.now {
            Some(rate) => self.advance(now, rate),
            None => self.due = self.held.len(),
        }
        if let Some(bytes) = self.held.take(self.due) {
            self.due -= bytes.len();
            return Some(Out::Bytes(bytes));
        }
        (self.held.is_empty() && std::mem::take(&mut self.ending)).then_some(Out::End)
    }

    fn wake_at(&self) -> Option<Tick> {
        self.ticket.map(|ticket| self.pipe().reaches(ticket.place))
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.ending
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.now = None;
        self.give_back();
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        self.give_back();
    }
}
