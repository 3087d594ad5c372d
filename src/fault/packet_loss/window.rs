//! How many segments may be under way at once, and what a loss does to that.

/// How a sender answers to loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Congestion {
    /// The Reno-friendly region of CUBIC (RFC 9438), in which lossy paths keep it.
    Cubic,
    /// RFC 5681.
    Reno,
    /// Takes no loss for congestion.
    Bbr,
}

/// The window of Linux at the start and after a rest (RFC 6928).
const INITIAL: f64 = 10.0;
/// What fits into the 6 MiB to which Linux lets a receive buffer grow.
const MOST: f64 = 4_096.0;

/// A congestion window, in segments.
#[derive(Clone, Debug)]
pub(super) struct Window {
    congestion: Congestion,
    size: f64,
    /// Below it the window doubles with every round trip.
    threshold: f64,
    /// What `bbr` goes back to after a time-out.
    before: Option<f64>,
}

impl Window {
    /// The window of a new connection.
    pub(super) const fn new(congestion: Congestion) -> Self {
        Self { congestion, size: INITIAL, threshold: f64::INFINITY, before: None }
    }

    /// How many segments may be under way.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the size is from 1 to 4096"
    )]
    pub(super) const fn segments(&self) -> usize {
        self.size as usize
    }

    /// What is left of the window after a loss, and what is added to it in a round trip.
    const fn factors(&self) -> (f64, f64) {
        match self.congestion {
            Congestion::Cubic => (0.7, 0.53),
            Congestion::Reno => (0.5, 1.0),
            Congestion::Bbr => (1.0, 1.0),
        }
    }

    /// A segment was acknowledged outside of recovery while the window was full.
    pub(super) fn grow(&mut self) {
        let (_, added) = self.factors();
        let doubling = self.size < self.threshold;
        self.size += if doubling { 1.0 } else { added / self.size };
        self.size = self.size.min(MOST);
    }

    /// A segment was acknowledged in recovery: after a time-out the window opens again.
    pub(super) fn grow_in_recovery(&mut self) {
        if self.size < self.threshold {
            self.size = (self.size + 1.0).min(MOST);
        }
    }

    /// Anything was acknowledged.
    pub(super) fn acknowledged(&mut self) {
        if let Some(before) = self.before.take() {
            self.size = before;
        }
    }

    /// Losses were noticed by what came after them.
    pub(super) fn shrink(&mut self) {
        if self.congestion != Congestion::Bbr {
            self.threshold = self.reduced();
            self.size = self.threshold;
        }
    }

    /// Nothing came back; `first` of a series or one more.
    pub(super) fn collapse(&mut self, first: bool) {
        if self.congestion == Congestion::Bbr {
            self.before.get_or_insert(self.size);
        } else if first {
            self.threshold = self.reduced();
        }
        self.size = 1.0;
    }

    /// Nothing was sent for a while: what the path carried then says little about now.
    pub(super) fn rest(&mut self) {
        self.size = self.size.min(INITIAL);
    }

    fn reduced(&self) -> f64 {
        (self.size * self.factors().0).max(2.0)
    }
}
