//! Reports for others than the terminal.

use crate::{
    beside::Beside,
    firedrill::{folder, run, scenario, start},
    support::{
        client::{Ask, PATIENCE},
        upstream::Upstream,
    },
    verdict::LOSES,
};
use std::fs;

#[test]
fn all_reports_are_of_the_same_drill() {
    let upstream = Upstream::start();
    let folder = folder("reports");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let (html, junit, markdown) = (path("drill.html"), path("drill.xml"), path("drill.md"));
    // What was there before is gone.
    fs::write(&html, "x".repeat(1_000_000)).expect("a file");
    let mut command = run(&scenario(&folder, LOSES), &upstream.url());
    command.args(["--html", &html, "--junit", &junit, "--markdown", &markdown]);
    let beside = Beside::add(&mut command, &folder, "", 0);
    let drill = start(command);
    let address = drill.address();
    for _ in 0..2 {
        Ask::post("/purchase/1", "{\"order\":1}").at(address, PATIENCE);
    }
    beside.stop();
    let done = drill.finish();

    assert_eq!(done.code, Some(1), "{}", done.err);
    let read = |path: &str| fs::read_to_string(path).expect("it was written");
    let page = read(&html);
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
    assert!(page.contains("accepted 2 times by the upstream"), "the worst operation");
    assert!(read(&junit).contains("<failure message=\"fail: 1 (1 unsafe operations)\""));
    assert!(read(&markdown).starts_with("### ❌ FAIL <code>loses</code>: 0 of 1 expectation met"));
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_played() {
    let upstream = Upstream::start();
    let folder = folder("no-report");
    let nowhere = folder.join("nowhere").join("drill.html");
    let mut command = run(&scenario(&folder, LOSES), &upstream.url());
    command.args(["--html", nowhere.to_str().expect("UTF-8")]);
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);

    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("cannot write the summary `") && said.contains("drill.html`"), "{said}");
}
