//! Quantities that carry their unit, addresses, and the one way to read them.
//!
//! Every quantity of a scenario is text with a unit (`300ms`, `17%`, `64KiB/s`). A bare number is
//! refused with the text to write instead, since a reader of a scenario can't see which unit a
//! tool had in mind.

mod address;
mod bytes;
mod duration;
mod factor;
mod host;
mod messages;
mod percent;
mod place;
mod requests;

pub use address::{AddressError, UpstreamAddr, UpstreamUrlError, listen, tcp_upstream};
pub use bytes::{ByteRate, ByteSize};
pub use duration::show_duration;
pub use factor::Factor;
pub(crate) use host::split as split_port;
pub use host::{Host, HostPort};
pub use messages::MessageCount;
pub use percent::Percent;
pub use place::{Place, bytes_upstream, http_upstream, unix_path};
pub use requests::RequestRate;

/// A value with a unit, as scenario files write it.
pub trait Quantity: Copy + PartialOrd + std::fmt::Debug + Send + Sync + 'static {
    /// What it is, with its article: `a duration`.
    const WHAT: &'static str;
    /// How it is written, each form in backticks: `` `300ms`, `1.5s` or `2m30s` ``.
    const FORMS: &'static str;
    /// The unit that a bare number most likely meant: `300` becomes `300ms`.
    const LIKELY_UNIT: &'static str;
    /// A regular expression without anchors for the JSON Schema.
    const PATTERN: &'static str;

    /// Reads the text form.
    ///
    /// # Errors
    ///
    /// Fails if the unit is missing or unknown, or the value lies outside what the quantity allows.
    fn parse(text: &str) -> Result<Self, QuantityError>;

    /// What somebody who wrote a bare number may have meant, each form in backticks.
    fn guess(number: &str) -> String {
        format!("`{number}{}`", Self::LIKELY_UNIT)
    }

    /// The text form, which `parse` reads back.
    fn show(self) -> String;

    /// The value `by` (0 to 1) of the way from `self` to `to`.
    #[must_use]
    fn lerp(self, to: Self, by: f64) -> Self;
}

/// Why a text is not the quantity it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// A number without a unit.
    #[error("`{0}` has no unit")]
    NoUnit(String),
    /// A unit this quantity does not have.
    #[error("`{unit}` is not a unit of {what}")]
    UnknownUnit {
        /// The unit found.
        unit: String,
        /// What the quantity is, with its article.
        what: &'static str,
    },
    /// Neither a number nor a unit.
    #[error("`{text}` is not {what}")]
    Malformed {
        /// The text found.
        text: String,
        /// What the quantity is, with its article.
        what: &'static str,
    },
    /// Readable, but out of bounds.
    #[error("`{text}` is out of range: {bounds}")]
    OutOfRange {
        /// The text found.
        text: String,
        /// What is allowed.
        bounds: &'static str,
    },
}

/// Splits `1.5s` into `1.5` and `s`; a leading sign belongs to the number.
///
/// Exponents are not read: `1e3` would be a unit `e3`, which is then refused by name.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text
        .char_indices()
        .find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || (at == 0 && (c == '-' || c == '+'))))
        .map_or(text.len(), |(at, _)| at);
    let (number, unit) = text.split_at(end);
    let value: f64 = number.parse().ok()?;
    value.is_finite().then_some((value, unit))
}

/// Linear interpolation of plain numbers.
fn lerp(from: f64, to: f64, by: f64) -> f64 {
    from + (to - from) * by.clamp(0.0, 1.0)
}
