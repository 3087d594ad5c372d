//! "Did you mean": the closest of the names that would have been right.

/// Longer words are no slips of the finger, and comparing takes time in proportion to both.
const LONGEST: usize = 64;

/// Of so many names the closest is looked for; a scenario has far fewer unless it is hostile.
const MOST: usize = 256;

/// The closest of `known` to `word`, if it is close enough to be a slip of the finger.
pub fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    known
        .into_iter()
        .take(MOST)
        .filter(|name| name.len() <= LONGEST)
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1.max(name.chars().count() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `` `a`, `b` or `c` ``.
pub fn list_of<'k>(names: impl IntoIterator<Item = &'k str>) -> String {
    let mut ticked: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    let Some(last) = ticked.pop() else {
        return String::new();
    };
    if ticked.is_empty() {
        return last;
    }
    format!("{} or {last}", ticked.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(closest("latecny", ["latency", "hang"]), Some("latency"));
        assert_eq!(closest("Share", ["share", "target"]), Some("share"));
        assert_eq!(closest("zebra", ["latency", "hang"]), None);
    }

    #[test]
    fn lists_read_as_english() {
        assert_eq!(list_of(["a"]), "`a`");
        assert_eq!(list_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
