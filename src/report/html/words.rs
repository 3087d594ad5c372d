//! What became of an attempt, in a few words.

use crate::{
    event::Upstream,
    report::rounded,
    verdict::{Wrong, picture::Step},
};

/// What the client met.
pub(super) fn met(step: &Step) -> String {
    let text = match (step.wrong, step.status) {
        (None, status) => format!("{status}, the whole answer"),
        (Some(Wrong::Status(status)), _) => status.to_string(),
        (Some(Wrong::Grpc(code)), _) => code.to_string(),
        (Some(Wrong::Reset), _) => "connection reset".to_owned(),
        (Some(Wrong::Closed), _) => "connection closed without an answer".to_owned(),
        (Some(Wrong::Cut), status) => format!("{status}, and the answer broke off"),
        (Some(Wrong::Left), 0) => "the client gives up".to_owned(),
        (Some(Wrong::Left), status) => format!("the client gives up within a {status}"),
    };
    match step.retry_after {
        Some(wait) => format!("{text}, retry after {}", rounded(wait)),
        None => text,
    }
}

/// What the upstream made of it.
pub(super) fn upstream(step: &Step) -> String {
    match (step.upstream, step.made) {
        (Upstream::NotSent, _) => "never heard of it".to_owned(),
        (Upstream::NoReply, _) => "got it and did not answer".to_owned(),
        (Upstream::Status(status), Some(made)) => format!("{status}, made {}", name(made)),
        (Upstream::Status(status), None) => status.to_string(),
    }
}

/// A few letters of a hash: enough to tell two things made apart.
pub(super) fn name(made: u64) -> String {
    format!("{:08x}", made >> 32)
}
