//! A file's text, and places in it.

use crate::diag::{Code, Diagnostic, Problems};
use std::ops::Range;

/// A stretch of a file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// A stretch.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// As a range.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A file's name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// How it is called in messages: a path, or the name of a bundled scenario.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A named text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// A named text from the bytes of a file. If they are no UTF-8 that is noted, and the text is
    /// only good for showing where.
    pub fn decode(name: impl Into<String>, bytes: &[u8], problems: &mut Problems) -> Self {
        let Err(error) = std::str::from_utf8(bytes) else {
            return Self::new(name, String::from_utf8_lossy(bytes));
        };
        let good = error.valid_up_to();
        let byte = bytes.get(good).copied().unwrap_or_default();
        // What is shown instead of the bad byte takes three.
        let place = Span::new(good, good + '\u{fffd}'.len_utf8());
        let title = format!("the byte 0x{byte:02x} is not UTF-8");
        let wide = [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| bytes.starts_with(mark));
        problems.push(Diagnostic::new(Code::E0004, title, place).help(if wide {
            "save the file as UTF-8: this looks like UTF-16"
        } else {
            "save the file as UTF-8"
        }));
        Self::new(name, String::from_utf8_lossy(bytes))
    }

    /// Line and column of a byte, both from one; columns count characters.
    pub fn place(&self, at: usize) -> (usize, usize) {
        self.places().of(at)
    }

    /// As [`place`](Self::place), for many bytes at the price of one.
    pub(super) fn places(&self) -> Places<'_> {
        let breaks = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Places { text: &self.text, starts }
    }
}

/// Where each line of a text begins.
#[derive(Debug)]
pub(super) struct Places<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl Places<'_> {
    pub(super) fn of(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        (line, self.text[start..at].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("a.yaml", "name: x\nüber: y\n");
        assert_eq!(source.place(0), (1, 1));
        assert_eq!(source.place(source.text.find(": y").expect("a colon")), (2, 5));
        assert_eq!(source.place(usize::MAX), (3, 1));
    }

    #[test]
    fn another_encoding_is_named_at_its_first_byte() {
        let mut problems = Problems::default();
        let source = Source::decode("a.yaml", b"name: caf\xe9\n", &mut problems);

        let all = problems.sorted();
        assert_eq!(all[0].title, "the byte 0xe9 is not UTF-8");
        assert_eq!(source.place(all[0].primary.span.start), (1, 10));

        let mut problems = Problems::default();
        Source::decode("a.yaml", b"\xff\xfen\0a\0", &mut problems);
        assert!(problems.sorted()[0].help.as_ref().is_some_and(|help| help.contains("UTF-16")));
    }
}
