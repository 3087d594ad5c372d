//! What was found out about a client: a grade, a sentence, the figures, and where to look them up.

use crate::verdict::{attempt::Attempt, stats::Interval};
use serde::Serialize;
use std::fmt;

/// How a client did in one respect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// It was never put to the test: the fault it takes was not injected, or nothing like it came by.
    #[default]
    NotApplicable,
    /// As a good client does.
    Pass,
    /// Not enough was seen to say; what was lacking is told.
    Inconclusive,
    /// Worth a look.
    Warn,
    /// Not as a good client does.
    Fail,
}

impl Grade {
    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotApplicable => "n/a",
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How much a finding weighs in the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Told for its own sake; it never decides.
    Note,
    /// Told, and does not decide.
    Minor,
    /// A bad grade is the grade of the whole.
    Major,
    /// A bad grade is the grade of the whole, and it is told first.
    Critical,
}

/// How a claim is made sure of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// One sighting decides.
    Existential,
    /// It holds for all that was seen; how much that was bounds how often it may fail to.
    Universal,
    /// A figure with an interval.
    Quantitative,
    /// Told, not graded.
    Informational,
}

/// One thing that was found out.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The detector's name: stable, for scripts.
    pub detector: &'static str,
    /// Its number in the literature's list: `D11`.
    pub code: &'static str,
    /// The grade.
    pub grade: Grade,
    /// How much it weighs.
    pub weight: Weight,
    /// How it is made sure of.
    pub claim: Claim,
    /// What was found, in a sentence with its figures.
    pub said: String,
    /// What to do about it, in a sentence; empty if nothing is to be done.
    pub advice: String,
    /// What it would take to say more, if not enough was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// The figures, in base units, under stable names.
    pub figures: serde_json::Map<String, serde_json::Value>,
    /// Where to look it up in the record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sightings: Vec<Sighting>,
}

/// A place in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// When, in microseconds since the drill's start.
    pub at: u64,
    /// The connection.
    pub conn: u64,
    /// The how-manieth exchange on it.
    pub seq: u32,
    /// What was seen there.
    pub what: String,
}

impl Sighting {
    /// An attempt, and what about it.
    pub fn of(attempt: &Attempt, what: impl Into<String>) -> Self {
        Self { at: attempt.start, conn: attempt.conn.0, seq: attempt.conn.1, what: what.into() }
    }
}

impl Finding {
    /// A finding that says something.
    pub fn new(grade: Grade, claim: Claim, said: impl Into<String>) -> Self {
        Self {
            detector: "",
            code: "",
            grade,
            weight: Weight::Note,
            claim,
            said: said.into(),
            advice: String::new(),
            needs: None,
            figures: serde_json::Map::new(),
            sightings: Vec::new(),
        }
    }

    /// It was never put to the test.
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self::new(Grade::NotApplicable, Claim::Informational, why)
    }

    /// Not enough was seen.
    pub fn inconclusive(said: impl Into<String>, needs: impl Into<String>) -> Self {
        let finding = Self::new(Grade::Inconclusive, Claim::Quantitative, said);
        Self { needs: Some(needs.into()), ..finding }
    }

    /// With advice.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// Weighing so much at least, whatever its detector weighs.
    #[must_use]
    pub fn weighing(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// With a figure.
    #[must_use]
    pub fn figure(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }

    /// With places to look it up.
    #[must_use]
    pub fn seen(mut self, sightings: &[Sighting]) -> Self {
        self.sightings = sightings.to_vec();
        self
    }
}

/// A few of many: the places that are told.
#[derive(Clone, Debug, Default)]
pub struct Sightings(Vec<Sighting>);

impl Sightings {
    /// How many are told.
    const KEPT: usize = 5;

    /// Notes one if there is room.
    pub fn note(&mut self, sighting: impl FnOnce() -> Sighting) {
        if self.0.len() < Self::KEPT {
            self.0.push(sighting());
        }
    }

    /// Those that were noted.
    pub fn all(&self) -> &[Sighting] {
        &self.0
    }
}

/// What a detector knows of one term of `expect`.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// A figure in base units (seconds, ratios, fractions, counts), with one-sided bounds at the
    /// level of confidence; equal bounds for what was counted.
    Number {
        /// Not lower than this.
        low: f64,
        /// As seen.
        value: f64,
        /// Not higher than this.
        high: f64,
        /// What it rests on, for the report: `640 operations, 12 clients`.
        sample: String,
    },
    /// A word.
    Word {
        /// The word.
        word: &'static str,
        /// What it rests on.
        sample: String,
    },
    /// Yes or no.
    Flag {
        /// Which.
        is: bool,
        /// What it rests on.
        sample: String,
    },
    /// A circuit breaker.
    Breaker {
        /// What it does.
        opens: Opens,
        /// What it rests on.
        sample: String,
    },
    /// Routes that stand in for others.
    Routes {
        /// Their names: `GET /cached/*`.
        routes: Vec<String>,
        /// What it rests on.
        sample: String,
    },
    /// Not enough was seen.
    TooFew {
        /// What was seen.
        said: String,
        /// What would settle it.
        needs: String,
    },
    /// It was never put to the test.
    NotExercised(String),
}

/// What a circuit breaker does, in seconds; of several, the slowest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opens {
    /// How long after the first failing attempt it opens.
    pub opens: f64,
    /// Failures before.
    pub failures: u64,
    /// How far apart its probes are, of the most frequent; `None` if they are irregular or few.
    pub probe: Option<f64>,
    /// How long after the faults it closes: infinite if it does not, `None` if that was not seen.
    pub closes: Option<f64>,
}

impl Measured {
    /// What was counted, and is thus certain.
    pub fn count(count: u64, sample: impl Into<String>) -> Self {
        let value = count as f64;
        Self::Number { low: value, value, high: value, sample: sample.into() }
    }

    /// A figure without an interval.
    pub fn exact(value: f64, sample: impl Into<String>) -> Self {
        Self::Number { low: value, value, high: value, sample: sample.into() }
    }

    /// A figure with bounds.
    pub fn interval(interval: Interval, sample: impl Into<String>) -> Self {
        let Interval { low, value, high } = interval;
        Self::Number { low, value, high, sample: sample.into() }
    }

    /// Not enough was seen.
    pub fn too_few(said: impl Into<String>, needs: impl Into<String>) -> Self {
        Self::TooFew { said: said.into(), needs: needs.into() }
    }
}
