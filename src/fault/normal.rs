//! The normal distribution: its integral and the inverse of that.
//!
//! Draws are made through the inverse, so that one number from the dice makes one delay, and the
//! same number makes the same delay in every version of every library.

use std::f64::consts::SQRT_2;

/// The standard normal value that lies 99 % of the way up.
pub(super) const Z99: f64 = 2.326_347_874_040_841;

/// How much of the standard normal distribution lies below `z`, to 1e-7: the complementary error
/// function by the Chebyshev fit of Press et al., Numerical Recipes §6.2.
pub(super) fn cdf(z: f64) -> f64 {
    const FIT: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let x = z.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let tail = 0.5 * t * (-x * x + polynomial(&FIT, t)).exp();
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// The standard normal value below which `u` of the distribution lies, for `u` from 1e-10 to
/// 1 − 1e-10 (clamped to it): Wichura's algorithm AS 241, to sixteen digits.
pub(super) fn quantile(u: f64) -> f64 {
    const CENTRE: ([f64; 8], [f64; 8]) = (
        [
            3.387_132_872_796_366_5,
            1.331_416_678_917_843_8e2,
            1.971_590_950_306_551_3e3,
            1.373_169_376_550_946e4,
            4.592_195_393_154_987e4,
            6.726_577_092_700_87e4,
            3.343_057_558_358_813e4,
            2.509_080_928_730_122_7e3,
        ],
        [
            1.0,
            4.231_333_070_160_091e1,
            6.871_870_074_920_579e2,
            5.394_196_021_424_751e3,
            2.121_379_430_158_659_7e4,
            3.930_789_580_009_271e4,
            2.872_908_573_572_194_3e4,
            5.226_495_278_852_854e3,
        ],
    );
    const TAIL: ([f64; 8], [f64; 8]) = (
        [
            1.423_437_110_749_683_5,
            4.630_337_846_156_546,
            5.769_497_221_460_691,
            3.647_848_324_763_204_5,
            1.270_458_252_452_368_4,
            2.417_807_251_774_506e-1,
            2.272_384_498_926_918_4e-2,
            7.745_450_142_783_414e-4,
        ],
        [
            1.0,
            2.053_191_626_637_759,
            1.676_384_830_183_803_8,
            6.897_673_349_851e-1,
            1.481_039_764_274_800_8e-1,
            1.519_866_656_361_645_7e-2,
            5.475_938_084_995_345e-4,
            1.050_750_071_644_416_9e-9,
        ],
    );
    let u = u.clamp(1e-10, 1.0 - 1e-10);
    let q = u - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE.0, r) / polynomial(&CENTRE.1, r);
    }
    // Up to 5 by the clamp above, as far as this fit goes.
    let r = (-u.min(1.0 - u).ln()).sqrt() - 1.6;
    (polynomial(&TAIL.0, r) / polynomial(&TAIL.1, r)).copysign(q)
}

/// The coefficients are those of rising powers.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles_are_met() {
        for (u, z) in [
            (0.5, 0.0),
            (0.9, 1.281_551_565_544_600_4),
            (0.99, Z99),
            (0.025, -1.959_963_984_540_054),
            (1e-6, -4.753_424_308_822_899),
            (1e-10, -6.361_340_902_404_056),
        ] {
            assert!((quantile(u) - z).abs() < 1e-9, "{u}: {} is not {z}", quantile(u));
        }
    }

    #[test]
    fn the_integral_and_its_inverse_agree() {
        for n in 1..1_000 {
            let u = f64::from(n) / 1_000.0;
            assert!((cdf(quantile(u)) - u).abs() < 2e-7, "{u}");
        }
    }
}
