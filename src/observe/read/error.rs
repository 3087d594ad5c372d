//! Why a file is no record that can be read.

use crate::observe::RECORD_FORMAT;
use std::io;

/// See the module's documentation.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk, or whatever it is on.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is something else.
    #[error("it is no record of firedrill: {0}")]
    Foreign(String),
    /// Another version wrote it.
    #[error("its format is {0}, and this version reads format {RECORD_FORMAT}")]
    Format(u64),
    /// A line is not what it should be.
    #[error("line {line} {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it, as the end of a sentence.
        what: String,
    },
}
