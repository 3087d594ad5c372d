//! Addresses: where to listen, and where an upstream is.

use http::{
    Uri,
    uri::{Authority, Scheme},
};
use std::{fmt, net::SocketAddr, str::FromStr};

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing can listen there.
    #[error(
        "write an address and a port, such as `127.0.0.1:8080`, or `0.0.0.0:8080` for everybody"
    )]
    Listen,
    /// No host and port.
    #[error("`{0}` is no address of a service; write a host and a port, such as `127.0.0.1:5432`")]
    Tcp(String),
    /// A URL, where only a host and a port make sense.
    #[error(
        "`{0}` is a URL, and a tcp proxy passes on bytes; write a host and a port, such as `{1}`"
    )]
    Url(String, String),
    /// No path, or that of a folder.
    #[error("write the path of a Unix socket after `unix:`, such as `unix:/run/shop.sock`")]
    NoPath,
    /// The system takes no path of this length.
    #[error("a path of {0} bytes is too long for a Unix socket; about 100 are possible")]
    LongPath(usize),
    /// Another kind of system.
    #[cfg(not(unix))]
    #[error("this system has no Unix sockets; listen on an address such as `127.0.0.1:8080`")]
    NoUnix,
}

/// An address to listen on. The host may be left out, which means loopback: what listens for
/// everybody says so.
///
/// # Errors
///
/// Fails with what to write; a name is no address, since it may have several.
pub fn listen(text: &str) -> Result<SocketAddr, AddressError> {
    let port = text.strip_prefix("localhost").unwrap_or(text);
    let port = port.strip_prefix(':').unwrap_or(port);
    if let Ok(port) = port.parse() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse().map_err(|_| AddressError::Listen)
}

/// The `host:port` of a service that is spoken to in bytes; `tcp://` before it is cut off.
///
/// # Errors
///
/// Fails with what to write if it is a URL, or has no host or no port.
pub fn tcp_upstream(text: &str) -> Result<String, AddressError> {
    let plain = text.strip_prefix("tcp://").unwrap_or(text);
    if let Some((_, rest)) = plain.split_once("://") {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let known = tcp_upstream(authority);
        let instead = known.unwrap_or_else(|_| "127.0.0.1:5432".to_owned());
        return Err(AddressError::Url(text.to_owned(), instead));
    }
    let authority = plain.parse().ok().filter(|authority| !is_odd(authority));
    let port = authority.as_ref().and_then(Authority::port_u16);
    match (authority, port) {
        (Some(authority), Some(port)) if port != 0 => Ok(authority.to_string()),
        _ => Err(AddressError::Tcp(text.to_owned())),
    }
}

/// Whether there is more to it than a host and a port, or less.
fn is_odd(authority: &Authority) -> bool {
    let text = authority.as_str();
    let port = text.strip_prefix(authority.host()).unwrap_or("@");
    text.contains('@')
        || authority.host().is_empty()
        || (!port.is_empty() && authority.port_u16().is_none())
}

/// Where the upstream of an HTTP proxy is: `http://host:port` or `https://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamAddr {
    tls: bool,
    host: String,
    port: u16,
}

/// Why a text is no upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamUrlError {
    /// No URL at all, or one without a host.
    #[error("`{0}` is not the URL of an upstream; write one such as `http://127.0.0.1:3000`")]
    Malformed(String),
    /// Neither http nor https.
    #[error("the scheme of `{0}` is neither `http` nor `https`")]
    Scheme(String),
    /// It has a path.
    #[error("`{0}` has a path: requests are passed on with their own; write the URL without it")]
    Path(String),
    /// It cannot be the path of a Unix socket.
    #[error(transparent)]
    Unix(#[from] AddressError),
}

impl FromStr for UpstreamAddr {
    type Err = UpstreamUrlError;

    fn from_str(text: &str) -> Result<Self, UpstreamUrlError> {
        let malformed = || UpstreamUrlError::Malformed(text.to_owned());
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = full.parse().map_err(|_| malformed())?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(UpstreamUrlError::Scheme(text.to_owned())),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(UpstreamUrlError::Path(text.to_owned()));
        }
        let authority = uri.authority().filter(|authority| !is_odd(authority));
        let authority = authority.ok_or_else(malformed)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, port })
    }
}

impl fmt::Display for UpstreamAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl UpstreamAddr {
    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Its name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `host` says to it: without the port if that goes without saying.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let default = if self.tls { 443 } else { 80 };
        if self.port == default { host } else { format!("{host}:{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_on_loopback() {
        for text in ["8081", ":8081", "localhost:8081", "127.0.0.1:8081"] {
            let address = listen(text).map(|address| address.to_string());
            assert_eq!(address, Ok("127.0.0.1:8081".to_owned()), "{text}");
        }
    }

    #[test]
    fn an_address_of_everybody_has_to_be_written() {
        for text in ["0.0.0.0:8081", "[::]:8081"] {
            assert_eq!(listen(text).map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused_with_what_to_write() {
        for text in ["", ":", "localhost", "65536", "shop:8080", "127.0.0.1"] {
            let why = listen(text).expect_err(text).to_string();
            assert!(why.contains("`127.0.0.1:8080`"), "{why}");
        }
    }

    #[test]
    fn upstreams_are_read_with_their_default_ports() {
        let shown = |text: &str| UpstreamAddr::from_str(text).map(|u| u.to_string());
        assert_eq!(shown("http://127.0.0.1:3000"), Ok("http://127.0.0.1:3000".into()));
        assert_eq!(shown("https://shop.example/"), Ok("https://shop.example".into()));
        assert_eq!(shown("localhost:3000"), Ok("http://localhost:3000".into()));
        assert_eq!(shown("http://[::1]:80"), Ok("http://[::1]".into()));
    }

    #[test]
    fn what_cannot_be_an_upstream_is_refused() {
        assert!(matches!("ftp://a".parse::<UpstreamAddr>(), Err(UpstreamUrlError::Scheme(_))));
        assert!(matches!("http://a/b".parse::<UpstreamAddr>(), Err(UpstreamUrlError::Path(_))));
        for text in ["", "http://", "http://user:pw@a", "http://a b", "::::", "http://a:99999"] {
            assert!(text.parse::<UpstreamAddr>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_service_of_bytes_is_a_host_and_a_port() {
        for text in ["127.0.0.1:5432", "tcp://127.0.0.1:5432"] {
            assert_eq!(tcp_upstream(text), Ok("127.0.0.1:5432".to_owned()), "{text}");
        }
        assert_eq!(tcp_upstream("[::1]:5432"), Ok("[::1]:5432".to_owned()));
        for text in ["", "db", "db:", "db:0", ":5432", "db:65536", "me@db:1", "db:1/x", "a b:1"] {
            assert_eq!(tcp_upstream(text), Err(AddressError::Tcp(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_url_where_bytes_pass_is_told_its_host_and_port() {
        let why = |text: &str| tcp_upstream(text).expect_err(text).to_string();
        assert!(why("http://db:5432/x").ends_with("such as `db:5432`"));
        assert!(why("postgres://db").ends_with("such as `127.0.0.1:5432`"));
    }
}
