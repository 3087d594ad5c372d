//! Whole plans of bundled scenarios, as `firedrill plan NAME` prints them.

use firedrill::{
    diag::{Problems, Source},
    report::plan::{Options, picture},
    scenario::Scenario,
    timeline::Speed,
};
use std::fs;

fn plan(name: &str, width: usize, options: &Options) -> String {
    let path = format!("{}/scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let scenario = Scenario::read(&Source::new(name, text), None, &mut Problems::default());
    picture(&scenario.expect("a clean scenario"), width, options)
}

#[test]
fn amazon_at_sixty_times_life() {
    let speed = Speed::new(60.0).expect("a speed");
    let plan = plan("amazon-2013", 80, &Options { speed, ..Options::default() });
    assert_eq!(plan, include_str!("plans/amazon-2013.txt"), "\n{plan}");
}

#[test]
fn google_as_in_life() {
    let plan = plan("google-2013", 80, &Options::default());
    assert_eq!(plan, include_str!("plans/google-2013.txt"), "\n{plan}");
}

#[test]
fn tencent_in_a_narrow_terminal() {
    let plan = plan("tencent-2014", 60, &Options::default());
    assert_eq!(plan, include_str!("plans/tencent-2014.txt"), "\n{plan}");
}
