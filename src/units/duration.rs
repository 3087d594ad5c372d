//! Human durations: `300ms`, `1.5s`, `2m30s`.

use super::{Quantity, QuantityError, split_number};
use std::time::Duration;

/// The longest duration a file may name; a drill of years is a typing error.
const LONGEST: f64 = 366.0 * 86_400.0;

const UNITS: &[(&str, f64)] = &[
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3_600.0),
    ("d", 86_400.0),
];

impl Quantity for Duration {
    const WHAT: &'static str = "a duration";
    const FORMS: &'static str = "`300ms`, `1.5s` or `2m30s`";
    const LIKELY_UNIT: &'static str = "ms";
    const PATTERN: &'static str = r"([0-9]+(\.[0-9]+)?(us|µs|ms|s|m|min|h|d))+";

    fn parse(text: &str) -> Result<Self, QuantityError> {
        let malformed = || QuantityError::Malformed { text: text.to_owned(), what: Self::WHAT };
        if text.is_empty() {
            return Err(malformed());
        }
        let mut rest = text;
        let mut seconds = 0.0;
        while !rest.is_empty() {
            let (number, tail) = split_number(rest).ok_or_else(malformed)?;
            let end = tail
                .find(|c: char| c.is_ascii_digit() || c == '.' || c.is_whitespace())
                .unwrap_or(tail.len());
            let (unit, next) = tail.split_at(end);
            if unit.is_empty() {
                return Err(QuantityError::NoUnit(rest.trim_end().to_owned()));
            }
            let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| {
                QuantityError::UnknownUnit { unit: unit.to_owned(), what: Self::WHAT }
            })?;
            seconds += number * scale;
            rest = next;
        }
        if !(0.0..=LONGEST).contains(&seconds) || text.starts_with('-') {
            return Err(QuantityError::OutOfRange {
                text: text.to_owned(),
                bounds: "from `0s` to `366d`",
            });
        }
        // Through nanoseconds, so that `300ms` is 300 ms and not 299.999999 ms.
        Ok(Duration::from_nanos(nanos(seconds)))
    }

    fn guess(number: &str) -> String {
        // `1 m` has a unit that stands apart: then it is not a second one that is missing.
        let joined: String = number.chars().filter(|c| !c.is_whitespace()).collect();
        if Self::parse(&joined).is_ok() {
            return format!("`{joined}`");
        }
        format!("`{number}s` or `{number}ms`")
    }

    fn show(self) -> String {
        show_duration(self)
    }

    fn lerp(self, to: Self, by: f64) -> Self {
        Duration::from_secs_f64(super::lerp(self.as_secs_f64(), to.as_secs_f64(), by))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller checks 0 ..= 366 days, which fits 63 bits of nanoseconds"
)]
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

/// A duration as people write it, to the millisecond above a second: `2m30s`, `1.5s`, `300ms`.
pub fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000_000 {
        return trimmed(duration.as_secs_f64() * 1e6, "us");
    }
    if nanos < 1_000_000_000 {
        return trimmed(duration.as_secs_f64() * 1e3, "ms");
    }
    let whole = duration.as_secs();
    if whole < 60 {
        return trimmed(duration.as_secs_f64(), "s");
    }
    let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
    let seconds = (whole % 60) as f64 + f64::from(duration.subsec_millis()) / 1e3;
    let mut out = String::new();
    for (amount, unit) in [(days, "d"), (hours, "h"), (minutes, "m")] {
        if amount > 0 {
            out.push_str(&format!("{amount}{unit}"));
        }
    }
    if seconds > 0.0 {
        out.push_str(&trimmed(seconds, "s"));
    }
    out
}

fn trimmed(value: f64, unit: &str) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compound_durations_add_up() {
        assert_eq!(Duration::parse("2m30s"), Ok(Duration::from_secs(150)));
        assert_eq!(Duration::parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(Duration::parse("3d"), Ok(Duration::from_secs(259_200)));
    }

    #[test]
    fn a_bare_number_is_refused_as_unitless() {
        assert_eq!(Duration::parse("300"), Err(QuantityError::NoUnit("300".into())));
        assert_eq!(Duration::parse("2m30"), Err(QuantityError::NoUnit("30".into())));
    }

    #[test]
    fn a_unit_that_stands_apart_is_told_to_close_up() {
        assert_eq!(Duration::guess("1 m"), "`1m`");
        assert_eq!(Duration::guess("2m 30s"), "`2m30s`");
        assert_eq!(Duration::guess("300"), "`300s` or `300ms`");
    }

    #[test]
    fn negative_and_endless_durations_are_out_of_range() {
        for text in ["-1s", "367d", "99999999999999d"] {
            assert!(
                matches!(Duration::parse(text), Err(QuantityError::OutOfRange { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["300ms", "1.5s", "2m30s", "1h", "3d4h", "250us", "0s"] {
            let value = Duration::parse(text).expect("a duration");
            assert_eq!(value.show(), text);
        }
    }

    #[test]
    fn garbage_is_never_a_panic() {
        for text in ["", "s", "--1s", "1..2s", "1s-", "µ", "1 s", " 1s", "1s 2s", "🦀"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }
}
