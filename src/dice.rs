//! Every random choice, replayable.
//!
//! A choice is a keyed hash of (seed, fault, unit, n-th time, purpose), never the next number of
//! a shared stream: two requests that race draw the same numbers in either order, and adding a
//! fault to a file changes nothing for the others. SipHash-1-3 makes the key (fixed by its
//! specification, unlike `StdRng`), PCG64 DXSM the further numbers a distribution needs.

use rand::TryRng;
use rand_pcg::Pcg64Dxsm;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::{fmt, hash::Hasher, str::FromStr};

/// What a whole drill's choices follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// A seed nobody chose, for a drill whose file and command line name none.
    pub fn fresh() -> Self {
        // Six digits are enough to be different, and short enough to type again.
        // A system without entropy still gets a drill, and the report names its seed.
        let draw = rand::rngs::SysRng.try_next_u64().unwrap_or_default();
        Self(100_000 + draw % 900_000)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a number is drawn for, so that two draws of one decision are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Whether a share hits this unit.
    Share = 1,
    /// How long to hold.
    Delay = 2,
    /// Which segments get lost on the way to the upstream.
    LossUp = 3,
    /// Which segments get lost on the way to the client.
    LossDown = 4,
    /// Which connection attempts get lost.
    Syn = 5,
    /// The sojourn times of a burst, or the knots of a random walk.
    Weather = 6,
    /// What happens in one direction of a connection, apart from the other.
    Direction = 7,
    /// How large a slice is.
    Slice = 8,
    /// Which bytes are hit.
    Corrupt = 9,
    /// Bytes that mean nothing.
    Garbage = 10,
    /// Which clients are drawn again to see how much a number depends on them.
    Resample = 11,
    /// Which messages of a socket are hit, and what its injected frames are masked with.
    Messages = 12,
}

/// A key to draw with: a fault, and whom it decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dice {
    seed: u64,
    fault: u64,
    unit: u64,
    nth: u64,
}

impl Dice {
    /// The dice of one fault (or cohort) as a whole, the same for everybody.
    pub fn new(seed: Seed, fault: &str) -> Self {
        Self { seed: seed.0, fault: key(fault.as_bytes()), unit: 0, nth: 0 }
    }

    /// The same fault's dice for one unit (a user, a connection) and its `nth` time.
    #[must_use]
    pub const fn of(self, unit: u64, nth: u64) -> Self {
        Self { unit, nth, ..self }
    }

    /// A uniform draw from all of `u64`.
    pub fn point(self, purpose: Purpose) -> u64 {
        self.hash(purpose).0
    }

    /// A generator for draws that need more than one number.
    pub fn rng(self, purpose: Purpose) -> Pcg64Dxsm {
        let (high, low) = self.hash(purpose);
        Pcg64Dxsm::new(u128::from(high) << 64 | u128::from(low), 1)
    }

    fn hash(self, purpose: Purpose) -> (u64, u64) {
        let mut hasher = SipHasher13::new_with_keys(self.seed, self.fault);
        hasher.write_u64(self.unit.to_le());
        hasher.write_u64(self.nth.to_le());
        hasher.write_u8(purpose as u8);
        let hash = hasher.finish128();
        (hash.h1, hash.h2)
    }
}

/// A stable 64-bit key of a name or an identity, the same on every machine and in every run.
pub fn key(bytes: &[u8]) -> u64 {
    key_of(&[bytes])
}

/// The key of the parts laid end to end, without laying them so.
pub fn key_of(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x6669_7265, 0x6472_696c_6c21);
    for part in parts {
        hasher.write(part);
    }
    hasher.finish128().h1
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    /// Frozen: a seed written into a report today must replay with every later version.
    #[test]
    fn draws_are_the_same_in_every_version() {
        let dice = Dice::new(Seed(42), "respond").of(key(b"alice"), 3);
        assert_eq!(dice.point(Purpose::Share), 12_071_394_740_096_235_172);
        assert_eq!(dice.rng(Purpose::Delay).next_u64(), 8_087_629_075_254_857_972);
    }

    #[test]
    fn every_part_of_the_key_matters() {
        let base = Dice::new(Seed(1), "a").of(2, 3);
        let point = base.point(Purpose::Share);
        assert_ne!(point, Dice::new(Seed(2), "a").of(2, 3).point(Purpose::Share));
        assert_ne!(point, Dice::new(Seed(1), "b").of(2, 3).point(Purpose::Share));
        assert_ne!(point, base.of(3, 3).point(Purpose::Share));
        assert_ne!(point, base.of(2, 4).point(Purpose::Share));
        assert_ne!(point, base.point(Purpose::Delay));
    }
}
