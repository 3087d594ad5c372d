//! The codes of a status.

use std::fmt;

/// How a call went (`google/rpc/code.proto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are the names that gRPC gives them")]
#[repr(u8)]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    /// All of them with their names, by number.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("OK", Self::Ok),
        ("CANCELLED", Self::Cancelled),
        ("UNKNOWN", Self::Unknown),
        ("INVALID_ARGUMENT", Self::InvalidArgument),
        ("DEADLINE_EXCEEDED", Self::DeadlineExceeded),
        ("NOT_FOUND", Self::NotFound),
        ("ALREADY_EXISTS", Self::AlreadyExists),
        ("PERMISSION_DENIED", Self::PermissionDenied),
        ("RESOURCE_EXHAUSTED", Self::ResourceExhausted),
        ("FAILED_PRECONDITION", Self::FailedPrecondition),
        ("ABORTED", Self::Aborted),
        ("OUT_OF_RANGE", Self::OutOfRange),
        ("UNIMPLEMENTED", Self::Unimplemented),
        ("INTERNAL", Self::Internal),
        ("UNAVAILABLE", Self::Unavailable),
        ("DATA_LOSS", Self::DataLoss),
        ("UNAUTHENTICATED", Self::Unauthenticated),
    ];

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code of this number.
    pub fn of(number: u8) -> Option<Self> {
        Self::WORDS.get(usize::from(number)).map(|(_, code)| *code)
    }

    /// What a client makes of the value of `grpc-status`: what it does not know is `UNKNOWN`.
    pub fn read(value: &[u8]) -> Self {
        let number = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
        number.and_then(Self::of).unwrap_or(Self::Unknown)
    }

    /// Its name, as everybody writes it.
    pub fn name(self) -> &'static str {
        Self::WORDS[usize::from(self.number())].0
    }

    /// The status of HTTP that means the same (`google/rpc/code.proto`).
    pub const fn as_http(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::InvalidArgument | Self::FailedPrecondition | Self::OutOfRange => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::AlreadyExists | Self::Aborted => 409,
            Self::ResourceExhausted => 429,
            Self::Cancelled => 499,
            Self::Unknown | Self::Internal | Self::DataLoss => 500,
            Self::Unimplemented => 501,
            Self::Unavailable => 503,
            Self::DeadlineExceeded => 504,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_in_step() {
        for (at, (name, code)) in Code::WORDS.iter().enumerate() {
            assert_eq!(usize::from(code.number()), at, "{name}");
            assert_eq!(Code::of(code.number()), Some(*code));
            assert_eq!(code.name(), *name);
        }
        assert_eq!(Code::of(17), None);
    }

    #[test]
    fn what_is_no_code_is_unknown() {
        for (text, code) in [("0", Code::Ok), ("14", Code::Unavailable), ("17", Code::Unknown)] {
            assert_eq!(Code::read(text.as_bytes()), code, "{text}");
        }
        for text in ["", "-1", "UNAVAILABLE", "\u{ff}", "99999999999"] {
            assert_eq!(Code::read(text.as_bytes()), Code::Unknown, "{text}");
        }
    }
}
