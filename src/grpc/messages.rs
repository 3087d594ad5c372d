//! Where messages begin and end in a body, as it streams by.
//!
//! Each message has five bytes before it: a flag that says whether it is compressed, and its length.
//! They may lie across any number of frames. Nothing of them is kept but what is needed to count: a
//! message that claims 4 GiB costs as much as an empty one.

/// Finds the messages of a body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages {
    /// What there is so far of the five bytes, and how many.
    head: [u8; HEAD],
    head_len: usize,
    /// What is left of the message that they announced.
    left: u64,
    ended: u64,
    /// What came was no message, so nothing after it is known to be one.
    lost: bool,
}

const HEAD: usize = 5;

/// A part of what was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How many bytes.
    pub len: usize,
    /// Whether they are the first of a message.
    pub begins: bool,
    /// Whether a message ends with them.
    pub ends: bool,
}

impl Messages {
    /// The first part of `bytes`, which is not empty, that belongs to one message.
    pub fn next(&mut self, bytes: &[u8]) -> Piece {
        if self.lost {
            return Piece { len: bytes.len(), begins: false, ends: false };
        }
        let begins = self.head_len == 0;
        let mut len = 0;
        if self.head_len < HEAD {
            let more = (HEAD - self.head_len).min(bytes.len());
            self.head[self.head_len..self.head_len + more].copy_from_slice(&bytes[..more]);
            self.head_len += more;
            len = more;
            if self.head[0] > 1 {
                self.lost = true;
                return Piece { len: bytes.len(), begins: false, ends: false };
            }
            if self.head_len < HEAD {
                return Piece { len, begins, ends: false };
            }
            let [_, length @ ..] = self.head;
            self.left = u64::from(u32::from_be_bytes(length));
        }
        let rest = (bytes.len() - len) as u64;
        let own = self.left.min(rest);
        self.left -= own;
        len += usize::try_from(own).unwrap_or(usize::MAX);
        let ends = self.left == 0;
        if ends {
            self.head_len = 0;
            self.ended += 1;
        }
        Piece { len, begins, ends }
    }

    /// Takes bytes that need not be told apart.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let piece = self.next(bytes);
            bytes = &bytes[piece.len..];
        }
    }

    /// How many came so far, whole.
    pub const fn ended(&self) -> u64 {
        self.ended
    }

    /// Whether something came that is no message, so that they are not counted any more.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether it stands between two messages.
    pub const fn is_between(&self) -> bool {
        self.head_len == 0 && !self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(len: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(len.to_be_bytes());
        bytes.extend(std::iter::repeat_n(0xff, len as usize));
        bytes
    }

    proptest! {
        /// However the bytes are cut into frames, every message is found, and its ends.
        #[test]
        fn messages_are_found_across_frames(
            lens in prop::collection::vec(0_u32..40, 0..20),
            cuts in prop::collection::vec(1_usize..30, 1..50),
        ) {
            let stream: Vec<u8> = lens.iter().flat_map(|len| message(*len)).collect();
            let (mut messages, mut rest) = (Messages::default(), &stream[..]);
            let (mut found, mut size, mut begun) = (Vec::new(), 0, 0);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (mut frame, after) = rest.split_at((*cut).min(rest.len()));
                rest = after;
                while !frame.is_empty() {
                    let piece = messages.next(frame);
                    frame = &frame[piece.len..];
                    size += piece.len;
                    begun += usize::from(piece.begins);
                    if piece.ends {
                        found.push(u32::try_from(size - HEAD).expect("small"));
                        size = 0;
                    }
                }
            }
            prop_assert_eq!(&found, &lens);
            prop_assert_eq!(begun, lens.len());
            prop_assert_eq!(messages.ended(), lens.len() as u64);
            prop_assert!(messages.is_between());
        }
    }

    #[test]
    fn a_message_that_claims_4_gib_costs_nothing() {
        let mut messages = Messages::default();
        messages.feed(&[1, 0xff, 0xff, 0xff, 0xff]);
        let piece = vec![0; 65_536];
        for _ in 0..65_535 {
            messages.feed(&piece);
        }
        assert_eq!(messages.ended(), 0);
        messages.feed(&piece[..65_535]);
        assert_eq!(messages.ended(), 1);
        assert!(size_of::<Messages>() <= 48);
    }

    #[test]
    fn what_is_no_message_is_taken_for_none() {
        let mut messages = Messages::default();
        messages.feed(&message(3));
        messages.feed(b"<html>502</html>");
        messages.feed(&message(3));
        assert!(messages.is_lost());
        assert_eq!(messages.ended(), 1);
    }
}
