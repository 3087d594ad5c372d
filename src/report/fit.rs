//! Texts made to fit into a line.

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
}
