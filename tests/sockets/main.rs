//! How connections arrive and leave: PROXY headers in and out, Unix sockets, and the header fields that
//! tell who a client is. Through the door a user uses: the built binary, its config, real sockets.

#![expect(
    clippy::disallowed_methods,
    reason = "another process and its clients go by the machine's own clock"
)]

#[path = "../run/firedrill.rs"]
#[expect(dead_code, reason = "shared with other tests, each of which uses some of it")]
mod firedrill;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with other tests, each of which uses some of it")]
mod support;

mod accept;
mod forwarded;
mod peers;
mod refused;
mod send;
#[cfg(unix)]
mod unix;
