//! How long something lasts, when some of it was not seen to end.

/// How long one thing was watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lifetime {
    /// For how long; seconds, by custom.
    pub lasted: f64,
    /// Whether it ended then; else it went on unseen (it is censored).
    pub ended: bool,
}

/// What is known of how long they last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survival {
    /// By when half of them have ended; `None` if more than half might last longer than any was
    /// watched.
    pub median: Option<f64>,
    /// The longest any was watched.
    pub longest: f64,
    /// Whether the longest ended; else it, and so the maximum, may be longer.
    pub longest_ended: bool,
    /// How many were watched.
    pub watched: usize,
    /// How many of those were seen to end.
    pub ended: usize,
}

/// The product-limit estimate of Kaplan and Meier, "Nonparametric Estimation from Incomplete
/// Observations" (1958): S(t) = Π (1 − dᵢ/nᵢ) over the times tᵢ ≤ t at which dᵢ of the nᵢ still
/// watched ended; the median is the first t with S(t) ≤ ½. What is censored at the moment at which
/// another ends was still there. Times that are negative or no number are left out; `None` of
/// nothing.
pub fn survival(lifetimes: &[Lifetime]) -> Option<Survival> {
    let mut lives: Vec<Lifetime> =
        lifetimes.iter().copied().filter(|life| life.lasted >= 0.0).collect();
    // At one time, ends before censorings.
    lives.sort_by(|a, b| a.lasted.total_cmp(&b.lasted).then(b.ended.cmp(&a.ended)));
    let longest = lives.last()?.lasted;
    let mut left = lives.len();
    let mut surviving = 1.0;
    let mut median = None;
    for life in &lives {
        if life.ended {
            // One at a time: (1 − 1/n)(1 − 1/(n−1)) is 1 − 2/n, so ties need no care.
            surviving *= 1.0 - 1.0 / left as f64;
            // Half is half in spite of rounding.
            if median.is_none() && surviving <= 0.5 + 1e-12 {
                median = Some(life.lasted);
            }
        }
        left -= 1;
    }
    let mut at_longest = lives.iter().rev().take_while(|life| life.lasted >= longest);
    Some(Survival {
        median,
        longest,
        longest_ended: at_longest.all(|life| life.ended),
        watched: lives.len(),
        ended: lives.iter().filter(|life| life.ended).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ended(lasted: f64) -> Lifetime {
        Lifetime { lasted, ended: true }
    }

    fn cut(lasted: f64) -> Lifetime {
        Lifetime { lasted, ended: false }
    }

    /// The leukaemia remissions of Freireich et al. (1963), the textbook case: the treated have a
    /// median of 23 weeks, the others of 8.
    #[test]
    fn the_textbook_case() {
        let mut treated: Vec<_> =
            [6, 6, 6, 7, 10, 13, 16, 22, 23].map(|weeks| ended(f64::from(weeks))).into();
        treated.extend(
            [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(|weeks| cut(f64::from(weeks))),
        );
        let got = survival(&treated).unwrap();
        assert_eq!(got.median, Some(23.0));
        assert_eq!((got.longest, got.longest_ended, got.watched, got.ended), (35.0, false, 21, 9));

        let others = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23];
        let got = survival(&others.map(|weeks| ended(f64::from(weeks)))).unwrap();
        assert_eq!((got.median, got.longest, got.longest_ended), (Some(8.0), 23.0, true));
    }

    #[test]
    fn those_that_go_on_do_not_shorten_the_rest() {
        // Taking the censored for ended would say 2.
        let got = survival(&[cut(1.0), cut(2.0), cut(2.0), ended(9.0), ended(11.0)]).unwrap();
        assert_eq!(got.median, Some(9.0));
        let never = survival(&[cut(5.0), cut(7.0)]).unwrap();
        assert_eq!((never.median, never.longest, never.longest_ended), (None, 7.0, false));
    }

    /// One of three ends at 1; counted as gone before it, the censored would make that one of two.
    #[test]
    fn what_is_censored_as_another_ends_was_still_there() {
        assert_eq!(survival(&[cut(1.0), ended(1.0), ended(5.0)]).unwrap().median, Some(5.0));
    }

    #[test]
    fn one_that_goes_on_at_the_longest_leaves_it_open() {
        assert!(!survival(&[ended(7.0), cut(7.0)]).unwrap().longest_ended);
        assert!(survival(&[ended(7.0), cut(6.0)]).unwrap().longest_ended);
    }

    #[test]
    fn half_of_many_is_half() {
        let lives: Vec<_> = (1..=1000).map(|at| ended(f64::from(at))).collect();
        assert_eq!(survival(&lives).unwrap().median, Some(500.0));
    }

    #[test]
    fn nothing_and_nonsense() {
        assert_eq!(survival(&[]), None);
        assert_eq!(survival(&[ended(f64::NAN), ended(-1.0)]), None);
    }

    proptest! {
        #[test]
        fn without_censoring_the_median_is_the_plain_one(mut times in prop::collection::vec(0..50_u8, 1..60)) {
            let lives: Vec<_> = times.iter().map(|&time| ended(f64::from(time))).collect();
            times.sort_unstable();
            let plain = f64::from(times[times.len().div_ceil(2) - 1]);
            prop_assert_eq!(survival(&lives).unwrap().median, Some(plain));
        }
    }
}
