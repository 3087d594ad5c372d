//! Values that move over a phase: `0% -> 17%`, or a curve through points.

use crate::{timeline::Moment, units::Quantity};
use std::time::Duration;

/// A quantity as a function of where in its phase it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Moving<T> {
    /// The same throughout.
    Fixed(T),
    /// Linear from the phase's start to its end.
    Line {
        /// At the start.
        from: T,
        /// At the end.
        to: T,
    },
    /// Linear between points; before the first and after the last it stands still. Points are in
    /// order and at least one.
    Curve(Vec<(Duration, T)>),
}

impl<T: Quantity> Moving<T> {
    /// The value at `moment`.
    pub fn at(&self, moment: &Moment) -> T {
        match self {
            Self::Fixed(value) => *value,
            Self::Line { from, to } => {
                let length = moment.length.as_secs_f64();
                let by = if length > 0.0 { moment.elapsed.as_secs_f64() / length } else { 1.0 };
                from.lerp(*to, by)
            }
            Self::Curve(points) => curve(points, moment.elapsed),
        }
    }

    /// Whether it changes at all; a phase in which nothing does is a plateau.
    pub const fn moves(&self) -> bool {
        !matches!(self, Self::Fixed(_))
    }

    /// Every value that bounds it: at least one, and between them it is linear.
    pub fn corners(&self) -> Vec<T> {
        match self {
            Self::Fixed(value) => vec![*value],
            Self::Line { from, to } => vec![*from, *to],
            Self::Curve(points) => points.iter().map(|(_, value)| *value).collect(),
        }
    }

    /// The largest value it takes.
    pub fn peak(&self) -> T {
        let corners = self.corners();
        corners.iter().fold(corners[0], |peak, &value| if value > peak { value } else { peak })
    }

    /// As the file writes it.
    pub fn show(&self) -> String {
        match self {
            Self::Fixed(value) => value.show(),
            Self::Line { from, to } => format!("{} -> {}", from.show(), to.show()),
            Self::Curve(points) => {
                let all: Vec<String> = points.iter().map(|(_, value)| value.show()).collect();
                all.join(" ~> ")
            }
        }
    }
}

fn curve<T: Quantity>(points: &[(Duration, T)], elapsed: Duration) -> T {
    let next = points.partition_point(|(at, _)| *at <= elapsed);
    match (next.checked_sub(1).map(|last| points[last]), points.get(next)) {
        (Some((from_at, from)), Some((to_at, to))) => {
            let span = to_at.saturating_sub(from_at).as_secs_f64();
            from.lerp(*to, elapsed.saturating_sub(from_at).as_secs_f64() / span)
        }
        (Some((_, last)), None) => last,
        (None, Some((_, first))) => *first,
        (None, None) => unreachable!("a curve has a point"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Percent;

    fn at(elapsed: u64) -> Moment {
        Moment {
            elapsed: Duration::from_secs(elapsed),
            length: Duration::from_secs(60),
            run: Duration::ZERO,
        }
    }

    fn percent(text: &str) -> Percent {
        Percent::parse(text).expect("a share")
    }

    #[test]
    fn a_line_is_halfway_in_the_middle() {
        let line = Moving::Line { from: percent("0%"), to: percent("17%") };
        assert_eq!(line.at(&at(0)), percent("0%"));
        assert_eq!(line.at(&at(30)), percent("8.5%"));
        assert_eq!(line.at(&at(60)), percent("17%"));
    }

    #[test]
    fn a_curve_stands_still_outside_its_points() {
        let curve = Moving::Curve(vec![
            (Duration::from_secs(10), percent("1%")),
            (Duration::from_secs(30), percent("41%")),
        ]);
        assert_eq!(curve.at(&at(0)), percent("1%"));
        assert_eq!(curve.at(&at(20)), percent("21%"));
        assert_eq!(curve.at(&at(50)), percent("41%"));
    }

    #[test]
    fn the_peak_is_the_largest_corner() {
        let line = Moving::Line { from: percent("40%"), to: percent("3%") };
        assert_eq!(line.peak(), percent("40%"));
    }
}
