//! Whole plans of bundled scenarios, as `firedrill plan NAME` prints them.

use firedrill::{
    diag::{Problems, Source},
    report::plan::{Options, picture},
    scenario::Scenario,
    timeline::Speed,
};
use std::{
    fs,
    process::{Command, Output},
};

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

/// The command, in a pipe, in a locale that a plan may be drawn in.
fn firedrill(args: &[&str], envs: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(args).env_clear().envs(envs.iter().copied());
    command.output().expect("the command runs")
}

#[test]
fn the_command_prints_the_plan_and_nothing_else() {
    let output = firedrill(&["plan", "amazon-2013", "--speed", "60"], &[]);

    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), include_str!("plans/amazon-2013.txt"));
    assert!(output.stderr.is_empty());
}

#[test]
fn the_width_is_asked_for_or_that_of_the_shell() {
    let narrow = include_str!("plans/tencent-2014.txt");

    let asked = firedrill(&["plan", "tencent-2014", "--width", "60"], &[("COLUMNS", "200")]);
    let shell = firedrill(&["plan", "tencent-2014"], &[("COLUMNS", "60")]);

    assert_eq!(String::from_utf8_lossy(&asked.stdout), narrow);
    assert_eq!(String::from_utf8_lossy(&shell.stdout), narrow);
}

#[test]
fn a_locale_without_unicode_gets_ascii() {
    let output = firedrill(&["plan", "google-2013"], &[("LC_ALL", "C")]);
    assert!(output.stdout.is_ascii(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_scenario_that_is_not_there_is_a_mistake_of_the_caller() {
    let output = firedrill(&["plan", "tencent-2013"], &[]);

    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("did you mean the bundled `tencent-2014`?"), "{told}");
    assert!(output.stdout.is_empty());
}
