//! What the tests of the data plane have in common: an upstream, a drill in front of it, a client,
//! all in bytes.

mod drill;
pub(crate) mod memory;
mod message;
pub(crate) mod panics;
mod several;
mod upstream;
mod wire;

pub(crate) use drill::{Drill, Setup, eventually};
pub(crate) use message::Message;
pub(crate) use several::{Place, Several};
pub(crate) use upstream::Upstream;
pub(crate) use wire::{End, Wire};

/// A plain answer.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// A plain request.
pub(crate) const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\n\r\n";
