//! How to say so: scenarios and runs as text for people.

pub mod plan;
pub mod summary;
