//! Wildcard patterns of paths, hosts and values.
//!
//! In a path `*` and `{name}` stay inside one segment and `**` crosses segments; elsewhere `*` is
//! any text. Patterns are compiled once and matched on raw bytes without allocating: a path is
//! taken as it stands on the wire, percent-encoding and all, since decoding it would make two
//! requests look alike that the upstream tells apart.

use std::fmt;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    text: String,
    pieces: Box<[Piece]>,
    fold: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// This byte.
    Byte(u8),
    /// One byte that is no slash: the least a `{name}` stands for.
    One,
    /// Any bytes but slashes.
    Star,
    /// Any bytes.
    Any,
    /// Nothing, or whole segments each with the slash after it: the inside of `/**/`.
    Segments,
    /// The end, or a slash and all that follows: a `/**` at the end.
    Rest,
}

impl Glob {
    /// A pattern of a request's path.
    pub(crate) fn path(text: &str) -> Result<Self, String> {
        if !text.starts_with(['/', '*']) {
            return Err(format!("the path `{text}` does not start with `/`"));
        }
        if text.contains(['?', '#']) {
            return Err(format!("the path `{text}` holds a query or a fragment"));
        }
        let bytes = text.as_bytes();
        let mut pieces = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let after_slash = at > 0 && bytes[at - 1] == b'/';
            at += 1;
            match byte {
                b'*' if bytes.get(at) == Some(&b'*') => {
                    at += 1;
                    match bytes.get(at) {
                        Some(b'/') if after_slash => {
                            at += 1;
                            pieces.push(Piece::Segments);
                        }
                        None if after_slash => {
                            pieces.pop();
                            pieces.push(Piece::Rest);
                        }
                        _ => pieces.push(Piece::Any),
                    }
                }
                b'*' => pieces.push(Piece::Star),
                b'{' => {
                    let name = text[at..].find('}').map(|end| &text[at..at + end]);
                    let Some(name) = name.filter(|name| is_name(name)) else {
                        return Err(format!("a `{{` in the path `{text}` starts no `{{name}}`"));
                    };
                    at += name.len() + 1;
                    pieces.extend([Piece::One, Piece::Star]);
                }
                b'}' => return Err(format!("a `}}` in the path `{text}` ends no `{{name}}`")),
                _ => pieces.push(Piece::Byte(byte)),
            }
        }
        Ok(Self { text: text.to_owned(), pieces: pieces.into(), fold: false })
    }

    /// A pattern of a value: `*` is any text, `\*` a star.
    pub(crate) fn value(text: &str) -> Self {
        let mut pieces = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            pieces.push(match (byte, bytes.peek()) {
                (b'*', _) => Piece::Any,
                (b'\\', Some(&next @ (b'*' | b'\\'))) => {
                    bytes.next();
                    Piece::Byte(next)
                }
                _ => Piece::Byte(byte),
            });
        }
        Self { text: text.to_owned(), pieces: pieces.into(), fold: false }
    }

    /// A pattern of a host name: as a value, but upper and lower case are one.
    pub(crate) fn host(text: &str) -> Self {
        Self { fold: true, ..Self::value(text) }
    }

    /// Whether the whole of `text` fits.
    ///
    /// Of several wildcards only the last one that may cross a slash, and the last one since then
    /// that may not, are ever tried again: if the earliest place for what lies between two
    /// wildcards does not do, no later one does. So it takes time in proportion to the pattern
    /// times the text, whatever a hostile path looks like.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let (mut piece, mut at) = (0, 0);
        let mut inside: Option<(usize, usize)> = None;
        let mut across: Option<(usize, usize)> = None;
        loop {
            match self.pieces.get(piece) {
                None if at == text.len() => return true,
                Some(Piece::Rest) if text.get(at).is_none_or(|byte| *byte == b'/') => return true,
                Some(Piece::Star) => {
                    piece += 1;
                    inside = Some((piece, at));
                    continue;
                }
                Some(Piece::Any | Piece::Segments) => {
                    piece += 1;
                    (inside, across) = (None, Some((piece, at)));
                    continue;
                }
                Some(Piece::Byte(byte)) if text.get(at).is_some_and(|b| self.same(*b, *byte)) => {
                    (piece, at) = (piece + 1, at + 1);
                    continue;
                }
                Some(Piece::One) if text.get(at).is_some_and(|b| *b != b'/') => {
                    (piece, at) = (piece + 1, at + 1);
                    continue;
                }
                _ => {}
            }
            if let Some((next, from)) = inside.filter(|(_, from)| inside_segment(text, *from)) {
                (piece, at) = (next, from + 1);
                inside = Some((next, at));
            } else if let Some((next, from)) = across
                && let Some(step) = self.step(next, &text[from..])
            {
                (piece, at) = (next, from + step);
                (inside, across) = (None, Some((next, at)));
            } else {
                return false;
            }
        }
    }

    /// How much more the wildcard before `next` takes in when it is tried again.
    fn step(&self, next: usize, rest: &[u8]) -> Option<usize> {
        match self.pieces[next - 1] {
            Piece::Segments => rest.iter().position(|byte| *byte == b'/').map(|slash| slash + 1),
            _ => (!rest.is_empty()).then_some(1),
        }
    }

    fn same(&self, a: u8, b: u8) -> bool {
        if self.fold { a.eq_ignore_ascii_case(&b) } else { a == b }
    }
}

fn inside_segment(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| *byte != b'/')
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(pattern: &str, text: &str) -> bool {
        Glob::path(pattern).expect("a pattern").matches(text.as_bytes())
    }

    #[test]
    fn a_star_stays_in_its_segment_and_two_cross_them() {
        assert!(path("/items/*", "/items/7"));
        assert!(!path("/items/*", "/items/7/reviews"));
        assert!(path("/items/*/reviews", "/items/7/reviews"));
        assert!(path("/items/**", "/items/7/reviews/9"));
        assert!(path("/**/reviews", "/reviews"));
        assert!(path("/**/reviews", "/a/b/reviews"));
        assert!(!path("/**/reviews", "/a/xreviews"));
        assert!(path("/static/**.js", "/static/a/b.js"));
    }

    #[test]
    fn a_tree_includes_its_root_but_not_its_namesakes() {
        assert!(path("/purchase/**", "/purchase"));
        assert!(path("/purchase/**", "/purchase/"));
        assert!(!path("/purchase/**", "/purchases"));
    }

    #[test]
    fn a_name_stands_for_at_least_one_character() {
        assert!(path("/users/{id}/cart", "/users/42/cart"));
        assert!(!path("/users/{id}/cart", "/users//cart"));
        assert!(!path("/users/{id}", "/users/4/2"));
    }

    #[test]
    fn percent_encoding_is_left_alone() {
        assert!(path("/a%2Fb", "/a%2Fb"));
        assert!(!path("/a/b", "/a%2Fb"));
    }

    #[test]
    fn a_tree_after_a_prefix_of_a_segment_looks_further() {
        assert!(path("/**/a/**/b", "/ab/a/b"));
        assert!(path("/**/a/**", "/ab/a"));
    }

    #[test]
    fn hosts_fold_case_and_values_do_not() {
        assert!(Glob::host("*.Example.com").matches(b"api.example.COM"));
        assert!(!Glob::value("Bearer *").matches(b"bearer x"));
        assert!(Glob::value(r"2\*3").matches(b"2*3"));
        assert!(!Glob::value(r"2\*3").matches(b"2x3"));
    }

    #[test]
    fn a_path_that_could_never_match_is_refused() {
        for text in ["purchase", "/a?b=c", "/a/{id", "/a/id}", "/{}", ""] {
            assert!(Glob::path(text).is_err(), "{text}");
        }
    }

    /// The meaning, spelled out with every choice tried.
    fn meaning(pieces: &[Piece], text: &[u8]) -> bool {
        let Some((first, rest)) = pieces.split_first() else {
            return text.is_empty();
        };
        let taken = |wanted: &dyn Fn(&[u8]) -> bool| {
            (0..=text.len()).any(|n| wanted(&text[..n]) && meaning(rest, &text[n..]))
        };
        match first {
            Piece::Byte(byte) => text.first() == Some(byte) && meaning(rest, &text[1..]),
            Piece::One => text.first().is_some_and(|b| *b != b'/') && meaning(rest, &text[1..]),
            Piece::Star => taken(&|part| !part.contains(&b'/')),
            Piece::Any => taken(&|_| true),
            Piece::Segments => taken(&|part| part.is_empty() || part.ends_with(b"/")),
            Piece::Rest => text.is_empty() || text[0] == b'/',
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn trying_two_wildcards_again_is_enough(
            pattern in "(/|\\*)(/|/\\*\\*|/\\*|a|b|\\*\\*|\\*|\\{n\\}){0,7}",
            text in "[/ab]{0,9}",
        ) {
            let glob = Glob::path(&pattern).expect("a pattern");
            prop_assert_eq!(glob.matches(text.as_bytes()), meaning(&glob.pieces, text.as_bytes()));
        }
    }
}
