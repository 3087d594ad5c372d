//! What a verdict makes of sockets that live for minutes, and of those that come back.

use crate::verdict::{finding::Grade, fixture::Drill};

const USERS: u32 = 400;

/// Everybody opens a socket in the calm and loses it in the outage; then they come back, with these
/// waits between tries that are refused.
fn reconnecting(waits: &[f64]) -> Drill {
    let mut drill = Drill::new(100.0, 200.0, 100.0);
    for user in 0..USERS {
        let begin = 1.0 + f64::from(user) / 10.0;
        let cut = 110.0 + f64::from(user) / 10.0;
        let mut op = drill.op(begin).user(user).path("/chat").opens().breaks_at(cut);
        for wait in waits {
            op = op.after(*wait).fails(503);
        }
        op.after(2.0 * waits.last().copied().unwrap_or(0.5)).opens().lives_until(390.0);
    }
    drill
}

#[test]
fn reconnects_are_judged_as_retries_are() {
    for (waits, grade) in [
        (&[0.5, 1.0, 2.0, 4.0][..], Grade::Pass),
        (&[1.0], Grade::Pass),
        (&[0.0, 0.0, 0.0], Grade::Warn),
    ] {
        let found = reconnecting(waits).finding("backoff");
        assert_eq!(found.grade, grade, "{waits:?}: {}", found.said);
        assert!(found.said.contains("after cut"), "{}", found.said);
    }
}

/// Nobody waited for an answer for as long as a socket lives.
#[test]
fn the_life_of_a_socket_is_no_latency_and_no_timeout() {
    let drill = reconnecting(&[0.5, 1.0, 2.0]);
    for expectation in ["latency_p99: 20s", "availability: 99%"] {
        let judged = drill.expect(expectation);
        assert_eq!(judged.grade, Grade::Pass, "{expectation}: {judged:?}");
    }
    let judged = drill.expect("request_timeout: 1s");
    assert_ne!(judged.grade, Grade::Fail, "{judged:?}");
}

/// Sockets that live through a calm, and longer than it, are nothing to complain of.
#[test]
fn long_lives_are_calm() {
    let mut drill = Drill::new(100.0, 200.0, 100.0);
    for user in 0..USERS {
        let begin = 1.0 + f64::from(user) / 10.0;
        drill.op(begin).user(user).path("/chat").opens().lives_until(begin + 300.0);
    }
    let verdict = drill.verdict();
    let failed: Vec<_> = verdict.parts[0]
        .findings
        .iter()
        .filter(|finding| matches!(finding.grade, Grade::Fail | Grade::Warn))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}
