//! Whom: which requests a target means, who one user is, and what a share is counted in.

mod client;
mod condition;
mod credential;
mod glob;
mod matcher;
mod read;
mod users;

pub use client::Network;
pub use matcher::Matcher;
pub use users::{User, UserSource, Users};

pub(crate) use credential::lasting;
pub(crate) use read::MATCHER;
pub(crate) use users::USERS;

use http::{HeaderMap, Method, Version};
use std::net::IpAddr;

/// A request as far as choosing needs to see it.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'r> {
    /// The method.
    pub method: &'r Method,
    /// The path, without the query.
    pub path: &'r str,
    /// The query, without its question mark.
    pub query: Option<&'r str>,
    /// The version of HTTP it is spoken in.
    pub version: Version,
    /// All header fields.
    pub headers: &'r HeaderMap,
    /// Who is at the other end of the connection.
    pub peer: IpAddr,
    /// The whole body, if it was small and a matcher asked for it.
    pub body: Option<&'r [u8]>,
}

/// What a share is counted in, and so what sticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Each request is drawn anew.
    Requests,
    /// A user is hit or not, for all their requests.
    Users,
    /// A connection is hit or not, for all it carries.
    Connections,
}

impl Unit {
    /// As the file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Users => "users",
            Self::Connections => "connections",
        }
    }
}

#[cfg(test)]
mod tests;
