//! Scenarios as a whole, from their text.

use super::*;
use crate::{
    diag::{Look, Problems, Source, render},
    units::Quantity,
};
use std::time::Duration;

fn read(text: &str) -> Scenario {
    let source = Source::new("test.yaml", text);
    let mut problems = Problems::default();
    let scenario = Scenario::read(&source, None, &mut problems);
    scenario.unwrap_or_else(|| panic!("{}", render(&source, &problems, Look::Plain)))
}

#[test]
fn a_scenario_without_faults_is_a_timeline() {
    let scenario = read(
        "name: calm
targets:
  purchase: { method: POST, path: /purchase/** }
  catalogue: [{ path: /items }, { path: /items/* }]
users: [{ header: x-user-id }, { cookie: sid }, peer]
phases:
  - { name: before, for: 2m }
  - { name: after, for: 30s, compress: no, connections: drain }
expect:
  - availability: 99%
  - recovery_time: { max: 30s, phase: after, target: purchase }
stop_when:
  - upstream_errors: { above: 50%, for: 10s }
impact: { per_minute: [1000, 2000], currency: USD, target: purchase }
",
    );

    assert_eq!(scenario.timeline(None).length(), Duration::from_secs(150));
    assert_eq!(scenario.targets[1].matchers.len(), 2);
    assert_eq!(scenario.users.sources.len(), 3);
    assert!(!scenario.phases[1].compress);
    assert_eq!(scenario.phases[1].connections, OpenConnections::Drain);
    assert_eq!(scenario.expect[1].phase, Some(1));
    assert_eq!(scenario.expect[1].target, Some(0));
    assert_eq!(scenario.stop_when[0].above, Percent::parse("50%").expect("a share"));
    assert_eq!(scenario.impact.map(|i| i.per_minute), Some((1000.0, 2000.0)));
}
