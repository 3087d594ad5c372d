//! What the tests of detectors have in common.

pub(crate) mod traffic;
