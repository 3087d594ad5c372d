//! TLS towards the upstream: whom to trust.

use crate::ca::{
    CaError,
    files::{self, FileError},
};
use arc_swap::ArcSwap;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::SingleCertAndKey,
};
use std::{fmt, path::PathBuf, sync::Arc};
use tokio_rustls::TlsConnector;

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsRoots {
    /// The system's roots; where there are none, Mozilla's.
    #[default]
    System,
    /// The certificates of a PEM file, and nobody else.
    File(PathBuf),
    /// Anybody at all.
    Anybody,
}

/// How to speak TLS with the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whom to trust.
    pub roots: TlsRoots,
    /// What the upstream is shown, if it wants to know who asks: the files of a certificate and of its
    /// key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that it is asked for and has to have, if not the one of its address.
    pub name: Option<String>,
}

/// Why the upstream cannot be spoken TLS with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The host is no name that a certificate could be for.
    #[error("`{0}` is not a name that a certificate can be for")]
    Name(String),
    /// A file is of no use.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no certificate authority of our own.
    #[error(transparent)]
    Authority(#[from] CaError),
    /// The library refuses.
    #[error("TLS cannot be set up")]
    Rustls(#[from] rustls::Error),
}

/// Speaks TLS with upstreams. Its clones are one: what one of them is told counts for all.
#[derive(Clone)]
pub struct TlsClient(Arc<ArcSwap<Client>>);

struct Client {
    config: Arc<ClientConfig>,
    /// The certificates of its files, by which it is told from others.
    marks: Vec<Vec<u8>>,
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClient")
    }
}

impl TlsClient {
    /// One that speaks as the settings say.
    ///
    /// # Errors
    ///
    /// Fails if a file of them is of no use.
    pub(super) fn new(settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(settings.client()?))))
    }

    /// Speaks from now on as `fresh` does, if the certificates of its files are others; says whether
    /// they are. Connections that are open stay as they are.
    pub fn renew(&self, fresh: &Self) -> bool {
        let fresh = fresh.0.load_full();
        let differ = self.0.load().marks != fresh.marks;
        if differ {
            self.0.store(fresh);
        }
        differ
    }

    /// For a handshake that offers these protocols.
    pub(super) fn offering(&self, protocols: Vec<Vec<u8>>) -> TlsConnector {
        let client = self.0.load();
        if client.config.alpn_protocols == protocols {
            return TlsConnector::from(Arc::clone(&client.config));
        }
        let mut config = ClientConfig::clone(&client.config);
        config.alpn_protocols = protocols;
        TlsConnector::from(Arc::new(config))
    }
}

impl TlsSettings {
    fn client(&self) -> Result<Client, TlsError> {
        let mut marks = Vec::new();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if self.roots == TlsRoots::Anybody {
            let anybody = Arc::new(TrustAnybody(provider));
            builder.dangerous().with_custom_certificate_verifier(anybody)
        } else {
            let roots = self.roots()?;
            if matches!(self.roots, TlsRoots::File(_)) {
                marks.extend(files::marks(&roots));
            }
            builder.with_root_certificates(roots)
        };
        let mut config = match &self.identity {
            Some((certificate, key)) => {
                let key = files::identity(certificate, key)?;
                marks.extend(key.cert.iter().map(|certificate| certificate.to_vec()));
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Client { config: Arc::new(config), marks })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        if let TlsRoots::File(path) = &self.roots {
            return Ok(files::authorities(path)?);
        }
        let mut roots = RootCertStore::empty();
        // Some of a system's certificates may be unreadable; the others still count.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Ok(roots)
    }
}

/// `--upstream-insecure`: takes any certificate, though a signature has to be right.
#[derive(Debug)]
struct TrustAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
