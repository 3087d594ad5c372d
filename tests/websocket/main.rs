//! Sockets that stay open: WebSockets, frame by frame, and answers that never end.

mod close;
mod compressed;
mod frames;
mod handshake;
mod messages;
#[expect(dead_code, clippy::unused_async, reason = "the tests of HTTP/2 use all of it")]
#[path = "../it/http2/peer.rs"]
mod peer;
mod peers;
mod stall;
mod streams;
#[expect(dead_code, unused_imports, reason = "the tests of the data plane use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod versions;
