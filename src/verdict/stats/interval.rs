//! A number, and between which two it surely lies.

/// A value with its bounds. Each bound is a statement of its own, at the level it was made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The truth is surely not below this.
    pub low: f64,
    /// The best guess.
    pub value: f64,
    /// The truth is surely not above this; infinite where nothing bounds it.
    pub high: f64,
}

impl Interval {
    /// A value that was counted and not estimated.
    pub const fn exact(value: f64) -> Self {
        Self { low: value, value, high: value }
    }

    /// Whether the truth surely is at most `limit`: its upper bound is.
    pub fn surely_at_most(&self, limit: f64) -> bool {
        self.high <= limit
    }

    /// Whether the truth surely is more than `limit`: its lower bound is.
    pub fn surely_above(&self, limit: f64) -> bool {
        self.low > limit
    }

    /// Whether the truth surely is at least `limit`: its lower bound is.
    pub fn surely_at_least(&self, limit: f64) -> bool {
        self.low >= limit
    }

    /// Whether the truth surely is less than `limit`: its upper bound is.
    pub fn surely_below(&self, limit: f64) -> bool {
        self.high < limit
    }

    /// The same, seen through a function that never falls (`x − ρ`, `x × λ`).
    #[must_use]
    pub fn map(self, rising: impl Fn(f64) -> f64) -> Self {
        Self { low: rising(self.low), value: rising(self.value), high: rising(self.high) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_inside_decides_nothing() {
        let about_one = Interval { low: 0.9, value: 1.0, high: 1.2 };
        assert!(!about_one.surely_at_most(1.1) && !about_one.surely_above(1.1));
        assert!(!about_one.surely_at_least(1.0) && !about_one.surely_below(1.0));
        assert!(about_one.surely_at_most(1.2) && !about_one.surely_below(1.2));
        assert!(about_one.surely_at_least(0.9) && !about_one.surely_above(0.9));
    }

    #[test]
    fn what_is_no_number_is_never_sure() {
        let unknown = Interval::exact(f64::NAN);
        assert!(!unknown.surely_at_most(f64::INFINITY) && !unknown.surely_above(-1.0));
        assert!(!unknown.surely_at_least(-1.0) && !unknown.surely_below(f64::INFINITY));
    }

    #[test]
    fn a_rising_function_moves_all_three() {
        let moved = Interval { low: 1.0, value: 2.0, high: 3.0 }.map(|x| x - 1.0);
        assert_eq!(moved, Interval { low: 0.0, value: 1.0, high: 2.0 });
    }
}
