//! `upstream_http`: which version of HTTP the upstream is spoken to in.

use std::{fmt, str::FromStr};

/// Which version of HTTP the upstream is spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamHttp {
    /// The one that the client speaks; over TLS the upstream chooses whether it is HTTP/2.
    #[default]
    Same,
    /// HTTP/1.1, whatever the client speaks.
    Http1,
    /// HTTP/2, whatever the client speaks.
    Http2,
}

impl UpstreamHttp {
    pub(super) const WORDS: [(&'static str, Self); 3] = [
        (Self::Same.name(), Self::Same),
        (Self::Http1.name(), Self::Http1),
        (Self::Http2.name(), Self::Http2),
    ];

    /// As a config writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }
}

impl fmt::Display for UpstreamHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// From the word of a config.
impl FromStr for UpstreamHttp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        known.map(|(_, http)| http).ok_or_else(|| "write `same`, `http1` or `http2`".to_owned())
    }
}
