//! Who may command.
//!
//! On loopback anybody on the machine may, but no web page in somebody's browser: a page can send
//! requests to any address, and DNS can be made to call a loopback address by the page's own name.
//! So a request has to be meant for us (its `Host` is an address, `localhost`, a name without a dot,
//! which nobody can register, or one that the config lists), and not sent from elsewhere (its
//! `Origin`, if it has one, is the same host). Off loopback a token is needed besides.

use crate::config::Secret;
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header, uri::Authority};
use std::{net::IpAddr, sync::Arc};

/// The rules.
#[derive(Debug, Default)]
pub struct Guard {
    /// What a request has to carry as `Authorization: Bearer …`, if anything.
    pub token: Option<Secret>,
    /// By which names we are called, besides those that are safe anyway.
    pub hosts: Vec<String>,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Host,
    Origin,
    Token,
}

impl Guard {
    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = headers.get(header::HOST);
        let host = host.map(|host| host.to_str().ok().and_then(|text| text.parse().ok()));
        let host: Option<Authority> = match host {
            // HTTP/1.0 has none, and no browser speaks that.
            None => None,
            Some(host) => Some(host.filter(|host| self.is_ours(host)).ok_or(Refusal::Host)?),
        };
        if let Some(origin) = headers.get(header::ORIGIN) {
            let from = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            let same = from.is_some_and(|(_, from)| host.as_ref().is_some_and(|host| host == from));
            if !same {
                return Err(Refusal::Origin);
            }
        }
        let Some(token) = &self.token else { return Ok(()) };
        let given = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
        let given = given.and_then(|given| {
            let (scheme, token) = given.split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
        });
        if given.is_some_and(|given| token.is(given.trim_ascii())) {
            Ok(())
        } else {
            Err(Refusal::Token)
        }
    }

    fn is_ours(&self, host: &Authority) -> bool {
        let name = host.host();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        bare.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(name))
    }
}

/// Lets a request in, or says why not.
pub(super) async fn keep(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    match guard.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Refusal::Host) => {
            let why = "this host is none of ours; list it under `admin: { hosts: [...] }`\n";
            (StatusCode::FORBIDDEN, why).into_response()
        }
        Err(Refusal::Origin) => {
            (StatusCode::FORBIDDEN, "requests from other sites are not taken\n").into_response()
        }
        Err(Refusal::Token) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            let why = "a token is needed: `Authorization: Bearer …`\n";
            (StatusCode::UNAUTHORIZED, challenge, why).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &Guard, fields: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        let field = |(name, value): &(&'static str, &'static str)| {
            (header::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        };
        guard.check(&fields.iter().map(field).collect())
    }

    #[test]
    fn addresses_and_names_that_nobody_can_register_are_ours() {
        let guard = Guard::default();
        for host in ["127.0.0.1:8474", "[::1]:8474", "localhost:8474", "toxiproxy:8474"] {
            assert_eq!(check(&guard, &[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(check(&guard, &[]), Ok(()));
    }

    #[test]
    fn a_name_that_leads_here_by_a_trick_is_not_ours() {
        let guard = Guard { hosts: vec!["drill.example".into()], ..Guard::default() };
        assert_eq!(check(&guard, &[("host", "evil.example:8474")]), Err(Refusal::Host));
        assert_eq!(check(&guard, &[("host", "drill.example:8474")]), Ok(()));
        assert_eq!(check(&guard, &[("host", "a b")]), Err(Refusal::Host));
    }

    #[test]
    fn a_page_of_another_site_commands_nothing() {
        let guard = Guard::default();
        let from = |origin| check(&guard, &[("host", "localhost:8474"), ("origin", origin)]);
        assert_eq!(from("http://localhost:8474"), Ok(()));
        for origin in ["http://evil.example", "null", "http://localhost:3000"] {
            assert_eq!(from(origin), Err(Refusal::Origin), "{origin}");
        }
    }
}
