//! Whom a connection is from, as one proxy tells the next before anything else: the PROXY protocol.
//!
//! [`hear`] reads what the proxy before us says, [`Speech`] is what we say to the one behind us.
//! Both ends are framed here, and their contents are `ppp`'s.

mod hear;
mod refusals;
mod speech;
#[cfg(test)]
mod tests;

pub(crate) use hear::hear;
pub(crate) use refusals::Refusals;
pub(crate) use speech::{Speech, Who};

use std::net::SocketAddr;

/// Both ends of a client's connection, where they have addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The client's.
    pub(crate) client: SocketAddr,
    /// The one that it connected to.
    pub(crate) server: SocketAddr,
}
