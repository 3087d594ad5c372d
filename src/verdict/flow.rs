//! The traffic of a drill by time: what came, what was served, second by second.

use crate::verdict::{attempt::Attempt, operation::Operation};

/// Microseconds of one fine bin.
pub const FINE: u64 = 100_000;
/// Microseconds of one second.
const SECOND: u64 = 1_000_000;
/// What comes later than this is not told apart by time: three days.
const LONGEST: usize = 3 * 24 * 3600;

/// One second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Attempts that began.
    pub attempts: u32,
    /// Connections that were opened for them.
    pub connections: u32,
    /// Attempts that ended.
    pub ended: u32,
    /// Attempts that ended well.
    pub served: u32,
    /// Operations that began.
    pub operations: u32,
    /// Their attempts, whenever those came.
    pub of_operations: u32,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    seconds: Vec<Second>,
    /// Attempts that began, by tenths of a second.
    fine: Vec<u32>,
}

impl Flow {
    /// Takes an attempt in.
    pub fn attempt(&mut self, attempt: &Attempt) {
        let second = self.at(attempt.start);
        second.attempts += 1;
        second.connections += u32::from(attempt.is_first);
        // A socket is opened once and serves for as long as it stands: handshakes are no goodput that has
        // to come back.
        if !attempt.opens_socket() {
            let second = self.at(attempt.end);
            second.ended += 1;
            second.served += u32::from(attempt.is_served());
        }
        let fine = place(attempt.start, FINE, LONGEST * 10);
        if self.fine.len() <= fine {
            self.fine.resize(fine + 1, 0);
        }
        self.fine[fine] += 1;
    }

    /// Takes an operation in.
    pub fn operation(&mut self, operation: &Operation) {
        let count = u32::try_from(operation.count()).unwrap_or(u32::MAX);
        let second = self.at(operation.first().start);
        second.operations += 1;
        second.of_operations = second.of_operations.saturating_add(count);
    }

    /// The seconds, from the drill's start.
    pub fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// Attempts that began, by tenths of a second.
    pub fn fine(&self) -> &[u32] {
        &self.fine
    }

    fn at(&mut self, time: u64) -> &mut Second {
        let at = place(time, SECOND, LONGEST);
        if self.seconds.len() <= at {
            self.seconds.resize(at + 1, Second::default());
        }
        &mut self.seconds[at]
    }
}

fn place(time: u64, unit: u64, limit: usize) -> usize {
    usize::try_from(time / unit).unwrap_or(limit).min(limit - 1)
}
