//! Rates of requests: `10/s`, `600/min`, `1/h`.

use super::{Quantity, QuantityError, split_number};

/// Requests per time; never zero (a service that takes none is `respond: 503`).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct RequestRate(f64);

/// The units, with their lengths in seconds.
const UNITS: [(&str, u32); 3] = [("/s", 1), ("/min", 60), ("/h", 3600)];

impl RequestRate {
    /// The rate in requests per second.
    pub const fn per_second(self) -> f64 {
        self.0
    }

    /// How many whole requests it is in how many seconds: the shortest unit that shows it without a
    /// fraction, or else the shortest in which it is one request at all.
    pub fn quota(self) -> (u64, u32) {
        let (amount, _, seconds) = self.in_a_unit();
        // What is a hair short of a whole number, by the division that made it, is that number.
        (whole((amount + 1e-6).floor().max(1.0)), seconds)
    }

    fn in_a_unit(self) -> (f64, &'static str, u32) {
        let amounts = UNITS.map(|(unit, seconds)| (self.0 * f64::from(seconds), unit, seconds));
        let is_whole = |amount: f64| (amount - amount.round()).abs() < 1e-6;
        let mut fits = amounts.into_iter().filter(|(amount, ..)| *amount >= 1.0 - 1e-6);
        let first = fits.clone().next().unwrap_or(amounts[2]);
        fits.find(|(amount, ..)| is_whole(*amount)).unwrap_or(first)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are checked to lie within 0 ..= 1e6 per second"
)]
fn whole(amount: f64) -> u64 {
    amount as u64
}

impl Quantity for RequestRate {
    const WHAT: &'static str = "a rate of requests";
    const FORMS: &'static str = "`10/s`, `600/min` or `1/h`";
    const LIKELY_UNIT: &'static str = "/s";
    const PATTERN: &'static str = r"[0-9]+(\.[0-9]+)?\s*/(s|min|h)";

    fn parse(text: &str) -> Result<Self, QuantityError> {
        let (amount, unit) = split_number(text)
            .ok_or_else(|| QuantityError::Malformed { text: text.to_owned(), what: Self::WHAT })?;
        let unit = unit.trim();
        if unit.is_empty() {
            return Err(QuantityError::NoUnit(text.to_owned()));
        }
        let Some((_, seconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(QuantityError::UnknownUnit { unit: unit.to_owned(), what: Self::WHAT });
        };
        let rate = amount / f64::from(*seconds);
        // Below one in an hour; the least that is shown and read back.
        if !(0.000_277..=1e6).contains(&rate) {
            return Err(QuantityError::OutOfRange {
                text: text.to_owned(),
                bounds: "from `1/h` to `1000000/s`",
            });
        }
        Ok(Self(rate))
    }

    fn show(self) -> String {
        let (amount, unit, _) = self.in_a_unit();
        let text = format!("{amount:.3}");
        format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
    }

    fn lerp(self, to: Self, by: f64) -> Self {
        Self(super::lerp(self.0, to.0, by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> RequestRate {
        RequestRate::parse(text).expect("a rate")
    }

    #[test]
    fn a_minute_has_sixty_seconds_and_an_hour_sixty_minutes() {
        assert_eq!(rate("600/min"), rate("10/s"));
        assert_eq!(rate("60/h"), rate("1/min"));
    }

    #[test]
    fn what_is_shown_reads_back_in_the_shortest_unit_without_a_fraction() {
        for (text, shown) in [
            ("10/s", "10/s"),
            ("600/min", "10/s"),
            ("100/min", "100/min"),
            ("1/h", "1/h"),
            ("0.5/s", "30/min"),
            ("1.5/s", "90/min"),
        ] {
            assert_eq!(rate(text).show(), shown);
            assert_eq!(rate(shown), rate(text), "{text}");
        }
    }

    #[test]
    fn a_quota_is_whole_requests_in_whole_seconds() {
        for (text, quota) in
            [("10/s", (10, 1)), ("100/min", (100, 60)), ("1/h", (1, 3600)), ("0.3/s", (18, 60))]
        {
            assert_eq!(rate(text).quota(), quota, "{text}");
        }
        // On its way from one rate to another it is no whole number in any unit.
        assert_eq!(rate("10/s").lerp(rate("11/s"), 0.123_456_7).quota(), (10, 1));
    }

    #[test]
    fn no_rate_no_unit_and_another_unit_are_refused() {
        assert!(matches!(RequestRate::parse("0/s"), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!(RequestRate::parse("0.5/h"), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!(RequestRate::parse("-1/s"), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!(RequestRate::parse("10"), Err(QuantityError::NoUnit(_))));
        assert!(matches!(RequestRate::parse("10/m"), Err(QuantityError::UnknownUnit { .. })));
        assert!(matches!(RequestRate::parse("ten/s"), Err(QuantityError::Malformed { .. })));
    }
}
