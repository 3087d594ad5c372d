//! The end of a record, without what comes before it.

use crate::observe::Ending;
use std::io::{self, Read, Seek, SeekFrom};

/// No last line is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// The last line of a record, if it is one; the input is left at its beginning.
///
/// # Errors
///
/// Fails if the input cannot be read.
pub fn ending(input: &mut (impl Read + Seek)) -> io::Result<Option<Ending>> {
    let length = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(length.saturating_sub(LONGEST)))?;
    let mut tail = Vec::new();
    input.take(LONGEST).read_to_end(&mut tail)?;
    input.seek(SeekFrom::Start(0))?;
    let tail = tail.trim_ascii_end();
    let begin = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Ok(serde_json::from_slice(&tail[begin..]).ok())
}
