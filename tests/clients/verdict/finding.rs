//! A finding, as the JSON has it, and what was measured, as the rules ask for it.

use super::Truth;
use crate::row::{Cell, METHODS, Span};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    NotApplicable,
    Pass,
    Inconclusive,
    Warn,
    Fail,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Finding {
    pub(super) detector: String,
    pub(super) grade: Grade,
    pub(super) said: String,
    figures: Map<String, Value>,
}

impl Finding {
    /// Those about all the traffic.
    pub(super) fn all(json: &Value) -> Vec<Self> {
        let findings = &json["verdict"]["parts"][0]["findings"];
        Vec::deserialize(findings).unwrap_or_else(|error| panic!("{error}: {findings}"))
    }

    pub(super) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.as_f64()
    }

    /// A count, none if it is not told.
    pub(super) fn count(&self, name: &str) -> f64 {
        self.figure(name).unwrap_or_default()
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.figures.get(name)?.as_bool()
    }

    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.figures.get(name)?.as_str()
    }

    pub(super) fn list(&self, name: &str) -> &[Value] {
        self.figures.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_bad(&self) -> bool {
        matches!(self.grade, Grade::Warn | Grade::Fail)
    }

    /// It says something for sure.
    pub(super) fn is_sure(&self) -> bool {
        self.grade == Grade::Pass || self.is_bad()
    }
}

impl<'t> Truth<'t> {
    pub(super) fn cell(self, method: &str) -> &'t Cell {
        self.row.cell(self.class.name, method)
    }

    pub(super) fn cells(self) -> [&'t Cell; 2] {
        METHODS.map(|method| self.cell(method))
    }

    pub(super) fn retries(self) -> bool {
        self.cells().iter().any(|cell| cell.attempts[1] > 1)
    }

    /// Whether operations failed: what is held or drips ends well for whoever has the patience.
    pub(super) fn fails(self) -> bool {
        !self.class.is_silence || self.cells().iter().any(|cell| cell.patience.is_some())
    }

    /// Attempts per operation, over both methods: as many operations of each were sent.
    pub(super) fn amplification(self) -> Span<f64> {
        let [get, post] = self.cells().map(|cell| cell.attempts);
        [0, 1].map(|end| (get[end] + post[end]) as f64 / 2.0)
    }

    /// The gaps of both methods taken together.
    pub(super) fn all_gaps(self) -> Vec<Span<f64>> {
        let [get, post] = self.cells().map(|cell| cell.gaps.as_slice());
        let (mut longer, shorter) =
            if get.len() > post.len() { (get.to_vec(), post) } else { (post.to_vec(), get) };
        for (gap, other) in longer.iter_mut().zip(shorter) {
            *gap = [gap[0].min(other[0]), gap[1].max(other[1])];
        }
        longer
    }
}

/// What is wrong, if `is` it.
pub(super) fn wrong_if(is: bool, what: &str) -> Option<String> {
    is.then(|| what.to_owned())
}
