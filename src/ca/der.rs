//! The one thing that is read out of a certificate: until when it is good.

use jiff::civil::Date;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;

/// The last day of a certificate, if it is one.
pub(super) fn not_after(certificate: &[u8]) -> Option<Date> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = element(certificate)? else { return None };
    if let (VERSION, _, after) = element(rest)? {
        rest = after;
    }
    // Its serial number, how it is signed, and by whom.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (SEQUENCE, validity, _) = element(rest)? else { return None };
    let (_, _, after) = element(validity)?;
    let (kind, time, _) = element(after)?;
    let time = std::str::from_utf8(time).ok()?;
    let number = |at: usize, len: usize| time.get(at..at + len)?.parse::<i16>().ok();
    let (year, at) = if kind == UTC_TIME {
        let year = number(0, 2)?;
        (if year < 50 { 2000 + year } else { 1900 + year }, 2)
    } else {
        (number(0, 4)?, 4)
    };
    let (month, day) = (number(at, 2)?.try_into().ok()?, number(at + 2, 2)?.try_into().ok()?);
    Date::new(year, month, day).ok()
}

/// The kind of the first element, what is in it, and what comes after it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |all, digit| all << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (inside, after) = rest.split_at_checked(length)?;
    Some((*kind, inside, after))
}
