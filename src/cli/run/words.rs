//! What is wrong in a phase, in as many words as a line has room for.

use crate::{
    scenario::{FaultEntry, Phase},
    units::show_duration,
};

/// `outage, 5m: respond:purchase (503; 17% of users)`; if `room` is short, the names of the faults
/// alone, and of those no more than fit.
pub(super) fn phase(phase: &Phase, room: usize) -> String {
    let head = format!("{}, {}: ", phase.name, show_duration(phase.length));
    let room = room.saturating_sub(head.chars().count());
    let full: Vec<String> = phase.faults.iter().map(fault).collect();
    let full = full.join(", ");
    if phase.faults.is_empty() {
        format!("{head}nothing injected")
    } else if full.chars().count() <= room {
        head + &full
    } else {
        head + &some(phase, room)
    }
}

/// The names of a phase's faults.
pub(super) fn names(phase: &Phase) -> String {
    if phase.faults.is_empty() {
        return "nothing injected".to_owned();
    }
    some(phase, usize::MAX)
}

/// As many names as fit, but one at least.
fn some(phase: &Phase, room: usize) -> String {
    let names: Vec<&str> = phase.faults.iter().map(|entry| &*entry.name).collect();
    let said = |count: usize| match names.len() - count {
        0 => names.join(", "),
        rest => format!("{} and {rest} more", names[..count].join(", ")),
    };
    let fits = (1..=names.len()).rev().find(|count| said(*count).chars().count() <= room);
    said(fits.unwrap_or(1))
}

/// `respond:purchase (503, retry after 30s; 17% of users)`.
fn fault(entry: &FaultEntry) -> String {
    let mut what = entry.fault.describe();
    if !entry.share.is_all() {
        what.push_str(&format!("; {}", entry.share.show()));
    }
    format!("{} ({what})", entry.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::{Problems, Source},
        scenario::Scenario,
    };

    fn outage() -> Phase {
        let text = "name: x
phases:
  - name: outage
    for: 5m
    faults:
      - { respond: 503, share: 17% of users }
      - { latency: 300ms, name: slow }
      - { truncate: 50%, share: 2% }
";
        let mut problems = Problems::default();
        let scenario = Scenario::read(&Source::new("x.yaml", text), None, &mut problems);
        scenario.expect("a scenario").phases.remove(0)
    }

    #[test]
    fn a_line_with_room_tells_what_each_fault_does_and_to_how_many() {
        assert_eq!(
            phase(&outage(), 120),
            "outage, 5m: respond (503; 17% of users), slow (300ms), \
             truncate (body ends after 50%; 2% of requests)"
        );
    }

    #[test]
    fn a_shorter_line_names_them_and_a_short_one_counts_them() {
        assert_eq!(phase(&outage(), 50), "outage, 5m: respond, slow, truncate");
        assert_eq!(phase(&outage(), 33), "outage, 5m: respond and 2 more");
    }

    #[test]
    fn a_phase_without_faults_says_so() {
        let calm = Phase { faults: Vec::new(), ..outage() };
        assert_eq!(phase(&calm, 80), "outage, 5m: nothing injected");
    }
}
