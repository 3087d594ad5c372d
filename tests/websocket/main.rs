//! Sockets that stay open: WebSockets, frame by frame, and answers that never end.

mod close;
mod frames;
mod handshake;
mod messages;
mod peers;
mod stall;
mod streams;
#[expect(dead_code, unused_imports, reason = "the tests of the data plane use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
