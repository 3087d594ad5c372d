//! The gaps of many operations, index by index, and how they scatter.

use crate::verdict::stats::shape::Index;

/// The last gap of an operation that is looked at.
const LAST: usize = 8;

/// A gap of more than this many times the median of its index, and of [`LONG`] seconds, is that
/// between two operations.
const FALSE_LINK: f64 = 10.0;
const LONG: f64 = 1.0;

/// How many operations have a gap, and the gaps of each index that any of them has; `None` without
/// any. An operation ends before a gap that is no number, or a false link.
pub(super) fn columns(operations: &[Vec<f64>]) -> Option<(usize, Vec<Vec<f64>>)> {
    let real = |gap: &f64| gap.is_finite() && *gap >= 0.0;
    let all =
        transpose(operations.iter().map(|gaps| gaps.iter().take(LAST).take_while(|gap| real(gap))));
    let limits: Vec<f64> =
        all.iter().map(|column| (FALSE_LINK * median(column)).max(LONG)).collect();
    let columns = transpose(operations.iter().map(|gaps| {
        let within = |(gap, limit): &(&f64, &f64)| real(gap) && gap <= limit;
        gaps.iter().zip(&limits).take_while(within).map(|(gap, _)| gap)
    }));
    let operations = columns.first()?.len();
    Some((operations, columns))
}

fn transpose<'a>(rows: impl Iterator<Item = impl Iterator<Item = &'a f64>>) -> Vec<Vec<f64>> {
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for row in rows {
        for (at, value) in row.enumerate() {
            if at == columns.len() {
                columns.push(Vec::new());
            }
            columns[at].push(*value);
        }
    }
    columns
}

/// The middle one, or the mean of the two in the middle; 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2)) {
        (Some(low), Some(high)) => low.midpoint(*high),
        _ => 0.0,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample deviation of ln(gap), of three gaps or more.
pub(super) fn log_deviation(gaps: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = gaps.iter().map(|gap| gap.max(1e-3).ln()).collect();
    let about = mean(&logs);
    let square: f64 = logs.iter().map(|log| (log - about).powi(2)).sum();
    (logs.len() > 2).then(|| (square / (logs.len() as f64 - 1.0)).sqrt())
}

/// What one index has.
pub(super) fn index(gaps: &[f64]) -> Index {
    let about = mean(gaps);
    let square: f64 = gaps.iter().map(|gap| (gap - about).powi(2)).sum();
    Index {
        n: gaps.len() as u64,
        mean: about,
        deviation: (square / (gaps.len() as f64 - 1.0).max(1.0)).sqrt(),
        longest: gaps.iter().copied().fold(0.0, f64::max),
    }
}

/// √(Σ Σ (d/d̄ₖ − 1)² / Σ (nₖ − 1)) over the indices k with two gaps or more and a mean of at least
/// `immediate`; and its degrees of freedom, the sum below the line.
pub(super) fn variation(columns: &[&Vec<f64>], immediate: f64) -> (Option<f64>, u64) {
    let (mut square, mut freedom) = (0.0, 0);
    for column in columns.iter().filter(|column| column.len() > 1) {
        let mean = mean(column);
        if mean >= immediate {
            square += column.iter().map(|gap| (gap / mean - 1.0).powi(2)).sum::<f64>();
            freedom += column.len() as u64 - 1;
        }
    }
    ((freedom > 0).then(|| (square / freedom as f64).sqrt()), freedom)
}
