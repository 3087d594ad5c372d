//! What the two ends of a WebSocket agreed on beside its frames (RFC 6455 §9), as far as it matters to
//! whoever takes messages out.
//!
//! Messages that are compressed with what came before them in mind (permessage-deflate with context
//! takeover, RFC 7692 §7.1.1) need all of it: without one the next ones are garbled, or the socket is
//! closed with 1002.

use crate::fault::Way;

/// Which way compressed messages need those before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contexts {
    up: bool,
    down: bool,
}

impl Contexts {
    /// What the fields `sec-websocket-extensions` of an answer say. Of one that is not known the worst is
    /// thought.
    pub fn agreed<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut contexts = Self::default();
        for field in fields {
            for extension in String::from_utf8_lossy(field).split(',') {
                let mut parts = extension.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default();
                if name.is_empty() {
                    continue;
                }
                let is_known = name.eq_ignore_ascii_case("permessage-deflate");
                let says: Vec<&str> = parts.filter(|_| is_known).collect();
                let says = |word: &str| says.iter().any(|said| said.eq_ignore_ascii_case(word));
                contexts.up |= !says("client_no_context_takeover");
                contexts.down |= !says("server_no_context_takeover");
            }
        }
        contexts
    }

    /// Whether those that go this way do.
    pub const fn are_kept(self, way: Way) -> bool {
        match way {
            Way::Up => self.up,
            Way::Down => self.down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_has_what_was_agreed_on() {
        for (fields, up, down) in [
            (&[][..], false, false),
            (&[""], false, false),
            (&["permessage-deflate"], true, true),
            (&["Permessage-Deflate; client_max_window_bits=12"], true, true),
            (&["permessage-deflate; server_no_context_takeover"], true, false),
            (
                &["permessage-deflate;client_no_context_takeover; server_max_window_bits=\"10\""],
                false,
                true,
            ),
            (
                &["permessage-deflate; client_no_context_takeover; server_no_context_takeover"],
                false,
                false,
            ),
            (&["x-other; client_no_context_takeover; server_no_context_takeover"], true, true),
            (
                &[
                    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
                    "x",
                ],
                true,
                true,
            ),
        ] {
            let contexts = Contexts::agreed(fields.iter().map(|field| field.as_bytes()));
            assert_eq!(
                (contexts.are_kept(Way::Up), contexts.are_kept(Way::Down)),
                (up, down),
                "{fields:?}"
            );
        }
    }
}
