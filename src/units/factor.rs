//! How many times as much: `1.5x`.

use super::{Quantity, QuantityError, split_number};

/// A multiple of something; never negative.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Factor(f64);

impl Factor {
    /// The multiple.
    pub const fn times(self) -> f64 {
        self.0
    }
}

impl Quantity for Factor {
    const WHAT: &'static str = "a factor";
    const FORMS: &'static str = "`1.5x` or `2x`";
    const LIKELY_UNIT: &'static str = "x";
    const PATTERN: &'static str = r"[0-9]+(\.[0-9]+)?[x×]";

    fn parse(text: &str) -> Result<Self, QuantityError> {
        let (number, unit) = split_number(text)
            .ok_or_else(|| QuantityError::Malformed { text: text.to_owned(), what: Self::WHAT })?;
        match unit {
            "x" | "×" if (0.0..=1e6).contains(&number) && !text.starts_with('-') => {
                Ok(Self(number))
            }
            "x" | "×" => Err(QuantityError::OutOfRange {
                text: text.to_owned(),
                bounds: "from `0x` to `1000000x`",
            }),
            "" => Err(QuantityError::NoUnit(text.to_owned())),
            _ => Err(QuantityError::UnknownUnit { unit: unit.to_owned(), what: Self::WHAT }),
        }
    }

    fn show(self) -> String {
        format!("{}x", self.0)
    }

    fn lerp(self, to: Self, by: f64) -> Self {
        Self(super::lerp(self.0, to.0, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_a_number_and_an_x() {
        assert_eq!(Factor::parse("1.5x").map(Factor::times), Ok(1.5));
        assert_eq!(Factor::parse("2×"), Factor::parse("2x"));
        assert_eq!(Factor::parse("1.5"), Err(QuantityError::NoUnit("1.5".into())));
        assert!(Factor::parse("-1x").is_err());
        assert!(Factor::parse("150%").is_err());
    }

    #[test]
    fn what_is_shown_reads_back() {
        assert_eq!(Factor::parse("1.5x").map(Factor::show), Ok("1.5x".to_owned()));
    }
}
