//! What becomes of a head.

use crate::units::ByteSize;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

/// No field of a bloat takes more bytes. Servers and clients bound the line as well as the head;
/// it is the head that is to be too large.
const FIELD: u64 = 4 * 1024;

/// What is changed, as the file says.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) remove: Vec<HeaderName>,
    pub(super) set: HeaderMap,
    pub(super) append: HeaderMap,
}

impl Rules {
    /// Whether they change nothing.
    pub(super) fn are_none(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.append.is_empty()
    }
}

/// A change to the fields of a head; never to those that frame the message.
#[derive(Clone, Debug)]
pub struct HeadEdit {
    rules: Arc<Rules>,
    bloat: ByteSize,
}

impl HeadEdit {
    /// The most that is added to a head.
    pub(super) const MAX_BLOAT: ByteSize = ByteSize(1 << 20);

    pub(super) const fn new(rules: Arc<Rules>, bloat: ByteSize) -> Self {
        Self { rules, bloat }
    }

    /// Changes a head; says whether anything is another than before.
    pub fn apply(&self, headers: &mut HeaderMap) -> bool {
        let before = headers.clone();
        take_out(headers, &self.rules.remove);
        for name in self.rules.set.keys() {
            let mut values = self.rules.set.get_all(name).iter().cloned();
            if let Some(first) = values.next() {
                headers.insert(name, first);
            }
            for value in values {
                headers.append(name, value);
            }
        }
        for (name, value) in &self.rules.append {
            headers.append(name, value.clone());
        }
        bloat(headers, self.bloat.0);
        *headers != before
    }
}

/// Takes fields out of a head, the order of the others kept, which `HeaderMap::remove` does not: it
/// moves the last one into the gap.
pub fn take_out(headers: &mut HeaderMap, names: &[HeaderName]) {
    if names.iter().any(|name| headers.contains_key(name)) {
        let before = std::mem::take(headers);
        for (name, value) in before.iter().filter(|(name, _)| !names.contains(name)) {
            headers.append(name, value.clone());
        }
    }
}

/// Adds fields that take so many bytes on the wire, in shares that are as equal as can be.
fn bloat(headers: &mut HeaderMap, bytes: u64) {
    let count = bytes.div_ceil(FIELD);
    for nth in 0..count {
        let share = bytes / count + u64::from(nth < bytes % count);
        let name = format!("x-bloat-{}", nth + 1);
        // A colon, a space and the end of the line. Less than a field can be is a field all the same.
        let filling = usize::try_from(share).unwrap_or(0).saturating_sub(name.len() + 4);
        let value = HeaderValue::try_from("x".repeat(filling));
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value) {
            headers.insert(name, value);
        }
    }
}
