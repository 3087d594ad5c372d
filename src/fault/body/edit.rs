//! What becomes of a body.

use crate::fault::{
    body::{ENCODING, TYPE, patch},
    take_out,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use json_patch::PatchOperation;
use serde_json::Value;

/// What is said in place of what was.
#[derive(Debug)]
pub(super) enum Change {
    /// This.
    Replace(Bytes),
    /// The same JSON after these operations, all or none.
    Patch(Vec<PatchOperation>),
    /// The same JSON with this laid over it.
    Merge(Value),
}

/// A change to a body, and to those fields of its head that say what it is.
#[derive(Debug)]
pub struct BodyEdit {
    change: Change,
    content_type: Option<HeaderValue>,
    keeps_length: bool,
}

impl BodyEdit {
    /// Longer bodies are to pass untouched, in bytes.
    pub const LIMIT: u64 = 1 << 20;

    pub(super) const fn new(
        change: Change,
        content_type: Option<HeaderValue>,
        keeps_length: bool,
    ) -> Self {
        Self { change, content_type, keeps_length }
    }

    /// Whether the length that the head announces stays that of the body as it was.
    pub const fn keeps_length(&self) -> bool {
        self.keeps_length
    }

    /// Whether a body with this head stays as it is, so that nobody need hold it. An event stream
    /// has no end that could be waited for.
    pub fn leaves(&self, headers: &HeaderMap) -> bool {
        let is_stream = headers.get(TYPE).is_some_and(|value| {
            let kind = value.as_bytes();
            kind.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
        });
        is_stream || (!matches!(self.change, Change::Replace(_)) && is_compressed(headers))
    }

    /// The new body, its head changed to suit it but for the framing; `None` if it stays as it is,
    /// and then the head does, too.
    pub fn apply(&self, headers: &mut HeaderMap, old: &[u8]) -> Option<Bytes> {
        let new = match &self.change {
            Change::Replace(new) => new.clone(),
            Change::Patch(operations) => {
                self.changed(old, |json| patch::apply(json, operations))?
            }
            Change::Merge(over) => self.changed(old, |json| {
                json_patch::merge(json, over);
                Some(())
            })?,
        };
        let is_typed = match &self.content_type {
            Some(kind) => headers.insert(TYPE, kind.clone()).as_ref() != Some(kind),
            None => false,
        };
        if new == old && !is_typed {
            return None;
        }
        // Only a `replace` comes here with a body that is compressed.
        if is_compressed(headers) {
            take_out(headers, &[ENCODING]);
        }
        Some(new)
    }

    /// A JSON body after a change. One that says the same as before is the very same.
    fn changed(&self, old: &[u8], change: impl FnOnce(&mut Value) -> Option<()>) -> Option<Bytes> {
        let before: Value = serde_json::from_slice(old).ok()?;
        let mut after = before.clone();
        change(&mut after)?;
        if after == before {
            return self.content_type.is_some().then(|| Bytes::copy_from_slice(old));
        }
        serde_json::to_vec(&after).ok().map(Bytes::from)
    }
}

fn is_compressed(headers: &HeaderMap) -> bool {
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    headers.get_all(ENCODING).iter().any(|value| !plain(value))
}
