//! The two ends that a drill stands between: a client and a service, both of our own.
//!
//! Plain sockets and threads, no HTTP library: what the product is judged by shares nothing with
//! it.

pub(crate) mod client;
pub(crate) mod message;
pub(crate) mod upstream;
