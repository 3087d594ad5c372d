//! Server-sent events, counted as they stream by.
//!
//! An event ends with an empty line (WHATWG HTML §9.2.6). A block that holds nothing but comments,
//! which keep the line warm, is none.

use http::{HeaderMap, header};

/// Counts events down.
#[derive(Debug)]
pub(crate) struct Events {
    left: u64,
    /// Nothing of the present line came.
    at_line_start: bool,
    /// The last byte was a carriage return: a line feed after it ends no further line.
    after_return: bool,
    /// The present block holds something other than comments.
    has_field: bool,
}

impl Events {
    /// So many events of a body with this head; `None` if it is no stream of events, or one that is
    /// compressed.
    pub(crate) fn of(headers: &HeaderMap, left: u64) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.as_bytes();
        let is_stream =
            kind.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"));
        let is_plain = headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        (is_stream && is_plain).then_some(Self {
            left,
            at_line_start: true,
            after_return: false,
            has_field: false,
        })
    }

    /// Whether all of them have gone by.
    pub(crate) const fn is_over(&self) -> bool {
        self.left == 0
    }

    /// How many of these bytes belong to them.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if self.left == 0 {
                // The other half of its last line's end goes with it.
                return at + usize::from(self.after_return && *byte == b'\n');
            }
            let is_pair = *byte == b'\n' && std::mem::take(&mut self.after_return);
            self.after_return = *byte == b'\r';
            match byte {
                b'\n' if is_pair => {}
                b'\r' | b'\n' => {
                    if self.at_line_start && std::mem::take(&mut self.has_field) {
                        self.left -= 1;
                    }
                    self.at_line_start = true;
                }
                _ => {
                    self.has_field |= self.at_line_start && *byte != b':';
                    self.at_line_start = false;
                }
            }
        }
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(left: u64) -> Events {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "text/event-stream; charset=utf-8".parse().unwrap());
        Events::of(&headers, left).expect("a stream")
    }

    #[test]
    fn an_event_ends_with_an_empty_line_however_lines_end() {
        for (text, ends) in [
            ("data: a\n\nid: 1\ndata: b\n\ndata: c\n\n", [9, 24]),
            ("data: a\r\n\r\nid: 1\r\ndata: b\r\n\r\nx", [11, 29]),
            ("data: a\r\rid: 1\rdata: b\r\rx", [9, 24]),
            (": hm\n\ndata: a\n\n\n\n: hm\ndata: b\n\n", [15, 31]),
        ] {
            for (wanted, end) in [(1, ends[0]), (2, ends[1])] {
                // Between chunks nobody knows what is next.
                for size in if text.contains("\r\n") { vec![100] } else { vec![1, 2, 5, 100] } {
                    let mut events = events(wanted);
                    let kept: usize =
                        text.as_bytes().chunks(size).map(|chunk| events.keep(chunk)).sum();
                    assert_eq!((kept, events.is_over()), (end, true), "{text:?} by {size}");
                }
            }
        }
    }

    #[test]
    fn only_streams_that_can_be_read_are_counted() {
        for (name, value) in [("content-type", "text/plain"), ("content-encoding", "gzip")] {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", "text/event-stream".parse().unwrap());
            headers.insert(name, value.parse().unwrap());
            assert!(Events::of(&headers, 1).is_none());
        }
    }
}
