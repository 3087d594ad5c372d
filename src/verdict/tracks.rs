//! Some clients' traffic by time, each for itself: a flow of all hides that one of them fell silent.
//!
//! A client is watched if the hash of its name lies below a limit, so that it is watched from its
//! first attempt on or never. When too many are watched, or too much is known of them, the limit is
//! halved: the rest remains a fair sample of all.

use crate::{
    dice,
    verdict::{attempt::Attempt, operation::Operation},
};
use std::collections::HashMap;

/// Clients that are watched at most.
const CLIENTS: usize = 2_000;
/// Seconds that are kept at most, over all clients, unless there is one client only.
const TICKS: usize = 150_000;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Tracks {
    of: HashMap<u64, Track>,
    limit: u64,
    ticks: usize,
}

/// The seconds in which something happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Track(Vec<Tick>);

/// What one client did in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    at: u32,
    /// Operations that began.
    pub firsts: u16,
    /// Attempts that began.
    pub starts: u16,
    /// Attempts that began and did not end well.
    pub doomed: u16,
    /// Attempts that ended.
    pub ends: u16,
    /// Attempts that ended well.
    pub served: u16,
}

impl Default for Tracks {
    fn default() -> Self {
        Self { of: HashMap::new(), limit: u64::MAX, ticks: 0 }
    }
}

impl Tracks {
    /// Takes an attempt in.
    pub fn attempt(&mut self, attempt: &Attempt) {
        let served = u16::from(attempt.is_served());
        self.note(attempt.user, attempt.start, |tick| {
            add(&mut tick.starts, 1);
            add(&mut tick.doomed, 1 - served);
        });
        self.note(attempt.user, attempt.end, |tick| {
            add(&mut tick.ends, 1);
            add(&mut tick.served, served);
        });
    }

    /// Takes an operation in.
    pub fn operation(&mut self, operation: &Operation) {
        let first = operation.first();
        self.note(first.user, first.start, |tick| add(&mut tick.firsts, 1));
    }

    /// The clients that are watched, always in the same order.
    pub fn iter(&self) -> impl Iterator<Item = &Track> {
        let mut users: Vec<_> = self.of.iter().collect();
        users.sort_unstable_by_key(|(user, _)| **user);
        users.into_iter().map(|(_, track)| track)
    }

    /// How many clients are watched.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// `12 clients`, or that these are not all.
    pub fn sample(&self) -> String {
        let s = if self.of.len() == 1 { "" } else { "s" };
        let which = if self.limit == u64::MAX { "" } else { " drawn from all" };
        format!("{} client{s}{which}", self.of.len())
    }

    fn note(&mut self, user: u64, time: u64, what: impl FnOnce(&mut Tick)) {
        if self.limit < u64::MAX && rank(user) > self.limit {
            return;
        }
        let at = u32::try_from(time / 1_000_000).unwrap_or(u32::MAX);
        let track = self.of.entry(user).or_default();
        let before = track.0.len();
        what(track.tick(at));
        self.ticks += track.0.len() - before;
        while self.of.len() > CLIENTS || self.ticks > TICKS && self.of.len() > 1 {
            self.limit /= 2;
            let limit = self.limit;
            self.of.retain(|user, _| rank(*user) <= limit);
            self.ticks = self.of.values().map(|track| track.0.len()).sum();
        }
    }
}

impl Track {
    fn tick(&mut self, at: u32) -> &mut Tick {
        let place = self.0.partition_point(|tick| tick.at < at);
        if self.0.get(place).is_none_or(|tick| tick.at != at) {
            self.0.insert(place, Tick { at, ..Tick::default() });
        }
        &mut self.0[place]
    }

    /// The second in which it was first seen.
    pub fn first(&self) -> usize {
        self.0.first().map_or(0, |tick| place(tick.at))
    }

    /// Sums that answer at once what came from when to when, until a second.
    pub fn series(&self, until: usize) -> Series {
        let mut sums = vec![Sums::default(); until + 1];
        let mut ticks = self.0.iter().peekable();
        for at in 0..until {
            let mut sum = sums[at];
            while let Some(tick) = ticks.next_if(|tick| place(tick.at) <= at) {
                sum.firsts += u32::from(tick.firsts);
                sum.starts += u32::from(tick.starts);
                sum.doomed += u32::from(tick.doomed);
                sum.ends += u32::from(tick.ends);
                sum.served += u32::from(tick.served);
            }
            sums[at + 1] = sum;
        }
        Series(sums)
    }
}

/// What came before each second.
#[derive(Clone, Debug)]
pub struct Series(Vec<Sums>);

/// What came in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Operations that began.
    pub firsts: u32,
    /// Attempts that began.
    pub starts: u32,
    /// Attempts that began and did not end well.
    pub doomed: u32,
    /// Attempts that ended.
    pub ends: u32,
    /// Attempts that ended well.
    pub served: u32,
}

impl Sums {
    /// Attempts that did not end well.
    pub fn failed(self) -> u32 {
        self.ends - self.served
    }
}

impl Series {
    /// What came from a second on, up to another one.
    pub fn between(&self, from: usize, to: usize) -> Sums {
        let (low, high) = (self.before(from), self.before(to.max(from)));
        Sums {
            firsts: high.firsts - low.firsts,
            starts: high.starts - low.starts,
            doomed: high.doomed - low.doomed,
            ends: high.ends - low.ends,
            served: high.served - low.served,
        }
    }

    /// Attempts under way as a second begins.
    pub fn in_flight(&self, at: usize) -> u32 {
        let sums = self.before(at);
        sums.starts.saturating_sub(sums.ends)
    }

    /// The most attempts that were ever under way as a second began.
    pub fn most_in_flight(&self) -> u32 {
        (0..self.0.len()).map(|at| self.in_flight(at)).max().unwrap_or(0)
    }

    /// The first second it does not reach.
    pub fn end(&self) -> usize {
        self.0.len() - 1
    }

    fn before(&self, at: usize) -> Sums {
        self.0[at.min(self.0.len() - 1)]
    }
}

fn add(count: &mut u16, by: u16) {
    *count = count.saturating_add(by);
}

fn rank(user: u64) -> u64 {
    // A name may be a mere ordinal.
    dice::key(&user.to_le_bytes())
}

fn place(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(clients: u64, seconds: u64) -> Tracks {
        let mut tracks = Tracks::default();
        for second in 0..seconds {
            for user in 0..clients {
                tracks.note(user, second * 1_000_000, |tick| add(&mut tick.starts, 1));
            }
        }
        tracks
    }

    #[test]
    fn of_many_clients_a_sample_is_watched_from_beginning_to_end() {
        let tracks = noted(50_000, 5);
        assert!((500..=CLIENTS).contains(&tracks.len()), "{}", tracks.len());
        assert!(tracks.iter().all(|track| track.series(5).between(0, 5).starts == 5));
        assert!(tracks.sample().ends_with("clients drawn from all"));
    }

    #[test]
    fn a_few_clients_are_all_watched_and_memory_is_bounded() {
        assert_eq!(noted(12, 100).sample(), "12 clients");
        let long = noted(1_000, 1_000);
        assert!(long.ticks <= TICKS && long.len() >= 60, "{}", long.len());
        assert!(long.iter().all(|track| track.series(1_000).between(0, 1_000).starts == 1_000));
    }

    #[test]
    fn sums_and_what_is_under_way() {
        let mut track = Track::default();
        track.tick(7).ends = 1;
        track.tick(3).starts = 2;
        track.tick(5).ends = 1;
        let series = track.series(10);

        assert_eq!(track.first(), 3);
        assert_eq!(series.between(0, 10).starts, 2);
        assert_eq!(series.between(4, 10).starts, 0);
        assert_eq!([3, 4, 6, 8, 99].map(|at| series.in_flight(at)), [0, 2, 1, 0, 0]);
        assert_eq!(series.between(5, 6).failed(), 1);
    }
}
