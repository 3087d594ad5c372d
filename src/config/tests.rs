//! Config files as a whole, from their text.

use super::*;
use crate::{
    diag::{Look, render},
    fault::catalog::Protocol,
    select::UserSource,
};
use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder with certificates and keys, gone with its test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Folder {
    /// Two certificates with their keys, `a` and `b`, and two files of authorities.
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("firedrill-config-{}-{nth}", std::process::id());
        let folder = Self(std::env::temp_dir().join(folder));
        fs::create_dir_all(&folder.0).expect("a folder");
        for name in ["a", "b"] {
            let signed = rcgen::generate_simple_self_signed([name.to_owned()]).expect("signed");
            folder.put(&format!("{name}.pem"), &signed.cert.pem());
            folder.put(&format!("{name}.key"), &signed.signing_key.serialize_pem());
            folder.put(["ca.pem", "clients.pem"][usize::from(name == "b")], &signed.cert.pem());
        }
        folder
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("written");
    }

    fn read(&self, text: &str) -> Config {
        read_in(self.0.clone(), text)
    }

    /// What is said of a config that is in it.
    fn said(&self, text: &str) -> Vec<String> {
        let source = Source::new("test.yaml", text);
        let mut problems = Problems::default();
        let _config = Config::read(&source, Some(self.0.clone()), &mut problems);
        problems
            .sorted()
            .iter()
            .map(|problem| format!("{} {}", problem.code, problem.title))
            .collect()
    }
}

fn read(text: &str) -> Config {
    read_in(PathBuf::from("/etc/drill"), text)
}

fn read_in(folder: PathBuf, text: &str) -> Config {
    let source = Source::new("test.yaml", text);
    let mut problems = Problems::default();
    let config = Config::read(&source, Some(folder), &mut problems);
    config.unwrap_or_else(|| panic!("{}", render(&source, &problems, Look::Plain)))
}

fn codes(text: &str) -> Vec<String> {
    let source = Source::new("test.yaml", text);
    let mut problems = Problems::default();
    let config = Config::read(&source, None, &mut problems);
    assert_eq!(config.is_none(), problems.has_errors(), "{text}");
    problems.sorted().iter().map(|problem| problem.code.to_string()).collect()
}

#[test]
fn a_proxy_needs_two_addresses_and_no_more() {
    let config = read(
        "admin: { listen: 127.0.0.1:8474 }
proxies:
  shop: { listen: 127.0.0.1:8080, upstream: \"http://127.0.0.1:3000\" }
  db: { listen: 15432, upstream: 127.0.0.1:5432, protocol: tcp }
",
    );

    let [shop, db] = &config.proxies[..] else { panic!("{config:?}") };
    assert_eq!(config.admin.map(|admin| admin.listen), Some(Admin::LISTEN));
    assert_eq!((&*shop.name, &*shop.upstream), ("shop", "http://127.0.0.1:3000"));
    assert_eq!((shop.protocol, shop.enabled, shop.mark), (Protocol::Http, true, true));
    assert_eq!((shop.host, &shop.tls), (HostHeader::Keep, &None));
    assert_eq!(shop.http, UpstreamHttp::Same);
    assert_eq!((db.protocol, &*db.upstream), (Protocol::Tcp, "127.0.0.1:5432"));
    assert_eq!(db.listen.to_string(), "127.0.0.1:15432");
}

#[test]
fn everything_can_be_said() {
    let folder = Folder::new();
    let config = folder.read(
        "admin: { listen: 0.0.0.0:0, token: { file: token }, hosts: Drill.example }
users: peer
proxies:
  my.shop-2:
    listen: 0.0.0.0:0
    upstream: https://shop.example
    protocol: http
    enabled: no
    users: [{ cookie: sid }, peer]
    host: rewrite
    upstream_http: http2
    mark: no
    tls: { ca: ca.pem }
",
    );

    let admin = config.admin.expect("an admin");
    assert_eq!(admin.token, Some(Token::File(folder.0.join("token"))));
    assert_eq!(admin.hosts, ["drill.example"]);
    assert_eq!(config.users.map(|users| users.sources), Some(vec![UserSource::Peer]));
    let shop = &config.proxies[0];
    assert_eq!((shop.enabled, shop.mark, shop.host), (false, false, HostHeader::Rewrite));
    assert_eq!(shop.users.as_ref().map(|users| users.sources.len()), Some(2));
    assert_eq!(shop.http, UpstreamHttp::Http2);
    let tls = UpstreamTls { ca: Some(folder.0.join("ca.pem")), ..UpstreamTls::default() };
    assert_eq!(shop.tls, Some(tls));
    assert_eq!(shop.variable(), "FIREDRILL_URL_MY_SHOP_2");
}

#[test]
fn tls_can_be_said_both_ways() {
    let folder = Folder::new();
    let config = folder.read(
        "proxies:
  shop:
    listen: 8443
    upstream: https://10.0.0.7
    terminate: { cert: a.pem, key: a.key, client_ca: clients.pem }
    tls: { sni: shop.example, cert: b.pem, key: b.key }
  made: { listen: 8444, upstream: \"http://a\", terminate: yes }
  plain: { listen: 8445, upstream: \"http://a\", terminate: no }
",
    );

    let [shop, made, plain] = &config.proxies[..] else { panic!("{config:?}") };
    let file = |name: &str| folder.0.join(name);
    let identity = |name| {
        Some(Identity { cert: file(&format!("{name}.pem")), key: file(&format!("{name}.key")) })
    };
    let terminate = Terminate { identity: identity("a"), client_ca: Some(file("clients.pem")) };
    assert_eq!(shop.terminate, Some(terminate));
    let sni = Some("shop.example".to_owned());
    assert_eq!(
        shop.tls,
        Some(UpstreamTls { sni, identity: identity("b"), ..UpstreamTls::default() })
    );
    assert_eq!((&made.terminate, &plain.terminate), (&Some(Terminate::default()), &None));
}

#[test]
fn tls_that_cannot_work_is_refused() {
    let with = |keys: &str| {
        codes(&format!("proxies: {{ a: {{ listen: 0, upstream: 'https://a', {keys} }} }}\n"))
    };
    assert_eq!(with("terminate: maybe"), ["E0003"]);
    assert_eq!(with("terminate: { cert: a.pem }"), ["E0103"]);
    assert_eq!(with("tls: { key: a.key }"), ["E0103"]);
    assert_eq!(with("terminate: { ca: a.pem }"), ["E0101"]);
    assert_eq!(with("protocol: tcp, terminate: yes"), ["E0701"]);
    for name in ["", "shop example", "[::1]", "shop:443", "*.example"] {
        assert_eq!(with(&format!("tls: {{ sni: '{name}' }}")).len(), 1, "{name}");
    }
    for name in ["shop.example", "under_score", "10.0.0.7", "::1"] {
        assert_eq!(with(&format!("tls: {{ sni: '{name}' }}")), [""; 0], "{name}");
    }
}

#[test]
fn files_of_tls_are_looked_into() {
    let folder = Folder::new();
    folder.put("text.pem", "no certificate");
    folder.put("cut.pem", "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n");
    folder.put("garbled.pem", &pem::encode(&pem::Pem::new("CERTIFICATE", "none")));
    folder.put("garbled.key", &pem::encode(&pem::Pem::new("PRIVATE KEY", "none")));
    let with = |keys: &str| {
        folder.said(&format!("proxies: {{ a: {{ listen: 0, upstream: 'https://a', {keys} }} }}\n"))
    };

    for (keys, said) in [
        ("terminate: { cert: a.pem, key: a.key, client_ca: ca.pem }", &[][..]),
        ("tls: { cert: b.pem, key: b.key, ca: clients.pem }", &[]),
        ("tls: { ca: nowhere.pem }", &["there is no file `nowhere.pem`"]),
        ("tls: { ca: . }", &["`.` cannot be read: it is not a regular file"]),
        ("tls: { ca: /dev/zero }", &["`/dev/zero` cannot be read: it is not a regular file"]),
        ("terminate: { client_ca: text.pem }", &["`text.pem` holds no certificate"]),
        ("terminate: { client_ca: cut.pem }", &["`cut.pem` is cut off or garbled"]),
        ("terminate: { client_ca: garbled.pem }", &["`garbled.pem` is cut off or garbled"]),
        ("terminate: { cert: garbled.pem, key: a.key }", &["`garbled.pem` is cut off or garbled"]),
        (
            "terminate: { cert: a.pem, key: garbled.key }",
            &[
                "the key in `garbled.key` cannot be used: unexpected error: failed to parse private key as RSA, ECDSA, or EdDSA",
            ],
        ),
        ("terminate: { cert: a.pem, key: a.pem }", &["`a.pem` holds no key"]),
        ("terminate: { cert: a.pem, key: b.key }", &["`b.key` is not the key of the certificate"]),
        (
            "terminate: { cert: no.pem, key: text.pem, client_ca: no.pem }, tls: { ca: cut.pem }",
            &[
                "there is no file `no.pem`",
                "`text.pem` holds no key",
                "there is no file `no.pem`",
                "`cut.pem` is cut off or garbled",
            ],
        ),
    ] {
        let said: Vec<String> = said.iter().map(|said| format!("E0721 {said}")).collect();
        assert_eq!(with(keys), said, "{keys}");
    }
}

#[test]
fn a_record_does_not_look_for_files_again() {
    let text = "proxies: { a: { listen: 0, upstream: 'https://a', tls: { ca: nowhere.pem } } }\n";
    let mut problems = Problems::default();
    let tree = yaml::parse(&Source::new("test.yaml", text), &mut problems).expect("a tree");

    let config = Config::of(&tree, &mut Reader::without_files(&mut problems));

    assert!(config.is_some() && problems.is_empty());
}

#[test]
fn tls_may_be_passed_on_by_name() {
    let with = |keys: &str| format!("proxies: {{ a: {{ listen: 0, {keys} }} }}\n");
    let tcp = "upstream: 'a:443', protocol: tcp";
    let config =
        read(&with(&format!("{tcp}, sni: {{ shop.example: 'b:443', '*.x': '[::1]:443' }}")));
    let route = |name: &str, to: &str| (name.to_owned(), to.to_owned());
    assert_eq!(config.proxies[0].sni, [route("shop.example", "b:443"), route("*.x", "[::1]:443")]);

    for (sni, code) in [
        ("{}", "E0107"),
        ("b", "E0003"),
        ("{ '*': 'b:443' }", "E0701"),
        ("{ 'a.*.b': 'b:443' }", "E0701"),
        ("{ 'a..b': 'b:443' }", "E0701"),
        ("{ 'schön': 'b:443' }", "E0701"),
        ("{ b: 'https://b' }", "E0701"),
        ("{ b: 'b' }", "E0701"),
        ("{ b: 'b:443', b: 'c:443' }", "E0102"),
    ] {
        assert_eq!(codes(&with(&format!("{tcp}, sni: {sni}"))), [code], "{sni}");
    }
    assert_eq!(codes(&with("upstream: 'http://a', sni: { b: 'b:443' }")), ["E0414"]);
}

#[test]
fn there_may_be_no_proxies_if_that_is_said() {
    for text in ["proxies:\n", "proxies: {}\n"] {
        assert_eq!(read(text).proxies.len(), 0, "{text}");
    }
    assert_eq!(codes("admin: {}\n"), ["E0103"]);
}

#[test]
fn a_scenario_beside_it_is_passed_over() {
    let config = read("name: x\nphases: []\nproxies: { a: { listen: 0, upstream: a } }\n");

    assert_eq!(config.proxies[0].upstream, "http://a");
}

#[test]
fn places_are_where_the_values_stand() {
    let text = "proxies:\n  shop: { listen: 8080, upstream: shop }\n";
    let places = read(text).proxies[0].places;

    let at = |span: Span| &text[span.range()];
    assert_eq!([places.name, places.listen, places.upstream].map(at), ["shop", "8080", "shop"]);
}

#[test]
fn listeners_that_exclude_each_other_are_told() {
    let both = |one: &str, other: &str| {
        codes(&format!(
            "admin: {{ listen: '{one}', open: yes }}\nproxies: {{ a: {{ listen: '{other}', upstream: a }} }}\n"
        ))
    };
    for (one, other) in [
        ("1", "127.0.0.1:1"),
        ("0.0.0.0:1", "127.0.0.1:1"),
        ("10.0.0.1:1", "[::]:1"),
        ("[::1]:1", "[::]:1"),
        ("[::ffff:127.0.0.1]:1", "1"),
    ] {
        assert_eq!(both(one, other), ["E0702"], "{one} {other}");
    }
    for (one, other) in [("1", "2"), ("0", "0"), ("127.0.0.2:1", "1"), ("0.0.0.0:1", "[::1]:1")] {
        assert_eq!(both(one, other), [""; 0], "{one} {other}");
    }
    let unsaid = "admin: { hosts: a }\nproxies: { a: { listen: 8474, upstream: a } }\n";
    assert_eq!(codes(unsaid), ["E0702"]);
}

#[test]
fn off_loopback_somebody_has_to_be_let_in_on_purpose() {
    let admin = |keys: &str| codes(&format!("admin: {{ {keys} }}\nproxies:\n"));
    for near in ["listen: 1", "listen: '[::1]:1'", "listen: 127.9.9.9:1"] {
        assert_eq!(admin(near), [""; 0], "{near}");
    }
    assert_eq!(admin("listen: 0.0.0.0:1"), ["E0703"]);
    assert_eq!(admin("listen: '[::]:1', open: no"), ["E0703"]);
    assert_eq!(admin("listen: 0.0.0.0:1, open: yes"), [""; 0]);
    assert_eq!(admin("listen: 0.0.0.0:1, token: { env: T }"), [""; 0]);
    assert_eq!(admin("open: yes, token: { env: T }"), ["E0414"]);
}

#[test]
fn a_token_is_never_in_the_file() {
    for token in ["secret", "12345"] {
        assert_eq!(codes(&format!("admin: {{ token: {token} }}\nproxies:\n")), ["E0704"]);
    }
    for token in ["{}", "{ env: A, file: b }"] {
        assert_eq!(codes(&format!("admin: {{ token: {token} }}\nproxies:\n")), ["E0106"]);
    }
}

#[test]
fn a_token_is_fetched_from_its_file_and_never_shown() {
    let folder = std::env::temp_dir().join(format!("firedrill-token-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("token");
    fs::write(&path, " s3cret\n").expect("written");

    let secret = Token::File(path.clone()).fetch().expect("a token");
    assert!(secret.is(b"s3cret"));
    for wrong in [&b""[..], b"s3cre", b"s3cret ", b"S3cret", b"s3cret0"] {
        assert!(!secret.is(wrong), "{wrong:?}");
    }
    assert!(!format!("{secret:?}").contains("s3cret"));

    for wrong in ["", "\n", "two words", "caf\u{e9}"] {
        fs::write(&path, wrong).expect("written");
        let why = Token::File(path.clone()).fetch().expect_err(wrong);
        assert!(matches!(why, TokenError::Malformed(_)), "{why}");
    }
    fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_token_that_is_not_there_is_told_by_its_place() {
    let why = Token::Env("FIREDRILL_NO_SUCH_TOKEN".to_owned()).fetch().expect_err("none");
    assert!(why.to_string().contains("`FIREDRILL_NO_SUCH_TOKEN`"), "{why}");

    let why = Token::File("/nowhere/token".into()).fetch().expect_err("none");
    assert!(why.to_string().contains("`/nowhere/token`"), "{why}");
}

#[test]
fn names_fit_into_variables_and_urls() {
    let named =
        |name: &str| codes(&format!("proxies: {{ {name}: {{ listen: 0, upstream: a }} }}\n"));
    for name in ["a", "9", "Shop-2_b.c", &"x".repeat(64)] {
        assert_eq!(named(name), [""; 0], "{name}");
    }
    for name in ["''", "..", "-a", "my shop", "a/b", "caf\u{e9}", &"x".repeat(65)] {
        assert_eq!(named(name), ["E0705"], "{name}");
    }
    let two = "proxies: { a-b: { listen: 0, upstream: a }, A.b: { listen: 0, upstream: a } }\n";
    assert_eq!(codes(two), ["E0302"]);
    assert_eq!(codes(&two.replace("A.b", "a-b")), ["E0102"]);
}

#[test]
fn keys_that_mean_nothing_are_refused() {
    let keys = |keys: &str| codes(&format!("proxies: {{ a: {{ listen: 0, {keys} }} }}\n"));
    for key in ["users: peer", "host: keep", "mark: yes", "upstream_http: same", "tls: {}"] {
        assert_eq!(keys(&format!("upstream: 'a:1', protocol: tcp, {key}")), ["E0414"], "{key}");
    }
    assert_eq!(keys("upstream: 'http://a:1', upstream_http: http3"), ["E0205"]);
    assert_eq!(keys("upstream: 'http://a:1', tls: { verify: no }"), ["E0414"]);
    assert_eq!(keys("upstream: 'https://a', tls: { ca: a.pem, verify: no }"), ["E0414"]);
    assert_eq!(keys("upstream: 'https://a', tls: { verify: no }"), [""; 0]);
}

#[test]
fn an_upstream_fits_its_protocol() {
    let keys = |keys: &str| codes(&format!("proxies: {{ a: {{ listen: 0, {keys} }} }}\n"));
    for wrong in
        ["'a:1'", "'tcp://a:1'", "'http://a/b'", "'http://a:1', protocol: tcp", "a, protocol: tcp"]
    {
        assert_eq!(keys(&format!("upstream: {wrong}")), ["E0701"], "{wrong}");
    }
    for right in ["'http://a:1'", "'https://a'", "'tcp://a:1', protocol: tcp"] {
        assert_eq!(keys(&format!("upstream: {right}")), [""; 0], "{right}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "proxis: {}
admin: { listen: nowhere, tokn: x }
proxies:
  shop: { upstream: 'ftp://a', protcol: tcp }
  db: { listen: 1, upstream: db, protocol: tpc }
";
    assert_eq!(codes(text), ["E0101", "E0701", "E0101", "E0103", "E0701", "E0101", "E0205"]);
}

#[track_caller]
fn file(text: &str) -> File {
    let source = Source::new("test.yaml", text);
    let mut problems = Problems::default();
    let file = File::read(&source, None, &mut problems);
    file.unwrap_or_else(|| panic!("{}", render(&source, &problems, Look::Plain)))
}

fn codes_of_file(text: &str) -> Vec<String> {
    let source = Source::new("test.yaml", text);
    let mut problems = Problems::default();
    let file = File::read(&source, None, &mut problems);
    assert_eq!(file.is_none(), problems.has_errors(), "{text}");
    problems.sorted().iter().map(|problem| problem.code.to_string()).collect()
}

const SCENARIO: &str = "name: x\nphases: [{ name: a, for: 1m }]\n";
const PROXIES: &str = "proxies: { a: { listen: 0, upstream: a } }\n";

#[test]
fn a_file_is_what_its_keys_say() {
    let alone = file(SCENARIO);
    assert_eq!((alone.scenario.is_some(), alone.config.is_some()), (true, false));
    let alone = file(PROXIES);
    assert_eq!((alone.scenario.is_some(), alone.config.is_some()), (false, true));
    let both = file(&format!("{SCENARIO}{PROXIES}"));
    assert_eq!((both.scenario.is_some(), both.config.is_some()), (true, true));
    for neither in ["users: peer\n", "{}\n", "hello: 1\nusers: peer\n"] {
        assert!(codes_of_file(neither).contains(&"E0708".to_owned()), "{neither}");
    }
}

#[test]
fn users_of_a_file_are_those_of_both() {
    let both = file(&format!("{SCENARIO}{PROXIES}users: peer\n"));
    let peer = Users { sources: vec![UserSource::Peer] };
    assert_eq!(both.scenario.map(|scenario| scenario.users), Some(peer.clone()));
    assert_eq!(both.config.and_then(|config| config.users), Some(peer));

    let silent = file(&format!("{SCENARIO}{PROXIES}"));
    assert_eq!(silent.config.and_then(|config| config.users), None);
}

#[test]
fn no_problem_of_a_file_is_told_twice() {
    let text = format!("{SCENARIO}{PROXIES}users: me\noops: 1\noops: 2\nadmin: {{ listn: 1 }}\n");
    assert_eq!(codes_of_file(&text), ["E0205", "E0101", "E0102", "E0101", "E0101"]);
}

#[test]
fn a_scenario_has_to_fit_the_proxies_beside_it() {
    let scenario = "name: x
phases: [{ name: a, for: 1m, faults: [{ hang: {}, proxy: b, share: 5% }] }]
";
    assert_eq!(codes_of_file(scenario), [""; 0]);
    assert_eq!(codes_of_file(&format!("{scenario}{PROXIES}")), ["E0706"]);
    let broken = "proxies: { a: { listen: 0, upstream: a }, b: { listen: 0 } }\n";
    assert_eq!(codes_of_file(&format!("{scenario}{broken}")), ["E0103"]);
}
