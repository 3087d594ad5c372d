//! The client everybody writes first: it retries at once, whatever happened, without a key.

use crate::demo::{
    client::{Client, Demand, Manner, Policy, Reuse},
    http::Boxed,
    wire::Errand,
};
use std::time::Duration;

pub(super) const POLICY: Policy = Policy {
    name: "hasty",
    about: "up to 5 retries at once, no idempotency key, patience of 10 s",
    demand: Demand::Thinking,
    slots: 1,
    make: |_, _| Box::new(Hasty),
};

/// Retries after the first attempt.
const RETRIES: u32 = 5;
/// No timeout worth the name: a user is gone long before.
const TIMEOUT: Duration = Duration::from_secs(10);

struct Hasty;

impl Client for Hasty {
    fn perform<'a>(&'a self, errand: &'a Errand<'a>) -> Boxed<'a, bool> {
        Box::pin(async move {
            for attempt in 0..=RETRIES {
                // A retry dials anew, as libraries do that drop a connection they don't trust.
                let reuse = if attempt == 0 { Reuse::Checked } else { Reuse::Never };
                match errand.attempt(Manner { reuse, ..Manner::within(TIMEOUT) }).await {
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
