//! What to think of a client, from what a run recorded of it.

pub mod stats;
