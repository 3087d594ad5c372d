//! JUnit XML.

use crate::drill::{SHOP, Telling, Told, shop};
use firedrill::{observe::End, report};

#[test]
fn each_expectation_is_a_test_and_what_nobody_can_say_is_skipped() {
    let drill = shop(SHOP);
    let xml = report::junit(&drill.summary(), false).expect("XML");

    for part in [
        "<testsuite name=\"shop: expectations\" tests=\"3\"",
        "<testcase name=\"duplicate_side_effects 0\" classname=\"shop\">",
        "<failure message=\"fail: 120 (600 unsafe operations)\" type=\"fail\">",
        "<testcase name=\"retry_amplification 1.5x (phase outage)\"",
        "<testsuite name=\"shop: drill\"",
        "<testsuite name=\"shop: client naive\"",
    ] {
        assert!(xml.contains(part), "no {part:?} in\n{xml}");
    }
    let named = xml.split("<testcase ").find(|case| case.contains("respects_retry_after"));
    let case = named.expect("the case").split("</testcase>").next().expect("its text");
    assert!(case.contains("<skipped message="), "{case}");
}

/// A report must not fail where the exit code passes: findings of which nothing is expected are
/// no failures unless somebody is strict.
#[test]
fn only_the_strict_fail_for_what_was_not_expected() {
    let text = SHOP.split("expect:").next().expect("what stands before");
    let mut drill = shop(text);
    drill.silence(0);
    let xml = |strict| report::junit(&drill.summary(), strict).expect("XML");

    assert!(!xml(false).contains("<failure"), "{}", xml(false));
    assert!(xml(false).contains("<skipped message=\"fail: 120 of 600 unsafe operations"));
    let strict = xml(true);
    assert!(strict.contains("<failure message=\"fail: 120 of 600 unsafe operations"), "{strict}");
    assert!(strict.contains("<failure message=\"hit nothing: "), "{strict}");
}

#[test]
fn a_test_case_of_ones_own_has_a_suite_of_its_own() {
    let mut telling = Telling::of(SHOP);
    telling.edge(Some(1), 60.0);
    let told =
        Told { case: Some("buys \"once\" & only once".to_owned()), ..Told::purchase(61.0, 1) };
    telling.attempt(Some(1), &told.clone().lost());
    telling.attempt(Some(1), &Told { at: 62.0, status: Some(201), ..told });
    telling.edge(None, 240.0);
    let mut drill = telling.over();
    drill.end = End::CommandEnded;
    let xml = report::junit(&drill.summary(), false).expect("XML");

    let name = "<testsuite name=\"shop: case buys &quot;once&quot; &amp; only once\"";
    let suite = xml.split(name).nth(1).unwrap_or_else(|| panic!("no {name} in\n{xml}"));
    assert!(suite.contains("<skipped message=\"fail: 1 of 1 unsafe operations"), "{suite}");
}
