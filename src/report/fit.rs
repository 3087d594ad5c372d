//! Texts and figures made to fit into a line.

use crate::units::show_duration;
use std::time::Duration;

/// No more than `room` characters of a text; an ellipsis stands for the rest.
pub(crate) fn shorten(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let Some(kept) = room.checked_sub(1) else {
        return String::new();
    };
    text.chars().take(kept).chain(['…']).collect()
}

/// A text in lines of at most `width` characters, all but the first indented by `indent`. A word
/// that is longer than a line stays whole.
pub(crate) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let length = line.chars().count();
        if length > indent && length + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        }
        if line.chars().any(|c| c != ' ') {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// A duration to three digits or so.
pub(crate) fn rounded(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let step = match micros {
        0..1_000 => 1,
        1_000..10_000 => 100,
        10_000..1_000_000 => 1_000,
        1_000_000..100_000_000 => 100_000,
        _ => 1_000_000,
    };
    show_duration(Duration::from_micros((micros + step / 2) / step * step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_says_so() {
        assert_eq!(shorten("outage", 6), "outage");
        assert_eq!(shorten("outage", 4), "out…");
        assert_eq!(shorten("outage", 0), "");
    }

    #[test]
    fn lines_break_between_words_and_hang() {
        assert_eq!(wrap("one two three four", 9, 2), ["one two", "  three", "  four"]);
        assert_eq!(wrap("unbreakable", 4, 2), ["unbreakable"]);
    }

    #[test]
    fn durations_keep_three_digits() {
        assert_eq!(rounded(Duration::from_micros(123_456)), "123ms");
        assert_eq!(rounded(Duration::from_micros(1_234_567)), "1.2s");
        assert_eq!(rounded(Duration::from_micros(90)), "90us");
    }
}
