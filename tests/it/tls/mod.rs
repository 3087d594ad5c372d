//! TLS with clients.

mod bytes;
mod clients;
mod flaws;
mod given;
mod http2;
mod nonsense;
mod sni;

use crate::support::{Drill, Setup, Upstream, Wire};
use firedrill::{ca::Authority, proxy::Terminator};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, ConfigBuilder, RootCertStore,
        client::WantsClientCert,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// A client's connection.
type Client<S = TcpStream> = Wire<TlsStream<S>>;

/// A drill that speaks TLS, and whom its clients trust.
pub(crate) struct Secured {
    pub(crate) drill: Drill,
    config: ClientConfig,
}

/// Has a drill speak TLS with certificates that are made up.
fn secured(mut setup: Setup) -> (Setup, ClientConfig) {
    let authority = Arc::new(Authority::unknown().expect("an authority"));
    let config = trusting(authority.certificate());
    setup.settings.terminator = Some(Arc::new(Terminator::made_up(authority)));
    (setup, config)
}

/// A client that trusts nobody else.
fn trusting(pem: &str) -> ClientConfig {
    trusting_with(pem, |config| config.with_no_client_auth())
}

/// The same, with what it shows itself.
fn trusting_with(
    pem: &str,
    shows: impl FnOnce(ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    roots.add(certificate).expect("an authority");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = shows(builder);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    config: &ClientConfig,
    name: &str,
    io: S,
) -> io::Result<Client<S>> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connector = TlsConnector::from(Arc::new(config.clone()));
    Ok(Wire::over(connector.connect(name, io).await?))
}

impl Secured {
    fn before(setup: Setup, upstream: &Upstream) -> Self {
        let (setup, config) = secured(setup);
        Self { drill: setup.before(upstream), config }
    }

    /// A socket on which nothing was said yet.
    async fn socket(&self) -> TcpStream {
        TcpStream::connect(self.drill.address()).await.expect("it accepts")
    }

    async fn try_client(&self, name: &str) -> io::Result<Client> {
        shake(&self.config, name, self.socket().await).await
    }

    async fn client(&self) -> Client {
        self.try_client("shop.example").await.expect("hands are shaken")
    }
}
