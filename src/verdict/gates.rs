//! What has to hold before anything is concluded.
//!
//! A drill whose service failed in calm, whose record has holes, or whose proxy was itself slow says
//! little about its clients. What one sighting decides still stands; everything else that leans on
//! what does not hold is graded inconclusive, and the gate is named.

use crate::verdict::{
    baseline::Baseline,
    finding::{Claim, Finding, Grade},
};
use serde::Serialize;

/// The share of attempts that have to be served in calm.
const SERVED: f64 = 0.99;
/// The least number of operations in calm.
const OPERATIONS: u64 = 30;
/// The time that the proxy may take for itself, 99th percentile, in seconds.
const SELF: f64 = 0.005;
/// The share of failed operations that cannot be linked above which their absence shows nothing.
const BLIND: f64 = 0.2;

/// One condition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// Its name: stable, for scripts.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was seen.
    pub said: String,
    /// What it would take.
    pub needs: String,
}

/// What a claim leans on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leans {
    /// A comparison with the calm.
    pub on_calm: bool,
    /// Which attempts belong together.
    pub on_links: bool,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Gates(pub Vec<Gate>);

/// What the gates look at beside the calm.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Events that are missing.
    pub dropped: u64,
    /// Operations that failed at first under faults.
    pub failed: u64,
    /// Those of them whose retries could not have been told from new requests.
    pub blind: u64,
    /// Operations that were closed before their time for want of memory.
    pub early: u64,
}

impl Gates {
    pub(super) fn of(base: &Baseline, facts: Facts) -> Self {
        let served = base.attempts_served as f64 / base.attempts.max(1) as f64;
        let slow = base.own_latency(0.99).unwrap_or(0.0);
        let blind = facts.blind as f64 / facts.failed.max(1) as f64;
        let gate = |name, holds, said: String, needs: &str| Gate {
            name,
            holds,
            said,
            needs: needs.to_owned(),
        };
        Self(vec![
            gate(
                "calm_traffic",
                base.operations >= OPERATIONS,
                format!("{} operations in calm", base.operations),
                "a phase without faults first, with 30 operations or more",
            ),
            gate(
                "calm_success",
                base.attempts == 0 || served >= SERVED,
                format!("{:.1} % of attempts served in calm", served * 100.0),
                "a service that serves 99 % of requests while nothing is injected",
            ),
            gate(
                "whole_record",
                facts.dropped == 0,
                format!("{} events missing", facts.dropped),
                "a record without holes: less traffic, or a faster machine",
            ),
            gate(
                "fast_proxy",
                slow < SELF,
                format!("the proxy's own time is {:.1} ms at the 99th percentile", slow * 1e3),
                "a machine that is not overloaded",
            ),
            gate(
                "linkable",
                blind <= BLIND,
                format!(
                    "{:.0} % of failed operations ask for what recurs at once in calm",
                    blind * 100.0
                ),
                "`Idempotency-Key` or `x-firedrill-operation` on requests: identical ones recur so \
                 often in calm that retries cannot be told from new requests",
            ),
            gate(
                "enough_memory",
                facts.early == 0,
                format!("{} operations were closed before their time", facts.early),
                "fewer operations at a time",
            ),
        ])
    }

    /// The gate that does not hold and that what is said leans on.
    fn shut(&self, claim: Claim, grade: Grade, leans: Leans) -> Option<&Gate> {
        if matches!(grade, Grade::NotApplicable | Grade::Inconclusive)
            || claim == Claim::Informational
        {
            return None;
        }
        let is_needed = |gate: &&Gate| match gate.name {
            "calm_traffic" | "calm_success" | "fast_proxy" => {
                leans.on_calm && claim != Claim::Existential
            }
            // What was seen was seen; what was not may be what is missing.
            "whole_record" | "enough_memory" => grade == Grade::Pass,
            "linkable" => leans.on_links && grade == Grade::Pass,
            _ => false,
        };
        self.0.iter().filter(|gate| !gate.holds).find(is_needed)
    }

    /// A finding as it stands before the gates.
    pub(super) fn pass(&self, finding: Finding, leans: Leans) -> Finding {
        let Some(gate) = self.shut(finding.claim, finding.grade, leans) else {
            return finding;
        };
        Finding {
            grade: Grade::Inconclusive,
            said: format!("{} (but: {})", finding.said, gate.said),
            needs: Some(gate.needs.clone()),
            ..finding
        }
    }

    /// Whether an expectation's grade stands; else what it would take.
    pub(super) fn stops(&self, grade: Grade, leans: Leans, is_counted: bool) -> Option<&Gate> {
        let claim = if is_counted && grade == Grade::Fail {
            Claim::Existential
        } else {
            Claim::Quantitative
        };
        self.shut(claim, grade, leans)
    }
}
