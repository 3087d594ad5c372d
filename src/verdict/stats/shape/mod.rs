//! What shape a client's back-off has, read from the gaps between its attempts.
//!
//! Per index (first gap, second gap, …) the median over operations is taken; constant, linear and
//! exponential growth, each with or without a cap, are fitted to the logarithms of the medians by
//! weighted least squares, and the best is named if it is better by a margin. With few operations,
//! or two gaps alone, shapes cannot be told apart, and the answer says so instead of guessing: two
//! gaps of 1 s and 2 s may be linear or exponential.

mod fit;
mod gaps;

use crate::verdict::stats::shape::fit::{Fits, Point};

/// Below this many seconds a gap is no back-off at all, unless the caller knows better.
pub const IMMEDIATE: f64 = 0.05;

/// The error that the logarithm of a median has in any case.
const FLOOR: f64 = 0.02;

/// The same where no index has three values to tell the scatter by.
const UNKNOWN: f64 = 0.05;

/// With one or two operations a shape is named only if it fits this well, in ln units (6 %).
const EXACT: f64 = 0.06;

/// By how much the best fit must beat the next to be named.
const MARGIN: f64 = 4.0;

/// The name of a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Every gap is shorter than the bound for "at once".
    Immediate,
    /// There is one gap that is not immediate: no shape to speak of.
    Single,
    /// The same gap each time.
    Constant,
    /// Grows by the same amount each time, perhaps up to a cap.
    Linear,
    /// Grows by the same factor each time, perhaps up to a cap.
    Exponential,
    /// Linear or exponential: it surely grows, and the data cannot tell how.
    Growing,
    /// The data fit several shapes, one of them constant.
    Ambiguous,
}

/// What the gaps of a client's operations say.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    /// Its name.
    pub shape: Shape,
    /// By what factor a gap exceeds the one before it, as the exponential fit has it, whether that
    /// won or not; of two gaps, their ratio; 1 if immediate, `None` of a single one.
    pub growth: Option<f64>,
    /// The coefficient of variation of a gap about the mean of its index, pooled over indices by
    /// degrees of freedom: 0 without jitter, 0.19 with half of the gap random, 0.58 with all of it.
    /// Indices whose mean is immediate are left out, since their variation is noise. `None` if no
    /// index has two values.
    pub cv: Option<f64>,
    /// The degrees of freedom of that.
    pub freedom: u64,
    /// Whether the first retry comes at once and the others wait.
    pub first_immediate: bool,
    /// The index, from 1, from which the gaps of the named shape no longer grow.
    pub capped_from: Option<usize>,
    /// The median gap of each index in seconds, immediate ones too.
    pub medians: Vec<f64>,
    /// More of each index.
    pub indices: Vec<Index>,
    /// How many operations had a gap to look at.
    pub operations: usize,
}

/// The gaps of one index, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    /// How many operations have it.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their sample deviation; 0 of one.
    pub deviation: f64,
    /// The longest.
    pub longest: f64,
}

/// The shape of the back-off with these gaps, in seconds, of one operation each; they should be of
/// one client and kind of fault, without waits that a `Retry-After` asked for. A gap of less than
/// `immediate` seconds ([`IMMEDIATE`] by default) is none. `None` without a gap.
///
/// The eighth gap is the last looked at. An operation ends before a gap that is more than a second
/// and ten times the median of its index: there, two operations were taken for one.
///
/// Of two operations or fewer with two gaps nothing is said ([`Shape::Ambiguous`]): jitter alone
/// would make half of such answers wrong.
pub fn classify(operations: &[Vec<f64>], immediate: f64) -> Option<Backoff> {
    // Logarithms are taken of what is not immediate.
    let immediate = immediate.max(0.001);
    let (operations, columns) = gaps::columns(operations)?;
    let medians: Vec<f64> = columns.iter().map(|column| gaps::median(column)).collect();
    let mut found = Backoff {
        shape: Shape::Immediate,
        growth: Some(1.0),
        cv: None,
        freedom: 0,
        first_immediate: false,
        capped_from: None,
        medians,
        indices: columns.iter().map(|column| gaps::index(column)).collect(),
        operations,
    };
    if found.medians.iter().all(|&median| median < immediate) {
        return Some(found);
    }
    found.first_immediate = found.medians[0] < immediate;
    let (waits, medians): (Vec<&Vec<f64>>, Vec<(usize, f64)>) = (columns.iter())
        .zip((1..).zip(found.medians.iter().copied()))
        .filter(|(_, (_, median))| *median >= immediate)
        .unzip();
    (found.cv, found.freedom) = gaps::variation(&waits, immediate);
    let points = points(&waits, &medians);
    let scattered = waits.iter().any(|column| column.len() > 2);
    (found.shape, found.growth, found.capped_from) = match points.as_slice() {
        [] | [_] => (Shape::Single, None, None),
        [one, two] => {
            let (shape, ratio) = name_two(one, two, scattered);
            (shape, Some(ratio), None)
        }
        _ => {
            let fits = Fits::to(&points);
            let (shape, capped_from) = name(&fits, points.len(), scattered);
            (shape, Some(fits.exponential.growth), capped_from)
        }
    };
    Some(found)
}

/// ln of the medians with their errors: σ² = (1.2533·s/√n)² + 0.02², the error of a median of n
/// values with deviation s, which is pooled over the indices.
fn points(waits: &[&Vec<f64>], medians: &[(usize, f64)]) -> Vec<Point> {
    let scatters: Vec<f64> =
        waits.iter().filter_map(|column| gaps::log_deviation(column)).collect();
    let scatter =
        (!scatters.is_empty()).then(|| scatters.iter().sum::<f64>() / scatters.len() as f64);
    let point = |(column, &(index, median)): (&&Vec<f64>, &(usize, f64))| {
        let error = match scatter {
            Some(scatter) => (1.2533 * scatter / (column.len() as f64).sqrt()).hypot(FLOOR),
            None => UNKNOWN,
        };
        Point { index: index as f64, ln: median.ln(), weight: error.powi(-2) }
    };
    waits.iter().zip(medians).map(point).collect()
}

/// Two gaps show whether it grows, and nothing of how.
fn name_two(one: &Point, two: &Point, scattered: bool) -> (Shape, f64) {
    let apart = two.ln - one.ln;
    let error = (1.0 / one.weight + 1.0 / two.weight).sqrt();
    let shape = if !scattered {
        Shape::Ambiguous
    } else if apart.abs() >= 1.25_f64.ln().max(2.0 * error) {
        Shape::Growing
    } else if 2.0 * error < 1.6_f64.ln() {
        Shape::Constant
    } else {
        Shape::Ambiguous
    };
    (shape, apart.exp())
}

/// The best of the fits if it is the best by far, and where it is capped.
fn name(fits: &Fits, points: usize, scattered: bool) -> (Shape, Option<usize>) {
    let mut by_score = [
        (fits.constant, Shape::Constant),
        (fits.linear, Shape::Linear),
        (fits.exponential, Shape::Exponential),
    ];
    if !scattered {
        // Nothing tells the scatter, so speak only if one of them fits almost exactly.
        let closest = by_score.iter().min_by(|a, b| a.0.square.total_cmp(&b.0.square));
        let misfit = closest.map_or(f64::INFINITY, |(fit, _)| {
            let freedom = points.saturating_sub(fit.parameters).max(1) as f64;
            (fit.square / freedom).sqrt() * UNKNOWN
        });
        if misfit > EXACT {
            return (Shape::Ambiguous, None);
        }
    }
    by_score.sort_by(|a, b| a.0.score().total_cmp(&b.0.score()));
    let [(best, shape), (next, rival), _] = by_score;
    if next.score() - best.score() >= MARGIN {
        (shape, best.capped_from)
    } else if shape != Shape::Constant && rival != Shape::Constant {
        (Shape::Growing, best.capped_from)
    } else {
        (Shape::Ambiguous, None)
    }
}

#[cfg(test)]
mod tests;
