//! Words that several findings use.

use crate::verdict::attempt::Wrong;

/// So many seconds, for people: `20 ms`, `1.5 s`, `3 min`.
pub fn time(seconds: f64) -> String {
    if !seconds.is_finite() {
        "for ever".to_owned()
    } else if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 600.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// So many of something: `1 operation`, `2 operations`.
pub fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// In a word, what went wrong.
pub fn wrong(wrong: Wrong) -> String {
    match wrong {
        Wrong::Status(status) => status.to_string(),
        Wrong::Grpc(code) => code.to_string(),
        Wrong::Reset => "reset".to_owned(),
        Wrong::Closed => "close".to_owned(),
        Wrong::Cut => "cut".to_owned(),
        Wrong::Left => "timeout".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_two_digits_or_so() {
        let told = [0.0004, 0.05, 0.0996, 1.0, 9.96, 119.7, 3600.0, f64::INFINITY].map(time);
        let want = ["0 ms", "50 ms", "0.1 s", "1.0 s", "10 s", "120 s", "60 min", "for ever"];
        assert_eq!(told, want);
    }
}
