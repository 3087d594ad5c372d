//! Forward proxies: clients that are told of them by `HTTP_PROXY`, on the wire.

mod asked;
mod command;
mod faults;
mod flaws;
mod hostile;
mod inside;
#[expect(dead_code, reason = "the tests of HTTP/2 use all of it")]
#[path = "../it/http2/peer.rs"]
mod peer;
mod streams;
#[expect(dead_code, unused_imports, reason = "it is there for the tests of all proxies")]
#[path = "../it/support/mod.rs"]
mod support;
mod tunnel;

use firedrill::{
    config::Allow,
    event::{Connection, Event},
    fault::catalog::Protocol,
    proxy::{Connector, Dial, TlsSettings},
};
use std::sync::Arc;
use support::{Drill, Setup, eventually};

/// A drill whose proxy reaches these hosts.
fn allowing(mut setup: Setup, allow: &str) -> Drill {
    setup.protocol = Protocol::Forward;
    let allow: Allow = allow.parse().expect("hosts");
    let connector = Connector::asked(allow, &TlsSettings::default());
    setup.through(connector.expect("a connector"))
}

/// A drill whose proxy reaches every host, all in memory, and each by the same way.
fn in_memory(mut setup: Setup, dial: Arc<dyn Dial>) -> Drill {
    setup.protocol = Protocol::Forward;
    let allow: Allow = "*:*".parse().expect("hosts");
    let connector = Connector::asked_through(allow, dial);
    setup.detached(connector.expect("a connector"))
}

/// What a request to a tunnel says.
fn connect(place: impl std::fmt::Display) -> String {
    format!("CONNECT {place} HTTP/1.1\r\nhost: {place}\r\nproxy-connection: keep-alive\r\n\r\n")
}

/// Waits for the end of the only connection that is told of.
async fn ended(drill: &Drill) -> Connection {
    let look = || {
        drill.events().into_iter().find_map(|event| match event {
            Event::Connection(connection) => Some(connection),
            _ => None,
        })
    };
    eventually("the connection is told of", look).await
}
