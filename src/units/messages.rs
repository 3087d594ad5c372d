//! Numbers of messages in a stream: `3 messages`.

use super::{Quantity, QuantityError, split_number};

/// How many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageCount(pub u64);

/// No stream is longer than what a number of 32 bits counts.
const MOST: f64 = 4_294_967_295.0;

impl Quantity for MessageCount {
    const WHAT: &'static str = "a number of messages";
    const FORMS: &'static str = "`3 messages`";
    const LIKELY_UNIT: &'static str = " messages";
    const PATTERN: &'static str = r"[0-9]+\s*messages?";

    fn parse(text: &str) -> Result<Self, QuantityError> {
        let malformed = || QuantityError::Malformed { text: text.to_owned(), what: Self::WHAT };
        let (amount, unit) = split_number(text).ok_or_else(malformed)?;
        match unit.trim() {
            "" => return Err(QuantityError::NoUnit(text.to_owned())),
            "message" | "messages" => {}
            unit => {
                return Err(QuantityError::UnknownUnit { unit: unit.to_owned(), what: Self::WHAT });
            }
        }
        if !(0.0..=MOST).contains(&amount) || amount.fract() > 0.0 {
            let bounds = "a whole number from 0 to 4294967295";
            return Err(QuantityError::OutOfRange { text: text.to_owned(), bounds });
        }
        Ok(Self(whole(amount)))
    }

    fn show(self) -> String {
        format!("{} message{}", self.0, if self.0 == 1 { "" } else { "s" })
    }

    fn lerp(self, to: Self, by: f64) -> Self {
        Self(whole(super::lerp(self.0 as f64, to.0 as f64, by).round()))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is read lies within 0 ..= 2^32, and so does all between"
)]
fn whole(amount: f64) -> u64 {
    amount as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_in_whole_numbers() {
        for (text, count) in [("3 messages", 3), ("1 message", 1), ("0messages", 0)] {
            assert_eq!(MessageCount::parse(text), Ok(MessageCount(count)), "{text}");
        }
        for text in ["3", "1.5 messages", "-1 messages", "3 bytes", "many", "5000000000 messages"] {
            assert!(MessageCount::parse(text).is_err(), "{text}");
        }
        assert_eq!(MessageCount(1).show(), "1 message");
        assert_eq!(MessageCount(0).lerp(MessageCount(5), 0.5), MessageCount(3));
    }
}
