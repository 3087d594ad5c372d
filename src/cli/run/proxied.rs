//! The variables by which programs are told of a forward proxy.
//!
//! `HTTP_PROXY` and its kin are no standard: curl reads `http_proxy` in lower case alone, others either,
//! so both are set. What `NO_PROXY` leaves out never comes by, so it may not leave out what is allowed;
//! and what is on this machine and not allowed by its name goes its way without us, since the suites that
//! a client is tested by talk to servers of their own there.

use crate::{
    ca::{ADDING, Authority, REPLACING},
    cli::{place::causes, run::Refusal},
    config::Allow,
    control::Registry,
    fault::catalog::Protocol,
    units::{Host, HostPort},
};
use std::{collections::BTreeMap, env, net::Ipv6Addr};

/// Everybody's own machine.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// For the first forward proxy by name, if there is one.
///
/// # Errors
///
/// Fails if the authorities that its client has to trust cannot be written down.
pub(super) fn variables(registry: &Registry) -> Result<BTreeMap<String, String>, Refusal> {
    let mut specs = registry.list().into_iter().map(|proxied| proxied.spec());
    let Some(spec) = specs.find(|spec| spec.protocol == Protocol::Forward && spec.enabled) else {
        return Ok(BTreeMap::new());
    };
    let Ok(allow) = spec.upstream.parse::<Allow>() else {
        return Ok(BTreeMap::new());
    };
    let url = spec.url();
    let own = ["NO_PROXY", "no_proxy"].map(|name| env::var(name).unwrap_or_default()).join(",");
    let exempt = exempt(&own, &allow);
    let mut all: BTreeMap<String, String> = [
        ("http_proxy", url.clone()),
        ("HTTP_PROXY", url.clone()),
        ("https_proxy", url.clone()),
        ("HTTPS_PROXY", url),
        ("no_proxy", exempt.clone()),
        ("NO_PROXY", exempt),
        // Node heeds the others only if it is told to.
        ("NODE_USE_ENV_PROXY", "1".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if spec.makes_certificates_up() {
        all.extend(trust()?);
    }
    Ok(all)
}

/// The variables by which programs are told to trust our own authority.
fn trust() -> Result<impl Iterator<Item = (String, String)>, Refusal> {
    let authority = Authority::own();
    let files = authority.and_then(|own| Ok((own.bundle()?, own.extra()?)));
    let (bundle, extra) = files.map_err(|error| Refusal::place(causes(&error)))?;
    let replacing = REPLACING.map(|name| (name, bundle.display().to_string()));
    let adding = ADDING.map(|name| (name, extra.display().to_string()));
    Ok(replacing.into_iter().chain(adding).map(|(name, value)| (name.to_owned(), value)))
}

/// The line by which a shell is told of one.
pub(super) fn export(name: &str, value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/%[]".contains(c);
    if value.chars().all(is_plain) {
        return format!("export {name}={value}");
    }
    format!("export {name}='{}'", value.replace('\'', r"'\''"))
}

/// `NO_PROXY`: what it was, and this machine, but for what is allowed.
fn exempt(own: &str, allow: &Allow) -> String {
    let mut all: Vec<&str> = Vec::new();
    let own = own.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
    for entry in own.chain(LOCAL) {
        if !all.contains(&entry) && !leaves_out(entry, allow) {
            all.push(entry);
        }
    }
    all.join(",")
}

/// Whether an entry of `NO_PROXY` would lead a client around the proxy where it is allowed to go.
fn leaves_out(entry: &str, allow: &Allow) -> bool {
    if entry == "*" {
        return true;
    }
    let bare = entry.trim_start_matches("*.").trim_start_matches('.');
    // An address of IPv6 stands there without brackets.
    let host = match bare.parse::<Ipv6Addr>() {
        Ok(address) => Some(Host::Address(address.to_canonical())),
        Err(_) => HostPort::parse(bare, Some(80)).map(|place| place.host),
    };
    // A network: nobody asks for a name by it.
    let Some(host) = host else { return false };
    // `*` is the hosts out there. Who means this machine says so.
    let named = is_local(&host).then(|| allow.named());
    let allow = named.as_ref().unwrap_or(allow);
    match &host {
        Host::Address(_) => allow.knows(&host),
        // A name stands for all below it, too.
        Host::Name(name) => allow.meets(name),
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Address(address) => address.is_loopback(),
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn left(own: &str, allow: &str) -> String {
        exempt(own, &allow.parse().expect("hosts"))
    }

    #[test]
    fn a_suites_own_servers_go_their_way() {
        assert_eq!(left("", "api.example.com"), "localhost,127.0.0.1,::1");
        assert_eq!(left("localhost, .corp", "api.example.com"), "localhost,.corp,127.0.0.1,::1");
    }

    #[test]
    fn what_is_allowed_is_not_left_out() {
        assert_eq!(left("", "127.0.0.1:8080"), "localhost,::1");
        assert_eq!(left("", "localhost:*, [::1]:80"), "127.0.0.1");
        assert_eq!(left("*", "api.example.com"), "localhost,127.0.0.1,::1");
        for own in [
            "example.com",
            ".example.com",
            "*.example.com",
            "api.example.com",
            "api.example.com:443",
        ] {
            assert_eq!(left(own, "api.example.com"), "localhost,127.0.0.1,::1", "{own}");
        }
        assert_eq!(
            left("a.example.com,example.org", "*.example.com"),
            "example.org,localhost,127.0.0.1,::1"
        );
        assert_eq!(left("corp,10.0.0.0/8", "*"), "10.0.0.0/8,localhost,127.0.0.1,::1");
    }

    #[test]
    fn every_host_is_this_machine_only_if_it_is_named() {
        for all in ["*", "*:*", "*, api.example.com"] {
            assert_eq!(left("", all), "localhost,127.0.0.1,::1", "{all}");
            assert_eq!(
                left("dev.localhost,127.0.0.2", all),
                "dev.localhost,127.0.0.2,localhost,127.0.0.1,::1"
            );
        }
        assert_eq!(left("", "*, localhost:8080"), "127.0.0.1,::1");
        assert_eq!(left("", "*:*, 127.0.0.1:*, [::1]:*"), "localhost");
        assert_eq!(left("", "*, api.localhost"), "127.0.0.1,::1", "it is below `localhost`");
        assert_eq!(left("localhost,dev.localhost", "*.localhost"), "127.0.0.1,::1");
    }
}
