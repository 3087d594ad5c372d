//! Sizes and rates of bytes: `64KiB`, `2MB`, `64KiB/s`, `2Mbit/s`.

use super::{Quantity, QuantityError, split_number};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Bytes per second; never zero (a pipe that carries nothing is `blackhole`).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct ByteRate(f64);

/// The highest rate, in bytes per second.
const MOST: f64 = 1e12;

const SIZES: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("KiB", 1024.0),
    ("MB", 1e6),
    ("MiB", 1_048_576.0),
    ("GB", 1e9),
    ("GiB", 1_073_741_824.0),
];

const RATES: &[(&str, f64)] =
    &[("bit/s", 0.125), ("kbit/s", 125.0), ("Kbit/s", 125.0), ("Mbit/s", 125e3), ("Gbit/s", 125e6)];

impl ByteRate {
    /// So many bytes per second; at least one, and no more than a file can name.
    pub fn per_second(bytes: u64) -> Self {
        Self((bytes as f64).clamp(1.0, MOST))
    }

    /// The rate in bytes per second.
    pub const fn bytes_per_second(self) -> f64 {
        self.0
    }
}

fn scale(unit: &str, what: &'static str, units: &[(&str, f64)]) -> Result<f64, QuantityError> {
    units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, scale)| *scale)
        .ok_or_else(|| QuantityError::UnknownUnit { unit: unit.to_owned(), what })
}

fn number<'t>(text: &'t str, what: &'static str) -> Result<(f64, &'t str), QuantityError> {
    let (number, unit) = split_number(text)
        .ok_or_else(|| QuantityError::Malformed { text: text.to_owned(), what })?;
    if unit.is_empty() {
        return Err(QuantityError::NoUnit(text.to_owned()));
    }
    Ok((number, unit))
}

impl Quantity for ByteSize {
    const WHAT: &'static str = "a size";
    const FORMS: &'static str = "`512B`, `10KiB` or `2MB`";
    const LIKELY_UNIT: &'static str = "B";
    const PATTERN: &'static str = r"[0-9]+(\.[0-9]+)?(B|kB|KB|KiB|MB|MiB|GB|GiB)";

    fn parse(text: &str) -> Result<Self, QuantityError> {
        let (amount, unit) = number(text, Self::WHAT)?;
        let bytes = amount * scale(unit, Self::WHAT, SIZES)?;
        if !(0.0..=1e15).contains(&bytes) || text.starts_with('-') {
            return Err(QuantityError::OutOfRange {
                text: text.to_owned(),
                bounds: "from `0B` to `1000000GB`",
            });
        }
        Ok(Self(whole(bytes)))
    }

    fn show(self) -> String {
        let exact = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
            .into_iter()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match exact {
            Some((unit, size)) => format!("{}{unit}", self.0 / size),
            None => format!("{}B", self.0),
        }
    }

    fn lerp(self, to: Self, by: f64) -> Self {
        Self(whole(super::lerp(self.0 as f64, to.0 as f64, by)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are checked to lie within 0 ..= 1e15"
)]
fn whole(bytes: f64) -> u64 {
    bytes.round() as u64
}

impl Quantity for ByteRate {
    const WHAT: &'static str = "a byte rate";
    const FORMS: &'static str = "`64KiB/s`, `500B/s` or `2Mbit/s`";
    const LIKELY_UNIT: &'static str = "KiB/s";
    const PATTERN: &'static str =
        r"[0-9]+(\.[0-9]+)?((B|kB|KB|KiB|MB|MiB|GB|GiB)/s|(|k|K|M|G)bit/s)";

    fn parse(text: &str) -> Result<Self, QuantityError> {
        let (amount, unit) = number(text, Self::WHAT)?;
        let per_second = match unit.strip_suffix("/s") {
            Some(size) if !size.ends_with("bit") => {
                scale(size, Self::WHAT, SIZES).map_err(|_| QuantityError::UnknownUnit {
                    unit: unit.to_owned(),
                    what: Self::WHAT,
                })?
            }
            _ => scale(unit, Self::WHAT, RATES)?,
        };
        let rate = amount * per_second;
        if !(1.0..=MOST).contains(&rate) {
            return Err(QuantityError::OutOfRange {
                text: text.to_owned(),
                bounds: "from `1B/s` to `1000GB/s`",
            });
        }
        Ok(Self(rate))
    }

    fn show(self) -> String {
        format!("{}/s", ByteSize(whole(self.0)).show())
    }

    fn lerp(self, to: Self, by: f64) -> Self {
        Self(super::lerp(self.0, to.0, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_and_decimal_units_differ() {
        assert_eq!(ByteSize::parse("64KiB"), Ok(ByteSize(65_536)));
        assert_eq!(ByteSize::parse("64kB"), Ok(ByteSize(64_000)));
    }

    #[test]
    fn bits_are_eighths() {
        let rate = ByteRate::parse("2Mbit/s").map(ByteRate::bytes_per_second);
        assert_eq!(rate, Ok(250_000.0));
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        assert!(ByteRate::parse("0B/s").is_err());
        assert!(ByteRate::parse("64KiB").is_err());
        assert!(ByteRate::parse("64").is_err());
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["64KiB/s", "3MiB/s", "999B/s"] {
            let rate = ByteRate::parse(text).expect("a rate");
            assert_eq!(rate.show(), text);
        }
    }
}
