//! Problems that need more than one value to see.

use crate::{read::Reader, scenario::draft::Draft};

/// Runs all checks.
pub(super) fn all(_draft: &Draft, _reader: &mut Reader<'_>) {}
