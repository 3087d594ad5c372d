//! Pictures: what plots are drawn from, gathered over all traffic while it streams by.
//!
//! However long a drill is and however much comes, a picture stays as small as a plot: bins of time
//! are joined, waits are sampled, and one operation out of all is told attempt by attempt.

mod bins;
mod recovery;
mod story;
mod waits;

pub use bins::Bins;
pub use recovery::Recovery;
pub use story::{Step, Story};
pub use waits::Waits;

use crate::{
    event::{Connection, Outcome},
    verdict::{
        attempt::Attempt,
        course::{Course, Leg, Stage},
        flow::Flow,
        label::Labels,
        operation::Operation,
    },
};
use std::collections::BTreeMap;

/// Bins of time that outcomes are counted in, at most.
const MOMENTS: usize = 600;
/// Ways in which an attempt to get something ends.
pub const ENDS: usize = Outcome::ALL.len() + 1;
/// Bins of time that latencies are counted in, at most.
const COLUMNS: usize = 96;
/// Bins of latency, four to a factor of ten.
pub const LATENCIES: usize = 28;
/// Where the first of them begins, in microseconds.
const FASTEST: f64 = 100.0;
/// Attempts of one operation that are told apart; the last bin is for all beyond.
pub const ATTEMPTS: usize = 16;

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    /// The phases as they were played.
    pub legs: Vec<Leg>,
    /// The end of all that was seen, in microseconds since the drill's start.
    pub horizon: u64,
    /// Attempts that ended, by how they went, in the order of [`Outcome::ALL`], and behind those TLS
    /// handshakes that failed.
    pub outcomes: Option<Bins<ENDS>>,
    /// Attempts that ended, by how long they took; [`latency_from`] says where a bin begins.
    pub latencies: Option<Bins<LATENCIES>>,
    /// Attempts per operation that began under faults, by client program.
    pub tries: Vec<Tries>,
    /// The worst operation: done twice before tried often before long.
    pub worst: Option<Story>,
    /// Operations that were done more than once, a few of them.
    pub duplicates: Vec<Story>,
    /// The waits before retries, by client program.
    pub waits: Vec<Waits>,
    /// What came in around the end of the faults.
    pub recovery: Option<Recovery>,
}

/// How many attempts the operations of a client program took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tries {
    /// The program.
    pub client: String,
    /// Operations of one attempt, of two, and so on; the last are all of [`ATTEMPTS`] and beyond.
    pub operations: [u64; ATTEMPTS],
}

/// Where a bin of latency begins, in seconds.
pub fn latency_from(row: usize) -> f64 {
    FASTEST * 10_f64.powf(row as f64 / 4.0) / 1e6
}

/// What is gathered while a drill goes on.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    outcomes: Bins<ENDS>,
    latencies: Bins<LATENCIES>,
    tries: BTreeMap<u16, [u64; ATTEMPTS]>,
    waits: BTreeMap<u16, waits::Sample>,
    stories: story::Stories,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            outcomes: Bins::new(MOMENTS),
            latencies: Bins::new(COLUMNS),
            tries: BTreeMap::new(),
            waits: BTreeMap::new(),
            stories: story::Stories::default(),
        }
    }
}

impl Gathered {
    /// An attempt ended.
    pub(super) fn attempt(&mut self, attempt: &Attempt) {
        let outcome = Outcome::ALL.iter().position(|outcome| *outcome == attempt.outcome);
        self.outcomes.add(attempt.end, outcome.unwrap_or(0));
        self.latencies.add(attempt.end, row(attempt.end.saturating_sub(attempt.start)));
    }

    /// A connection ended that carried no request.
    pub(super) fn connection(&mut self, connection: &Connection) {
        if connection.tls_error.is_some() {
            self.outcomes.add(connection.ended, ENDS - 1);
        }
    }

    /// An operation is over.
    pub(super) fn operation(&mut self, operation: &Operation, course: &Course) {
        let first = operation.first();
        let stage = course.stage(first.phase);
        if stage == Stage::Fault {
            let count = usize::try_from(operation.count()).unwrap_or(usize::MAX);
            let tries = self.tries.entry(first.program).or_insert([0; ATTEMPTS]);
            tries[count.clamp(1, ATTEMPTS) - 1] += 1;
        }
        if operation.count() > 1 {
            self.waits.entry(first.program).or_default().see(operation);
        }
        // What is done twice in calm is no outage's doing: two users want the same.
        if stage != Stage::Base || !course.has_faults() {
            self.stories.see(operation);
        }
    }

    /// The pictures. `flow` is that of all traffic.
    pub(super) fn finish(self, flow: &Flow, course: &Course, labels: &Labels) -> Pictures {
        let (worst, duplicates) = self.stories.finish(labels);
        let tries = self.tries.into_iter().map(|(program, operations)| Tries {
            client: labels.program_name(program).to_owned(),
            operations,
        });
        let waits = self.waits.into_iter();
        Pictures {
            legs: course.legs().to_vec(),
            horizon: course.horizon(),
            outcomes: Some(self.outcomes),
            latencies: Some(self.latencies),
            tries: tries.collect(),
            worst,
            duplicates,
            waits: waits
                .filter_map(|(program, sample)| sample.finish(labels.program_name(program)))
                .collect(),
            recovery: Recovery::of(flow, course),
        }
    }
}

/// The bin of so many microseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to LATENCIES")]
fn row(micros: u64) -> usize {
    let at = ((micros as f64 / FASTEST).max(1.0).log10() * 4.0).floor();
    at.min((LATENCIES - 1) as f64) as usize
}
