//! The client everybody writes first: it retries at once, whatever happened, without a key.

use crate::demo::{
    client::{Call, Client, Manner, Policy, Wire},
    http::Boxed,
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "naive",
    about: "up to 5 retries at once, no idempotency key, patience of 10 s",
    make: |_, _| Box::new(Naive),
};

/// Retries after the first attempt.
const RETRIES: u32 = 5;
/// No timeout worth the name: a user is gone long before.
const TIMEOUT: Duration = Duration::from_secs(10);

struct Naive;

impl Client for Naive {
    fn perform<'a>(&'a mut self, call: &'a Call, wire: &'a mut Wire) -> Boxed<'a, bool> {
        Box::pin(async move {
            for attempt in 0..=RETRIES {
                // A retry dials anew, as libraries do that drop a connection they don't trust.
                let manner = Manner { timeout: TIMEOUT, keyed: false, reuse: attempt == 0 };
                match wire.attempt(call, manner).await {
                    Ok(reply) if !reply.status.is_server_error() => {
                        return reply.status.is_success();
                    }
                    _ => {}
                }
            }
            false
        })
    }
}
