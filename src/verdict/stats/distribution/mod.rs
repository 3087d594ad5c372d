//! The distributions all else is made of, safe for any argument.
//!
//! `statrs` panics outside its domain, its inverse of the incomplete beta function loops for ever
//! once a Newton step overflows (a = 5, b = 1e7), and its continued fraction stops at 140 terms,
//! which is off by 9e-3 in the middle of a = b = 1e6. So its checked functions are called within
//! their domain alone, inverses are found by halving, and very large arguments take the normal
//! approximations of Abramowitz and Stegun, "Handbook of Mathematical Functions".

use statrs::function::{beta, erf, gamma};
use std::f64::consts::SQRT_2;

/// Both parameters of an incomplete beta function above this: its continued fraction may be cut
/// short, and the approximation is good to 1e-6.
const LARGE_BETA: f64 = 1e4;

/// The parameter of an incomplete gamma function above which it takes too long; the approximation
/// is good to 1e-7 there.
const LARGE_GAMMA: f64 = 1e7;

/// How many times an interval is halved: enough to find 1e-40 to the last digit.
const HALVINGS: usize = 200;

/// The chance that a standard normal is at most `z`: ½·erfc(−z/√2).
pub(crate) fn normal_cdf(z: f64) -> f64 {
    if z.is_nan() { f64::NAN } else { 0.5 * erf::erfc(-z / SQRT_2) }
}

/// What a standard normal is at most with chance `p`: −√2·erfc⁻¹(2p). Infinite at 0 and 1.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if p.is_nan() {
        return f64::NAN;
    }
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    -SQRT_2 * erf::erfc_inv(2.0 * p)
}

/// The regularized incomplete beta function I_x(a, b), which is P(Beta(a, b) ≤ x). `a` = 0 stands
/// for all weight at 0, `b` = 0 for all weight at 1.
pub(super) fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x.is_nan() || !a.is_finite() || !b.is_finite() {
        return f64::NAN;
    }
    if x >= 1.0 || a <= 0.0 {
        return 1.0;
    }
    if x <= 0.0 || b <= 0.0 {
        return 0.0;
    }
    if a.min(b) > LARGE_BETA {
        // 26.5.22: the difference of two cube roots, each nearly normal.
        let (one, two) = ((b * x).cbrt(), (a * (1.0 - x)).cbrt());
        let apart = 3.0 * (one * (1.0 - 1.0 / (9.0 * b)) - two * (1.0 - 1.0 / (9.0 * a)));
        return normal_cdf(apart / (one * one / b + two * two / a).sqrt());
    }
    beta::checked_beta_reg(a, b, x).map_or(f64::NAN, |share| share.clamp(0.0, 1.0))
}

/// The x with I_x(a, b) = `p`.
pub(super) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p.is_nan() || !a.is_finite() || !b.is_finite() {
        return f64::NAN;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..HALVINGS {
        let middle = low.midpoint(high);
        if middle <= low || middle >= high {
            break;
        }
        if beta_cdf(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.midpoint(high)
}

/// P(Binomial(`n`, `p`) ≤ `k`) = I_{1−p}(n − k, k + 1).
pub(super) fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n { 1.0 } else { beta_cdf(1.0 - p, (n - k) as f64, k as f64 + 1.0) }
}

/// P(Gamma(`a`) > `x`), the regularized upper incomplete gamma function Q(a, x).
fn gamma_sf(a: f64, x: f64) -> f64 {
    if a.is_nan() || x.is_nan() {
        return f64::NAN;
    }
    if a <= 0.0 || x == f64::INFINITY {
        return 0.0;
    }
    if x <= 0.0 || a == f64::INFINITY {
        return 1.0;
    }
    if a > LARGE_GAMMA {
        // 26.4.14 (Wilson and Hilferty): the cube root of x/a is nearly normal.
        let apart = ((x / a).cbrt() - 1.0 + 1.0 / (9.0 * a)) * 3.0 * a.sqrt();
        return normal_cdf(-apart);
    }
    gamma::checked_gamma_ur(a, x).map_or(f64::NAN, |share| share.clamp(0.0, 1.0))
}

/// P(Poisson(`mean`) ≤ `k`) = Q(k + 1, mean).
pub(super) fn poisson_cdf(k: u64, mean: f64) -> f64 {
    gamma_sf(k as f64 + 1.0, mean)
}

/// P(χ² of `freedom` degrees > `x`) = Q(freedom/2, x/2).
pub(super) fn chi_squared_sf(x: f64, freedom: f64) -> f64 {
    gamma_sf(freedom / 2.0, x / 2.0)
}

/// What Student's t of `freedom` degrees is at most with chance `p`, from 0.5 to 1:
/// √(ν(1 − x)/x) with x the 2(1 − p) quantile of Beta(ν/2, ½).
pub(super) fn student_quantile(p: f64, freedom: f64) -> f64 {
    let x = beta_quantile(2.0 * (1.0 - p), freedom / 2.0, 0.5);
    (freedom * (1.0 - x) / x).sqrt()
}

/// ln of how many ways there are to choose `k` of `n`; −∞ if there is none.
pub(super) fn ln_choose(n: f64, k: f64) -> f64 {
    if !(0.0..=n).contains(&k) {
        return f64::NEG_INFINITY;
    }
    gamma::ln_gamma(n + 1.0) - gamma::ln_gamma(k + 1.0) - gamma::ln_gamma(n - k + 1.0)
}

#[cfg(test)]
mod tests;
