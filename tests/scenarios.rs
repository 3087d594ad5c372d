//! The bundled scenarios: each reads without a remark and plays what `docs/outages.md` tells.

use firedrill::{
    diag::{Look, Problems, Source, render},
    dice::{Dice, Seed},
    fault::{Canned, Cx, Effect, Stage},
    scenario::{
        FaultEntry, Phase, Scenario,
        bundled::{self, BUNDLED},
    },
    select::Unit,
    timeline::{Moment, Speed},
    units::{Percent, Quantity},
};
use std::{fs, sync::Arc, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

const OUTAGES: [&str; 8] = [
    "amazon-2013",
    "apple-icloud-2013-08-21",
    "aws-us-east-1-2013",
    "google-2013",
    "itunes-2013-08-28",
    "microsoft-2013",
    "tencent-2014",
    "twilio-2013",
];

fn file(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(name: &str) -> String {
    bundled::find(name).unwrap_or_else(|| panic!("{name} is not bundled")).text.to_owned()
}

fn read(name: &str) -> Scenario {
    let source = Source::new(name, text(name));
    let mut problems = Problems::default();
    let scenario = Scenario::read(&source, None, &mut problems);
    assert!(problems.is_empty(), "{}", render(&source, &problems, Look::Plain));
    scenario.expect("a scenario without problems")
}

fn names() -> impl Iterator<Item = &'static str> {
    OUTAGES.into_iter().chain(["demo"])
}

fn phase<'s>(scenario: &'s Scenario, name: &str) -> &'s Phase {
    let found = scenario.phases.iter().find(|phase| phase.name == name);
    found.unwrap_or_else(|| panic!("{} has no phase `{name}`", scenario.name))
}

fn entry<'s>(scenario: &'s Scenario, phase_name: &str, name: &str) -> &'s FaultEntry {
    let found = phase(scenario, phase_name).faults.iter().find(|entry| entry.name == name);
    found.unwrap_or_else(|| panic!("{} has no `{name}` in `{phase_name}`", scenario.name))
}

/// Scenario time from the start of one phase to the end of another.
fn between(scenario: &Scenario, first: &str, last: &str) -> Duration {
    let timeline = scenario.timeline(None);
    let at = |name| scenario.phases.iter().position(|phase| phase.name == name).expect("a phase");
    timeline.start_of(at(last) + 1).saturating_sub(timeline.start_of(at(first)))
}

fn targets<'s>(scenario: &'s Scenario, entry: &FaultEntry) -> Vec<&'s str> {
    entry.targets.iter().map(|&at| &*scenario.targets[at].name).collect()
}

fn kinds(phase: &Phase) -> Vec<&'static str> {
    phase.faults.iter().map(|entry| entry.kind).collect()
}

/// What the fault answers in the middle of its phase.
fn answer(entry: &FaultEntry) -> Arc<Canned> {
    let dice = Dice::new(Seed(1), &entry.name);
    let moment = Moment { elapsed: MINUTE, length: 2 * MINUTE, run: MINUTE };
    let (user, now, grpc) = (0, moment.run, false);
    let cx = Cx { moment, message: dice, connection: dice, shared: dice, user, now, grpc };
    match entry.fault.decide(Stage::End, &cx) {
        Effect::Respond(canned) => canned,
        other => panic!("`{}` does not answer: {other:?}", entry.name),
    }
}

#[test]
fn every_bundled_scenario_is_put_to_these_tests() {
    let mut bundled: Vec<&str> = BUNDLED.iter().map(|bundled| bundled.name).collect();
    let mut tested: Vec<&str> = names().collect();
    bundled.sort_unstable();
    tested.sort_unstable();
    assert_eq!(bundled, tested);
}

#[test]
fn every_scenario_reads_clean_under_its_own_name_and_seed() {
    for name in names() {
        let scenario = read(name);
        assert_eq!(scenario.name, name);
        assert!(scenario.seed.is_some(), "{name} has no seed");
        assert!(scenario.title.is_some(), "{name} has no title");
        assert!(!scenario.sources.is_empty(), "{name} has no sources");
        assert!(!scenario.expect.is_empty(), "{name} expects nothing");
        assert!(text(name).starts_with("# "), "{name} does not open with what happened");
    }
}

#[test]
fn facts_and_inferences_are_told_apart() {
    for name in names() {
        let about = read(name).about.expect("about");
        let headings: Vec<&str> = about.lines().filter(|line| line.ends_with(':')).collect();
        assert!(
            matches!(&headings[..], [article, "Facts of other sources:", "Inferences:"]
                if article.starts_with("Facts of the article")),
            "{name}: {headings:?}",
        );
    }
}

/// What somebody remembers and nobody could look up is not told at all.
#[test]
fn nothing_unverified_is_told() {
    for text in OUTAGES.into_iter().map(text).chain([file("docs/outages.md")]) {
        for recalled in ["Vine", "Instagram", "Airbnb", "17:58", "straggler"] {
            assert!(!text.contains(recalled), "`{recalled}` in: {text}");
        }
    }
}

#[test]
fn every_outage_has_its_section_in_the_documentation() {
    let page = file("docs/outages.md");
    for name in names() {
        assert!(page.contains(&format!("\n## {name}\n")), "{name} has no section");
    }
}

#[test]
fn every_drill_begins_and_ends_in_calm() {
    for name in names() {
        let phases = read(name).phases;
        let calm = |phase: Option<&Phase>| phase.is_some_and(|phase| phase.faults.is_empty());
        assert!(calm(phases.first()), "{name} begins with a fault");
        assert!(calm(phases.last()), "{name} ends with a fault");
    }
}

/// An entry that goes on in the next phase keeps its name, or it would hit other users there.
#[test]
fn whoever_is_hit_at_the_onset_stays_hit() {
    for name in names() {
        for pair in read(name).phases.windows(2) {
            let sticky = pair[0].faults.iter().filter(|entry| entry.share.unit == Unit::Users);
            for before in sticky {
                let goes_on = |after: &&FaultEntry| {
                    after.share.unit == Unit::Users
                        && after.kind == before.kind
                        && after.targets == before.targets
                };
                for after in pair[1].faults.iter().filter(goes_on) {
                    assert_eq!(before.name, after.name, "{name}: {}", pair[1].name);
                }
            }
        }
    }
}

#[test]
fn tencent_jitters_and_loses_packets_for_six_minutes() {
    let scenario = read("tencent-2014");

    assert_eq!(between(&scenario, "onset", "tail"), 6 * MINUTE);
    let kinds = kinds(phase(&scenario, "jitter"));
    for kind in ["packet_loss", "latency", "hang", "truncate", "lose_response"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    assert!(!kinds.contains(&"respond"), "a network at fault answers nothing");
    assert_eq!(targets(&scenario, entry(&scenario, "jitter", "hang:console")), ["console"]);
}

#[test]
fn amazon_answers_everybody_with_an_error_page_for_forty_minutes() {
    let scenario = read("amazon-2013");

    assert_eq!(between(&scenario, "onset", "outage"), 40 * MINUTE);
    let page = entry(&scenario, "outage", "respond:store");
    assert!(page.share.is_all());
    let answer = answer(page);
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(!answer.headers.contains_key("retry-after"), "nothing said when to come back");
    let body = String::from_utf8_lossy(&answer.body);
    assert!(body.contains("Back button") && body.contains("try again"), "{body}");
}

#[test]
fn amazon_loses_up_to_the_published_sum() {
    let impact = read("amazon-2013").impact.expect("an impact");

    let minutes = 40.0;
    assert!((impact.per_minute.0 * minutes - 2_649_600.0).abs() < 0.5);
    assert!((impact.per_minute.1 * minutes - 4_715_280.0).abs() < 0.5);
}

#[test]
fn aws_loses_packets_for_51_minutes_and_is_back_by_15_23() {
    let scenario = read("aws-us-east-1-2013");

    assert_eq!(between(&scenario, "onset", "network-fault"), 51 * MINUTE);
    assert_eq!(between(&scenario, "onset", "slow-return"), 2 * HOUR + 32 * MINUTE);
    let kinds = kinds(phase(&scenario, "network-fault"));
    assert_eq!(kinds[..2], ["packet_loss", "blackhole"]);
    let unreachable = entry(&scenario, "slow-return", "unreachable-instances");
    assert_eq!(unreachable.share.show(), "3% -> 0% of users");
}

#[test]
fn apple_locks_17_percent_of_users_out_for_an_hour() {
    let scenario = read("apple-icloud-2013-08-21");

    assert_eq!(phase(&scenario, "outage").length, HOUR);
    let cannot_buy = entry(&scenario, "outage", "cannot-buy");
    assert_eq!(cannot_buy.share.show(), "17% of users");
    assert_eq!(targets(&scenario, cannot_buy), ["purchase"]);
    assert_eq!(entry(&scenario, "onset", "cannot-buy").share.show(), "0% -> 17% of users");
    let services = targets(&scenario, entry(&scenario, "outage", "icloud-unreachable"));
    assert_eq!(services, ["imessage", "photo-stream", "documents", "backup", "journals"]);
}

#[test]
fn itunes_locks_20_percent_of_users_out_from_6_00_to_9_26() {
    let scenario = read("itunes-2013-08-28");

    assert_eq!(phase(&scenario, "outage").length, 206 * MINUTE);
    let cannot_buy = entry(&scenario, "outage", "cannot-buy");
    assert_eq!(cannot_buy.share.show(), "20% of users");
    let answer = answer(cannot_buy);
    assert_eq!(answer.status, 500);
    assert!(!answer.headers.contains_key("retry-after"));
}

#[test]
fn google_is_gone_for_five_minutes_and_back_within_eleven() {
    let scenario = read("google-2013");

    assert_eq!(phase(&scenario, "outage").length, 5 * MINUTE);
    assert_eq!(between(&scenario, "outage", "return"), 11 * MINUTE);
    let error = entry(&scenario, "outage", "error");
    assert!(error.share.is_all());
    assert_eq!(targets(&scenario, error), ["everything"]);
}

#[test]
fn microsoft_lets_its_clients_back_in_over_three_days() {
    let scenario = read("microsoft-2013");

    assert_eq!(between(&scenario, "onset", "block"), 4 * HOUR + 30 * MINUTE);
    assert_eq!(between(&scenario, "onset", "third-day"), 67 * HOUR + 30 * MINUTE);
    assert_eq!(entry(&scenario, "third-day", "sync").share.show(), "50% -> 0% of users");
    let later = ["second-day", "third-day"].map(|name| phase(&scenario, name));
    let first_day = later.iter().any(|p| p.faults.iter().any(|entry| entry.name == "first-day"));
    assert!(!first_day, "accounts, Messenger and the calendar are back after 4 h 30 min");
}

/// Who is back in stays in: no share of users ever grows again.
#[test]
fn microsoft_never_shuts_anybody_out_twice() {
    let scenario = read("microsoft-2013");
    let phases = ["flood", "block", "second-day", "third-day"].map(|name| phase(&scenario, name));

    for name in ["first-day", "outlook", "people", "skydrive", "sync"] {
        let shares: Vec<Percent> = phases
            .iter()
            .flat_map(|phase| phase.faults.iter().filter(|entry| entry.name == name))
            .flat_map(|entry| entry.share.amount.corners())
            .collect();
        assert!(shares.is_sorted_by(|a, b| a >= b), "{name}: {shares:?}");
        assert!(shares.last() < shares.first(), "{name}: {shares:?}");
    }
}

#[test]
fn twilio_charges_and_says_it_did_not_for_46_minutes() {
    let scenario = read("twilio-2013");

    let charged = phase(&scenario, "charged-and-not-told");
    assert_eq!(charged.length, 46 * MINUTE);
    assert_eq!(kinds(charged), ["lose_response"]);
    assert!(charged.faults[0].share.is_all());
}

#[test]
fn the_demo_takes_no_longer_than_twenty_seconds() {
    let scenario = read("demo");

    let length = scenario.timeline(None).length();
    assert!(length <= Duration::from_secs(20), "{}", length.show());
    assert!(scenario.about.as_ref().is_some_and(|about| about.contains("made up")));
    let kinds = kinds(phase(&scenario, "outage"));
    assert!(kinds.contains(&"respond") && kinds.contains(&"lose_response"), "{kinds:?}");
}

/// The longest drill of all can be played in a coffee break.
#[test]
fn three_days_fit_into_five_minutes() {
    let timeline = read("microsoft-2013").timeline(None);
    let run = timeline.run_time(timeline.length(), Speed::new(1_000.0).expect("a speed"));
    assert!(run < 5 * MINUTE, "{}", run.show());
}
