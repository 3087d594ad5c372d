//! How to say so: scenarios and runs as text for people, and as files for machines and mail.

pub mod compare;
mod fit;
mod html;
mod junit;
mod markdown;
mod money;
pub mod plan;
mod rates;
pub mod standing;
pub mod summary;

pub use html::html;
pub use junit::junit;
pub use markdown::markdown;

pub(crate) use fit::{rounded, shorten, wrap};
pub(crate) use rates::rates;
