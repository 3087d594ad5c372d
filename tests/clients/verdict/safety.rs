//! What should not have been sent again.

use super::{
    Truth,
    finding::{Finding, Grade, wrong_if},
};
use crate::row::Key;

pub(super) fn final_errors(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    if truth.class.name != "404" {
        return wrong_if(finding.grade != Grade::NotApplicable, "no answer was final");
    }
    if truth.retries() {
        return wrong_if(
            matches!(finding.grade, Grade::Pass | Grade::NotApplicable),
            "a 404 was asked for again",
        );
    }
    let is_wrong = finding.grade != Grade::Pass || finding.count("retried") > 0.0;
    wrong_if(is_wrong, "no 404 was asked for again")
}

pub(super) fn duplicates(truth: Truth<'_>, finding: &Finding) -> Option<String> {
    let post = truth.cell("POST");
    let resent = post.attempts[1] > 1;
    let [unsafe_resends, after_503] =
        ["unsafe_resends", "unsafe_resends_after_503"].map(|name| finding.count(name));
    if !resent || post.key == Some(Key::Stable) {
        let is_wrong = finding.is_bad() || unsafe_resends + after_503 > 0.0;
        let what = if resent { "the key was the same" } else { "no POST was sent again" };
        return wrong_if(is_wrong, what);
    }
    match truth.class.name {
        "503" => wrong_if(
            finding.grade != Grade::Warn || after_503 <= 0.0,
            "a POST was sent again after a 503",
        ),
        // It said that it was not processed, or that it never will be.
        "503-after" | "429-after" | "404" => {
            wrong_if(finding.grade != Grade::NotApplicable, "nothing was left open")
        }
        _ => wrong_if(
            finding.grade != Grade::Fail || unsafe_resends <= 0.0,
            "a POST was sent again that may have been carried out",
        ),
    }
}
