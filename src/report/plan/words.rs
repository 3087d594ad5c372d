//! What a plan says about one fault entry.

use crate::{
    scenario::{FaultEntry, Per, Scenario},
    units::{Percent, Quantity, show_duration},
};
use std::time::Duration;

/// Which requests, how many, how often: `purchase, 0% -> 17% of users`.
pub(super) fn whom(entry: &FaultEntry, scenario: &Scenario) -> String {
    let mut parts = vec![targets(entry, scenario)];
    if entry.share.amount.moves() || entry.share.amount.peak() != Percent::ALL {
        parts.push(format!("{} of {}", entry.share.amount.show(), entry.share.unit.name()));
    }
    parts.extend(manner(entry));
    parts.join(", ")
}

/// The same for a whole row, whose share may differ from phase to phase: `purchase, up to 17% of
/// users`.
pub(super) fn whom_at_most(entry: &FaultEntry, peak: Percent, scenario: &Scenario) -> String {
    let mut parts = vec![targets(entry, scenario)];
    if peak != Percent::ALL {
        parts.push(format!("up to {} of {}", peak.show(), entry.share.unit.name()));
    }
    parts.extend(manner(entry));
    parts.join(", ")
}

fn targets(entry: &FaultEntry, scenario: &Scenario) -> String {
    let names = entry.targets.iter().filter_map(|&at| scenario.targets.get(at));
    let names: Vec<&str> = names.map(|target| &*target.name).collect();
    let all = if entry.share.unit == crate::select::Unit::Connections {
        "all connections"
    } else {
        "everything"
    };
    let whose = if names.is_empty() { all.to_owned() } else { names.join(", ") };
    match &entry.proxy {
        Some(proxy) => format!("{whose} at {proxy}"),
        None => whose,
    }
}

fn manner(entry: &FaultEntry) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(pattern) = entry.pattern {
        parts.push(pattern.show());
    }
    if let Some(times) = entry.times {
        let per = match times.per {
            Per::Operation => "each operation",
            Per::User => "each user",
            Per::Run => "the drill",
        };
        parts.push(format!("the first {} of {per}", times.first));
    }
    if entry.group.is_some() {
        parts.push("exclusively".to_owned());
    }
    parts
}

/// A run time in round figures: `2s`, `1m20s`, `2.5s`, `120ms`.
pub(super) fn about(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    let unit: f64 = match millis {
        m if m < 1e3 => 1.0,
        m if m < 10e3 => 100.0,
        m if m < 3_600e3 => 1e3,
        _ => 60e3,
    };
    show_duration(Duration::from_secs_f64((millis / unit).round() * unit / 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_times_are_said_in_round_figures() {
        let said = |seconds: f64| about(Duration::from_secs_f64(seconds));
        assert_eq!(said(9.333_333), "9.3s");
        assert_eq!(said(80.4), "1m20s");
        assert_eq!(said(0.083_3), "83ms");
        assert_eq!(said(4_055.0), "1h8m");
    }
}
