//! Addresses as Go reads them: no host is every address, a name is looked up, IPv4 first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address that a text means, or why it means none, in Go's words.
pub(super) async fn resolve(text: &str) -> Result<SocketAddr, String> {
    let everybody = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    if text.is_empty() {
        return Ok(SocketAddr::new(everybody, 0));
    }
    let (host, port) =
        split(text).ok_or_else(|| format!("address {text}: missing port in address"))?;
    let port = match port {
        "" => 0,
        port => match port.parse::<u32>().map(u16::try_from) {
            Ok(Ok(port)) => port,
            Ok(Err(_)) => return Err(format!("address {port}: invalid port")),
            Err(_) => return Err(format!("lookup tcp/{port}: unknown port")),
        },
    };
    // An address of both kinds, as Go listens on for either.
    if host.is_empty() || host.parse() == Ok(Ipv4Addr::UNSPECIFIED) {
        return Ok(SocketAddr::new(everybody, port));
    }
    if let Ok(address) = host.parse() {
        return Ok(SocketAddr::new(address, port));
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.collect(),
        Err(_) => Vec::new(),
    };
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| format!("lookup {host}: no such host"))
}

/// Host and port of `host:port` or `[v6]:port`.
fn split(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(host) => Some((host.strip_suffix(']')?, port)),
        None => (!host.contains(':')).then_some((host, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_read_as_go_reads_them() {
        for (text, wanted) in [
            ("", "[::]:0"),
            (":80", "[::]:80"),
            ("0.0.0.0:80", "[::]:80"),
            ("localhost:0", "127.0.0.1:0"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(resolve(text).await.map(|a| a.to_string()), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_address_is_said_as_go_says_it() {
        for (text, wanted) in [
            ("foo", "address foo: missing port in address"),
            ("localhost:99999", "address 99999: invalid port"),
            ("localhost:no", "lookup tcp/no: unknown port"),
        ] {
            assert_eq!(resolve(text).await, Err(wanted.to_owned()), "{text}");
        }
    }
}
