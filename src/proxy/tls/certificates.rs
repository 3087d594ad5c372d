//! Which certificate a client is shown, and what it has to show.

use crate::{
    ca::{self, Authority, CaError, files},
    config::Terminate,
    fault::Flaw,
    proxy::{
        ctl::lock,
        tls::{Alpn, provider},
        upstream::TlsError,
    },
};
use rustls::{
    RootCertStore, ServerConfig,
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock},
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
    /// The one that is shown whatever is asked for.
    given: Option<Arc<ServerConfig>>,
    /// Signs for the others. Where one is given, it is looked for only when something is to be wrong.
    authority: OnceLock<Arc<Authority>>,
    /// Signs what nobody trusts.
    unknown: OnceLock<Arc<Authority>>,
    clients: Arc<dyn ClientCertVerifier>,
    /// The certificates of whoever set it up, by which it is told from others.
    marks: Vec<Vec<u8>>,
    known: Mutex<HashMap<Shown, Known>>,
}

/// What a certificate is for, and what is wrong with it.
type Shown = (Vec<String>, Option<Wrong>);

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wrong {
    Expired,
    NotYetValid,
    Name,
    Authority,
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
        Self {
            given: None,
            marks: vec![authority.certificate().into()],
            authority: OnceLock::from(authority),
            unknown: OnceLock::new(),
            clients: Arc::new(NoClientAuth),
            known: Mutex::default(),
        }
    }

    /// As a config says.
    pub(super) fn new(terminate: &Terminate) -> Result<Self, TlsError> {
        let mut marks = Vec::new();
        let clients = match &terminate.client_ca {
            Some(file) => {
                let roots = files::authorities(file)?;
                marks.extend(files::marks(&roots));
                clients_of(roots)?
            }
            None => Arc::new(NoClientAuth),
        };
        let (given, authority) = if let Some(identity) = &terminate.identity {
            let identity = files::identity(&identity.cert, &identity.key)?;
            marks.extend(identity.cert.iter().map(|certificate| certificate.to_vec()));
            (Some(Arc::new(config_of(identity, &clients)?)), OnceLock::new())
        } else {
            let authority = Arc::new(Authority::own()?);
            marks.push(authority.certificate().into());
            (None, OnceLock::from(authority))
        };
        let (unknown, known) = (OnceLock::new(), Mutex::default());
        Ok(Self { given, authority, unknown, clients, marks, known })
    }

    /// Whether both were set up with the same certificates.
    pub(super) fn are_those_of(&self, other: &Self) -> bool {
        self.marks == other.marks
    }

    pub(super) fn config(
        &self,
        name: Option<&str>,
        local: Option<IpAddr>,
        flaw: Option<Flaw>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let wrong = match flaw {
            Some(Flaw::Expired) => Some(Wrong::Expired),
            Some(Flaw::NotYetValid) => Some(Wrong::NotYetValid),
            Some(Flaw::WrongName) => Some(Wrong::Name),
            Some(Flaw::Untrusted) => Some(Wrong::Authority),
            _ => None,
        };
        if let (Some(given), None) = (&self.given, wrong) {
            return Ok(Arc::clone(given));
        }
        let names = match name {
            Some(name) => vec![name.to_owned()],
            None => names_of(local),
        };
        let mut known = lock(&self.known);
        let shown = (names, wrong);
        if let Some(known) = known.get(&shown).filter(|known| known.made.elapsed() < KEPT) {
            return Ok(Arc::clone(&known.config));
        }
        if known.len() >= MOST_NAMES {
            known.clear();
        }
        let config = Arc::new(self.fresh(&shown)?);
        known.insert(shown, Known { made: Instant::now(), config: Arc::clone(&config) });
        Ok(config)
    }

    fn fresh(&self, (names, wrong): &Shown) -> Result<ServerConfig, TlsError> {
        let flaw = match wrong {
            Some(Wrong::Expired) => Some(ca::Flaw::Expired),
            Some(Wrong::NotYetValid) => Some(ca::Flaw::NotYetValid),
            Some(Wrong::Name) => Some(ca::Flaw::WrongName),
            Some(Wrong::Authority) | None => None,
        };
        let authority = if *wrong == Some(Wrong::Authority) {
            made(&self.unknown, Authority::unknown)?
        } else {
            made(&self.authority, Authority::own)?
        };
        let leaf = authority.sign(names, flaw)?;
        let key = CertifiedKey::from_der(vec![leaf.certificate], leaf.key, &provider())?;
        config_of(key, &self.clients)
    }
}

/// An authority, made if it is not there yet.
fn made(
    place: &OnceLock<Arc<Authority>>,
    make: fn() -> Result<Authority, CaError>,
) -> Result<&Arc<Authority>, TlsError> {
    if let Some(authority) = place.get() {
        return Ok(authority);
    }
    let authority = Arc::new(make()?);
    Ok(place.get_or_init(|| authority))
}

/// Shows a certificate, and keeps its sessions apart from those of others: a ticket that was given
/// out with one certificate does not get around another.
fn config_of(
    key: CertifiedKey,
    clients: &Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::clone(clients))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = Alpn::OFFERED.iter().map(|alpn| alpn.name().to_vec()).collect();
    Ok(config)
}

/// Takes clients that one of these has signed for, and nobody else.
fn clients_of(roots: RootCertStore) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    verifier.build().map_err(|error| TlsError::Rustls(rustls::Error::General(error.to_string())))
}

/// What a server is called by a client that names no name: its address.
fn names_of(local: Option<IpAddr>) -> Vec<String> {
    match local {
        Some(address) if !address.is_loopback() => vec![address.to_string()],
        _ => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
    }
}
