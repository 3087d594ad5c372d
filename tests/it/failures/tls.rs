//! Upstreams that speak TLS.

use crate::support::{Drill, GET, OK, Wire};
use firedrill::proxy::{Connector, TlsRoots, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{path::PathBuf, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// A file that is gone with its test.
#[derive(Debug)]
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

fn write(name: &str, authority: &Authority) -> File {
    let path = std::env::temp_dir().join(format!("firedrill-{name}-{}.pem", std::process::id()));
    std::fs::write(&path, authority.pem()).expect("written");
    File(path)
}

/// A service whose certificate is for `name`; what it got as its TLS server name and ALPN.
async fn service(
    authority: &Authority,
    name: &str,
) -> (u16, Receiver<(Option<String>, Option<Vec<u8>>)>) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a key that fits");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, tell) = (acceptor.clone(), tell.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let session = stream.get_ref().1;
                let name = session.server_name().map(str::to_owned);
                // Nobody listens any more once the test is over.
                let _over = tell.send((name, session.alpn_protocol().map(<[u8]>::to_vec))).await;
                let mut wire = Wire::over(stream);
                while wire.request().await.is_some() {
                    wire.send(OK).await;
                }
            });
        }
    });
    (port, told)
}

fn connector(host: &str, port: u16, roots: TlsRoots) -> Connector {
    let url = format!("https://{host}:{port}").parse().expect("a URL");
    Connector::new(&url, &TlsSettings { roots, ..TlsSettings::default() }).expect("a connector")
}

#[tokio::test]
async fn a_certificate_of_a_given_authority_is_trusted() {
    let authority = authority();
    let (port, mut told) = service(&authority, "localhost").await;
    let file = write("trusted", &authority);
    let roots = TlsRoots::File(file.0.clone());
    let drill = Drill::calm().through(connector("localhost", port, roots));
    let mut client = drill.client().await;

    for _ in 0..2 {
        assert_eq!(client.ask(GET).await.text(), "ok");
    }

    let (name, alpn) = told.recv().await.expect("a connection");
    assert_eq!((name.as_deref(), alpn.as_deref()), (Some("localhost"), Some(&b"http/1.1"[..])));
    assert!(told.try_recv().is_err(), "one connection for both");
}

#[tokio::test]
async fn another_authority_or_another_name_is_a_genuine_failure() {
    let (ours, theirs) = (authority(), authority());
    let (stranger, _told) = service(&theirs, "localhost").await;
    let (misnamed, _told) = service(&ours, "shop.example").await;
    let file = write("wrong", &ours);

    for port in [stranger, misnamed] {
        let roots = TlsRoots::File(file.0.clone());
        let drill = Drill::calm().through(connector("localhost", port, roots));
        let answer = drill.ask(GET).await;
        assert_eq!(answer.status(), 502);
        assert_eq!(answer.field("x-firedrill"), Some("genuine=tls_failed"));
        assert_eq!(drill.exchange().await.upstream_error, Some("tls_failed"));
    }
}

#[tokio::test]
async fn anybody_is_trusted_if_that_is_asked_for() {
    let (port, _told) = service(&authority(), "shop.example").await;
    let drill = Drill::calm().through(connector("localhost", port, TlsRoots::Anybody));

    assert_eq!(drill.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn an_address_may_stand_in_for_a_name() {
    let authority = authority();
    let (port, _told) = service(&authority, "127.0.0.1").await;
    let file = write("address", &authority);
    let roots = TlsRoots::File(file.0.clone());
    let drill = Drill::calm().through(connector("127.0.0.1", port, roots));

    assert_eq!(drill.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn an_upstream_that_speaks_no_tls_is_a_genuine_failure() {
    let upstream = crate::support::Upstream::scripted(|mut wire, _| async move {
        wire.take(1).await;
        wire.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let port = upstream.address.port();
    let drill = Drill::calm().through(connector("localhost", port, TlsRoots::Anybody));

    let answer = drill.ask(GET).await;

    assert_eq!(answer.field("x-firedrill"), Some("genuine=tls_failed"));
}

#[test]
fn roots_that_cannot_be_read_are_told_at_once() {
    let url = "https://localhost".parse().expect("a URL");
    let missing = TlsRoots::File("/nowhere/roots.pem".into());
    assert!(
        Connector::new(&url, &TlsSettings { roots: missing, ..TlsSettings::default() }).is_err()
    );

    let path = std::env::temp_dir().join(format!("firedrill-empty-{}.pem", std::process::id()));
    std::fs::write(&path, "no certificate").expect("written");
    let empty = File(path);
    let roots = TlsRoots::File(empty.0.clone());
    assert!(Connector::new(&url, &TlsSettings { roots, ..TlsSettings::default() }).is_err());
}
