//! The verdict as JUnit XML, which every CI shows: each expectation is a test.
//!
//! What nobody can say is skipped, with the reason, and so is what the scenario does not expect
//! anything of: a report must not fail where the exit code passes. With `strict` both fail.

use crate::{
    report::{standing::Standing, summary::Summary},
    scenario::OnInconclusive,
    verdict::{Finding, Grade, Judged, Part},
};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

/// The summary as JUnit XML. With `strict`, what was not put to the test has failed.
///
/// # Errors
/// If the XML cannot be written, which no text can bring about: what XML cannot say is left out.
pub fn junit(summary: &Summary<'_>, strict: bool) -> Result<String, SerializeError> {
    let name = summary.scenario.name.as_str();
    let mut report = Report::new(name);
    report.set_time(summary.took);
    report.add_test_suite(expectations(summary, strict));
    report.add_test_suite(drill(summary, strict));
    let mut parts = summary.verdict.parts.iter();
    let several = parts.any(|part| part.client.is_some());
    for part in &summary.verdict.parts {
        if part.case.is_some() || part.client.is_some() == several {
            report.add_test_suite(findings(name, part, strict));
        }
    }
    report.to_string()
}

fn expectations(summary: &Summary<'_>, strict: bool) -> TestSuite {
    let mut suite = TestSuite::new(format!("{}: expectations", summary.scenario.name));
    suite.set_time(summary.took);
    let facts = [
        ("run", summary.run.to_owned()),
        ("seed", summary.seed.to_string()),
        ("speed", summary.speed.factor().to_string()),
        ("verdict", Standing::of(summary).word.to_owned()),
    ];
    suite.add_properties(facts.iter().map(|(name, value)| (*name, value.as_str())));
    for judged in &summary.verdict.expectations {
        let scope =
            if judged.scope.is_empty() { String::new() } else { format!(" ({})", judged.scope) };
        let name = format!("{} {}{scope}", judged.name, judged.limit);
        let status = expected(judged, strict, summary.verdict.on_inconclusive);
        suite.add_test_case(case(&summary.scenario.name, name, status));
    }
    suite
}

fn expected(judged: &Judged, strict: bool, on_inconclusive: OnInconclusive) -> TestCaseStatus {
    let mut detail = format!("limit: {}\nfound: {}", judged.limit, judged.said);
    if let Some(needs) = &judged.needs {
        detail.push_str(&format!("\nwould settle it: {needs}"));
    }
    let mut status = match judged.grade {
        Grade::Pass => return TestCaseStatus::success(),
        Grade::Inconclusive if on_inconclusive == OnInconclusive::Pass => {
            return TestCaseStatus::success();
        }
        Grade::Inconclusive if on_inconclusive == OnInconclusive::Fail => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        Grade::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        // As the exit code has it: what was not put to the test fails, what nobody can say does not.
        Grade::NotApplicable if strict => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Grade::Inconclusive | Grade::NotApplicable | Grade::Warn => TestCaseStatus::skipped(),
    };
    status.set_message(format!("{}: {}", judged.grade, judged.said));
    status.set_type(judged.grade.name()).set_description(detail);
    status
}

/// Whether the drill was what it was to be: each fault hit something.
fn drill(summary: &Summary<'_>, strict: bool) -> TestSuite {
    let name = &summary.scenario.name;
    let mut suite = TestSuite::new(format!("{name}: drill"));
    let silences = summary.silences();
    for tally in summary.tallies {
        let silence = silences.iter().find(|silence| silence.fault == tally.name);
        let status = silence.map_or_else(TestCaseStatus::success, |silence| {
            let mut status = if strict {
                TestCaseStatus::non_success(NonSuccessKind::Failure)
            } else {
                TestCaseStatus::skipped()
            };
            status.set_message(format!("hit nothing: {}", silence.why));
            status.set_type("inconclusive");
            status
        });
        suite.add_test_case(case(name, format!("fault {} hits", tally.name), status));
    }
    suite
}

fn findings(scenario: &str, part: &Part, strict: bool) -> TestSuite {
    let whose = match (&part.case, &part.client) {
        (Some(case), _) => format!("{scenario}: case {case}"),
        (None, Some(client)) => format!("{scenario}: client {client}"),
        (None, None) => format!("{scenario}: findings"),
    };
    let mut suite = TestSuite::new(whose.as_str());
    for finding in &part.findings {
        let status = found(finding, strict);
        let name = format!("{} {}", finding.code, finding.detector);
        let mut case = case(&whose, name.trim().to_owned(), status);
        case.set_system_out(finding.said.as_str());
        suite.add_test_case(case);
    }
    suite
}

fn found(finding: &Finding, strict: bool) -> TestCaseStatus {
    let mut status = match finding.grade {
        Grade::Pass | Grade::Warn => return TestCaseStatus::success(),
        Grade::Fail if strict => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Grade::Fail | Grade::Inconclusive | Grade::NotApplicable => TestCaseStatus::skipped(),
    };
    let mut detail = finding.advice.clone();
    if let Some(needs) = &finding.needs {
        detail.push_str(&format!("\nwould settle it: {needs}"));
    }
    for sighting in &finding.sightings {
        detail.push_str(&format!(
            "\n{:.3} s, connection {}, request {}: {}",
            sighting.at as f64 / 1e6,
            sighting.conn,
            sighting.seq,
            sighting.what
        ));
    }
    status.set_message(format!("{}: {}", finding.grade, finding.said));
    status.set_type(finding.grade.name()).set_description(detail.trim());
    status
}

fn case(class: &str, name: String, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}
