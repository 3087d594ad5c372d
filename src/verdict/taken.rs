//! What was measured of one term of the vocabulary.

use crate::{scenario::vocabulary::Term, verdict::finding::Measured};

/// A term, and what is known of it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The term.
    pub term: &'static Term,
    /// What is known.
    pub measured: Measured,
}
