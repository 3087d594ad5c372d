//! Frames as they should not be.
