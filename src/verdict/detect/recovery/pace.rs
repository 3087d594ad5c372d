//! When goodput is as it was in calm.

use crate::verdict::{
    detect::Cx,
    span::{Came, Span, seconds_of},
};

/// Seconds of a window, if enough is served in them.
const WINDOW: usize = 10;
/// The longest window.
const WIDEST: usize = 60;
/// The least number of successes that a window of calm holds.
const SUCCESSES: f64 = 20.0;
/// For how long it has to last, in seconds.
const LASTING: usize = 30;

/// How goodput came back.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pace {
    /// It did, after so many seconds.
    Back { after: usize, window: usize, goodput: f64 },
    /// It did not in so many seconds, in which it had this share of that in calm.
    Never { watched: usize, share: f64 },
    /// Not enough was seen.
    TooFew { said: String, needs: String },
    /// There was nothing to recover from, or to compare with.
    NotExercised(&'static str),
}

impl Pace {
    pub(super) fn of(cx: &Cx<'_>) -> Self {
        if !cx.course.has_faults() {
            return Self::NotExercised("the scenario has no faults to recover from");
        }
        let Some(after) = Span::after(cx) else {
            return Self::NotExercised("the drill ended before its faults did");
        };
        let Some(calm) = Span::calm(cx) else {
            return Self::NotExercised("there was no traffic in calm to compare with");
        };
        let base = calm.came(cx);
        let rate = base.served / base.seconds;
        let window = seconds_of((SUCCESSES / rate).ceil()).max(WINDOW);
        if window > WIDEST || calm.seconds() < window {
            let said =
                format!("{:.0} requests served in {:.0} s of calm", base.served, base.seconds);
            let needs = format!("{SUCCESSES:.0} of them a minute, for a minute");
            return Self::TooFew { said, needs };
        }
        if after.seconds() < window {
            let said = format!("{} s were watched after the faults", after.seconds());
            return Self::TooFew { said, needs: format!("{} s of it", window + LASTING) };
        }
        let usual = Usual::of(cx, calm, &base);
        let last = last_start(cx).map_or(after.from, |last| last + 1).clamp(after.from, after.to);
        let back = (after.from..=after.to - window).find(|from| {
            let lasting = (*from + (3 * window).max(LASTING)).min(last);
            lasting >= *from + window
                && (*from..=lasting - window)
                    .all(|at| usual.holds(&Span { from: at, to: at + window }.came(cx)))
                && usual.holds(&Span { from: *from, to: lasting }.came(cx))
        });
        let share = |span: Span| {
            let came = span.came(cx);
            if came.seconds > 0.0 { came.served / came.seconds / rate } else { 0.0 }
        };
        match back {
            Some(from) => Self::Back {
                after: from - after.from,
                window,
                goodput: share(Span { from, to: last }),
            },
            // It went well for as long as it went.
            None if last < after.from + window
                && last > after.from
                && usual.holds(&Span { from: after.from, to: last }.came(cx)) =>
            {
                let said = format!("traffic ended {} s after the faults", last - after.from);
                Self::TooFew { said, needs: format!("{} s of it", window + LASTING) }
            }
            None => Self::Never { watched: after.seconds(), share: share(after) },
        }
    }
}

/// What is usual in calm.
struct Usual {
    rate: f64,
    /// Variance over mean of what is served per second.
    dispersion: f64,
    failing: f64,
}

impl Usual {
    fn of(cx: &Cx<'_>, calm: Span, base: &Came) -> Self {
        let rate = base.served / base.seconds;
        let seconds = cx.flow.seconds().iter().take(calm.to).skip(calm.from);
        let squares: f64 = seconds.map(|second| (f64::from(second.served) - rate).powi(2)).sum();
        let failing = if base.ended > 0.0 { 1.0 - base.served / base.ended } else { 0.0 };
        Self { rate, dispersion: (squares / base.seconds / rate).clamp(0.05, 10.0), failing }
    }

    fn holds(&self, came: &Came) -> bool {
        let meant = 0.9 * self.rate * came.seconds;
        let failed = came.ended - came.served;
        let may_fail = self.failing * came.ended + 2.0 * (self.failing * came.ended).sqrt();
        came.served >= meant - 2.0 * (meant * self.dispersion).sqrt()
            && failed <= may_fail.max(0.01 * came.ended)
    }
}

/// The last second in which an attempt began.
fn last_start(cx: &Cx<'_>) -> Option<usize> {
    cx.flow.seconds().iter().rposition(|second| second.attempts > 0)
}
