//! The verdict: what to think of the clients of a drill, all in all.

use crate::{
    scenario::OnInconclusive,
    verdict::{
        expect::Judged,
        finding::{Finding, Grade, Weight},
        gates::Gates,
        impact::Cost,
        picture::Pictures,
    },
};
use serde::Serialize;

/// What to think of the clients of a drill.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// The grade of the whole: the worst of its expectations, else of what weighs. Never an average:
    /// a client that charges twice is not rescued by good jitter.
    pub grade: Grade,
    /// The expectations of the scenario, in its order.
    pub expectations: Vec<Judged>,
    /// The parts of the traffic, each with what was found; the first is all of it.
    pub parts: Vec<Part>,
    /// What the failures would have cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Why that cannot be said, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_cost: Option<String>,
    /// How sure its claims are: 0.95.
    pub level: f64,
    /// What resampling followed from.
    pub seed: u64,
    /// What to make of what nobody can say.
    #[serde(skip)]
    pub on_inconclusive: OnInconclusive,
    /// ρ, the measured share of links by content that join what does not belong together.
    pub rho: f64,
    /// What a reader should know before they believe it.
    pub cautions: Vec<String>,
    /// What plots are drawn from.
    #[serde(skip)]
    pub pictures: Pictures,
}

/// What was found in one part of the traffic.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The client program, if it is only that one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The test case, if it is only that one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// The worst grade of what weighs.
    pub grade: Grade,
    /// What was found, in the order of the detectors.
    pub findings: Vec<Finding>,
    /// What has to hold before anything is concluded, and whether it does.
    pub gates: Gates,
}

impl Part {
    /// The worst grade of what weighs; what is told for its own sake never decides.
    pub(super) fn grade_of(findings: &[Finding]) -> Grade {
        let weighs = findings.iter().filter(|finding| finding.weight >= Weight::Major);
        weighs.map(|finding| finding.grade).max().unwrap_or_default()
    }
}

impl Verdict {
    /// Whether an expectation was not met. With `strict`, one that was never put to the test was not.
    pub fn has_failed(&self, strict: bool) -> bool {
        self.expectations.iter().any(|judged| match judged.grade {
            Grade::Fail => true,
            Grade::NotApplicable => strict,
            Grade::Inconclusive => self.on_inconclusive == OnInconclusive::Fail,
            Grade::Pass | Grade::Warn => false,
        })
    }
}
