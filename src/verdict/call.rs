//! What a gRPC call tells of itself, where HTTP tells nothing: all are POSTs, and all are answered 200.
//!
//! A client that tries again by its service config was told by the service's owner which methods and
//! codes may be tried again, and it cannot tell a status that a server sent from one that its own library
//! made of a broken connection. So a second attempt at a call is held against it only if the upstream
//! had taken the first one.
//!
//! Sources: gRPC's statuscodes.md; AIP-194 (automatic retries), AIP-131 to 132 and 136 (names of methods
//! that change nothing); proposal A6 (client retries, pushback).

use crate::{
    event::{Call, Did, Exchange, Upstream},
    grpc::Code,
    verdict::attempt::Class,
};
use std::time::Duration;

/// What the names of methods that change nothing begin with.
const READS: [&str; 8] =
    ["Get", "List", "BatchGet", "Search", "Lookup", "Describe", "Watch", "StreamGet"];

/// Whether a call changes nothing, by the name of its method: `GetItem`, `ListOrders`, a health `Check`.
/// What does one thing and another (`GetAndLock`) is none of these. Server reflection only reads.
pub(super) fn reads(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap_or_default();
    let begins = |word: &&str| {
        let rest = method.strip_prefix(*word);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    let reflects = path.starts_with("/grpc.reflection.");
    reflects || method == "Check" || (READS.iter().any(begins) && !method.contains("And"))
}

/// What a failed call told the client. `wait` is when it may try again.
pub(super) fn classify(call: Call, code: Code, wait: Option<Duration>, injected: bool) -> Class {
    match code {
        _ if call.never => Class::Final,
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unimplemented
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unauthenticated
        | Code::DataLoss => Class::Final,
        Code::Cancelled if injected => Class::Final,
        // It had begun to answer.
        _ if call.down > 0 => Class::Processed,
        Code::Unavailable => Class::NotProcessed,
        Code::ResourceExhausted if wait.is_some() => Class::NotProcessed,
        _ => Class::Ambiguous,
    }
}

/// Whether the upstream did what was asked for: a 2xx, and of a call, that its status does not say
/// otherwise, unless that is none of its own.
pub(super) fn is_accepted(exchange: &Exchange) -> bool {
    let fails = exchange.grpc.and_then(|call| call.status).is_some_and(|code| code != Code::Ok);
    let ours = |did: &Did| matches!(did, Did::Cut | Did::LostResponse | Did::Responded(_));
    matches!(exchange.upstream, Upstream::Status(200..=299))
        && (!fails || exchange.dealt.iter().any(|dealt| ours(&dealt.did)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_is_told_by_its_name() {
        for path in [
            "/shop.Cart/GetItem",
            "/a.B/List",
            "/grpc.health.v1.Health/Check",
            "/a.B/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ] {
            assert!(reads(path), "{path}");
        }
        for path in [
            "/shop.Cart/Checkout",
            "/a.B/Getaway",
            "/a.B/CheckOut",
            "/a.B/GetAndLock",
            "/a.B/Buy",
            "/",
        ] {
            assert!(!reads(path), "{path}");
        }
    }

    #[test]
    fn codes_tell_whether_it_was_processed() {
        let plain = Call::default();
        let class = |call, code, wait| classify(call, code, wait, false);
        let second = Some(Duration::from_secs(1));
        assert_eq!(class(plain, Code::Unavailable, None), Class::NotProcessed);
        assert_eq!(class(plain, Code::ResourceExhausted, second), Class::NotProcessed);
        assert_eq!(class(plain, Code::ResourceExhausted, None), Class::Ambiguous);
        for code in [Code::DeadlineExceeded, Code::Unknown, Code::Internal, Code::Aborted] {
            assert_eq!(class(plain, code, None), Class::Ambiguous, "{code}");
        }
        for code in [Code::NotFound, Code::DataLoss, Code::Unauthenticated] {
            assert_eq!(class(plain, code, second), Class::Final, "{code}");
        }
        let begun = Call { down: 2, ..plain };
        assert_eq!(class(begun, Code::Unavailable, None), Class::Processed);
        let told_not_to = Call { never: true, ..plain };
        assert_eq!(class(told_not_to, Code::Unavailable, None), Class::Final);
        assert_eq!(class(plain, Code::Cancelled, None), Class::Ambiguous);
        assert_eq!(classify(plain, Code::Cancelled, None, true), Class::Final);
    }
}
