//! What the tests of detectors have in common.

mod gates;
mod sockets;
pub(crate) mod traffic;
mod transparent;
