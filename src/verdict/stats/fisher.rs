//! Whether two things go together, in a table of four counts.

use crate::verdict::stats::distribution::{ln_choose, normal_cdf};

/// Counts above which a tail has too many terms to sum, and is normal to nine digits.
const MANY: f64 = 1e12;

/// The chance to see `hits` or more of the first sort among `all` of it, and so at most
/// `other_hits` of `other_all`, if both are hit alike: Fisher's exact test, one-sided, the upper
/// tail of the hypergeometric distribution given all four margins. 1 of nothing; hits beyond their
/// number are cut to it.
pub fn fisher_exact(hits: u64, all: u64, other_hits: u64, other_all: u64) -> f64 {
    let (one, two) = (all as f64, other_all as f64);
    let (seen, other) = (hits.min(all) as f64, other_hits.min(other_all) as f64);
    let drawn = seen + other;
    let mean = if one + two > 0.0 { drawn * one / (one + two) } else { 0.0 };
    if one + two > MANY {
        let spread = mean * (two / (one + two)) * ((one + two - drawn) / (one + two));
        return if spread > 0.0 { normal_cdf((mean - seen) / spread.sqrt()) } else { 1.0 };
    }
    let first = ln_choose(one, seen) + ln_choose(two, other) - ln_choose(one + two, drawn);
    // Away from the mean each term is smaller than the one before, so a tail is summed outwards,
    // and ends where nothing more is added.
    if seen > mean {
        // Of x to x + 1: (one − x)(drawn − x) / ((x + 1)(two − drawn + x + 1)).
        let up = |x: f64| (one - x) * (drawn - x) / ((x + 1.0) * (two - drawn + x + 1.0));
        tail(first.exp(), seen, 1.0, up).min(1.0)
    } else {
        let down = |x: f64| x * (two - drawn + x) / ((one - x + 1.0) * (drawn - x + 1.0));
        let below = tail(first.exp() * down(seen), seen - 1.0, -1.0, down);
        (1.0 - below).clamp(0.0, 1.0)
    }
}

/// The sum of `term` (at `x`) and all those beyond it, each `ratio` times the one before.
fn tail(mut term: f64, mut x: f64, step: f64, ratio: impl Fn(f64) -> f64) -> f64 {
    let mut sum = 0.0;
    while term > sum * f64::EPSILON {
        sum += term;
        term *= ratio(x);
        x += step;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Against SciPy's `fisher_exact(…, 'greater')`; the first is Fisher's lady tasting tea.
    #[test]
    fn known_tables() {
        for ((hits, all, other_hits, other_all), want) in [
            ((3, 4, 1, 4), 0.242_857_142_857_142_83),
            ((8, 10, 1, 6), 0.024_475_524_475_524_483),
            ((1, 10, 11, 14), 0.999_966_348_095_302_2),
            ((30, 100, 200, 1000), 0.015_767_139_658_943_413),
            ((300, 100_000, 250, 100_000), 0.018_160_603_631_934_08),
            ((0, 5, 3, 5), 1.0),
            ((5000, 10_000, 4000, 10_000), 3.883_502_809_917_815e-46),
        ] {
            let got = fisher_exact(hits, all, other_hits, other_all);
            assert!((got - want).abs() < 1e-7 * want, "{got}, not {want}");
        }
    }

    #[test]
    fn nothing_goes_with_nothing() {
        for (hits, all, other_hits, other_all) in
            [(0, 0, 0, 0), (0, 0, 5, 9), (0, 9, 0, 5), (9, 9, 5, 5), (3, 0, 1, 2)]
        {
            assert!((fisher_exact(hits, all, other_hits, other_all) - 1.0).abs() < 1e-9);
        }
    }

    proptest! {
        /// The two tails share the middle term: together they are 1 and that.
        #[test]
        fn both_tails_make_one(a in 0..300_u64, b in 0..300_u64, c in 0..300_u64, d in 0..300_u64) {
            let at_least = fisher_exact(a, a + b, c, c + d);
            let at_most = fisher_exact(c, c + d, a, a + b);
            let (one, two) = ((a + b) as f64, (c + d) as f64);
            let here = (ln_choose(one, a as f64) + ln_choose(two, c as f64)
                - ln_choose(one + two, (a + c) as f64)).exp();
            prop_assert!((at_least + at_most - 1.0 - here).abs() < 1e-9, "{at_least} {at_most} {here}");
        }

        #[test]
        fn any_counts_get_a_chance(a: u64, b: u64, c: u64, d: u64, shift in 0..64_u32) {
            let p = fisher_exact(a >> shift, b >> shift, c >> shift, d >> shift);
            prop_assert!((0.0..=1.0).contains(&p), "{p}");
        }
    }
}
