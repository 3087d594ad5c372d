//! Which certificate a client is shown.

use crate::{
    ca::Authority,
    proxy::{
        ctl::lock,
        tls::{Alpn, provider},
        upstream::TlsError,
    },
};
use rustls::ServerConfig;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// Names that certificates are kept for. Beyond them all are made anew: whoever asks for so many makes
/// names up, too.
const MOST_NAMES: usize = 1_024;
/// How long a certificate is kept. It is good for longer.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: Arc<Authority>,
    known: Mutex<HashMap<Vec<String>, Known>>,
}

/// What is shown to clients that ask for a name.
#[derive(Debug)]
struct Known {
    made: Instant,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// Made up for whatever name is asked for.
    pub(super) fn made_up(authority: Arc<Authority>) -> Self {
        Self { authority, known: Mutex::default() }
    }

    pub(super) fn config(
        &self,
        name: Option<&str>,
        local: Option<IpAddr>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let names = match name {
            Some(name) => vec![name.to_owned()],
            None => names_of(local),
        };
        let mut known = lock(&self.known);
        if let Some(known) = known.get(&names).filter(|known| known.made.elapsed() < KEPT) {
            return Ok(Arc::clone(&known.config));
        }
        if known.len() >= MOST_NAMES {
            known.clear();
        }
        let config = Arc::new(self.fresh(&names)?);
        known.insert(names, Known { made: Instant::now(), config: Arc::clone(&config) });
        Ok(config)
    }

    fn fresh(&self, names: &[String]) -> Result<ServerConfig, TlsError> {
        let leaf = self.authority.sign(names, None)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.certificate], leaf.key)?;
        config.alpn_protocols = Alpn::OFFERED.iter().map(|alpn| alpn.name().to_vec()).collect();
        Ok(config)
    }
}

/// What a server is called by a client that names no name: its address.
fn names_of(local: Option<IpAddr>) -> Vec<String> {
    match local {
        Some(address) if !address.is_loopback() => vec![address.to_string()],
        _ => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
    }
}
