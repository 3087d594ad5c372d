//! Counts by time, in as many bins as a plot has room for: when time runs out of them, each two
//! become one.

/// The narrowest bin, in microseconds.
const NARROWEST: u64 = 250_000;

/// `N` counts for each stretch of time.
#[derive(Clone, Debug)]
pub struct Bins<const N: usize> {
    width: u64,
    most: usize,
    counts: Vec<[u32; N]>,
}

impl<const N: usize> Bins<N> {
    /// No counts yet, in so many bins at most.
    pub(super) const fn new(most: usize) -> Self {
        Self { width: NARROWEST, most, counts: Vec::new() }
    }

    pub(super) fn add(&mut self, time: u64, row: usize) {
        while usize::try_from(time / self.width).unwrap_or(usize::MAX) >= self.most {
            self.halve();
        }
        let at = usize::try_from(time / self.width).unwrap_or(0);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, [0; N]);
        }
        if let Some(count) = self.counts[at].get_mut(row) {
            *count = count.saturating_add(1);
        }
    }

    fn halve(&mut self) {
        self.width *= 2;
        self.counts = self
            .counts
            .chunks(2)
            .map(|pair| {
                let second = pair.get(1).copied().unwrap_or([0; N]);
                std::array::from_fn(|row| pair[0][row].saturating_add(second[row]))
            })
            .collect();
    }

    /// How long a bin is, in microseconds.
    pub const fn width(&self) -> u64 {
        self.width
    }

    /// The counts, from the drill's start.
    pub fn counts(&self) -> &[[u32; N]] {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_length_needs_more_bins_than_there_are_and_no_count_is_lost() {
        let mut bins: Bins<2> = Bins::new(100);
        for second in 0..10_000_u64 {
            bins.add(second * 1_000_000, usize::from(second % 4 == 0));
        }

        assert!(bins.counts().len() <= 100, "{}", bins.counts().len());
        let sum = |row: usize| bins.counts().iter().map(|counts| counts[row]).sum::<u32>();
        assert_eq!((sum(0), sum(1)), (7_500, 2_500));
        // A count stays in its place, however often bins were joined.
        let at = usize::try_from(8_000_000_000 / bins.width()).expect("small");
        assert!(bins.counts()[at][1] > 0);
    }

    #[test]
    fn the_end_of_all_time_is_a_bin_too() {
        let mut bins: Bins<1> = Bins::new(10);
        bins.add(u64::MAX / 4, 0);
        assert_eq!(bins.counts().last(), Some(&[1]));
    }
}
