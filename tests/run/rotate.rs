//! SIGHUP again: certificates that were exchanged under their names.

use crate::{
    firedrill::{Running, done, firedrill, folder, start},
    serve::serve,
    support::upstream::Upstream,
};
use rustix::process::Signal;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

/// Puts a certificate for `localhost` and its key where others may be.
fn put(folder: &Path, name: &str) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("signed");
    fs::write(folder.join(format!("{name}.pem")), signed.cert.pem()).expect("written");
    fs::write(folder.join(format!("{name}.key")), signed.signing_key.serialize_pem())
        .expect("written");
}

fn hang_up(server: &Running, nth: usize) -> String {
    server.signal(Signal::HUP);
    server.nth_line(nth, |line| line.starts_with("read `"))
}

/// Whether a fresh connection of somebody who trusts this file alone is served.
fn is_trusted(at: SocketAddr, file: &Path) -> bool {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--output",
        "/dev/null",
        "--max-time",
        "20",
        "--noproxy",
        "*",
        "--cacert",
    ])
    .arg(file);
    let status = curl.arg(format!("https://localhost:{}/", at.port())).status();
    match status.expect("curl is there").code() {
        Some(0) => true,
        Some(60) => false,
        other => panic!("curl ended with {other:?}"),
    }
}

/// A connection that stays open.
struct Talk(StreamOwned<ClientConnection, TcpStream>);

impl Talk {
    fn with(at: SocketAddr, trusted: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(trusted).expect("a certificate");
        roots.add(certificate).expect("an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::new(config), name).expect("a session");
        Self(StreamOwned::new(session, TcpStream::connect(at).expect("connected")))
    }

    fn status(&mut self) -> String {
        self.0.write_all(b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("written");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("an answer");
            head.extend(byte);
        }
        String::from_utf8_lossy(&head[9..12]).into_owned()
    }
}

fn config(folder: &Path, proxies: &str) -> String {
    let path = folder.join("config.yaml");
    fs::write(&path, format!("proxies:\n{proxies}")).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

/// What clients trusted before.
fn kept(folder: &Path, name: &str) -> PathBuf {
    let old = folder.join(format!("old-{name}.pem"));
    fs::copy(folder.join(format!("{name}.pem")), &old).expect("copied");
    old
}

#[test]
fn a_certificate_that_was_exchanged_is_shown_from_then_on() {
    let (upstream, folder) = (Upstream::start(), folder("rotate"));
    put(&folder, "shop");
    let shop = format!(
        "  shop: {{ listen: 0, upstream: \"{}\", terminate: {{ cert: shop.pem, key: shop.key }} }}\n",
        upstream.url()
    );
    let server = start(serve(&config(&folder, &shop)));
    let (at, new) = (server.proxy("shop"), folder.join("shop.pem"));
    let mut talk = Talk::with(at, &new);
    assert_eq!((talk.status().as_str(), is_trusted(at, &new)), ("200", true));
    let said = hang_up(&server, 1);
    assert!(said.ends_with("its proxies are as before"), "{said}");

    let old = kept(&folder, "shop");
    put(&folder, "shop");
    assert!(is_trusted(at, &old), "it was not told yet");
    let said = hang_up(&server, 2);

    assert!(said.ends_with("with other certificates: shop"), "{said}");
    assert_eq!((is_trusted(at, &new), is_trusted(at, &old)), (true, false));
    assert_eq!(talk.status(), "200", "a connection that was open lives on");
}

#[test]
fn a_certificate_that_is_broken_changes_nothing_and_is_told() {
    let (upstream, folder) = (Upstream::start(), folder("rotate-broken"));
    put(&folder, "shop");
    put(&folder, "till");
    let proxy = |name: &str| {
        format!(
            "  {name}: {{ listen: 0, upstream: \"{}\", terminate: {{ cert: {name}.pem, key: {name}.key }} }}\n",
            upstream.url()
        )
    };
    let config = config(&folder, &(proxy("shop") + &proxy("till")));
    let server = start(serve(&config));
    let (at, old) = (server.proxy("shop"), kept(&folder, "shop"));
    put(&folder, "shop");
    fs::write(folder.join("till.key"), "no key").expect("written");

    server.signal(Signal::HUP);
    server.line(|line| line.contains("nothing was changed"));

    assert!(is_trusted(at, &old), "the other's was right, and is not taken either");
    server.line(|line| line.contains("error[E0721]: `till.key` holds no key"));
    server.line(|line| line.contains(&format!("--> {config}:3:")));
    put(&folder, "till");
    hang_up(&server, 1);
    assert!(!is_trusted(at, &old));
}

#[test]
fn whom_an_upstream_is_trusted_by_can_be_exchanged() {
    let (upstream, folder) = (Upstream::start(), folder("rotate-upstream"));
    put(&folder, "back");
    kept(&folder, "back");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let proxies = format!(
        "  back: {{ listen: \"{free}\", upstream: \"{}\", terminate: {{ cert: back.pem, key: back.key }} }}\n  \
         front: {{ listen: 0, upstream: \"https://localhost:{}\", tls: {{ ca: old-back.pem }} }}\n",
        upstream.url(),
        free.port()
    );
    let server = start(serve(&config(&folder, &proxies)));
    let front = server.proxy("front");
    let status = || {
        let mut client = TcpStream::connect(front).expect("connected");
        let ask = b"HEAD / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        client.write_all(ask).expect("written");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        answer[9..12].to_owned()
    };
    // The upstream is asked anew for each, or the connection of before would serve.
    let reconnected = |nth: usize| {
        let said = hang_up(&server, nth);
        let (admin, change) = (server.admin(), |enabled| format!("{{\"enabled\": {enabled}}}"));
        for enabled in [false, true] {
            let told = crate::bytes::command(admin, "POST /proxies/back", None, &change(enabled));
            assert_eq!(told.0, 200, "{}", told.1);
        }
        said
    };
    assert_eq!(status(), "200");

    put(&folder, "back");
    assert!(reconnected(1).ends_with("with other certificates: back"));
    assert_eq!(status(), "502", "nobody said that the new one is to be trusted");

    kept(&folder, "back");
    assert!(reconnected(2).ends_with("with other certificates: front"));
    assert_eq!(status(), "200");
}

#[test]
fn an_authority_that_was_renewed_signs_from_then_on() {
    let (upstream, folder) = (Upstream::start(), folder("rotate-authority"));
    let shop =
        format!("  shop: {{ listen: 0, upstream: \"{}\", terminate: yes }}\n", upstream.url());
    let with_ca = |mut command: Command| {
        command.env("FIREDRILL_CA_DIR", folder.join("ca"));
        command
    };
    let server = start(with_ca(serve(&config(&folder, &shop))));
    let (at, new, old) = (server.proxy("shop"), folder.join("ca/ca.pem"), folder.join("old.pem"));
    fs::copy(&new, &old).expect("copied");
    assert!(is_trusted(at, &old));

    assert_eq!(done(with_ca(firedrill(["ca", "--renew"]))).code, Some(0));
    let said = hang_up(&server, 1);

    assert!(said.ends_with("with other certificates: shop"), "{said}");
    assert_eq!((is_trusted(at, &new), is_trusted(at, &old)), (true, false));
}
