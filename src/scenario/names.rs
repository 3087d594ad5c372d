//! What a fault is called in reports and in the dice.

use crate::scenario::{draft::DraftEntry, targets::Targets};
use std::collections::{HashMap, HashSet};

/// A name for each fault of a phase: its own, or else `kind`, `kind:target`, and `#2` for the
/// second such; of a kind whose faults do unlike things, with what it does: `kind:word:target`. Places
/// are told apart by target and count, never by phase, so that the same fault in two phases hits the
/// same users, and has one row in reports.
pub(super) fn of(entries: &[DraftEntry], targets: &Targets) -> Vec<String> {
    let given = entries.iter().filter_map(|entry| entry.keys.name.as_ref());
    let mut taken: HashSet<String> = given.map(|name| name.value.clone()).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let name = |entry: &DraftEntry| {
        if let Some(name) = &entry.keys.name {
            return name.value.clone();
        }
        let mut base = entry.kind.name.to_owned();
        if let Some(word) = entry.fault.word() {
            base.push(':');
            base.push_str(&word);
        }
        let places: Vec<&str> = entry.places().iter().map(|at| targets.name(*at)).collect();
        if !places.is_empty() {
            base.push(':');
            base.push_str(&places.join(","));
        }
        let count = counts.entry(base.clone()).or_insert(0);
        loop {
            *count += 1;
            let name = if *count == 1 { base.clone() } else { format!("{base}#{count}") };
            if taken.insert(name.clone()) {
                return name;
            }
        }
    };
    entries.iter().map(name).collect()
}
