//! How much comes at once when the faults are over.

use crate::verdict::{
    detect::Cx,
    finding::Measured,
    flow::FINE,
    span::{Span, seconds_of},
    stats::steady_peak,
};

/// Fine bins of a second.
const BINS: usize = 10;
/// Requests that a window of calm should hold. Few, so that a burst of a second is not thinned out
/// over five; what chance makes of so few is allowed for.
const REQUESTS: f64 = 10.0;
/// The longest window, in seconds.
const WIDEST: f64 = 60.0;
/// Requests in calm without which the mean is a guess.
const LEAST: f64 = 50.0;
/// How sure it has to be that no steady client reaches as far.
const LEVEL: f64 = 0.95;

/// The busiest window after the faults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Peak {
    /// Its attempts over those of a mean window in calm.
    pub height: f64,
    /// What chance alone makes of a steady client, or this one reached in calm.
    pub chance: f64,
    /// Seconds of a window.
    window: f64,
    /// Attempts of a mean window in calm.
    mean: f64,
}

impl Peak {
    /// A peak that chance explains is none.
    pub(super) fn measured(self) -> Measured {
        let sample = self.said();
        let height = if self.height > self.chance { self.height } else { self.height.min(1.0) };
        Measured::exact(height, sample)
    }

    pub(super) fn said(self) -> String {
        let Self { height, chance, window, mean } = self;
        let reason = if height <= chance { "no more than" } else { "more than" };
        format!(
            "busiest {window:.1} s at {height:.2}x of calm ({mean:.0} requests), {reason} the \
             {chance:.2}x of a steady client"
        )
    }
}

/// The peak, or why none can be told.
pub(super) fn peak(cx: &Cx<'_>) -> Result<Peak, Measured> {
    let (calm, after) = spans(cx)?;
    let base = calm.came(cx).attempts;
    let seconds = calm.seconds() as f64;
    let window = (REQUESTS * seconds / base).max(1.0);
    if base < LEAST || window > WIDEST {
        let said = format!("{base:.0} requests in {seconds:.0} s of calm");
        return Err(Measured::too_few(said, format!("{LEAST:.0} of them a minute")));
    }
    let bins = seconds_of((window * BINS as f64).ceil());
    let (from, to) = fine(cx, after);
    if to < from + bins {
        let said = format!("{} s were watched after the faults", after.seconds());
        return Err(Measured::too_few(said, format!("{} s of it", 10 * bins / BINS)));
    }
    let mean = base / seconds * bins as f64 / BINS as f64;
    let busiest = busiest(cx.flow.fine(), from, to, bins);
    let windows = 3 * ((to - from) / bins) as u64;
    let steady = steady_peak(mean, windows, LEVEL).unwrap_or(f64::INFINITY);
    // The mean is measured, too.
    let steady = steady * (1.0 + 1.645 / base.sqrt());
    let (from, to) = (calm.from * BINS, calm.to * BINS);
    let usual = f64::from(self::busiest(cx.flow.fine(), from, to, bins)) / mean;
    Ok(Peak {
        height: f64::from(busiest) / mean,
        chance: steady.max(usual),
        window: bins as f64 / BINS as f64,
        mean,
    })
}

/// What was made up for after the faults, over what would have come while they lasted.
pub(super) fn backlog(cx: &Cx<'_>) -> Measured {
    let (calm, after) = match spans(cx) {
        Ok(spans) => spans,
        Err(why) => return why,
    };
    let base = calm.came(cx).attempts;
    if base < LEAST {
        let said = format!("{base:.0} requests in {} s of calm", calm.seconds());
        return Measured::too_few(said, format!("{LEAST:.0} of them"));
    }
    let rate = base / calm.seconds() as f64;
    let lasted = Span::fault(cx).map_or(0, Span::seconds) as f64;
    let seconds = cx.flow.seconds().iter().take(after.to).skip(after.from);
    let (mut sum, mut most, mut at) = (0.0, 0.0, 0.0);
    for (second, nth) in seconds.zip(1_u32..) {
        sum += f64::from(second.attempts) - rate;
        if sum > most {
            (most, at) = (sum, f64::from(nth));
        }
    }
    // As a count of so many seconds goes by itself.
    let off = 1.645 * (rate * at).sqrt();
    let meant = rate * lasted.max(1.0);
    Measured::Number {
        low: (most - off).max(0.0) / meant,
        value: most / meant,
        high: (most + off) / meant,
        sample: format!(
            "{most:.0} requests more than usual, {meant:.0} would have come in the faults"
        ),
    }
}

fn spans(cx: &Cx<'_>) -> Result<(Span, Span), Measured> {
    let none = |why: &str| Measured::NotExercised(why.to_owned());
    let after = Span::after(cx).ok_or_else(|| none("no faults ended"))?;
    let calm =
        Span::calm(cx).ok_or_else(|| none("there was no traffic in calm to compare with"))?;
    Ok((calm, after))
}

/// The fine bins wholly after the faults, and those of a span.
fn fine(cx: &Cx<'_>, after: Span) -> (usize, usize) {
    let ended = cx.course.fault_ended().unwrap_or(0);
    (usize::try_from(ended.div_ceil(FINE)).unwrap_or(usize::MAX), after.to * BINS)
}

/// The most that any window holds, of those that slide by a quarter.
fn busiest(fine: &[u32], from: usize, to: usize, bins: usize) -> u32 {
    let to = to.max(from);
    let sum = |at: usize| fine.iter().skip(at).take(bins).sum();
    let last = to.saturating_sub(bins);
    (from..=last).step_by((bins / 4).max(1)).map(sum).max().unwrap_or(0)
}
