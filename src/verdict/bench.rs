//! A set of detectors, all of which look at the same part of the traffic.

use crate::{
    event::Connection,
    verdict::{
        attempt::Attempt,
        baseline::Baseline,
        course::{Course, Stage},
        detect::{self, Cx, Detector, Now},
        finding::{Finding, Measured},
        flow::Flow,
        gates::Leans,
        operation::Operation,
        outlived::is_outlived,
        stats::Clusters,
        tracks::Tracks,
    },
};

/// Which part of the traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Only of this client program.
    pub program: Option<u16>,
    /// Only of this test case.
    pub case: Option<u16>,
    /// Only what this target of the scenario means.
    pub target: Option<usize>,
}

impl Scope {
    /// Whether an attempt belongs to it.
    pub fn holds(&self, attempt: &Attempt) -> bool {
        self.program.is_none_or(|program| program == attempt.program)
            && self.case.is_none_or(|case| case == attempt.case)
            && self.target.is_none_or(|at| attempt.targets & (1 << at.min(63)) != 0)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Bench {
    scope: Scope,
    detectors: Vec<Box<dyn Detector>>,
    clients: Clusters<()>,
    flow: Flow,
    tracks: Tracks,
    base: Baseline,
}

impl Bench {
    /// All detectors, and nothing seen yet.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            detectors: detect::all(),
            clients: Clusters::default(),
            flow: Flow::default(),
            tracks: Tracks::default(),
            base: Baseline::default(),
        }
    }

    /// Which part of the traffic it looks at.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The clients seen.
    pub fn clients(&self) -> &Clusters<()> {
        &self.clients
    }

    /// The traffic by time.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Some clients, each for itself.
    pub fn tracks(&self) -> &Tracks {
        &self.tracks
    }

    /// The calm.
    pub fn base(&self) -> &Baseline {
        &self.base
    }

    pub(super) fn attempt(&mut self, attempt: &Attempt, course: &Course) {
        let client = self.clients.number(attempt.user);
        let now = Now { course, stage: course.stage(attempt.phase), client, recoverable: None };
        self.flow.attempt(attempt);
        self.tracks.attempt(attempt);
        if now.stage == Stage::Base && !is_outlived(attempt, course) {
            self.base.attempt(attempt);
        }
        for detector in &mut self.detectors {
            detector.attempt(attempt, now);
        }
    }

    pub(super) fn connection(&mut self, connection: &Connection, course: &Course) {
        for detector in &mut self.detectors {
            detector.connection(connection, course);
        }
    }

    pub(super) fn operation(
        &mut self,
        operation: &Operation,
        course: &Course,
        recoverable: Option<f64>,
    ) {
        let client = self.clients.number(operation.first().user);
        let now = Now { course, stage: course.stage(operation.first().phase), client, recoverable };
        self.flow.operation(operation);
        self.tracks.operation(operation);
        if now.stage == Stage::Base {
            self.base.operation(operation);
        }
        for detector in &mut self.detectors {
            detector.operation(operation, now);
        }
    }

    /// The time after which the client gives an attempt up, in seconds, if it was found out.
    pub(super) fn timeout(&self) -> Option<f64> {
        self.detectors.iter().find_map(|detector| detector.timeout())
    }

    pub(super) fn findings(&self, cx: &Cx<'_>) -> Vec<Finding> {
        let found = self.detectors.iter().map(|detector| {
            let finding = detector.finding(cx);
            let finding = Finding {
                detector: detector.name(),
                code: detector.code(),
                // A finding may be worse than its detector's usual.
                weight: detector.weight().max(finding.weight),
                ..finding
            };
            cx.gates.pass(finding, leans(&**detector, None))
        });
        found.collect()
    }

    pub(super) fn measure(
        &self,
        term: &str,
        phase: Option<usize>,
        cx: &Cx<'_>,
    ) -> Option<Measured> {
        self.measure_with_leans(term, phase, cx).map(|(measured, _)| measured)
    }

    /// The same, and what the answer leans on.
    pub(super) fn measure_with_leans(
        &self,
        term: &str,
        phase: Option<usize>,
        cx: &Cx<'_>,
    ) -> Option<(Measured, Leans)> {
        self.detectors.iter().find_map(|detector| {
            let measured = detector.measure(term, phase, cx)?;
            Some((measured, leans(&**detector, Some(term))))
        })
    }
}

/// What a detector's finding leans on, or what it says of a term.
fn leans(detector: &dyn Detector, term: Option<&str>) -> Leans {
    Leans { on_calm: detector.leans_on_calm(term), on_links: detector.leans_on_links() }
}
