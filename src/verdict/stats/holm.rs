//! Many questions asked of one run.

/// Which of the hypotheses with these p-values are rejected, such that the chance to reject any
/// true one is at most `alpha`, whatever their dependence. A p-value that is no number is 1.
///
/// Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979): from the smallest up,
/// the i-th of m is rejected while p ≤ α/(m − i + 1).
pub fn holm(p_values: &[f64], alpha: f64) -> Vec<bool> {
    let mut rejected = vec![false; p_values.len()];
    let p = |at: usize| if p_values[at].is_nan() { 1.0 } else { p_values[at] };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p(a).total_cmp(&p(b)));
    for (left, &at) in (1..=order.len()).rev().zip(&order) {
        if p(at) > alpha / left as f64 || alpha.is_nan() {
            break;
        }
        rejected[at] = true;
    }
    rejected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bonferroni would reject the first alone; without correction all four would go.
    #[test]
    fn each_rejection_makes_the_next_one_easier() {
        assert_eq!(holm(&[0.01, 0.04, 0.03, 0.005], 0.05), [true, false, false, true]);
        assert_eq!(holm(&[0.0125, 0.0166, 0.025, 0.05], 0.05), [true; 4]);
    }

    #[test]
    fn the_first_that_stands_saves_all_after_it() {
        assert_eq!(holm(&[0.001, 0.03, 0.04], 0.05), [true, false, false]);
    }

    #[test]
    fn fifteen_good_rules_fail_no_good_client() {
        // Each of them alone would be rejected at 5 %.
        assert_eq!(holm(&[0.04; 15], 0.05), [false; 15]);
    }

    #[test]
    fn nothing_and_nonsense_reject_nothing() {
        assert_eq!(holm(&[], 0.05), [false; 0]);
        assert_eq!(holm(&[f64::NAN, 0.001], 0.05), [false, true]);
        assert_eq!(holm(&[0.001], f64::NAN), [false]);
    }
}
