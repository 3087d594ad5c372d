//! TLS towards the upstream: whom to trust.

use crate::ca::{
    CaError,
    files::{self, FileError},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::SingleCertAndKey,
};
use std::{path::PathBuf, sync::Arc};

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

impl TlsSettings {
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if self.roots == TlsRoots::Anybody {
            let anybody = Arc::new(TrustAnybody(provider));
            builder.dangerous().with_custom_certificate_verifier(anybody)
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = match &self.identity {
            Some((certificate, key)) => {
                let key = files::identity(certificate, key)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
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
