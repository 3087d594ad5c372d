//! What a summary was made from, if not from the drill itself.

use serde::Serialize;

/// The records that a summary is made from; nothing of a drill that was just played.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The records.
    pub records: Vec<RecordOf>,
    /// Why what they say is doubtful, a sentence each.
    pub doubts: Vec<String>,
}

/// A record of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordOf {
    /// Its file.
    pub file: String,
    /// The run.
    pub run: String,
    /// What its choices followed from.
    pub seed: u64,
    /// Exchanges in it.
    pub exchanges: u64,
    /// Whether its users are nobody's of the first record, whatever they are called: it was played
    /// at another time.
    pub users_apart: bool,
}

impl Origin {
    /// What is said first of several records; nothing of one.
    pub(super) fn head(&self) -> String {
        if self.records.len() < 2 {
            return String::new();
        }
        let runs: Vec<String> =
            self.records.iter().map(|of| format!("{} (seed {})", of.run, of.seed)).collect();
        let users = if self.records.iter().any(|of| of.users_apart) {
            "played one after the other, each with users of its own"
        } else {
            "played at the same time, with the same users"
        };
        format!("from {} records, {users}: {}\n", self.records.len(), runs.join(", "))
    }
}
