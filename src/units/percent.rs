//! Shares of a whole: `17%`, `0.05%`, `1/2000`.

use super::{Quantity, QuantityError, split_number};

/// A share of traffic, users or bytes, from 0 % to 100 %.
///
/// A larger share includes every point that a smaller one does, so a ramp only ever adds users.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// Nothing.
    pub const NONE: Self = Self(0.0);
    /// Everything.
    pub const ALL: Self = Self(1.0);

    /// A share from a fraction of one; values outside 0 to 1 are clamped.
    pub fn from_fraction(fraction: f64) -> Self {
        if fraction.is_nan() {
            return Self::NONE;
        }
        Self(fraction.clamp(0.0, 1.0))
    }

    /// The share as a fraction of one.
    pub const fn fraction(self) -> f64 {
        self.0
    }

    /// Whether this share includes `point`, a uniform draw from all of `u64`.
    ///
    /// 0 % includes no point and 100 % includes all: 53 bits of the point make a number in
    /// `[0, 1)`, which is never below 0 and always below 1.
    pub fn includes(self, point: u64) -> bool {
        unit(point) < self.0
    }
}

/// The top 53 bits of `point` as a number in `[0, 1)`: every such number is exact in an `f64`.
pub(crate) fn unit(point: u64) -> f64 {
    (point >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

impl Quantity for Percent {
    const WHAT: &'static str = "a share";
    const FORMS: &'static str = "`17%`, `0.05%` or `1/2000`";
    const LIKELY_UNIT: &'static str = "%";
    const PATTERN: &'static str = r"([0-9]+(\.[0-9]+)?\s*%|[0-9]+\s*/\s*[0-9]+)";

    fn parse(text: &str) -> Result<Self, QuantityError> {
        let malformed = || QuantityError::Malformed { text: text.to_owned(), what: Self::WHAT };
        let fraction = if let Some((part, whole)) = text.split_once('/') {
            let part: u64 = part.trim().parse().map_err(|_| malformed())?;
            let whole: u64 = whole.trim().parse().map_err(|_| malformed())?;
            if whole == 0 {
                return Err(malformed());
            }
            part as f64 / whole as f64
        } else {
            let (number, unit) = split_number(text).ok_or_else(malformed)?;
            match unit.trim() {
                "%" => number / 100.0,
                "" => return Err(QuantityError::NoUnit(text.to_owned())),
                other => {
                    return Err(QuantityError::UnknownUnit {
                        unit: other.to_owned(),
                        what: Self::WHAT,
                    });
                }
            }
        };
        if !(0.0..=1.0).contains(&fraction) || text.starts_with('-') {
            return Err(QuantityError::OutOfRange {
                text: text.to_owned(),
                bounds: "from `0%` to `100%`",
            });
        }
        Ok(Self(fraction))
    }

    fn guess(number: &str) -> String {
        match number.parse::<f64>() {
            // Most likely a fraction, but it could be a small percentage.
            Ok(fraction) if fraction > 0.0 && fraction < 1.0 => {
                format!("`{}` or `{number}%`", Self(fraction).show())
            }
            _ => format!("`{number}%`"),
        }
    }

    fn show(self) -> String {
        let text = format!("{:.6}", self.0 * 100.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        format!("{text}%")
    }

    fn lerp(self, to: Self, by: f64) -> Self {
        Self(super::lerp(self.0, to.0, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_in_zero_and_everything_in_a_hundred() {
        for point in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(!Percent::NONE.includes(point));
            assert!(Percent::ALL.includes(point));
        }
    }

    #[test]
    fn percentages_and_ratios_agree() {
        assert_eq!(Percent::parse("0.05%"), Percent::parse("1/2000"));
        assert_eq!(Percent::parse("0.0001%").map(Percent::fraction), Ok(1e-6));
    }

    #[test]
    fn a_bare_fraction_is_refused() {
        assert_eq!(Percent::parse("0.17"), Err(QuantityError::NoUnit("0.17".into())));
    }

    #[test]
    fn shares_beyond_the_whole_are_out_of_range() {
        for text in ["101%", "-1%", "3/2"] {
            assert!(
                matches!(Percent::parse(text), Err(QuantityError::OutOfRange { .. })),
                "{text}"
            );
        }
    }
}
