//! Where the frames of a WebSocket begin and end (RFC 6455 §5.2), read from bytes that stream by.
//!
//! Heads only: a payload is counted and never kept, so that a frame that claims 2^62 bytes costs
//! what any other does. Payloads may be compressed (permessage-deflate); nobody looks into them but
//! for the two bytes that say why a socket is closed. What is no frame, or none that may come here,
//! makes the [`Parser`] lose its place for good: from there on the bytes are just bytes.
//!
//! It is a state that is copied: a fault that comes in the middle of a frame goes on from there.

/// The longest head: two bytes, eight of length, four of a mask.
const LONGEST: usize = 14;
/// The most that a control frame carries.
const MOST_OF_CONTROL: u64 = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first of a message: text or binary.
    First,
    /// A further one of a message.
    Continuation,
    /// The close of the socket.
    Close,
    /// A ping or a pong.
    Control,
}

/// The protocol of frames, as upgrades name it.
pub const PROTOCOL: &str = "websocket";

/// Whether a connection that was upgraded to this protocol carries frames.
pub fn is_carried_by(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(PROTOCOL.as_bytes())
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Whether it is the last of its message. A control frame always is.
    pub last: bool,
    /// How many bytes of payload follow.
    pub length: u64,
    /// What the payload is masked with; zeros if it is not.
    pub mask: [u8; 4],
    /// Whether it is needed to understand what comes after it.
    pub needed: bool,
}

impl Head {
    /// Whether a message ends with this frame.
    pub const fn ends_message(&self) -> bool {
        self.last && matches!(self.kind, Kind::First | Kind::Continuation)
    }
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A part of a head whose rest has not come.
    Partial,
    /// The last of a head.
    Head(Head),
    /// Payload of the frame whose head came last.
    Payload,
    /// Nothing that is understood.
    Lost,
}

/// Finds the frames in one direction of a socket.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Parser {
    /// Whether payloads have to be masked: those of clients.
    masked: bool,
    bytes: [u8; LONGEST],
    /// How many bytes of a head have come.
    have: usize,
    /// How much of the payload is still to come.
    left: u64,
    /// A message is under way whose last frame has not come.
    in_message: bool,
    /// Whether compressed messages need those before them.
    context: bool,
    lost: bool,
}

impl Parser {
    /// At the beginning of the frames of a client, which are masked, or of a server.
    pub const fn new(masked: bool) -> Self {
        let bytes = [0; LONGEST];
        Self { masked, bytes, have: 0, left: 0, in_message: false, context: false, lost: false }
    }

    /// The same where compressed messages need those before them, if they do.
    #[must_use]
    pub const fn with_context(self, context: bool) -> Self {
        Self { context, ..self }
    }

    /// Whether the next byte is the first of a frame.
    pub const fn is_between_frames(&self) -> bool {
        !self.lost && self.have == 0 && self.left == 0
    }

    /// Whether it lost its place.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// How many bytes of an unfinished head have come.
    pub const fn in_head(&self) -> usize {
        self.have
    }

    /// Takes the first of these bytes (there must be one): how many, and what they are.
    pub fn step(&mut self, bytes: &[u8]) -> (usize, Step) {
        if self.lost {
            return (bytes.len(), Step::Lost);
        }
        if self.left > 0 {
            let used = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= used as u64;
            return (used, Step::Payload);
        }
        let mut used = 0;
        while self.have < self.needs() {
            let Some(byte) = bytes.get(used) else {
                return (used, Step::Partial);
            };
            self.bytes[self.have] = *byte;
            self.have += 1;
            used += 1;
        }
        let Some(head) = self.head() else {
            (self.lost, self.have) = (true, 0);
            return (used, Step::Lost);
        };
        (self.have, self.left) = (0, head.length);
        if matches!(head.kind, Kind::First | Kind::Continuation) {
            self.in_message = !head.last;
        }
        (used, Step::Head(head))
    }

    /// How long the head is, as far as that is known.
    const fn needs(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let length = match self.bytes[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if self.bytes[1] & 0x80 == 0 { 0 } else { 4 }
    }

    /// The head that has come; `None` if it is not allowed here.
    fn head(&self) -> Option<Head> {
        let (first, second) = (self.bytes[0], self.bytes[1]);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let (length, mask_at) = match second & 0x7f {
            126 => (number(&self.bytes[2..4]), 4),
            127 => (number(&self.bytes[2..10]), 10),
            short => (u64::from(short), 2),
        };
        let last = first & 0x80 != 0;
        let is_masked = second & 0x80 != 0;
        // The reserved bits are those of extensions, which are not ours to judge.
        let needed = self.context && first & 0x70 != 0;
        let kind = match first & 0x0f {
            0 if self.in_message => Kind::Continuation,
            1 | 2 if !self.in_message => Kind::First,
            8 => Kind::Close,
            9 | 10 => Kind::Control,
            _ => return None,
        };
        let is_control = matches!(kind, Kind::Close | Kind::Control);
        let is_wrong = is_masked != self.masked
            || length >> 63 != 0
            || is_control && (!last || length > MOST_OF_CONTROL);
        let mut mask = [0; 4];
        if is_masked {
            mask.copy_from_slice(&self.bytes[mask_at..mask_at + 4]);
        }
        (!is_wrong).then_some(Head { kind, last, length, mask, needed })
    }
}

/// A close frame as it stands on the wire; masked if there is something to mask it with.
pub fn close_frame(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    let flag = if mask.is_some() { 0x80 } else { 0 };
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX).min(125);
    payload.truncate(usize::from(length));
    let mut frame = vec![0x88, flag | length];
    if let Some(mask) = mask {
        frame.extend_from_slice(&mask);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    }
    frame.extend_from_slice(&payload);
    frame
}

/// What went one way on a socket so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Bytes, heads included.
    pub bytes: u64,
    /// Frames whose heads came, control frames included.
    pub frames: u64,
    /// Messages that came whole, however many frames they are.
    pub messages: u64,
    /// The code of the close frame, if one came; 1005 for one that says none.
    pub close: Option<u16>,
}

/// Counts what goes one way on a socket, and knows where its frames begin.
#[derive(Clone, Copy, Debug)]
pub struct Tracker {
    parser: Parser,
    sum: Sum,
    head: Option<Head>,
    /// How much of its payload came.
    at: u64,
    code: [u8; 2],
}

impl Tracker {
    /// At the beginning of a direction.
    pub const fn new(parser: Parser) -> Self {
        let sum = Sum { bytes: 0, frames: 0, messages: 0, close: None };
        Self { parser, sum, head: None, at: 0, code: [0; 2] }
    }

    /// Where the frames are.
    pub const fn parser(&self) -> Parser {
        self.parser
    }

    /// What came so far.
    pub const fn sum(&self) -> Sum {
        self.sum
    }

    /// Bytes go by.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        self.sum.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let (used, step) = self.parser.step(bytes);
            match step {
                Step::Partial => {}
                Step::Lost => return,
                Step::Head(head) => {
                    self.sum.frames += 1;
                    (self.head, self.at) = (Some(head), 0);
                }
                Step::Payload => self.note_code(&bytes[..used]),
            }
            if self.parser.is_between_frames()
                && let Some(head) = self.head.take()
            {
                self.sum.messages += u64::from(head.ends_message());
                if head.kind == Kind::Close {
                    let code = u16::from_be_bytes(self.code);
                    self.sum.close.get_or_insert(if head.length < 2 { 1005 } else { code });
                }
            }
            bytes = &bytes[used..];
        }
    }

    fn note_code(&mut self, payload: &[u8]) {
        let Some(head) = self.head.filter(|head| head.kind == Kind::Close) else { return };
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        for (place, byte) in (at..2).zip(payload) {
            self.code[place] = byte ^ head.mask[place];
        }
        self.at += payload.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All steps of these bytes, fed in chunks of a size.
    fn steps(masked: bool, bytes: &[u8], size: usize) -> Vec<Step> {
        let mut parser = Parser::new(masked);
        let mut steps = Vec::new();
        for mut chunk in bytes.chunks(size) {
            while !chunk.is_empty() {
                let (used, step) = parser.step(chunk);
                assert!(used > 0);
                steps.push(step);
                chunk = &chunk[used..];
            }
        }
        steps
    }

    fn heads(masked: bool, bytes: &[u8]) -> Vec<Head> {
        let only = |step: &Step| match step {
            Step::Head(head) => Some(*head),
            _ => None,
        };
        let whole: Vec<Head> = steps(masked, bytes, usize::MAX).iter().filter_map(only).collect();
        for size in [1, 2, 3, 7] {
            let cut: Vec<Head> = steps(masked, bytes, size).iter().filter_map(only).collect();
            assert_eq!(cut, whole, "in chunks of {size}");
        }
        whole
    }

    #[test]
    fn heads_of_every_length_are_found_however_the_bytes_are_cut() {
        // The examples of RFC 6455 §5.7, one behind the other.
        let mut bytes = vec![0x81, 5, b'H', b'e', b'l', b'l', b'o'];
        bytes.extend([0x01, 3, b'H', b'e', b'l', 0x89, 0, 0x80, 2, b'l', b'o']);
        bytes.extend([0x82, 0x7e, 0x01, 0x00]);
        bytes.extend([7; 256]);
        bytes.extend([0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
        bytes.extend(vec![7; 65_536]);
        let found = heads(false, &bytes);

        let lengths: Vec<u64> = found.iter().map(|head| head.length).collect();
        assert_eq!(lengths, [5, 3, 0, 2, 256, 65_536]);
        let ends: Vec<bool> = found.iter().map(Head::ends_message).collect();
        assert_eq!(ends, [true, false, false, true, true, true]);

        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(heads(true, &masked)[0].mask, [0x37, 0xfa, 0x21, 0x3d]);
    }

    #[test]
    fn what_is_no_frame_is_told_and_never_guessed_at_again() {
        let cases: [(bool, &[u8]); 10] = [
            (false, &[0x83, 0]),                               // a reserved opcode
            (false, &[0x8b, 0]),                               // one of a control frame
            (false, &[0x80, 0]),                               // a continuation of nothing
            (false, &[0x09, 0]),                               // a ping in parts
            (false, &[0x89, 0x7e, 0, 126]),                    // a ping that is too long
            (false, &[0x81, 0x80, 0, 0, 0, 0]),                // a masked server
            (true, &[0x81, 0]),                                // an unmasked client
            (false, &[0x81, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0]), // a negative length
            (false, &[0x01, 0, 0x81, 0]),                      // a message within a message
            (false, b"GET / HTTP/1.1\r\n"),
        ];
        for (masked, bytes) in cases {
            let steps = steps(masked, bytes, usize::MAX);
            assert_eq!(steps.last(), Some(&Step::Lost), "{bytes:x?}");
            let mut parser = Parser::new(masked);
            let mut rest = bytes;
            while !rest.is_empty() {
                rest = &rest[parser.step(rest).0..];
            }
            assert!(parser.is_lost() && !parser.is_between_frames());
            assert_eq!(parser.step(&[0x81, 0, 0x81, 0]), (4, Step::Lost));
        }
    }

    #[test]
    fn a_frame_may_claim_what_it_likes() {
        let mut parser = Parser::new(false);
        let claim = [0x82, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let (used, step) = parser.step(&claim);
        assert!(used == 10 && matches!(step, Step::Head(head) if head.length == u64::MAX >> 1));
        assert_eq!(parser.step(&[0x88; 5_000]), (5_000, Step::Payload));
    }

    #[test]
    fn messages_are_counted_and_the_reason_of_a_close_is_read() {
        let mut tracker = Tracker::new(Parser::new(true));
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![0x01, 0x81, 1, 2, 3, 4, 9, 0x8a, 0x80, 1, 2, 3, 4];
        bytes.extend([0x80, 0x80, 1, 2, 3, 4, 0x82, 0x80, 1, 2, 3, 4]);
        bytes.extend(close_frame(1001, "away", Some(mask)));
        bytes.chunks(3).for_each(|chunk| tracker.feed(chunk));

        let len = bytes.len() as u64;
        let wanted = Sum { bytes: len, frames: 5, messages: 2, close: Some(1001) };
        assert_eq!(tracker.sum(), wanted);

        let mut silent = Tracker::new(Parser::new(false));
        silent.feed(&[0x88, 0]);
        assert_eq!(silent.sum().close, Some(1005));
    }
}
