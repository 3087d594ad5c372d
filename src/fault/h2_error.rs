//! The error codes of HTTP/2 (RFC 9113 §7), by the names that the RFC gives them.

use crate::{
    read::{Kind, Reader},
    yaml::{Node, Spanned},
};

/// Why a stream or a connection of HTTP/2 ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2Error(u8);

/// Each at the place of its code.
const NAMES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

const WORDS: [(&str, H2Error); 14] = {
    let mut words = [("", H2Error(0)); 14];
    let mut code: u8 = 0;
    while (code as usize) < words.len() {
        words[code as usize] = (NAMES[code as usize], H2Error(code));
        code += 1;
    }
    words
};

impl H2Error {
    /// What it may be, for the schema.
    pub(super) const KIND: Kind = Kind::Word(&NAMES);
    /// Nothing went wrong.
    pub const NO_ERROR: Self = Self(0);

    pub(super) fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        reader.choice(node, &WORDS)
    }

    /// As it is on the wire.
    pub const fn code(self) -> u32 {
        self.0 as u32
    }

    /// As the RFC names it.
    pub const fn name(self) -> &'static str {
        NAMES[self.0 as usize]
    }
}
