//! What came of a gRPC call, beyond what HTTP says of it.

use crate::{event::Outcome, grpc::Code};

/// A gRPC call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// How it went, as the client was told in a head or in trailers; `None` if it was not.
    pub status: Option<Code>,
    /// The client was told not to try again.
    pub never: bool,
    /// Whole messages that came from the client.
    pub up: u64,
    /// Whole messages that were given to the client's connection.
    pub down: u64,
}

impl Call {
    /// How it went, for a table, if its answer was whole and of HTTP's status 200. What is `injected`
    /// is not the client's own doing.
    pub(super) fn outcome(&self, injected: bool) -> Outcome {
        let Some(code) = self.status else {
            // An answer without a status is half of one.
            return Outcome::Broken;
        };
        match code {
            Code::Ok => Outcome::Ok,
            Code::Cancelled if !injected => Outcome::ClientGone,
            code if code.as_http() >= 500 => Outcome::ServerError,
            _ => Outcome::ClientError,
        }
    }
}
