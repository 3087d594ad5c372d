//! What the tests of detectors have in common.

mod gates;
pub(crate) mod traffic;
