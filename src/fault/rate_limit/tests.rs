use super::*;
use crate::{
    diag::Code,
    fault::support::{codes, cx_at, fault, moment},
    fault::{Cx, Tick},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What comes of a request of a user on a connection, at a time of a phase of a minute.
fn ask(fault: &dyn Fault, user: u64, connection: u64, at: Tick) -> Option<Arc<Canned>> {
    let cx = cx_at(0, at);
    let cx = Cx { user, connection: cx.shared.of(9, connection), ..cx };
    match fault.decide(Stage::Admission, &cx) {
        Effect::Pass => None,
        Effect::Respond(canned) => Some(canned),
        other => panic!("{other:?}"),
    }
}

fn field<'c>(canned: &'c Canned, name: &str) -> &'c str {
    canned.headers[name].to_str().expect("text")
}

/// The answer to the first request that is turned away.
fn answer(entry: &str) -> Arc<Canned> {
    let fault = fault(entry);
    (0..2_000).find_map(|_| ask(&*fault, 1, 1, Tick::ZERO)).expect("some are turned away")
}

#[test]
fn the_rate_passes_and_what_is_beyond_it_is_turned_away() {
    // A hundred requests in each of ten seconds, against ten.
    let fault = fault("rate_limit: 10/s");
    let passed = (0..1_000_u32).filter(|nth| ask(&*fault, 1, 1, 10 * MS * *nth).is_none());
    // The bucket of the start, and what came into it in 9.99 s.
    assert_eq!(passed.count(), 10 + 99);
}

#[test]
fn nobody_is_turned_away_at_the_rate() {
    let fault = fault("rate_limit: { rate: 10/s, burst: 1 }");
    assert!((0..10_000_u32).all(|nth| ask(&*fault, 1, 1, 100 * MS * nth).is_none()));
}

#[test]
fn a_burst_is_a_seconds_worth_unless_it_is_given() {
    for (entry, wanted) in [
        ("rate_limit: 10/s", 10),
        ("rate_limit: 1/h", 1),
        ("rate_limit: 90/min", 2),
        ("rate_limit: { rate: 10/s, burst: 20 }", 20),
        ("rate_limit: { rate: 10/s, burst: 1 }", 1),
    ] {
        let fault = fault(entry);
        let passed = (0..100).filter(|_| ask(&*fault, 1, 1, Tick::ZERO).is_none());
        assert_eq!(passed.count(), wanted, "{entry}");
    }
}

#[test]
fn each_user_each_connection_or_all_have_a_bucket() {
    // Of three requests at once, by whose they are.
    for (entry, same, other_user, other_connection) in [
        ("rate_limit: 1/s", true, false, true),
        ("rate_limit: { rate: 1/s, per: user }", true, false, true),
        ("rate_limit: { rate: 1/s, per: connection }", true, true, false),
        ("rate_limit: { rate: 1/s, per: run }", true, true, true),
    ] {
        for (user, connection, away) in [(1, 1, same), (2, 1, other_user), (1, 2, other_connection)]
        {
            let fault = fault(entry);
            assert!(ask(&*fault, 1, 1, Tick::ZERO).is_none());
            let second = ask(&*fault, user, connection, Tick::ZERO);
            assert_eq!(second.is_some(), away, "{entry}: user {user} on {connection}");
        }
    }
}

#[test]
fn a_request_that_is_turned_away_takes_no_token() {
    let fault = fault("rate_limit: { rate: 1/s, burst: 1 }");
    assert!(ask(&*fault, 1, 1, Tick::ZERO).is_none());
    for nth in 1..10 {
        assert!(ask(&*fault, 1, 1, 100 * MS * nth).is_some());
    }
    assert!(ask(&*fault, 1, 1, SECOND).is_none());
}

#[test]
fn the_answer_says_when_to_come_again_in_whole_seconds_and_never_too_early() {
    for (entry, after) in [
        ("rate_limit: 10/s", "1"),
        ("rate_limit: 1/min", "60"),
        ("rate_limit: 7/min", "9"),
        ("rate_limit: { rate: 10/s, retry_after: 1500ms }", "2"),
        ("rate_limit: { rate: 10/s, retry_after: 0s }", "0"),
    ] {
        assert_eq!(field(&answer(entry), "retry-after"), after, "{entry}");
    }
    let fault = fault("rate_limit: 1/min");
    assert!(ask(&*fault, 1, 1, Tick::ZERO).is_none());
    let later = ask(&*fault, 1, 1, 20 * SECOND + MS).expect("it is turned away");
    assert_eq!(field(&later, "retry-after"), "40");
}

#[test]
fn the_answer_describes_the_limit_as_new_and_as_old_drafts_do() {
    let canned = answer("rate_limit: { rate: 100/min, burst: 20 }");
    assert_eq!(canned.status, 429);
    assert_eq!(canned.body, "Too Many Requests\n");
    assert_eq!(field(&canned, "ratelimit-policy"), "\"default\";q=100;w=60");
    assert_eq!(field(&canned, "ratelimit"), "\"default\";r=0;t=1");
    let old = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    assert_eq!(old.map(|name| field(&canned, name)), ["100", "0", "1"]);
}

#[test]
fn the_status_may_be_another() {
    let canned = answer("rate_limit: { rate: 1/s, status: 503 }");
    assert_eq!((canned.status.as_u16(), &*canned.body), (503, &b"Service Unavailable\n"[..]));
}

#[test]
fn a_rate_that_moves_is_the_one_of_its_moment() {
    let fault = fault("rate_limit: { rate: 100/s -> 10/s, burst: 1 }");
    assert!(ask(&*fault, 1, 1, Tick::ZERO).is_none());
    assert!(ask(&*fault, 1, 1, 11 * MS).is_none());
    // Half-way it is 55/s.
    assert!(ask(&*fault, 1, 1, 30 * SECOND).is_none());
    assert!(ask(&*fault, 1, 1, 30 * SECOND + 15 * MS).is_some());
    assert!(ask(&*fault, 1, 1, 30 * SECOND + 19 * MS).is_none());
    assert!(fault.strength(&moment(Duration::ZERO)) < fault.strength(&moment(30 * SECOND)));
}

#[test]
fn a_copy_for_another_run_begins_with_full_buckets() {
    let first = fault("rate_limit: 1/s");
    assert!(ask(&*first, 1, 1, Tick::ZERO).is_none());
    let second = first.armed().expect("it has a state");
    assert!(ask(&*first, 1, 1, Tick::ZERO).is_some());
    assert!(ask(&*second, 1, 1, Tick::ZERO).is_none());
}

#[test]
fn it_says_what_it_does() {
    for (entry, words) in [
        ("rate_limit: 10/s", "429 beyond 10/s per user"),
        (
            "rate_limit: { rate: 6000/min -> 1/s, per: run, burst: 5, status: 503, retry_after: 2s }",
            "503 beyond 100/s -> 1/s in all, bursts of 5, retry after 2s",
        ),
    ] {
        assert_eq!(fault(entry).describe(), words);
    }
}

#[test]
fn what_is_no_limit_is_refused() {
    for (entry, code) in [
        ("rate_limit: 10", Code::E0201),
        ("rate_limit: 10/m", Code::E0202),
        ("rate_limit: 0/s", Code::E0203),
        ("rate_limit: {}", Code::E0103),
        ("rate_limit: { rate: 1/s, burst: 0 }", Code::E0203),
        ("rate_limit: { rate: 1/s, per: client }", Code::E0205),
        ("rate_limit: { rate: 1/s, status: 600 }", Code::E0415),
        ("rate_limit: { rate: 1/s, retry_after: 2 }", Code::E0201),
    ] {
        assert_eq!(codes(entry), [code], "{entry}");
    }
}
