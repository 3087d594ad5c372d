//! A host and a port, as requests name them: what is the same however it is written compares equal.

use std::{fmt, net::IpAddr};

/// Longer names are in no DNS.
const LONGEST_HOST: usize = 253;

/// A host, by its name or its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name in lower case, without a dot at its end.
    Name(String),
    /// An address; one of IPv4 that was written as one of IPv6 is one of IPv4.
    Address(IpAddr),
}

impl Host {
    /// The host in a text: a name, an address of IPv4, or one of IPv6 in brackets.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: IpAddr = inner.strip_suffix(']')?.parse().ok()?;
            return address.is_ipv6().then(|| Self::Address(address.to_canonical()));
        }
        if let Ok(IpAddr::V4(address)) = text.parse() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        // To resolvers `127.1` and `0x7f.1` are addresses, and not the ones they seem to be.
        let is_number = |label: &str| label.starts_with("0x") || label.parse::<u64>().is_ok();
        let last = name.rsplit('.').next().unwrap_or_default();
        let fits = name.len() <= LONGEST_HOST
            && name.split('.').all(is_label)
            && !is_number(&last.to_ascii_lowercase());
        fits.then(|| Self::Name(name.to_ascii_lowercase()))
    }

    /// Without brackets, as resolvers and certificates have it.
    pub fn bare(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Address(address) => address.to_string(),
        }
    }
}

/// A part of a name between dots. Underscores are in no host's name, and in many a test's.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, never zero.
    pub port: u16,
}

impl HostPort {
    /// Of a text such as `api.example.com:443`; where no port is written it is the `usual` one.
    /// There is none where there is more to it than a host and a port.
    pub fn parse(text: &str, usual: Option<u16>) -> Option<Self> {
        let (host, port) = split(text);
        let port = match port {
            // `+443` is a number, and no port.
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
            Some(_) => return None,
            None => usual?,
        };
        Host::parse(host).filter(|_| port != 0).map(|host| Self { host, port })
    }
}

/// The host and what stands behind its colon, brackets left in place.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    let name_from = text.rfind(']').unwrap_or(0);
    match text[name_from..].rfind(':') {
        Some(at) => (&text[..name_from + at], Some(&text[name_from + at + 1..])),
        None => (text, None),
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        HostPort::parse(text, Some(80)).map(|place| place.to_string())
    }

    #[test]
    fn what_is_the_same_is_shown_the_same() {
        for text in
            ["api.example.com:80", "API.example.COM", "api.example.com.", "Api.Example.com.:80"]
        {
            assert_eq!(shown(text).as_deref(), Some("api.example.com:80"), "{text}");
        }
        assert_eq!(shown("[::1]:9000").as_deref(), Some("[::1]:9000"));
        assert_eq!(shown("[0:0::1]").as_deref(), Some("[::1]:80"));
        assert_eq!(shown("[::ffff:127.0.0.1]:9").as_deref(), Some("127.0.0.1:9"));
        assert_eq!(shown("a_b:65535").as_deref(), Some("a_b:65535"));
    }

    #[test]
    fn what_is_no_host_and_port_is_none() {
        let long = "a.".repeat(127) + "example";
        for text in [
            "",
            ":",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+80",
            "a:8 0",
            "me@a:80",
            "me:pw@a:80",
            "a/b",
            "a b",
            "::1",
            "[::1",
            "::1]",
            "[127.0.0.1]:80",
            "[::1%eth0]:80",
            "a..b",
            ".",
            "*",
            "*.a",
            "http://a",
            "a:80:80",
            "a:80/",
            "ä.example",
            "a\r\n",
            "127.1",
            "2130706433",
            "0X7f.0x1",
            &long,
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(HostPort::parse("a", None), None);
    }
}
