//! twilio-2013: the card is charged, and the answer says that it was not.

use crate::{
    drill::Drill,
    support::client::{Ask, End},
    visits::{visits, within},
};
use std::time::Duration;

#[test]
fn every_charge_is_made_once_and_every_answer_says_that_it_failed() {
    // 56 minutes with plateaus cut to 2, in 5.4 s.
    let drill = Drill::start("twilio-2013", 100.0, Some(Duration::from_secs(120)));
    let card = |nth: usize| format!("card-{nth}");
    let visits = visits(&drill, Duration::from_millis(15), |nth| {
        let user = format!("user-{nth}");
        if nth % 5 == 4 {
            Ask::get("/balance").user(&user)
        } else {
            Ask::post("/purchase/credit", &card(nth)).user(&user)
        }
    });
    let seen = drill.upstream.seen();
    let charged = |nth: usize| {
        let of = |seen: &&crate::support::upstream::Seen| seen.body == card(nth).as_bytes();
        seen.iter().filter(of).count()
    };
    let is_charge = |nth: usize| nth % 5 != 4;

    for visit in &visits {
        let (met, charged) = (&visit.met, charged(visit.nth));
        assert_eq!(met.end, End::Whole, "{met:?}");
        let expected = match met.status {
            _ if !is_charge(visit.nth) => {
                assert!(met.is_ok(), "a balance can be looked at throughout: {met:?}");
                0
            }
            // Made, and told so; or made, and told otherwise.
            200 | 500 => 1,
            // Refused before it was made.
            503 => 0,
            _ => panic!("{met:?}"),
        };
        assert_eq!(charged, expected, "{met:?}");
    }
    for calm in ["before", "after"] {
        assert!(within(&visits, calm).iter().all(|visit| visit.met.is_ok()), "in `{calm}`");
    }
    let told: Vec<_> = within(&visits, "charged-and-not-told");
    let charges: Vec<_> = told.iter().filter(|visit| is_charge(visit.nth)).collect();
    assert!(charges.len() > 5, "{} charges", charges.len());
    assert!(charges.iter().all(|visit| visit.met.status == 500));
    let overload = within(&visits, "overload");
    assert!(overload.iter().any(|visit| visit.met.status == 503), "nobody met an error");
    drill.end();
}
