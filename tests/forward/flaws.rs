//! `tls`: handshakes inside tunnels that go wrong.

use crate::{
    connect, ended, in_memory,
    inside::{Secure, intercepting, shake, shake_over},
    support::{Drill, End, GET, OK, Upstream, memory},
};
use firedrill::event::{Did, EndedBy, Exchange};
use std::{io, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

const SECOND: Duration = Duration::from_secs(1);

fn did(exchange: &Exchange) -> Vec<Did> {
    exchange.dealt.iter().map(|dealt| dealt.did).collect()
}

#[tokio::test]
async fn each_flaw_is_met_inside_the_tunnel_and_told_of_its_connection() {
    let secure = Secure::start("flaws").await;
    let cases = [
        ("expired", "InvalidCertificate(Expired", EndedBy::ClientFin),
        ("not_yet_valid", "InvalidCertificate(NotValidYet", EndedBy::ClientFin),
        ("wrong_name", "InvalidCertificate(NotValidForName", EndedBy::ClientFin),
        ("untrusted", "InvalidCertificate(UnknownIssuer", EndedBy::ClientFin),
        ("no_common_version", "AlertReceived(ProtocolVersion", EndedBy::ProxyFin),
        ("no_common_cipher", "AlertReceived(HandshakeFailure", EndedBy::ProxyFin),
    ];
    for (flaw, why, by) in cases {
        let (drill, config) = secure.read_by(Drill::of(&[&format!("tls: {flaw}")]));

        let error = shake(&drill, &config, &secure.place()).await.err().expect("it is refused");

        let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let said = format!("{:?}", said.unwrap_or_else(|| panic!("{flaw}: {error:?}")));
        assert!(said.starts_with(why), "{flaw}: {said}");
        let told = ended(&drill).await;
        assert_eq!((told.dealt.len(), told.dealt[0].did), (1, Did::Handshake(flaw)), "{flaw}");
        assert_eq!((told.dealt[0].kind, told.ended_by), ("tls", by), "{flaw}");
        let asked = drill.exchange().await;
        assert_eq!((asked.method.as_str(), asked.status, did(&asked)), ("CONNECT", 200, vec![]));
    }
    assert_eq!(secure.service.connections(), 0);
}

#[tokio::test]
async fn a_reset_comes_after_the_first_words() {
    let secure = Secure::start("flaw-reset").await;
    let (drill, config) = secure.read_by(Drill::of(&["tls: reset"]));

    let error = shake(&drill, &config, &secure.place()).await.err().expect("it is reset");

    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(ended(&drill).await.ended_by, EndedBy::ProxyRst);
}

#[tokio::test]
async fn an_end_without_a_word_comes_after_answers_that_are_whole() {
    let secure = Secure::start("flaw-mute").await;
    for (fault, wanted) in [("tls: no_close_notify", End::Cut), ("latency: 1ms", End::Fin)] {
        let (drill, config) = secure.read_by(Drill::of(&[fault]));
        let mut client = shake(&drill, &config, &secure.place()).await.expect("it trusts");

        let answer = client.ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;

        assert_eq!(answer.text(), "ok");
        assert_eq!(client.end().await, wanted, "{fault}");
        assert!(drill.exchanges(2).await[1].complete);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_ends_with_its_time_or_its_phase() {
    let shaken = async |phases: &[&str]| {
        let (setup, config) = intercepting(Drill::phases(phases));
        let drill = in_memory(setup, memory::echo());
        let mut client = drill.memory_client(1);
        client.send(connect("shop.example:443")).await;
        assert_eq!(client.head().await.status(), 200);
        let start = Instant::now();
        let mut client = shake_over(client.into_io(), &config, "shop.example").await.expect("TLS");
        let took = start.elapsed();
        // Nobody is there who could answer it; it is told of all the same.
        client.ask(GET).await;
        assert_eq!(did(&drill.exchanges(2).await[1]), [Did::Handshake("stall")]);
        took
    };

    let timed = shaken(&["{ name: a, for: 10m, faults: [{ tls: { stall: 20s } }] }"]).await;
    assert_eq!(timed, 20 * SECOND);
    let phased =
        shaken(&["{ name: a, for: 5m, faults: [{ tls: stall }] }", "{ name: b, for: 1m }"]).await;
    assert_eq!(phased, 300 * SECOND);
}

#[tokio::test]
async fn a_client_that_leaves_a_stall_is_noticed() {
    let secure = Secure::start("flaw-left").await;
    let (drill, config) = secure.read_by(Drill::of(&["tls: stall"]));

    let place = secure.place();
    let hands = shake(&drill, &config, &place);
    assert!(tokio::time::timeout(Duration::from_millis(200), hands).await.is_err(), "it stalls");

    let told = ended(&drill).await;
    assert_eq!((told.ended_by, told.dealt[0].did), (EndedBy::ClientFin, Did::Handshake("stall")));
}

#[tokio::test]
async fn a_client_that_looks_at_nothing_is_served_and_told_of_once() {
    let secure = Secure::start("flaw-blind").await;
    let (drill, _) = secure.read_by(Drill::of(&["tls: untrusted"]));
    let mut client = shake(&drill, &trusting_anybody(), &secure.place()).await.expect("it would");

    for _ in 0..2 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.status(), 200);
    }

    let exchanges = drill.exchanges(3).await;
    let told: Vec<_> = exchanges.iter().map(did).collect();
    assert_eq!(told, [vec![], vec![Did::Handshake("untrusted")], vec![]]);
}

#[tokio::test]
async fn what_shakes_no_hands_meets_no_flaw() {
    let secure = Secure::start("flaw-none").await;
    let (drill, _) = secure.read_by(Drill::of(&["tls: expired"]));
    let place = secure.service.address;

    let plain = drill.ask(format!("GET http://{place}/ HTTP/1.1\r\nhost: {place}\r\n\r\n")).await;
    assert_eq!(plain.text(), "ok");
    let mut client = drill.client().await;
    client.send(connect(place)).await;
    assert_eq!(client.head().await.status(), 200);
    assert_eq!(client.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.text(), "ok");
    drop(client);

    assert_eq!(ended(&drill).await.dealt, []);
    assert!(drill.exchanges(2).await.iter().all(|exchange| exchange.dealt.is_empty()));
    assert_eq!(drill.tallies()[0].considered, 0);
}

#[tokio::test]
async fn a_share_means_the_same_connections_as_without_tunnels() {
    const FAULT: &[&str] = &["tls: expired, share: 50% of connections"];
    let secure = Secure::start("flaw-share").await;
    let (tunnels, config) = secure.read_by(Drill::of(FAULT));
    let (mut setup, direct) = intercepting(Drill::of(FAULT));
    setup.settings.terminator = setup.settings.intercept.take();
    let service = Upstream::answering(OK).await;
    let front = setup.before(&service);

    let mut hit = 0;
    for n in 0..40 {
        let inside = shake(&tunnels, &config, &secure.place()).await.is_err();
        let socket = front.client().await.into_io();
        let outside = shake_over(socket, &direct, "localhost").await.is_err();
        assert_eq!(inside, outside, "connection {n}");
        hit += u32::from(inside);
    }
    assert!((8..=32).contains(&hit), "{hit}");
}

/// A client that takes whatever it is shown.
fn trusting_anybody() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth()
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
