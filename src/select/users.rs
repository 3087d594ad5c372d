//! Who one user is.

use crate::{dice, select::RequestView};

/// Where a user's identity is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserSource {
    /// A header's value.
    Header(http::HeaderName),
    /// A cookie's value.
    Cookie(String),
    /// A query parameter's value.
    Query(String),
    /// The address at the other end of the connection.
    Peer,
}

/// One user of the service, by a hash: the identity itself may be a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The hash.
    pub key: u64,
    /// Which source told, by its place in the list; one past the end is the peer's address.
    pub source: usize,
}

/// Who is one user: the first source of the list that a request has, else its peer address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// In order.
    pub sources: Vec<UserSource>,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            sources: vec![
                UserSource::Header(http::HeaderName::from_static("x-user-id")),
                UserSource::Header(http::header::AUTHORIZATION),
            ],
        }
    }
}

impl Users {
    /// The user behind a request.
    pub fn identify(&self, request: &RequestView<'_>) -> User {
        User { key: dice::key(request.peer.to_string().as_bytes()), source: self.sources.len() }
    }
}
