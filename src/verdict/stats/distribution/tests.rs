//! Against SciPy 1.17.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn near(got: f64, want: f64, error: f64) {
    assert!((got - want).abs() <= error * want.abs(), "{got}, not {want}");
}

#[test]
fn known_values_of_the_normal() {
    near(normal_quantile(0.95), 1.644_853_626_951_472_2, 1e-9);
    near(normal_quantile(0.99), 2.326_347_874_040_841, 1e-9);
    near(normal_quantile(1e-9), -5.997_807_015_007_686, 1e-9);
    near(normal_cdf(1.644_853_626_951_472_2), 0.95, 1e-10);
}

#[test]
fn known_values_of_the_beta() {
    near(beta_quantile(0.05, 1.0, 30.0), 0.001_708_315_644_465_734_4, 1e-9);
    near(beta_quantile(0.95, 4.0, 97.0), 0.075_710_793_749_830_04, 1e-9);
    near(beta_quantile(0.95, 3.0, 1e6), 6.295_767_507_668_921e-6, 1e-8);
    near(beta_quantile(0.95, 5e4, 6e4), 0.457_015_356_881_468_44, 1e-6);
    near(beta_quantile(0.5, 1e6, 1e6), 0.5, 1e-6);
}

/// The parameters at which the library's own inverse never comes back.
#[test]
fn an_inverse_is_found_where_newton_overflows() {
    near(beta_quantile(0.05, 5.0, 1e7), 1.970_148_979_955_346e-7, 1e-7);
}

#[test]
fn known_values_of_the_others() {
    near(poisson_cdf(0, 0.5), 0.606_530_659_712_633_4, 1e-12);
    near(poisson_cdf(12, 5.0), 0.997_981_148_372_563, 1e-12);
    near(poisson_cdf(61, 50.0), 0.944_319_223_584_838_3, 1e-12);
    near(poisson_cdf(1_000_300, 1e6), 0.618_159_914_066_712_4, 1e-8);
    near(poisson_cdf(10_003_000, 1e7 + 1.0), 0.828_570_254_577_670_6, 1e-6);
    near(chi_squared_sf(3.841_458_820_694_124, 1.0), 0.05, 1e-12);
    near(chi_squared_sf(1000.0, 1000.0), 0.494_052_853_829_239_64, 1e-9);
    near(chi_squared_sf(3e7, 3e7), 0.499_965_664_515_363, 1e-6);
    near(binomial_cdf(28, 29, 0.9), 0.952_898_713_027_537_5, 1e-12);
    near(binomial_cdf(99_000, 100_000, 0.99), 0.504_268_687_972_122_5, 1e-8);
    near(student_quantile(0.95, 1.0), 6.313_751_514_675_037, 1e-9);
    near(student_quantile(0.95, 11.0), 1.795_884_818_704_043_3, 1e-9);
    near(student_quantile(0.99, 4.0), 3.746_947_387_979_196, 1e-9);
    near(ln_choose(10.0, 3.0), 120_f64.ln(), 1e-12);
}

/// Anything a float can be, and often what lies at an edge.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::ANY,
        prop::sample::select(vec![0.0, 1.0, -1.0, 0.5, 1e-300, 1e4, 1e7, 1e15, f64::INFINITY]),
        0.0..1.0,
        0.0..1e6,
    ]
}

proptest! {
    /// What is no chance is NaN: nothing panics, nothing runs on.
    #[test]
    fn any_argument_gets_a_chance_or_nan(a in float(), b in float(), c in float(), k: u64) {
        let chances = [
            normal_cdf(a), beta_cdf(a, b, c), beta_quantile(a, b, c), poisson_cdf(k, a),
            chi_squared_sf(a, b), binomial_cdf(k % 100, k / 3, a),
        ];
        for chance in chances {
            prop_assert!(chance.is_nan() || (0.0..=1.0).contains(&chance), "{chances:?}");
        }
        let _any = (normal_quantile(a), student_quantile(a, b), ln_choose(a, b));
    }

    #[test]
    fn a_quantile_is_where_the_chance_is_met(p in 0.001..0.999, a in 0.5..3e4, b in 0.5..3e4) {
        let met = beta_cdf(beta_quantile(p, a, b), a, b);
        prop_assert!((met - p).abs() < 1e-5, "{met}");
    }
}
