//! Lost SYNs: how long a new connection waits for the retry that gets through.

use std::time::Duration;

/// When a kernel sends a SYN again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    /// Linux from 6.5 on, with `tcp_syn_linear_timeouts` = 4.
    Linux65,
    /// Doubling from the first retry on (RFC 6298), as most text-books have it.
    Classic,
}

impl Schedule {
    /// Seconds after the first SYN: the retries, and last the time at which the kernel gives up.
    const fn seconds(self) -> &'static [u64] {
        match self {
            Self::Linux65 => &[1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131],
            Self::Classic => &[1, 3, 7, 15, 31, 63, 127],
        }
    }

    /// How long the connection takes beyond its round trip, if a try fails with probability
    /// `lost`; `u` is uniform in `[0, 1)`. The k-th retry is the one with probability
    /// `lost^k (1 - lost)`. Zero if the first try gets through.
    pub(super) fn wait(self, lost: f64, u: f64) -> Duration {
        let mut so_far = lost;
        let mut wait = 0;
        for seconds in self.seconds() {
            if u >= so_far {
                break;
            }
            wait = *seconds;
            so_far *= lost;
        }
        Duration::from_secs(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shares of loss-free, once lost … of the closed form q^k (1 − q), with one-way losses of
    /// 10 % and 30 %; a grid of 10⁵ is exact to a few in 10⁵.
    #[test]
    fn retries_are_as_frequent_as_the_closed_form_says() {
        for (p, shares) in
            [(0.1, [0.810, 0.154, 0.029, 0.006]), (0.3, [0.490, 0.250, 0.127, 0.065])]
        {
            let lost: f64 = 1.0 - (1.0 - p) * (1.0 - p);
            for (seconds, share) in (0..).zip(shares) {
                let waits = (0..100_000).map(|n| {
                    Schedule::Linux65.wait(lost, (f64::from(n) + 0.5) / 100_000.0).as_secs()
                });
                let found = waits.filter(|wait| *wait == seconds).count() as f64 / 1e5;
                assert!((found - share).abs() < 6e-4, "{p}, {seconds} s: {found}, not {share}");
            }
        }
    }

    #[test]
    fn without_loss_nobody_waits_and_with_nothing_else_the_kernel_gives_up() {
        assert_eq!(Schedule::Linux65.wait(0.0, 0.0), Duration::ZERO);
        assert_eq!(Schedule::Linux65.wait(1.0, 0.999_999), Duration::from_secs(131));
        assert_eq!(Schedule::Classic.wait(1.0, 0.5), Duration::from_secs(127));
        assert_eq!(Schedule::Classic.wait(0.1, 0.05), Duration::from_secs(1));
        assert_eq!(Schedule::Classic.wait(0.1, 0.005), Duration::from_secs(3));
    }
}
