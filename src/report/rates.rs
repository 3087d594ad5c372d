//! How much of the traffic a phase touches, target by target, in words.

use crate::scenario::{Scenario, Touched};

/// Names of targets and their effective rate, targets of one rate together; only lines that are
/// `told`.
pub(crate) fn rates(
    lines: &[Touched],
    told: impl Fn(&Touched) -> bool,
    scenario: &Scenario,
) -> Vec<(String, String)> {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for line in lines.iter().filter(|line| told(line)) {
        let target = line.target.and_then(|at| scenario.targets.get(at));
        let whose = match target {
            Some(target) => &*target.name,
            None if lines.len() > 1 => "everything else",
            None => "everything",
        };
        let rate = line.show();
        match said.iter_mut().find(|(known, _)| *known == rate) {
            Some((_, names)) => names.push(whose),
            None => said.push((rate, vec![whose])),
        }
    }
    said.into_iter().map(|(rate, names)| (names.join(", "), rate)).collect()
}
