//! TLS with clients: it is spoken here, below everything that knows of requests and above the bytes
//! that faults act on.
//!
//! ```text
//!     hyper            requests and answers
//!     Secure           what requests mean for the connection: first bytes, interims, last words
//!     rustls
//!     Socket           byte faults, meters, resets, who is still there
//!     TCP
//! ```

mod certificates;
mod failure;
mod handshake;
mod inside;
mod secure;
mod sni;

pub(crate) use handshake::welcome;
pub(crate) use inside::{Inside, look};
pub(crate) use secure::Secure;
pub(crate) use sni::{Routes, route};

use crate::{ca::Authority, config::Terminate, fault::Flaw, proxy::upstream::TlsError};
use arc_swap::ArcSwap;
use certificates::Certificates;
use rustls::{ServerConfig, ServerConnection, crypto::CryptoProvider};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What is spoken above TLS, as client and proxy agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// HTTP/2.
    Http2,
    /// HTTP/1.1, which also goes without saying.
    Http1,
}

impl Alpn {
    /// What a proxy offers, the best first.
    const OFFERED: &'static [Self] = &[Self::Http2, Self::Http1];

    const fn name(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }

    /// What was agreed on.
    fn of(session: &ServerConnection) -> Self {
        let agreed = session.alpn_protocol();
        let known = Self::OFFERED.iter().find(|alpn| Some(alpn.name()) == agreed);
        known.copied().unwrap_or(Self::Http1)
    }
}

/// Speaks TLS with a proxy's clients.
#[derive(Debug)]
pub struct Terminator {
    certificates: ArcSwap<Certificates>,
    /// A client that does not trust us was told of.
    told: AtomicBool,
}

impl Terminator {
    /// Whether this is the first client that does not trust us.
    fn tells(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    /// One that speaks as a config says.
    ///
    /// # Errors
    ///
    /// Fails if a file is of no use, or there is no authority that could sign for it.
    pub fn new(terminate: &Terminate) -> Result<Self, TlsError> {
        Certificates::new(terminate).map(Self::of)
    }

    /// One that makes up a certificate for whatever name a client asks for.
    pub fn made_up(authority: Arc<Authority>) -> Self {
        Self::of(Certificates::made_up(authority))
    }

    fn of(certificates: Certificates) -> Self {
        let certificates = ArcSwap::from_pointee(certificates);
        Self { certificates, told: AtomicBool::new(false) }
    }

    /// Speaks from now on as `fresh` does, if its certificates are others; says whether they are.
    /// Connections that are open stay as they are.
    pub fn renew(&self, fresh: &Self) -> bool {
        let fresh = fresh.certificates.load_full();
        let differ = !self.certificates.load().are_those_of(&fresh);
        if differ {
            self.certificates.store(fresh);
            // Those who trusted the old ones may not trust these.
            self.told.store(false, Ordering::Relaxed);
        }
        differ
    }

    /// How to speak with a client that asks for `name`, at the address `local`.
    fn config(
        &self,
        name: Option<&str>,
        local: Option<IpAddr>,
        flaw: Option<Flaw>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        self.certificates.load().config(name, local, flaw)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
