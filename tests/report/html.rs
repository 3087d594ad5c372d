//! The page: self-contained, small, and deaf to what comes from outside.

use crate::drill::{Drill, SHOP, Telling, Told, keep, shop};
use firedrill::report;

/// What a mail may be.
const MOST: usize = 500_000;

#[test]
fn a_page_has_all_its_parts_and_asks_for_nothing() {
    let drill = shop(SHOP);
    let page = report::html(&drill.summary());
    keep("shop.html", &page);

    for part in [
        "What to do, the worst first",
        "What was expected",
        "What came of the requests",
        "How long they took",
        "Attempts per operation",
        "The worst operation",
        "Waits before each retry",
        "Arrivals around recovery",
        "Done more than once",
        "What it would have cost",
        "Phase by phase",
        "Fault by fault",
    ] {
        assert!(page.contains(part), "no {part:?}");
    }
    asks_for_nothing(&page);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert_eq!(page.matches("<svg").count(), 6);
    // Plots scale with the page.
    assert_eq!(page.matches("viewBox=").count(), 6);
    assert!(page.len() < MOST, "{}", page.len());
}

/// No address but the one that names the language of plots, and nothing that runs.
fn asks_for_nothing(page: &str) {
    let bare = page.replace("http://www.w3.org/2000/svg", "");
    for word in
        ["http:", "https:", "src=", "<script", "<link", "<img", "<iframe", "url(", "@import"]
    {
        assert!(!bare.contains(word), "{word} in the page");
    }
    let handlers = ["onload=", "onerror=", "onclick=", "javascript:"];
    assert!(handlers.iter().all(|word| !bare.contains(word)));
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn hostile_texts_are_told_and_never_obeyed() {
    const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\\\"'&";
    let text = SHOP
        .replace("The shop stumbles", &format!("\"{EVIL}\""))
        .replace("phases:", &format!("about: \"{EVIL}\"\nsources: [\"{EVIL}\"]\nphases:"))
        .replace("{ name: calm,", "{ name: \"<script>calm</script>\",");
    let mut telling = Telling::of(&text);
    telling.edge(Some(0), 0.0);
    telling.edge(Some(1), 60.0);
    for nth in 0..5 {
        let told = Told::purchase(61.0 + f64::from(nth), 9);
        let told = Told {
            agent: EVIL.replace([' ', '/', '('], "_"),
            path: format!("/purchase/{EVIL}"),
            case: Some(EVIL.to_owned()),
            ..told
        };
        telling.attempt(Some(1), &told.lost());
    }
    telling.edge(None, 240.0);
    let drill = telling.over();
    let page = report::html(&drill.summary());
    keep("hostile.html", &page);

    let lowered = page.to_lowercase();
    assert!(!lowered.contains("<script"), "a script got in");
    assert!(!lowered.contains("<img"), "a picture got in");
    // It is there, as text.
    assert!(page.matches("&lt;script&gt;").count() > 4);
    for plot in page.split("<svg").skip(1).filter_map(|plot| plot.split("</svg>").next()) {
        assert!(plot.split("&lt;").all(|text| !text.contains("<s")), "{plot}");
    }
    let markdown = report::markdown(&drill.summary());
    assert!(!markdown.contains("<script") && !markdown.contains("<img"), "{markdown}");
    let junit = report::junit(&drill.summary(), true).expect("XML");
    assert!(!junit.contains("<script") && !junit.contains("<img"), "{junit}");
}

/// With nothing to tell it tells that.
#[test]
fn a_drill_without_traffic_has_a_page() {
    let mut telling = Telling::of(SHOP);
    telling.edge(Some(0), 0.0);
    let page = report::html(&telling.over().summary());

    assert!(page.contains("NOT TESTED") || page.contains("INCONCLUSIVE"));
    assert!(!page.contains("NaN"), "something was divided by nothing");
}

/// Ten exchanges make for plots as well.
#[test]
fn a_handful_of_exchanges_has_a_page() {
    let mut telling = Telling::of(SHOP);
    telling.edge(Some(0), 0.0);
    telling.attempt(Some(0), &Told::get(1.0, 1));
    telling.attempt(Some(0), &Told::purchase(2.0, 2));
    telling.edge(Some(1), 60.0);
    for nth in 0..3 {
        telling.attempt(Some(1), &Told::purchase(70.0 + 3.0 * f64::from(nth), 3).failing(503));
        telling.attempt(Some(1), &Told::get(80.0 + f64::from(nth), 3));
    }
    telling.edge(Some(2), 180.0);
    telling.attempt(Some(2), &Told::get(181.0, 3));
    telling.edge(None, 240.0);
    let page = report::html(&telling.over().summary());
    keep("handful.html", &page);

    assert!(page.contains("The worst operation"));
    assert!(!page.contains("NaN"));
    asks_for_nothing(&page);
}

/// Many clients, many phases, hours of traffic: a page is as large as it is, however much came.
fn crowd(exchanges: u32) -> Drill {
    let phases: Vec<String> = (0..40)
        .map(|nth| {
            let faults = if nth % 2 == 1 {
                ", faults: [{ respond: 503, share: 30% of requests }]"
            } else {
                ""
            };
            format!("  - {{ name: phase-number-{nth}, for: 9m{faults} }}\n")
        })
        .collect();
    let text = format!("name: crowd\nphases:\n{}", phases.concat());
    let mut telling = Telling::of(&text);
    let (length, mut phase) = (21_600.0, None);
    let mut dice = 1_u64;
    let mut chance = || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) as f64 / f64::from(1_u32 << 31)
    };
    for nth in 0..exchanges {
        let at = length * f64::from(nth) / f64::from(exchanges);
        let now = (0..40).rev().find(|now| at >= 540.0 * f64::from(*now)).unwrap_or(0);
        let now = usize::try_from(now).expect("few");
        if phase != Some(now) {
            phase = Some(now);
            telling.edge(phase, at);
        }
        let user = u64::from(nth / 6) % 20_000;
        let told = Told::purchase(at, user);
        let told = Told {
            took: 10_f64.powf(chance() * 6.0 - 4.0),
            agent: format!("a-client-with-a-name-{}/1", user % 30),
            path: format!("/purchase/{}", user % 3),
            ..told
        };
        let told = if now % 2 == 1 && chance() < 0.6 { told.failing(503) } else { told };
        let told = if chance() < 0.02 { told.lost() } else { told };
        telling.attempt(phase, &told);
    }
    telling.edge(None, length);
    telling.over()
}

#[test]
fn a_page_about_hours_of_many_clients_is_still_a_mail() {
    let page = report::html(&crowd(30_000).summary());
    keep("crowd.html", &page);

    assert!(page.len() < MOST, "{}", page.len());
    asks_for_nothing(&page);
}

#[test]
#[ignore = "a million exchanges take a while without optimisation"]
fn a_page_about_a_million_exchanges_is_still_a_mail() {
    let page = report::html(&crowd(1_000_000).summary());
    keep("million.html", &page);

    assert!(page.len() < MOST, "{}", page.len());
    asks_for_nothing(&page);
}
