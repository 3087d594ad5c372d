//! `firedrill::Drill`, as a test of somebody else's uses it.

#![expect(clippy::disallowed_methods, reason = "clients go by the machine's own clock")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod support;

use firedrill::{
    Drill,
    ca::FOLDER,
    config::UpstreamHttp,
    drill::{Builder, DrillError},
    observe::End,
};
use std::{
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use support::{
    client::{Ask, Connection, Met, PATIENCE},
    upstream::Upstream,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

const OUTAGE: &str = "name: outage
targets: { purchase: { path: /buy } }
phases:
  - { name: calm, for: 10m }
  - name: bad
    for: 10m
    faults:
      - { respond: 503, target: purchase }
      - { hang: {}, target: { path: /hang } }
  - { name: after, for: 10m }
";

fn outage(upstream: &Upstream) -> Builder {
    Drill::builder().scenario(OUTAGE).upstream(upstream.url()).seed(7)
}

/// Asks beside the runtime, whose threads are the drill's.
async fn ask(address: SocketAddr, path: &'static str) -> Met {
    let asked = move || Ask::get(path).at(address, PATIENCE);
    tokio::task::spawn_blocking(asked).await.expect("a client")
}

/// What a builder is refused with.
async fn refused(builder: Builder) -> String {
    builder.start().await.expect_err("it is wrong").to_string()
}

#[tokio::test]
async fn a_client_goes_through_phase_by_phase() {
    let upstream = Upstream::start();
    let drill = outage(&upstream).start().await.expect("a drill");
    assert_eq!(drill.url(), format!("http://{}", drill.address()));
    assert_eq!((drill.phase(), drill.seed()), (Some("calm"), 7));
    assert_eq!(ask(drill.address(), "/buy").await.status, 200);
    drill.skip_to("bad").await.expect("it is there");
    assert_eq!(ask(drill.address(), "/buy").await.status, 503);
    assert_eq!(ask(drill.address(), "/look").await.status, 200);
    drill.skip_to("after").await.expect("it is there");
    assert_eq!(ask(drill.address(), "/buy").await.status, 200);

    let address = drill.address();
    let report = drill.finish().await.expect("a report");
    assert_eq!((report.observations.exchanges, report.hits("respond:purchase")), (4, 1));
    assert_eq!(report.end, End::CommandEnded);
    assert_eq!(report.json()["requests"], 4);
    assert!(report.to_string().contains("\noutage "), "{report}");
    assert!(TcpStream::connect(address).is_err(), "the port is given back");
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn a_target_is_bound_to_a_route_of_ones_own() {
    let upstream = Upstream::start();
    let drill = outage(&upstream).target("purchase", "GET /api/checkout").start_at("bad");
    let drill = drill.start().await.expect("a drill");
    assert_eq!(ask(drill.address(), "/api/checkout").await.status, 503);
    assert_eq!(ask(drill.address(), "/buy").await.status, 200);
}

#[tokio::test]
async fn several_drills_know_nothing_of_each_other() {
    let upstream = Upstream::start();
    let (one, other) = (outage(&upstream).start_at("bad"), outage(&upstream));
    let (one, other) = (one.start().await.expect("one"), other.start().await.expect("another"));
    let (bad, calm) = (ask(one.address(), "/buy").await, ask(other.address(), "/buy").await);
    assert_eq!((bad.status, calm.status), (503, 200));
    let (one, other) = (one.finish().await.expect("one"), other.finish().await.expect("another"));
    assert_eq!((one.observations.exchanges, other.observations.exchanges), (1, 1));
    assert_eq!((one.observations.injected, other.observations.injected), (1, 0));
}

/// A test that fails does not get as far as `finish`.
#[tokio::test]
async fn a_drill_that_is_dropped_is_over() {
    let upstream = Upstream::start();
    let drill = outage(&upstream).start_at("bad").start().await.expect("a drill");
    let address = drill.address();
    let mut hung = Connection::to(address);
    hung.send(&Ask::get("/hang")).expect("it connects");
    assert_eq!(ask(address, "/buy").await.status, 503);
    drop(drill);
    let told = Instant::now();
    let met = tokio::task::spawn_blocking(move || hung.hear(PATIENCE)).await.expect("a client");
    assert!(told.elapsed() < Duration::from_secs(2), "held: {met:?}");
    while TcpListener::bind(address).is_err() {
        assert!(told.elapsed() < Duration::from_secs(5), "the port is not given back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_held_is_let_go_when_it_is_stopped() {
    let upstream = Upstream::start();
    let drill = outage(&upstream).start_at("bad").start().await.expect("a drill");
    let mut hung = Connection::to(drill.address());
    hung.send(&Ask::get("/hang")).expect("it connects");
    // Read, and so hung, by the time another is answered.
    assert_eq!(ask(drill.address(), "/buy").await.status, 503);
    drill.stop();
    let met = tokio::task::spawn_blocking(move || hung.hear(PATIENCE)).await.expect("a client");
    assert!(met.is_ok(), "{met:?}");
    assert_eq!(ask(drill.address(), "/buy").await.status, 200);
    assert!(drill.phase().is_none() && drill.skip_to("bad").await.is_err());
}

#[tokio::test]
async fn a_drill_may_be_played_to_its_end() {
    let upstream = Upstream::start();
    let drill = Drill::builder().scenario("demo").upstream(upstream.url()).speed(100.0);
    let mut drill = drill.start().await.expect("a drill");
    drill.played().await;
    assert_eq!(drill.phase(), None);
    let report = drill.finish().await.expect("a report");
    assert_eq!(report.end, End::Finished);
    assert_eq!(report.scenario.name, "demo");
}

#[tokio::test]
async fn a_file_is_found_by_its_path_and_may_have_proxies_of_its_own() {
    let upstream = Upstream::start();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own-proxies.yaml");
    let at = upstream.url();
    let bytes = at.trim_start_matches("http://");
    let proxies = format!(
        "proxies:\n  bytes: {{ listen: 127.0.0.1:0, upstream: {bytes}, protocol: tcp }}\n  \
         shop: {{ listen: 127.0.0.1:0, upstream: \"{at}\" }}\n"
    );
    std::fs::write(&path, format!("{OUTAGE}{proxies}")).expect("a file");
    let name = path.to_str().expect("UTF-8");
    let drill = Drill::builder().scenario(name).start().await.expect("a drill");
    assert_eq!(drill.url_of("shop"), Some(drill.url()));
    assert!(drill.url_of("bytes").is_some_and(|url| url.starts_with("tcp://127.0.0.1:")));
    assert_eq!(drill.url_of("none"), None);
    assert_eq!(ask(drill.address(), "/").await.status, 200);
    let both = refused(Drill::builder().scenario(name).upstream(&at)).await;
    assert!(both.contains("proxies of its own"), "{both}");
}

#[tokio::test]
async fn bytes_are_passed_on_to_a_tcp_upstream() {
    let upstream = Upstream::start();
    let at = upstream.url().replace("http://", "tcp://");
    let scenario = "name: x\nphases: [{ name: calm, for: 1m }]";
    let drill = Drill::builder().scenario(scenario).upstream(at).start().await.expect("a drill");
    assert!(drill.url().starts_with("tcp://"));
    assert_eq!(ask(drill.address(), "/").await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_is_said_to_people() {
    let upstream = Upstream::start();
    let typo = OUTAGE.replace("respond: 503", "respnd: 503");
    let wrong = refused(outage(&upstream).scenario(typo)).await;
    assert!(wrong.contains("respnd") && wrong.contains("scenario:8:"), "{wrong}");
    let unknown = refused(outage(&upstream).scenario("tencent-2015")).await;
    assert!(unknown.contains("`tencent-2014`"), "{unknown}");
    let phase = refused(outage(&upstream).start_at("bda")).await;
    assert!(phase.contains("did you mean `bad`?"), "{phase}");
    let target = refused(outage(&upstream).target("purchases", "/x")).await;
    assert!(target.contains("did you mean `purchase`?"), "{target}");
    let route = refused(outage(&upstream).target("purchase", "buy it")).await;
    assert!(route.contains("POST /api/checkout"), "{route}");
    assert!(refused(outage(&upstream).speed(0.0)).await.contains("0.1"));
    assert!(refused(outage(&upstream).listen("here")).await.contains("127.0.0.1:8080"));
    assert!(refused(Drill::builder().scenario(OUTAGE)).await.contains("no upstream"));
    assert!(refused(Drill::builder().upstream("127.0.0.1:1")).await.contains("no scenario"));
    let tcp = refused(outage(&upstream).upstream("tcp://127.0.0.1:1")).await;
    assert!(tcp.contains("respond"), "a fault that such a proxy cannot play: {tcp}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_and_nothing_is_started() {
    let upstream = Upstream::start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let error = outage(&upstream).listen(address).start().await.expect_err("it is taken");
    assert!(matches!(error, DrillError::Proxy { .. }), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

/// Whether a test is in a process that keeps its authority by itself; if not, it is run in one.
fn is_apart(test: &str) -> bool {
    if env::var_os(FOLDER).is_some() {
        return true;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drill").join(test);
    let this = env::current_exe().expect("a path");
    let status = Command::new(this).args(["--exact", test]).env(FOLDER, folder).status();
    assert!(status.expect("it runs").success(), "{test}");
    false
}

/// What a client that trusts the drill's authority alone is answered over TLS, on a connection that
/// begins with these words in plain text.
async fn ask_over_tls(drill: &Drill, name: &'static str, ahead: Option<&str>) -> String {
    let mut roots = RootCertStore::empty();
    let pem = drill.authority().expect("an authority").certificate();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut io = tokio::net::TcpStream::connect(drill.address()).await.expect("connected");
    if let Some(ahead) = ahead {
        io.write_all(ahead.as_bytes()).await.expect("written");
        let mut head = vec![0; 12];
        io.read_exact(&mut head).await.expect("an answer");
        assert_eq!(head, b"HTTP/1.1 200");
        while !head.ends_with(b"\r\n\r\n") {
            head.push(io.read_u8().await.expect("a head"));
        }
    }
    let name = ServerName::try_from(name).expect("a name");
    let mut io = TlsConnector::from(Arc::new(config)).connect(name, io).await.expect("trusted");
    let ask = b"GET /buy HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
    io.write_all(ask).await.expect("written");
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.expect("an answer");
    answer[9..12].to_owned()
}

#[tokio::test]
async fn clients_that_speak_https_only_trust_its_authority() {
    if !is_apart("clients_that_speak_https_only_trust_its_authority") {
        return;
    }
    let upstream = Upstream::start();
    let drill = outage(&upstream).terminate().start().await.expect("a drill");
    assert_eq!(drill.url(), format!("https://{}", drill.address()));
    assert_eq!(ask_over_tls(&drill, "shop.example", None).await, "200");
    drill.skip_to("bad").await.expect("it is there");
    assert_eq!(ask_over_tls(&drill, "localhost", None).await, "503");

    let authority = drill.authority().expect("an authority");
    let file = std::fs::read_to_string(authority.path()).expect("a file");
    assert_eq!(file, authority.certificate());
    let plain = outage(&upstream).start().await.expect("a drill");
    assert!(plain.authority().is_none());
}

#[tokio::test]
async fn handshakes_go_wrong_where_tls_is_spoken() {
    if !is_apart("handshakes_go_wrong_where_tls_is_spoken") {
        return;
    }
    let upstream = Upstream::start();
    let flawed = "name: x\nphases: [{ name: a, for: 10m, faults: [{ tls: expired }] }]\n";
    let builder = || Drill::builder().scenario(flawed).upstream(upstream.url());
    assert!(refused(builder()).await.contains("E0707"));
    assert!(builder().terminate().start().await.is_ok());
}

#[tokio::test]
async fn a_client_may_be_told_of_it_as_its_proxy() {
    if !is_apart("a_client_may_be_told_of_it_as_its_proxy") {
        return;
    }
    let upstream = Upstream::start();
    let service = outage(&upstream).terminate().start().await.expect("a drill");
    let place = format!("localhost:{}", service.address().port());
    let ca = service.authority().expect("an authority").path();
    let drill = Drill::builder()
        .scenario(OUTAGE)
        .forward(format!("{place}, 127.0.0.1:*"))
        .intercept()
        .upstream_ca(ca)
        .start()
        .await
        .expect("a drill");
    assert_eq!(drill.url(), format!("http://{}", drill.address()));
    let connect = format!("CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n\r\n");

    assert_eq!(ask_over_tls(&drill, "localhost", Some(&connect)).await, "200");
    drill.skip_to("bad").await.expect("it is there");
    assert_eq!(ask_over_tls(&drill, "localhost", Some(&connect)).await, "503");

    assert_eq!(upstream.seen().len(), 1);
    assert_eq!(drill.finish().await.expect("a report").observations.exchanges, 2);
}

#[tokio::test]
async fn the_version_of_http_that_the_upstream_speaks_can_be_said() {
    // It speaks HTTP/1, so that whoever is said to speak HTTP/2 alone is of no use.
    let upstream = Upstream::start();
    let drill =
        outage(&upstream).upstream_http(UpstreamHttp::Http2).start().await.expect("a drill");
    assert_eq!(ask(drill.address(), "/").await.status, 502);
    let drill =
        outage(&upstream).upstream_http(UpstreamHttp::Http1).start().await.expect("a drill");
    assert_eq!(ask(drill.address(), "/").await.status, 200);
}

#[tokio::test]
async fn what_does_not_go_together_is_told() {
    let builder = || Drill::builder().scenario(OUTAGE);
    for (builder, says) in [
        (builder().upstream("a:1").forward("b"), "leave one out"),
        (builder().forward("https://b/c"), "write `b`"),
        (builder().forward("b").terminate().intercept(), "leave `terminate` out"),
        (builder().forward("b").listen("unix:/tmp/b"), "on a Unix socket"),
        (builder().upstream("a:1").intercept(), "say `forward`"),
        (builder().upstream("tcp://a:1").terminate(), "TLS included"),
        (builder().upstream("tcp://a:1").upstream_http(UpstreamHttp::Http2), "upstream_http"),
        (builder().upstream("https://a").upstream_ca("/nowhere.pem"), "no file `/nowhere.pem`"),
        (
            Drill::builder().scenario("name: x\nphases: [{ name: a, for: 1m }]\nproxies: { a: { listen: 0, upstream: 'http://a' } }").terminate(),
            "proxies of its own",
        ),
    ] {
        let said = refused(builder).await;
        assert!(said.contains(says), "{said}");
    }
}
