//! Handshakes that stall: how long a client waits for one.

use crate::{
    event::Connection,
    verdict::{
        attempt::Attempt,
        detect::timeout::{
            GOOD, LONG, SLACK,
            holds::{Found, Hold, LEAST, median},
        },
        finding::{Claim, Finding, Grade},
    },
};

/// What to do about it.
const SET: &str =
    "set a timeout for connecting that includes the TLS handshake, and not above 10 s";

/// The hold of a connection that carried no request.
pub(super) fn of_connection(connection: &Connection) -> Option<Hold> {
    if connection.flaw() != Some("stall") {
        return None;
    }
    // One that said nothing, or that our own patience ended with, waited for nothing.
    let (until, left) = match (connection.secured, connection.tls_error) {
        (0, Some("left")) => (connection.ended, connection.ended),
        (0, Some("dealt")) => (connection.ended, 0),
        (0, _) => return None,
        (secured, _) => (secured, 0),
    };
    Some(Hold { lasted: until.saturating_sub(connection.accepted) as f64 / 1e6, left })
}

/// The hold of a connection that was worth the wait.
pub(super) fn of_attempt(attempt: &Attempt) -> Option<Hold> {
    let (flaw, took) = attempt.flaw?;
    (flaw == "stall").then_some(Hold { lasted: took.as_secs_f64(), left: 0 })
}

/// Adds what is known of it to what was found.
pub(super) fn told(finding: Finding, hands: &Found) -> Finding {
    let (left, all) = (hands.left.len(), hands.count());
    let middle = median(&hands.left).filter(|_| left >= LEAST);
    let (grade, said) = match (middle, hands.longest()) {
        (Some(middle), _) if hands.outlasted(middle) < LEAST => {
            let grade = match middle {
                _ if middle <= GOOD * (1.0 + SLACK) => Grade::Pass,
                _ if middle <= LONG * (1.0 + SLACK) => Grade::Warn,
                _ => Grade::Fail,
            };
            (grade, format!("gives a handshake up after {middle:.2} s ({left} of {all})"))
        }
        (_, Some(longest)) => {
            let grade = match longest {
                _ if longest <= GOOD => Grade::Inconclusive,
                _ if longest <= LONG => Grade::Warn,
                _ => Grade::Fail,
            };
            (
                grade,
                format!("waits for a handshake for up to {longest:.1} s ({} of {all})", all - left),
            )
        }
        _ => return finding,
    };
    let finding = match middle {
        Some(middle) => finding.figure("handshake_timeout", middle),
        None => finding,
    };
    if finding.grade == Grade::NotApplicable {
        let figures = finding.figures;
        let finding = Finding { figures, ..Finding::new(grade, Claim::Quantitative, said) };
        let needs = format!("{LEAST} handshakes that stall for 65 s");
        return match grade {
            Grade::Inconclusive => Finding { needs: Some(needs), ..finding },
            Grade::Warn | Grade::Fail => finding.advice(SET),
            _ => finding,
        };
    }
    let is_worse = grade >= Grade::Warn && grade > finding.grade;
    let finding = Finding { said: format!("{}; {said}", finding.said), ..finding };
    if is_worse { Finding { grade, ..finding }.advice(SET) } else { finding }
}
