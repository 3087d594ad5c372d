//! Requests inside TLS inside tunnels.

use crate::{
    connect,
    support::{Drill, OK, Setup, Upstream, Wire},
};
use firedrill::{
    ca::Authority,
    config::Allow,
    event,
    fault::catalog::Protocol,
    proxy::{Connector, Terminator, TlsRoots, TlsSettings},
};
use std::{fs, io, path::PathBuf, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// A service with TLS: a drill that does nothing but speak it, in front of a service without.
pub(crate) struct Secure {
    pub(crate) service: Upstream,
    front: Drill,
    /// Whom to trust to be sure that it is it.
    ca: PathBuf,
}

impl Secure {
    pub(crate) async fn start(name: &str) -> Self {
        let authority = Arc::new(Authority::unknown().expect("an authority"));
        let ca = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("forward-{name}.pem"));
        fs::write(&ca, authority.certificate()).expect("a file");
        let service = Upstream::answering(OK).await;
        let mut setup = Drill::calm();
        setup.settings.terminator = Some(Arc::new(Terminator::made_up(authority)));
        let front = setup.before(&service);
        Self { service, front, ca }
    }

    /// As a client names it.
    pub(crate) fn place(&self) -> String {
        format!("localhost:{}", self.front.address().port())
    }

    /// A drill that reads what is asked of it, and whom clients have to trust for that.
    pub(crate) fn read_by(&self, setup: Setup) -> (Drill, ClientConfig) {
        let (mut setup, config) = intercepting(setup);
        setup.protocol = Protocol::Forward;
        let allow: Allow = "localhost:*, 127.0.0.1:*".parse().expect("hosts");
        let tls = TlsSettings { roots: TlsRoots::File(self.ca.clone()), ..TlsSettings::default() };
        (setup.through(Connector::asked(allow, &tls).expect("a connector")), config)
    }
}

/// Has a drill read what is inside of tunnels, and says whom clients have to trust for that.
pub(crate) fn intercepting(mut setup: Setup) -> (Setup, ClientConfig) {
    let authority = Arc::new(Authority::unknown().expect("an authority"));
    let config = trusting(authority.certificate());
    setup.settings.intercept = Some(Arc::new(Terminator::made_up(authority)));
    (setup, config)
}

/// A client that trusts nobody else.
fn trusting(pem: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    roots.add(certificate).expect("an authority");
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A tunnel, and TLS in it.
pub(crate) async fn shake(
    drill: &Drill,
    config: &ClientConfig,
    place: &str,
) -> io::Result<Wire<TlsStream<TcpStream>>> {
    let mut client = drill.client().await;
    client.send(connect(place)).await;
    assert_eq!(client.head().await.status(), 200);
    let host = place.rsplit_once(':').expect("a port").0;
    shake_over(client.into_io(), config, host).await
}

/// TLS over a stream of any kind.
pub(crate) async fn shake_over<Io: AsyncRead + AsyncWrite + Unpin>(
    io: Io,
    config: &ClientConfig,
    host: &str,
) -> io::Result<Wire<TlsStream<Io>>> {
    let connector = TlsConnector::from(Arc::new(config.clone()));
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    Ok(Wire::over(connector.connect(name, io).await?))
}

#[tokio::test]
async fn requests_inside_are_read_and_go_on_over_tls() {
    let secure = Secure::start("read").await;
    let (drill, config) = secure.read_by(Drill::calm());
    let place = secure.place();
    let mut client = shake(&drill, &config, &place).await.expect("it trusts");

    for path in ["/a", "/b"] {
        let answer = client.ask(format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\n\r\n")).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
    }

    let requests = secure.service.requests();
    assert_eq!(requests[1].start(), "GET /b HTTP/1.1");
    assert_eq!(requests[1].field("host"), Some("shop.example"));
    let exchanges = drill.exchanges(3).await;
    let told: Vec<_> = exchanges.iter().map(|e| (e.seq, e.method.as_str(), e.status)).collect();
    assert_eq!(told, [(1, "CONNECT", 200), (2, "GET", 200), (3, "GET", 200)]);
    assert!(exchanges.iter().all(|exchange| exchange.conn == exchanges[0].conn));
    assert_eq!(exchanges[2].upstream, event::Upstream::Status(200));
    let judged: Vec<bool> = exchanges.iter().map(|exchange| exchange.detail.is_some()).collect();
    assert_eq!(judged, [false, true, true], "the way there is no operation of its own");
    // One connection each, kept.
    assert_eq!(secure.front.proxy.meters().read().accepted, 1);
}

#[tokio::test]
async fn faults_meet_the_requests_inside() {
    let secure = Secure::start("faults").await;
    let (drill, config) = secure.read_by(Setup::read(
        "targets: { pay: { path: /pay } }\n\
         phases: [{ name: outage, for: 10m, faults: [{ respond: 503, target: pay }] }]",
    ));
    let mut client = shake(&drill, &config, &secure.place()).await.expect("it trusts");

    let mut ask = async |path| {
        client.ask(format!("GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n")).await.status()
    };

    assert_eq!((ask("/pay").await, ask("/else").await), (503, 200));
    assert_eq!(secure.service.request().start(), "GET /else HTTP/1.1");
}

#[tokio::test]
async fn faults_leave_the_request_for_the_tunnel_alone() {
    let secure = Secure::start("alone").await;
    let (drill, config) = secure.read_by(Drill::of(&["respond: 503"]));
    let mut client = shake(&drill, &config, &secure.place()).await.expect("it trusts");

    assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.status(), 503);
}

#[tokio::test]
async fn a_service_that_is_not_what_it_says_is_a_genuine_failure() {
    let (secure, other) = (Secure::start("one").await, Secure::start("other").await);
    let (drill, config) = other.read_by(Drill::calm());
    let mut client = shake(&drill, &config, &secure.place()).await.expect("it trusts");

    let answer = client.ask("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await;

    assert_eq!(answer.status(), 502);
    assert_eq!(answer.field("x-firedrill"), Some("genuine=tls_failed"));
}

#[tokio::test]
async fn a_client_that_does_not_trust_gets_no_further_and_others_do() {
    let secure = Secure::start("trust").await;
    let (drill, config) = secure.read_by(Drill::calm());
    let stranger = trusting(Authority::unknown().expect("an authority").certificate());

    shake(&drill, &stranger, &secure.place()).await.expect_err("nobody it knows");
    let told = crate::ended(&drill).await;
    assert_eq!((told.tls_error, told.relay), (Some("alert_unknown_ca"), None));

    let mut client = shake(&drill, &config, &secure.place()).await.expect("it trusts");
    assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.status(), 200);
}

#[tokio::test]
async fn what_is_no_tls_is_passed_on_as_it_comes() {
    let secure = Secure::start("plain").await;
    let (drill, _) = secure.read_by(Drill::calm());
    for ahead in ["", "GET /ahead HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut client = drill.client().await;
        client.send(connect(secure.service.address) + ahead).await;
        assert_eq!(client.head().await.status(), 200);
        if ahead.is_empty() {
            client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        }
        assert_eq!(client.answer().await.text(), "ok");
    }
    let told = crate::ended(&drill).await.relay.expect("what it carried");
    assert!(told.t_connected > 0 && told.down > 0);
}

#[tokio::test]
async fn a_tunnel_inside_a_tunnel_is_none() {
    let secure = Secure::start("nested").await;
    let (drill, config) = secure.read_by(Drill::calm());
    let mut client = shake(&drill, &config, &secure.place()).await.expect("it trusts");

    let answer = client.ask(connect(secure.place())).await;

    assert_eq!(answer.status(), 400);
}
