//! Certificates that are given, on both sides.

use super::{shake, trusting};
use crate::support::{Drill, GET, OK, Upstream};
use firedrill::{
    config::{Identity, Terminate},
    proxy::{Connector, Terminator, TlsRoots, TlsSettings},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{fs, path::PathBuf, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Files that are gone with their test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("firedrill-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// A certificate and its key.
    fn identity(&self, authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, authority).expect("a certificate");
        Identity {
            cert: self.file(&format!("{name}.pem"), &certificate.pem()),
            key: self.file(&format!("{name}.key"), &key.serialize_pem()),
        }
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

#[tokio::test]
async fn a_given_certificate_is_shown_and_clients_have_to_show_theirs() {
    let (folder, servers, clients) = (Folder::new("given"), authority(), authority());
    let terminate = Terminate {
        identity: Some(folder.identity(&servers, "shop.example")),
        client_ca: Some(folder.file("clients.pem", &clients.pem())),
    };
    let upstream = Upstream::answering(OK).await;
    let mut setup = Drill::calm();
    setup.settings.terminator = Some(Arc::new(Terminator::new(&terminate).expect("files")));
    let drill = setup.before(&upstream);
    let socket = async || TcpStream::connect(drill.address()).await.expect("it accepts");

    // Without a certificate: TLS 1.3 tells that with the first read.
    let nobody = trusting(&servers.pem());
    let mut client =
        shake(&nobody, "shop.example", socket().await).await.expect("hands are shaken");
    let refused = tokio::io::AsyncReadExt::read(&mut client.io_mut(), &mut [0; 9]).await;
    assert!(format!("{refused:?}").contains("CertificateRequired"), "{refused:?}");

    let known = folder.identity(&clients, "till.example");
    let chain: Vec<_> = CertificateDer::pem_file_iter(&known.cert)
        .expect("a file")
        .collect::<Result<_, _>>()
        .expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&known.key).expect("a key");
    let somebody = super::trusting_with(&servers.pem(), |config| {
        config.with_client_auth_cert(chain, key).expect("a key that fits")
    });
    let mut client =
        shake(&somebody, "shop.example", socket().await).await.expect("hands are shaken");
    assert_eq!(client.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn an_upstream_is_shown_a_certificate_and_asked_for_a_name() {
    let (folder, servers, clients) = (Folder::new("upstream"), authority(), authority());
    let terminate = Terminate {
        identity: Some(folder.identity(&servers, "shop.example")),
        client_ca: Some(folder.file("clients.pem", &clients.pem())),
    };
    let upstream = Upstream::answering(OK).await;
    let mut setup = Drill::calm();
    setup.settings.terminator = Some(Arc::new(Terminator::new(&terminate).expect("files")));
    let service = setup.before(&upstream);
    let url = format!("https://{}", service.address()).parse().expect("a URL");
    let known = folder.identity(&clients, "till.example");
    let roots = TlsRoots::File(folder.file("servers.pem", &servers.pem()));
    let shown = Some((known.cert.clone(), known.key.clone()));

    for (identity, name, wanted) in [
        (shown.clone(), Some("shop.example"), 200),
        (shown, None, 502),
        (None, Some("shop.example"), 502),
    ] {
        let name = name.map(str::to_owned);
        let settings = TlsSettings { roots: roots.clone(), identity, name };
        let through = Connector::new(&url, &settings).expect("a connector");
        let drill = Drill::calm().through(through);
        assert_eq!(drill.ask(GET).await.status(), wanted, "{settings:?}");
    }
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let (folder, servers) = (Folder::new("mismatch"), authority());
    let (one, other) =
        (folder.identity(&servers, "one.example"), folder.identity(&servers, "other.example"));
    let mixed = Identity { cert: one.cert, key: other.key };

    let terminate = Terminate { identity: Some(mixed), client_ca: None };
    let error = Terminator::new(&terminate).expect_err("they are not for each other");
    assert!(error.to_string().contains("is not the one of the certificate"), "{error}");
}
