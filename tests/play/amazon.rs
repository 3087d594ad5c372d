//! amazon-2013: everybody gets the error page, and the error page says try again.

use crate::{
    drill::Drill,
    support::client::{Ask, End},
    visits::{visits, within},
};
use std::time::Duration;

#[test]
fn everybody_gets_the_error_page_in_the_outage_and_nobody_outside_of_it() {
    // 47 minutes with plateaus cut to 2, in 5.4 s.
    let drill = Drill::start("amazon-2013", 100.0, Some(Duration::from_secs(120)));
    let visits = visits(&drill, Duration::from_millis(15), |nth| {
        let user = format!("user-{nth}");
        match nth % 3 {
            0 => Ask::post("/purchase/book", "{}").user(&user),
            1 => Ask::get("/").user(&user),
            _ => Ask::get("/product/17").user(&user),
        }
    });

    for calm in ["before", "after"] {
        assert!(within(&visits, calm).iter().all(|visit| visit.met.is_ok()), "in `{calm}`");
    }
    for visit in within(&visits, "outage") {
        let met = &visit.met;
        assert_eq!((met.end, met.status), (End::Whole, 503), "{met:?}");
        assert_eq!(met.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(met.header("retry-after"), None, "it does not say when to come back");
        let page = String::from_utf8_lossy(&met.body);
        assert!(page.contains("with the Back button of your browser and try again"), "{page}");
    }
    // On the way there it is slower for everybody, and a bare error for some.
    let onset = within(&visits, "onset");
    assert!(onset.iter().any(|visit| visit.met.status == 503), "nobody met an error");
    for visit in &onset {
        let page = String::from_utf8_lossy(&visit.met.body);
        assert!(!page.contains("Back button"), "the page came later");
    }
    // Half of the onset through, requests take a second longer: 2 s at its end, in real time.
    let slowest = onset.iter().map(|visit| visit.met.took()).max().expect("some");
    assert!(slowest > Duration::from_millis(500), "{slowest:?}");
    assert!(visits.iter().all(|visit| visit.met.end == End::Whole), "whoever hung was let go");
    drill.end();
}
