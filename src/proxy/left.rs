//! How much of a body comes through before it breaks off.

use crate::grpc::Messages;

/// What is left until the break.
#[derive(Clone, Debug)]
pub(crate) enum Left {
    /// So many bytes.
    Bytes(u64),
    /// What there is of so many messages of a gRPC call.
    Messages {
        /// Those that came.
        seen: Messages,
        /// How many come through.
        most: u64,
    },
}

impl Left {
    /// So many messages.
    pub(crate) fn messages(most: u64) -> Self {
        Self::Messages { seen: Messages::default(), most }
    }

    /// Whether it breaks here.
    pub(crate) const fn is_none(&self) -> bool {
        match self {
            Self::Bytes(left) => *left == 0,
            Self::Messages { seen, most } => seen.ended() >= *most && !seen.is_lost(),
        }
    }

    /// How many of the next bytes come through.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Bytes(left) => {
                let kept = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= kept as u64;
                kept
            }
            Self::Messages { seen, most } => {
                let mut kept = 0;
                while kept < bytes.len() && (seen.ended() < *most || seen.is_lost()) {
                    kept += seen.next(&bytes[kept..]).len;
                }
                kept
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_across_frames() {
        let mut left = Left::messages(2);
        // One of a byte, and one of none, that come a byte at a time; then another.
        for byte in [0, 0, 0, 0, 1, 9, 0, 0, 0, 0] {
            assert!(!left.is_none());
            assert_eq!(left.take(&[byte]), 1);
        }
        assert!(!left.is_none());
        assert_eq!(left.take(&[0, 0, 0, 0, 0, 3]), 1);
        assert!(left.is_none());
        assert_eq!(left.take(&[0]), 0);
    }

    #[test]
    fn what_is_no_message_never_breaks() {
        let mut left = Left::messages(1);
        assert_eq!(left.take(b"<html>"), 6);
        assert!(!left.is_none());
        assert_eq!(left.take(b"\0\0\0\0\0"), 5);
    }
}
