//! `allow`: which hosts a forward proxy reaches.
//!
//! A proxy that goes wherever it is asked to is a hole in every network that it stands in, so what it
//! may reach is written down, host by host.

use crate::{
    diag::{Code, Diagnostic},
    read::Reader,
    units::{Host, HostPort},
    yaml::{Node, Spanned},
};
use std::{fmt, str::FromStr};

/// The ports of a host that is written without one.
const WEB: [u16; 2] = [80, 443];

/// The hosts that a forward proxy reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow(Vec<Rule>);

/// One of them, or several by one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    hosts: Hosts,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    /// `*`.
    Any,
    /// `*.example.org`: all names that end so, at any depth, though not `example.org` itself.
    Below(String),
    One(Host),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    /// None is written: those of http and https.
    Web,
    /// `*`.
    Any,
    One(u16),
}

/// Why a text names no hosts that could be allowed: what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AllowError(String);

impl Allow {
    /// Whether a place may be reached.
    pub fn allows(&self, place: &HostPort) -> bool {
        self.0.iter().any(|rule| rule.hosts.holds(&place.host) && rule.ports.holds(place.port))
    }

    /// Whether a host may be reached at some port.
    pub fn knows(&self, host: &Host) -> bool {
        self.0.iter().any(|rule| rule.hosts.holds(host))
    }

    /// Whether any host that may be reached is of this name, or below it.
    pub fn meets(&self, name: &str) -> bool {
        let below = format!(".{name}");
        self.0.iter().any(|rule| match &rule.hosts {
            Hosts::Any => true,
            Hosts::One(Host::Name(one)) => one == name || one.ends_with(&below),
            Hosts::One(Host::Address(_)) => false,
            Hosts::Below(end) => end.ends_with(&below) || below.ends_with(end.as_str()),
        })
    }

    /// Those of them that name hosts, and not all of them by `*`.
    #[must_use]
    pub fn named(&self) -> Self {
        let named = self.0.iter().filter(|rule| rule.hosts != Hosts::Any);
        Self(named.cloned().collect())
    }

    /// Each as it is written.
    pub fn rules(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    /// Reads `allow`: one, or a list of at least one.
    pub(super) fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(&node.value, Node::List(items) if items.is_empty()) {
            let title = "a proxy that may reach no host has nothing to do";
            let problem = Diagnostic::new(Code::E0107, title, node.span);
            reader.problem(problem.help("write the hosts that the client talks to"));
            return None;
        }
        let rules = reader.one_or_list(node, |reader, node| {
            let text = reader.name(node)?;
            let rule = text.parse::<Rule>().map_err(|why| {
                let title = format!("`{text}` is no host that could be allowed");
                reader.problem(Diagnostic::new(Code::E0701, title, node.span).help(why.0));
            });
            rule.ok()
        });
        rules.map(Self)
    }
}

impl Hosts {
    fn holds(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::One(one), _) => one == host,
            (Self::Below(end), Host::Name(name)) => name.ends_with(end.as_str()),
            (Self::Below(_), Host::Address(_)) => false,
        }
    }
}

impl Ports {
    fn holds(self, port: u16) -> bool {
        match self {
            Self::Web => WEB.contains(&port),
            Self::Any => true,
            Self::One(one) => one == port,
        }
    }
}

/// As [`Display`](fmt::Display) writes it: rules with commas between them.
impl FromStr for Allow {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let rules = text.split(',').map(|rule| rule.trim().parse());
        rules.collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Rule {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let wrong = |why: String| Err(AllowError(why));
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = if host.parse::<Self>().is_ok() { host } else { "api.example.com" };
            return wrong(format!("a host has no scheme and no path; write `{host}`"));
        }
        if text.contains('@') {
            return wrong("user names are no part of it; write the host alone".to_owned());
        }
        if text.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':')
            && text.parse::<std::net::Ipv6Addr>().is_ok()
        {
            return wrong(format!("an address of IPv6 stands in brackets; write `[{text}]`"));
        }
        let (hosts, port) = crate::units::split_port(text);
        let ports = match port {
            None => Ports::Web,
            Some("*") => Ports::Any,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 && !text.contains('+') => Ports::One(port),
                _ => return wrong(format!("`{port}` is no port; it is from 1 to 65535, or `*`")),
            },
        };
        let hosts = match hosts.strip_prefix('*') {
            Some("") => Hosts::Any,
            Some(end) => match end.strip_prefix('.').and_then(Host::parse) {
                Some(Host::Name(name)) => Hosts::Below(format!(".{name}")),
                _ => {
                    return wrong(
                        "`*` stands for whole parts at the beginning; write `*.example.org`, or \
                         `*` alone for every host"
                            .to_owned(),
                    );
                }
            },
            None => match Host::parse(hosts) {
                Some(host) => Hosts::One(host),
                None if !hosts.is_ascii() => {
                    return wrong("write the name as the DNS has it, `xn--…`".to_owned());
                }
                None => {
                    return wrong(
                        "write a name such as `api.example.com`, `*.example.org`, \
                         `127.0.0.1:8080` or `[::1]:9000`"
                            .to_owned(),
                    );
                }
            },
        };
        Ok(Self { hosts, ports })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Any => f.write_str("*")?,
            Hosts::Below(end) => write!(f, "*{end}")?,
            Hosts::One(host) => write!(f, "{host}")?,
        }
        match self.ports {
            Ports::Web => Ok(()),
            Ports::Any => f.write_str(":*"),
            Ports::One(port) => write!(f, ":{port}"),
        }
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<String> = self.rules().collect();
        f.write_str(&rules.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn allows(rules: &str, place: &str) -> bool {
        let rules: Allow = rules.parse().expect(rules);
        let place = HostPort::parse(place, None).expect(place);
        assert_eq!(rules.to_string().parse(), Ok(rules.clone()), "it is read as it is written");
        rules.allows(&place)
    }

    #[test]
    fn a_name_without_a_port_is_a_web_server() {
        for place in ["api.example.com:80", "API.example.com.:443"] {
            assert!(allows("other, Api.Example.com.", place), "{place}");
        }
        for place in [
            "api.example.com:8080",
            "example.com:80",
            "xapi.example.com:80",
            "api.example.com.evil.org:80",
        ] {
            assert!(!allows("api.example.com", place), "{place}");
        }
    }

    #[test]
    fn a_port_is_that_port_alone() {
        assert!(allows("127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(!allows("127.0.0.1:8080", "127.0.0.1:80"));
        assert!(allows("[::1]:9000", "[0:0:0::1]:9000"));
        assert!(allows("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080"));
        assert!(allows("localhost:*", "localhost:49152"));
    }

    #[test]
    fn a_star_stands_for_whole_names_at_any_depth() {
        for place in ["a.example.org:443", "a.b.example.org:443"] {
            assert!(allows("*.example.org", place), "{place}");
        }
        for place in ["example.org:443", "badexample.org:443", "a.example.org:22", "127.0.0.1:443"]
        {
            assert!(!allows("*.example.org", place), "{place}");
        }
        assert!(allows("*", "anything:80") && allows("*", "[::1]:443") && !allows("*", "mail:25"));
        assert!(allows("*:*", "mail:25"));
    }

    #[test]
    fn what_is_no_rule_is_told_what_to_write() {
        for (text, instead) in [
            ("https://api.example.com/v1", "`api.example.com`"),
            ("me@a", "the host alone"),
            ("::1", "`[::1]`"),
            ("a:0", "from 1 to 65535"),
            ("a:99999", "from 1 to 65535"),
            ("api.*", "`api.example.com`"),
            ("*a.org", "`*.example.org`"),
            ("*.*.org", "`*.example.org`"),
            ("bücher.example", "`xn--"),
            ("a/b", "`api.example.com`"),
            ("", "`api.example.com`"),
        ] {
            let why = text.parse::<Allow>().expect_err(text).to_string();
            assert!(why.contains(instead), "{text}: {why}");
        }
    }
}
