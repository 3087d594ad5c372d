//! `tls`: handshakes that go wrong.

use super::{Secured, secured, shake, trusting};
use crate::support::{Drill, End, GET, OK, Upstream, Wire, eventually, memory};
use firedrill::ca::Authority;
use firedrill::event::{Connection, Did, EndedBy, Event};
use std::{io, time::Duration};
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, HandshakeKind};

const SECOND: Duration = Duration::from_secs(1);

/// What a client says of it that will not have it.
fn why(error: &io::Error) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.unwrap_or_else(|| panic!("not of TLS: {error:?}")).clone()
}

/// Whether a client was right to refuse.
type IsRight<'a> = &'a dyn Fn(&Error) -> bool;

/// Waits until a connection is told of, and gives it out.
async fn told(drill: &Drill) -> Connection {
    let told = || {
        drill.events().into_iter().find_map(|event| match event {
            Event::Connection(connection) => Some(connection),
            _ => None,
        })
    };
    eventually("the connection is told of", told).await
}

#[tokio::test]
async fn a_flawed_certificate_is_refused_for_its_flaw_and_the_record_says_so() {
    let upstream = Upstream::answering(OK).await;
    let expired = |error: &Error| {
        use CertificateError as Wrong;
        matches!(error, Error::InvalidCertificate(Wrong::Expired | Wrong::ExpiredContext { .. }))
    };
    let early = |error: &Error| {
        use CertificateError as Wrong;
        matches!(
            error,
            Error::InvalidCertificate(Wrong::NotValidYet | Wrong::NotValidYetContext { .. })
        )
    };
    let misnamed = |error: &Error| {
        use CertificateError as Wrong;
        matches!(
            error,
            Error::InvalidCertificate(
                Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }
            )
        )
    };
    let untrusted =
        |error: &Error| *error == Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let version = |error: &Error| *error == Error::AlertReceived(AlertDescription::ProtocolVersion);
    let cipher = |error: &Error| *error == Error::AlertReceived(AlertDescription::HandshakeFailure);
    let cases: [(&str, IsRight<'_>, EndedBy, &str); 6] = [
        ("expired", &expired, EndedBy::ClientFin, "alert_certificate_expired"),
        ("not_yet_valid", &early, EndedBy::ClientFin, "alert_certificate_expired"),
        ("wrong_name", &misnamed, EndedBy::ClientFin, "alert_bad_certificate"),
        ("untrusted", &untrusted, EndedBy::ClientFin, "alert_unknown_ca"),
        ("no_common_version", &version, EndedBy::ProxyFin, "dealt"),
        ("no_common_cipher", &cipher, EndedBy::ProxyFin, "dealt"),
    ];
    for (flaw, is_right, by, word) in cases {
        let fault = format!("tls: {flaw}");
        let secured = Secured::before(Drill::of(&[&fault]), &upstream);
        let error = secured.try_client("shop.example").await.expect_err("it is refused");
        assert!(is_right(&why(&error)), "{flaw}: {error:?}");

        let connection = told(&secured.drill).await;
        assert_eq!((connection.dealt.len(), connection.dealt[0].did), (1, Did::Handshake(flaw)));
        assert_eq!((connection.dealt[0].kind, connection.ended_by), ("tls", by), "{flaw}");
        assert_eq!((connection.tls_error, connection.secured), (Some(word), 0), "{flaw}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_reset_comes_after_the_first_words() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::of(&["tls: reset"]), &upstream);

    let error = secured.try_client("shop.example").await.expect_err("it is reset");

    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let connection = told(&secured.drill).await;
    assert_eq!((connection.ended_by, connection.tls_error), (EndedBy::ProxyRst, Some("dealt")));
}

#[tokio::test]
async fn an_end_without_a_word_looks_cut_off_and_the_answers_before_it_do_not() {
    let upstream = Upstream::answering(OK).await;
    for (fault, wanted) in [("tls: no_close_notify", End::Cut), ("latency: 1ms", End::Fin)] {
        let secured = Secured::before(Drill::of(&[fault]), &upstream);
        let mut client = secured.client().await;
        let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        assert_eq!(client.ask(ask).await.text(), "ok");
        assert_eq!(client.end().await, wanted, "{fault}");
        assert!(secured.drill.exchange().await.complete);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_ends_with_its_time_or_its_phase() {
    let shaken = async |phases: &[&str]| {
        let (setup, config) = secured(Drill::phases(phases));
        let (connector, _) = memory::answering(OK);
        let drill = setup.detached(connector);
        let (near, far) = tokio::io::duplex(64 * 1024);
        drill.proxy.serve(1, far, "10.0.0.1:40000".parse().expect("an address"));
        let start = Instant::now();
        let mut client = shake(&config, "shop.example", near).await.expect("hands are shaken");
        let took = start.elapsed();
        assert_eq!(client.ask(GET).await.text(), "ok");
        let exchange = drill.exchange().await;
        assert_eq!(exchange.dealt[0].did, Did::Handshake("stall"));
        took
    };

    let timed = shaken(&["{ name: a, for: 10m, faults: [{ tls: { stall: 20s } }] }"]).await;
    assert_eq!(timed, 20 * SECOND);
    let phased =
        shaken(&["{ name: a, for: 5m, faults: [{ tls: stall }] }", "{ name: b, for: 1m }"]).await;
    assert_eq!(phased, 300 * SECOND);
    let over = shaken(&["{ name: a, for: 2m, faults: [{ tls: { stall: 1h } }] }"]).await;
    assert_eq!(over, 120 * SECOND);
    let pattern = "{ name: a, for: 5m, faults: [{ tls: stall, pattern: { on: 30s, every: 1m } }] }";
    assert_eq!(shaken(&[pattern]).await, 30 * SECOND);
}

/// The edge at which the fault lets go resets as well: the client waited for nothing.
#[tokio::test]
async fn a_stall_that_ends_with_its_connection_is_of_the_drills_making() {
    let upstream = Upstream::answering(OK).await;
    let phases = [
        "{ name: stall, for: 300ms, faults: [{ tls: stall }] }",
        "{ name: after, for: 10m, connections: reset }",
    ];
    let secured = Secured::before(Drill::phases(&phases), &upstream);
    assert!(secured.try_client("shop.example").await.is_err());

    let connection = told(&secured.drill).await;
    assert_eq!((connection.ended_by, connection.tls_error), (EndedBy::PhaseEdge, Some("dealt")));
}

#[tokio::test]
async fn a_client_that_leaves_a_stall_is_noticed() {
    let upstream = Upstream::answering(OK).await;
    for (by_reset, wanted) in [(false, EndedBy::ClientFin), (true, EndedBy::ClientRst)] {
        let secured = Secured::before(Drill::of(&["tls: stall"]), &upstream);
        let socket = secured.socket().await;
        if by_reset {
            socket.set_zero_linger().expect("a socket");
        }
        let hands = shake(&secured.config, "shop.example", socket);
        let late = tokio::time::timeout(Duration::from_millis(100), hands).await;
        assert!(late.is_err(), "it stalls");

        assert_eq!(told(&secured.drill).await.ended_by, wanted);
    }
}

#[tokio::test]
async fn a_client_that_will_not_have_us_is_told_of_though_nothing_was_dealt() {
    let upstream = Upstream::answering(OK).await;
    let other = trusting(Authority::unknown().expect("an authority").certificate());
    let secured = Secured { config: other, ..Secured::before(Drill::calm(), &upstream) };
    assert!(secured.try_client("shop.example").await.is_err());

    let connection = told(&secured.drill).await;
    assert_eq!((connection.tls_error, connection.dealt.len()), (Some("alert_unknown_ca"), 0));
    assert_eq!((connection.ended_by, connection.secured), (EndedBy::ClientFin, 0));
}

#[tokio::test]
async fn a_client_that_shakes_hands_and_goes_is_told_of() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    drop(secured.client().await);

    let connection = told(&secured.drill).await;
    assert!(connection.is_unasked() && connection.dealt.is_empty(), "{connection:?}");
}

/// A look whether somebody listens, by FIN or by RST, is no handshake, whatever is dealt to it.
#[tokio::test]
async fn who_says_nothing_begins_no_handshake() {
    let upstream = Upstream::answering(OK).await;
    for fault in ["tls: expired", "tls: stall"] {
        for by_reset in [false, true] {
            let secured = Secured::before(Drill::of(&[fault]), &upstream);
            let socket = secured.socket().await;
            if by_reset {
                socket.set_zero_linger().expect("a socket");
            }
            drop(socket);

            let connection = told(&secured.drill).await;
            assert_eq!((connection.tls_error, connection.secured), (None, 0), "{fault}");
        }
    }
}

#[tokio::test]
async fn what_breaks_the_bytes_of_a_handshake_is_of_the_drills_making() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::of(&["limit_data: 600B"]), &upstream);
    assert!(secured.try_client("shop.example").await.is_err());

    let connection = told(&secured.drill).await;
    assert_eq!(connection.tls_error, Some("dealt"));
    assert!(connection.is_handshake_dealt());
}

#[tokio::test]
async fn a_client_that_only_looks_whether_somebody_listens_is_no_handshake() {
    let upstream = Upstream::answering(OK).await;
    let secured = Secured::before(Drill::calm(), &upstream);
    drop(secured.socket().await);
    let mut client = secured.client().await;
    assert_eq!(client.ask(GET).await.text(), "ok");

    let exchange = secured.drill.exchange().await;
    assert!(exchange.secured >= exchange.accepted && exchange.secured <= exchange.t_head);
    let is_told = |event: &Event| matches!(event, Event::Connection(_));
    assert!(!secured.drill.events().iter().any(is_told));
}

#[tokio::test]
async fn a_share_of_connections_is_hit_and_connections_that_are_open_are_not() {
    let upstream = Upstream::answering(OK).await;
    let phases = [
        "{ name: calm, for: 300ms }",
        "{ name: bad, for: 10m, faults: [{ tls: expired, share: 50% of connections }] }",
    ];
    let secured = Secured::before(Drill::phases(&phases), &upstream);
    let mut early = secured.client().await;
    secured.drill.phase(1).await;

    let mut refused = 0;
    for _ in 0..60 {
        refused += u32::from(secured.try_client("shop.example").await.is_err());
    }

    assert!((15..=45).contains(&refused), "{refused}");
    assert_eq!(early.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn a_ticket_does_not_get_around_a_flaw() {
    let upstream = Upstream::answering(OK).await;
    let phases =
        ["{ name: calm, for: 400ms }", "{ name: bad, for: 10m, faults: [{ tls: expired }] }"];
    let secured = Secured::before(Drill::phases(&phases), &upstream);
    let resumed = |client: &Wire<tokio_rustls::client::TlsStream<TcpStream>>| {
        client.io().get_ref().1.handshake_kind()
    };
    // Tickets come with the first answer.
    let mut first = secured.client().await;
    first.ask(GET).await;
    let second = secured.client().await;
    assert_eq!(resumed(&second), Some(HandshakeKind::Resumed));
    secured.drill.phase(1).await;

    assert!(secured.try_client("shop.example").await.is_err());
}

#[tokio::test]
async fn a_client_that_looks_at_nothing_is_served_and_told_of() {
    let upstream = Upstream::answering(OK).await;
    let (setup, _) = secured(Drill::of(&["tls: untrusted"]));
    let drill = setup.before(&upstream);
    let url = format!("https://{}", drill.address()).parse().expect("a URL");
    let settings = firedrill::proxy::TlsSettings {
        roots: firedrill::proxy::TlsRoots::Anybody,
        ..Default::default()
    };
    // Our own upstream side is such a client.
    let through = firedrill::proxy::Connector::new(&url, &settings).expect("a connector");
    let outer = Drill::calm().through(through);

    assert_eq!(outer.ask(GET).await.text(), "ok");

    let exchange = drill.exchange().await;
    assert!(
        exchange.complete && exchange.dealt[0].did == Did::Handshake("untrusted"),
        "{exchange:?}"
    );
}
