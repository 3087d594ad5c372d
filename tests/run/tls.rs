//! TLS through the door a user uses: `firedrill ca`, and clients that others made.

use crate::{
    firedrill::{Done, Running, done, firedrill, folder, scenario, start},
    support::upstream::Upstream,
};
use rustix::process::Signal;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

const CALM: &str = "name: calm\nphases: [{ name: calm, for: 10m }]\n";

/// `firedrill` with an authority of a folder's own.
fn with_ca(folder: &Path, args: &[&str]) -> Command {
    let mut command = firedrill(args);
    command.env("FIREDRILL_CA_DIR", folder.join("ca"));
    command
}

/// A drill that speaks TLS.
fn drill(folder: &Path, text: &str, upstream: &Upstream) -> Running {
    let file = scenario(folder, text);
    let args =
        ["run", &file, "--listen", "127.0.0.1:0", "--upstream", &upstream.url(), "--terminate"];
    start(with_ca(folder, &args))
}

fn url(drill: &Running) -> String {
    let line = drill.line(|line| line.contains(" -> http://"));
    let url = line.split(" -> ").next().expect("a URL").to_owned();
    assert!(url.starts_with("https://127.0.0.1:"), "{line}");
    url.replace("127.0.0.1", "localhost")
}

fn curl(folder: &Path, args: &[&str]) -> Output {
    let ca = folder.join("ca/ca.pem");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "3", "--cacert"]).arg(ca).args(args);
    curl.output().expect("curl is there")
}

fn stopped(drill: Running) -> Done {
    drill.signal(Signal::INT);
    drill.finish()
}

#[test]
fn the_authority_is_made_once_and_printed() {
    let folder = folder("ca");
    let printed = done(with_ca(&folder, &["ca"]));
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert!(printed.out.starts_with("-----BEGIN CERTIFICATE-----"), "{}", printed.out);

    let path = done(with_ca(&folder, &["ca", "--path"])).out;
    assert_eq!(fs::read_to_string(path.trim()).expect("a file"), printed.out);
    let kept = folder.join("ca/authority.pem");
    assert_eq!(fs::metadata(&kept).expect("kept").permissions().mode() & 0o777, 0o600);

    let renewed = done(with_ca(&folder, &["ca", "--renew"])).out;
    assert_ne!(renewed, printed.out);
    assert_eq!(done(with_ca(&folder, &["ca"])).out, renewed);

    fs::write(&kept, "nothing").expect("written");
    let broken = done(with_ca(&folder, &["ca"]));
    assert_eq!(broken.code, Some(5), "{}", broken.err);
    assert!(broken.err.contains("firedrill ca --renew"), "{}", broken.err);

    let mut homeless = firedrill(["ca"]);
    homeless.env_remove("HOME").env_remove("XDG_DATA_HOME").env_remove("FIREDRILL_CA_DIR");
    assert_eq!(done(homeless).code, Some(2));
    let help = done(firedrill(["ca", "--help"])).out;
    for client in ["curl", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "keytool", "SSL_CERT_FILE"]
    {
        assert!(help.contains(client), "{client}");
    }
}

#[test]
fn a_command_beside_the_drill_is_told_whom_to_trust() {
    let (upstream, folder) = (Upstream::start(), folder("tls-beside"));
    let file = scenario(&folder, CALM);
    let args =
        ["run", &file, "--listen", "127.0.0.1:0", "--upstream", &upstream.url(), "--terminate"];
    let mut command = with_ca(&folder, &args);
    let ask = "curl -sS --fail --cacert \"$FIREDRILL_CA\" \"$FIREDRILL_URL/x\" && echo && echo $FIREDRILL_URL";
    command.args(["--", "sh", "-c", ask]);

    let done = done(command);

    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    assert!(done.out.contains("https://127.0.0.1:"), "{}", done.out);
    assert!(done.err.contains("trust: ") && done.err.contains("ca/ca.pem"), "{}", done.err);
}

#[test]
fn curl_meets_each_flaw_as_in_life() {
    let (upstream, folder) = (Upstream::start(), folder("tls-curl"));
    for (flaw, code, says) in [
        ("expired", 60, "certificate has expired"),
        ("not_yet_valid", 60, "not yet valid"),
        ("wrong_name", 60, "no alternative certificate subject name matches"),
        ("untrusted", 60, "unable to get local issuer certificate"),
        ("no_common_version", 35, "alert protocol version"),
        ("no_common_cipher", 35, "alert handshake failure"),
        ("stall", 28, "timed out"),
        ("reset", 35, "reset by peer"),
        ("no_close_notify", 0, ""),
    ] {
        let text =
            format!("name: x\nphases: [{{ name: a, for: 10m, faults: [{{ tls: {flaw} }}] }}]\n");
        let drill = drill(&folder, &text, &upstream);
        let out = curl(&folder, &[&url(&drill)]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(code), "{flaw}: {said}");
        assert!(said.contains(says), "{flaw}: {said}");
        let done = stopped(drill);
        assert!(done.out.contains("tls") || done.err.contains("tls"), "{}\n{}", done.out, done.err);
    }
}

/// Of two clients one looks at certificates: the verdict knows which drill was whose, and a report made
/// from the record says the same.
#[test]
fn a_client_that_takes_any_certificate_fails_the_drill() {
    let (upstream, folder) = (Upstream::start(), folder("tls-verdict"));
    let text = "name: x\nphases:\n  - { name: calm, for: 1500ms }\n\
                - { name: a, for: 10m, faults: [{ tls: expired }] }\n\
                expect: [bad_certificates_taken: 0]\n"
        .replace("\n- ", "\n  - ");
    let takes = |trust: &str, flag: &str, said: &str, code: i32| {
        let (file, record) = (scenario(&folder, &text), folder.join("drill.jsonl"));
        let record = record.to_str().expect("a path");
        let args = ["run", &file, "--listen", "127.0.0.1:0", "--upstream", &upstream.url()];
        let mut command = with_ca(&folder, &args);
        let ask = format!(
            "curl -s {flag} {trust} $FIREDRILL_URL/; sleep 1.6; \
             for n in 1 2 3 4; do curl -s {flag} {trust} $FIREDRILL_URL/; done; true"
        );
        command.args(["--terminate", "--record", record, "--", "sh", "-c", &ask]);
        let drilled = done(command);
        assert_eq!(drilled.code, Some(code), "{}\n{}", drilled.out, drilled.err);
        let again = done(firedrill(["report", record]));
        assert_eq!(again.code, Some(code), "{}\n{}", again.out, again.err);
        for told in [drilled.out, again.out] {
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains(said), "{told}");
            assert_eq!(told.contains("4 handshakes of TLS failed"), flag.is_empty(), "{told}");
        }
    };

    let trust = "--cacert $FIREDRILL_CA";
    takes(trust, "--insecure", "4 of 4 expired", 1);
    takes(trust, "", "PASS bad_certificates_taken 0 0 (0 of 4 expired", 0);
}

/// It refuses whatever it is shown, so that its refusals say nothing of the flaw.
#[test]
fn a_client_that_never_trusted_us_is_not_cleared() {
    let (upstream, folder) = (Upstream::start(), folder("tls-stranger"));
    let text = "name: x\nphases: [{ name: a, for: 10m, faults: [{ tls: wrong_name }] }]\n\
                expect: [bad_certificates_taken: 0]\n";
    let file = scenario(&folder, text);
    let args = ["run", &file, "--listen", "127.0.0.1:0", "--upstream", &upstream.url()];
    let mut command = with_ca(&folder, &args);
    let ask = "for n in 1 2 3 4 5; do curl -s $FIREDRILL_URL/; done; true";
    command.args(["--terminate", "--", "sh", "-c", ask]);

    let told = done(command).out.split_whitespace().collect::<Vec<_>>().join(" ");

    assert!(told.contains("INCONCLUSIVE bad_certificates_taken 0 5 connections did not"), "{told}");
    assert!(told.contains("(alert_unknown_ca): the client does not trust who signed"), "{told}");
}

#[test]
fn how_long_a_client_waits_for_a_handshake_is_measured() {
    let (upstream, folder) = (Upstream::start(), folder("tls-patience"));
    let text = "name: x\nphases: [{ name: a, for: 10m, faults: [{ tls: stall }] }]\n\
                expect: [handshake_timeout: { max: 5s }]\n";
    let file = scenario(&folder, text);
    let args = ["run", &file, "--listen", "127.0.0.1:0", "--upstream", &upstream.url()];
    let mut command = with_ca(&folder, &args);
    // What left within the last second may have been killed: so there is one.
    let ask = "for n in 1 2 3; do curl -s --connect-timeout 1 --cacert $FIREDRILL_CA $FIREDRILL_URL/; done; \
               sleep 1.2";
    command.args(["--terminate", "--json", "-", "--quiet", "--", "sh", "-c", ask]);

    let drilled = done(command);

    assert_eq!(drilled.code, Some(0), "{}\n{}", drilled.out, drilled.err);
    let told: serde_json::Value = serde_json::from_str(&drilled.out).expect("JSON");
    let took = told["verdict"]["expectations"][0]["value"].as_f64().expect("a number");
    assert!((0.95..3.0).contains(&took), "{took}");
}

#[test]
fn a_client_that_does_not_trust_us_is_why_nothing_came() {
    let (upstream, folder) = (Upstream::start(), folder("tls-distrust"));
    let drill = drill(&folder, CALM, &upstream);
    let out = Command::new("curl").args(["-s", &url(&drill)]).output().expect("curl is there");
    assert_eq!(out.status.code(), Some(60));

    let told = stopped(drill).out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("no request came by: 1 handshake of TLS failed"), "{told}");
    assert!(told.contains("(alert_unknown_ca): the client does not trust who signed"), "{told}");
}

#[test]
fn plain_http_is_told_to_speak_tls() {
    let (upstream, folder) = (Upstream::start(), folder("tls-plain"));
    let drill = drill(&folder, CALM, &upstream);
    let plain = url(&drill).replace("https://", "http://");

    let out = curl(&folder, &["--include", &plain]);

    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("https://"), "{said}");
    stopped(drill);
}

#[test]
fn a_flaw_needs_tls_and_says_so() {
    let folder = folder("tls-misfit");
    let text = "name: x\nphases: [{ name: a, for: 1m, faults: [{ tls: expired }] }]\n\
                proxies: { shop: { listen: 0, upstream: 'http://127.0.0.1:9' } }\n";
    let refused = done(firedrill(["check", &scenario(&folder, text)]));
    assert_eq!(refused.code, Some(2), "{}", refused.out);
    assert!(refused.out.contains("E0707") || refused.err.contains("E0707"), "{}", refused.err);
    let all = refused.out + &refused.err;
    assert!(all.contains("terminate: yes"), "{all}");
}
