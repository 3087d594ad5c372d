//! Weighted least squares of the shapes a back-off may have.

/// The least factor that is called exponential growth.
const LEAST_GROWTH: f64 = 1.2;

/// What slower growth is fined, so that it does not win.
const FINE: f64 = 50.0;

/// ln of the median gap of an index, from 1, and one over the square of its error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) index: f64,
    pub(super) ln: f64,
    pub(super) weight: f64,
}

/// How well one shape fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// χ², the weighted square of what it misses.
    pub(super) square: f64,
    pub(super) parameters: usize,
    pub(super) growth: f64,
    /// The index from which it is flat, from 1.
    pub(super) capped_from: Option<usize>,
}

impl Fit {
    /// χ² and two for every parameter (Akaike): the lower the better.
    pub(super) fn score(&self) -> f64 {
        self.square + 2.0 * self.parameters as f64
    }
}

/// The best fit of each shape.
#[derive(Debug)]
pub(super) struct Fits {
    pub(super) constant: Fit,
    pub(super) linear: Fit,
    pub(super) exponential: Fit,
}

impl Fits {
    /// To three points or more, by rising index.
    pub(super) fn to(points: &[Point]) -> Self {
        let first = points.first().map_or(1.0, |point| point.index);
        let steps = |point: &Point| point.index - first;
        let mut linear = one(points, |point| point.ln - point.index.ln());
        let mut exponential = line(points, steps);
        // A cap from the c-th point on; the last and the one before it at the least are flat, and
        // two or more before them grow.
        for cap in points.iter().skip(2).rev() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 8")]
            let capped_from = Some(cap.index as usize);
            let mut capped = line(points, |point| steps(point).min(steps(cap)));
            capped.parameters += 1;
            capped.capped_from = capped_from;
            if capped.growth > LEAST_GROWTH && capped.score() < exponential.score() {
                exponential = capped;
            }
            let mut capped = one(points, |point| point.ln - point.index.min(cap.index).ln());
            capped.parameters += 1;
            capped.capped_from = capped_from;
            if capped.score() < linear.score() {
                linear = capped;
            }
        }
        // Slow growth is no exponential back-off.
        if exponential.growth < LEAST_GROWTH {
            exponential.square += FINE;
        }
        Self { constant: one(points, |point| point.ln), linear, exponential }
    }
}

/// One level for all: the weighted mean of `y`.
fn one(points: &[Point], y: impl Fn(&Point) -> f64) -> Fit {
    let (mut weights, mut sum) = (0.0, 0.0);
    for point in points {
        weights += point.weight;
        sum += point.weight * y(point);
    }
    let level = sum / weights;
    let square = points.iter().map(|point| point.weight * (y(point) - level).powi(2)).sum();
    Fit { square, parameters: 1, growth: 1.0, capped_from: None }
}

/// A line through ln(gap) over `x`, whose slope is the logarithm of the growth.
fn line(points: &[Point], x: impl Fn(&Point) -> f64) -> Fit {
    let (mut weights, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
    for point in points {
        weights += point.weight;
        x_sum += point.weight * x(point);
        y_sum += point.weight * point.ln;
    }
    let (x_mean, y_mean) = (x_sum / weights, y_sum / weights);
    let (mut across, mut along) = (0.0, 0.0);
    for point in points {
        across += point.weight * (x(point) - x_mean).powi(2);
        along += point.weight * (x(point) - x_mean) * (point.ln - y_mean);
    }
    let slope = if across > 0.0 { along / across } else { 0.0 };
    let missed = |point: &Point| point.ln - y_mean - slope * (x(point) - x_mean);
    let square = points.iter().map(|point| point.weight * missed(point).powi(2)).sum();
    Fit { square, parameters: 2, growth: slope.exp(), capped_from: None }
}
