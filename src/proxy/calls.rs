//! So many messages of a gRPC call, and then no more.

use crate::grpc::{Messages, is_grpc};
use http::HeaderMap;

/// What there is of so many messages.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    seen: Messages,
    most: u64,
}

impl Calls {
    /// So many of a body that comes with these fields, if it is one of messages.
    pub(crate) fn of(headers: &HeaderMap, most: u64) -> Option<Self> {
        is_grpc(headers).then(|| Self { seen: Messages::default(), most })
    }

    /// Whether all of them came.
    pub(crate) const fn is_over(&self) -> bool {
        self.seen.ended() >= self.most && !self.seen.is_lost()
    }

    /// How many of the next bytes belong to them.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> usize {
        let mut kept = 0;
        while kept < bytes.len() && !self.is_over() {
            kept += self.seen.next(&bytes[kept..]).len;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::CONTENT_TYPE;
    use http::header;

    fn calls(most: u64) -> Calls {
        let headers = [(header::CONTENT_TYPE, CONTENT_TYPE)];
        Calls::of(&headers.into_iter().collect(), most).expect("messages")
    }

    #[test]
    fn messages_are_counted_across_frames() {
        let mut calls = calls(2);
        // One of a byte, and one of none, that come a byte at a time; then another.
        for byte in [0, 0, 0, 0, 1, 9, 0, 0, 0, 0] {
            assert!(!calls.is_over());
            assert_eq!(calls.keep(&[byte]), 1);
        }
        assert!(!calls.is_over());
        assert_eq!(calls.keep(&[0, 0, 0, 0, 0, 3]), 1);
        assert!(calls.is_over());
        assert_eq!(calls.keep(&[0]), 0);
    }

    #[test]
    fn what_is_no_message_never_breaks() {
        assert!(Calls::of(&HeaderMap::new(), 1).is_none());
        let mut calls = calls(1);
        assert_eq!(calls.keep(b"<html>"), 6);
        assert!(!calls.is_over());
        assert_eq!(calls.keep(b"\0\0\0\0\0"), 5);
    }
}
