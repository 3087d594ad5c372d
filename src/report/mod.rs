//! How to say so: scenarios and runs as text for people.

pub mod compare;
mod fit;
pub mod plan;
mod rates;
pub mod summary;

pub(crate) use fit::{rounded, shorten, wrap};
pub(crate) use rates::rates;
