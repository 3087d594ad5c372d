//! Why records tell of no drill.

use crate::observe::read::ReadError;
use std::io;

/// See the module's documentation.
#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    /// The file cannot be opened.
    #[error("cannot open the record `{file}`: {error}")]
    Open {
        /// Which.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// What is in it cannot be read.
    #[error("cannot read the record `{file}`: {error}")]
    Read {
        /// Which.
        file: String,
        /// Why.
        error: ReadError,
    },
    /// They do not belong together.
    #[error("`{one}` and `{other}` do not belong together: {why}")]
    Apart {
        /// The first.
        one: String,
        /// The one that is not like it.
        other: String,
        /// Why.
        why: String,
    },
    /// What was played cannot be told from it.
    #[error("cannot tell from the record `{file}` what was played: {why}")]
    Scenario {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
}
