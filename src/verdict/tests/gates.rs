//! What is concluded of a drill whose calm was none.

use crate::verdict::{
    Grade, Judged,
    tests::traffic::{BEGINS, DRILL, ENDS, OVER, Traffic, beat, ok},
};

/// What money is at risk where everything fails in the outage, and each `failing`th request in calm.
fn at_risk(failing: usize) -> Judged {
    let impact = "expect: [revenue_at_risk: 1]\nimpact: { per_minute: 100, currency: USD }\n";
    let mut traffic = Traffic::of(&format!("{DRILL}{impact}"));
    for user in 1..=5 {
        for (nth, at) in beat(1.0, 0.0, OVER).enumerate() {
            let fails = (BEGINS..ENDS).contains(&at) || nth % failing == failing - 1;
            traffic.add(if fails { ok(user, at).status(500) } else { ok(user, at) });
        }
    }
    traffic.expectation()
}

#[test]
fn money_at_risk_is_only_told_beside_a_calm() {
    let told = at_risk(10_000);
    assert_eq!(told.grade, Grade::Fail, "{told:?}");

    let doubtful = at_risk(10);
    assert_eq!(doubtful.grade, Grade::Inconclusive, "{doubtful:?}");
    assert!(doubtful.said.contains("of attempts served in calm"), "{doubtful:?}");
}
