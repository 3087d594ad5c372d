//! Places to listen on and to connect to that may be Unix sockets: `unix:/run/shop.sock`.

use crate::units::{AddressError, UpstreamAddr, UpstreamUrlError, listen, tcp_upstream};
use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On an address.
    Tcp(SocketAddr),
    /// On a Unix socket, by its path.
    Unix(PathBuf),
}

impl Place {
    /// Reads an address as [`listen`] does, or a path after `unix:`.
    ///
    /// # Errors
    ///
    /// Fails with what to write.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match unix_path(text) {
            Some(path) => path.map(Self::Unix),
            None => listen(text).map(Self::Tcp),
        }
    }

    /// The address, unless it is a Unix socket.
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The same for somebody who is in another folder, unless that path would be too long.
    #[must_use]
    pub fn absolute(self) -> Self {
        let Self::Unix(path) = &self else { return self };
        let absolute = std::path::absolute(path).ok().filter(|path| fits(path).is_ok());
        absolute.map_or(self, Self::Unix)
    }

    /// Whether a listener on the one leaves nothing for a listener on the other. One for every address
    /// of IPv6 takes those of IPv4 as well; port 0 is always a free one.
    pub fn collides(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => collide(*one, *other),
            (Self::Unix(one), Self::Unix(other)) => one == other,
            _ => false,
        }
    }
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let takes = |all: std::net::IpAddr, one: std::net::IpAddr| {
        all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
    };
    one.port() == other.port() && one.port() != 0 && (a == b || takes(a, b) || takes(b, a))
}

/// The path of `unix:/run/shop.sock` or `unix:///run/shop.sock`; `None` if it is something else.
pub fn unix_path(text: &str) -> Option<Result<PathBuf, AddressError>> {
    let rest = text.strip_prefix("unix:")?;
    let path = Path::new(rest.strip_prefix("//").unwrap_or(rest));
    Some(fits(path).map(|()| path.to_owned()))
}

/// Whether a path can be that of a Unix socket.
///
/// # Errors
///
/// Fails with why it cannot.
#[cfg(unix)]
fn fits(path: &Path) -> Result<(), AddressError> {
    let is_file = path.file_name().is_some();
    match std::os::unix::net::SocketAddr::from_pathname(path) {
        Ok(_) if is_file => Ok(()),
        _ if !is_file => Err(AddressError::NoPath),
        _ => Err(AddressError::LongPath(path.as_os_str().len())),
    }
}

/// Whether a path can be that of a Unix socket: here there are none.
#[cfg(not(unix))]
fn fits(_path: &Path) -> Result<(), AddressError> {
    Err(AddressError::NoUnix)
}

/// The upstream of an HTTP proxy, as it is written: a URL without a path, or `unix:` and a path.
///
/// # Errors
///
/// Fails with what to write.
pub fn http_upstream(text: &str) -> Result<String, UpstreamUrlError> {
    match unix_path(text) {
        Some(path) => {
            path.map(|path| Place::Unix(path).to_string()).map_err(UpstreamUrlError::Unix)
        }
        None => text.parse::<UpstreamAddr>().map(|address| address.to_string()),
    }
}

/// The upstream of a proxy for bytes, as it is written: `host:port`, or `unix:` and a path.
///
/// # Errors
///
/// Fails with what to write.
pub fn bytes_upstream(text: &str) -> Result<String, AddressError> {
    match unix_path(text.strip_prefix("tcp://").unwrap_or(text)) {
        Some(path) => path.map(|path| Place::Unix(path).to_string()),
        None => tcp_upstream(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_path_is_one_with_or_without_slashes() {
        for text in ["unix:/run/shop.sock", "unix:///run/shop.sock"] {
            assert_eq!(Place::parse(text).map(|p| p.to_string()), Ok("unix:/run/shop.sock".into()));
            assert_eq!(http_upstream(text), Ok("unix:/run/shop.sock".to_owned()));
            assert_eq!(bytes_upstream(text), Ok("unix:/run/shop.sock".to_owned()));
        }
        assert_eq!(Place::parse("unix:x.sock"), Ok(Place::Unix("x.sock".into())));
        assert_eq!(Place::parse("8080"), Ok(SocketAddr::from(([127, 0, 0, 1], 8080)).into()));
    }

    #[test]
    #[cfg(unix)]
    fn what_cannot_be_the_path_of_a_socket_is_refused() {
        for text in ["unix:", "unix:/", "unix:///"] {
            assert_eq!(Place::parse(text), Err(AddressError::NoPath), "{text}");
        }
        let long = format!("unix:/{}", "x".repeat(108));
        assert_eq!(Place::parse(&long), Err(AddressError::LongPath(109)));
    }
}
