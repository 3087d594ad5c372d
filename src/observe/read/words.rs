//! Words that events hold for ever: kinds of faults, and of failures of the upstream.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Words that are kept; the program has a few dozen.
const WORDS: usize = 512;
/// No word is longer, in bytes.
const LONGEST: usize = 64;
/// Names of faults that are shared between events; those beyond are copied.
const NAMES: usize = 10_000;

static KNOWN: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// The words of a record so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    words: HashSet<&'static str>,
    names: HashSet<Arc<str>>,
}

impl Words {
    /// The word, kept for ever; `None` if it is none, or there are too many.
    pub(super) fn word(&mut self, text: &str) -> Option<&'static str> {
        if let Some(word) = self.words.get(text) {
            return Some(word);
        }
        let word = keep(text)?;
        self.words.insert(word);
        Some(word)
    }

    /// A name, shared with all that are equal to it.
    pub(super) fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(name) = self.names.get(text) {
            return Arc::clone(name);
        }
        let name: Arc<str> = Arc::from(text);
        if self.names.len() < NAMES {
            self.names.insert(Arc::clone(&name));
        }
        name
    }
}

/// What is kept is never given back, so there is little of it: all records of a process share it.
fn keep(text: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(is_plain) {
        return None;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(word) = known.get(text) {
        return Some(word);
    }
    if known.len() >= WORDS {
        return None;
    }
    let word: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.insert(word);
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_words_are_one_and_nonsense_is_none() {
        let (mut one, mut two) = (Words::default(), Words::default());
        let word = one.word("lose_response").expect("a word");
        assert!(std::ptr::eq(word, two.word("lose_response").expect("the same")));
        assert_eq!(one.word(""), None);
        assert_eq!(one.word(&"x".repeat(65)), None);
        assert_eq!(one.word("two words"), None);
        assert!(Arc::ptr_eq(&one.name("busy"), &one.name("busy")));
    }
}
