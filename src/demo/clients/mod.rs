//! The clients: one file each, from those that make an outage worse to those that do not.
//!
//! Their names and numbers are fixed: verdicts about them are known, and tested.

mod breaker;
mod budget;
mod careful;
mod doublebuy;
mod expnoj;
mod failover;
mod fixed;
mod fulljitter;
mod hasty;
mod hedger;
mod human_reload;
mod idle_timeout_only;
mod immediate;
mod key_reuser;
mod keyperattempt;
mod layered;
mod naive;
mod oneshot;
mod poller;
mod recipe;
mod retry4xx;
mod retry_after_exact;
mod stale_pool;
mod sticky;

use crate::demo::client::Policy;

/// All of them, in the order in which they are listed.
pub const CATALOGUE: &[Policy] = &[
    hasty::POLICY,
    careful::POLICY,
    oneshot::POLICY,
    naive::POLICY,
    immediate::POLICY,
    fixed::POLICY,
    expnoj::POLICY,
    fulljitter::POLICY,
    budget::POLICY,
    breaker::POLICY,
    sticky::POLICY,
    doublebuy::POLICY,
    keyperattempt::POLICY,
    retry4xx::POLICY,
    hedger::POLICY,
    poller::POLICY,
    layered::POLICY,
    retry_after_exact::POLICY,
    idle_timeout_only::POLICY,
    stale_pool::POLICY,
    key_reuser::POLICY,
    failover::POLICY,
    human_reload::POLICY,
];

/// The two that are shown unless others are asked for: what everybody writes first, and what
/// somebody writes who has been through an outage.
pub const DEFAULT: &[Policy] = &[hasty::POLICY, careful::POLICY];

/// The client of this name.
pub fn find(name: &str) -> Option<Policy> {
    CATALOGUE.iter().find(|policy| policy.name == name).copied()
}

#[cfg(test)]
mod tests;
