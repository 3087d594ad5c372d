//! `firedrill run --forward`, and what it tells the command beside it.

use crate::support::{GET, OK, Upstream, Wire};
use firedrill::ca::{ADDING, REPLACING};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};
use tokio::net::TcpStream;

/// A drill of a minute without a fault, in an environment that says nothing of proxies.
fn run(name: &str, flags: &[&str]) -> Command {
    run_at("127.0.0.1:0", name, flags)
}

fn run_at(listen: &str, name: &str, flags: &[&str]) -> Command {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("forward").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let scenario = folder.join("drill.yaml");
    fs::write(&scenario, "name: x\nphases: [{ name: calm, for: 1m }]\n").expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(["run", "--listen", listen]).arg(scenario).args(flags).current_dir(&folder);
    let ours = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
    let trust = REPLACING.into_iter().chain(ADDING);
    for variable in ours.into_iter().chain(trust).chain(["FIREDRILL_UPSTREAM", "FIREDRILL_LOG"]) {
        command.env_remove(variable);
    }
    command.env("FIREDRILL_CA_DIR", folder.join("ca")).stdin(Stdio::null());
    command
}

/// What a command beside a drill finds in its environment.
fn variables(mut command: Command) -> BTreeMap<String, String> {
    let out = command.args(["--", "env"]).output().expect("it runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_command_is_told_of_the_proxy() {
    let mut command = run("told", &["--forward", "api.example.com,*.example.org"]);
    command.env("NO_PROXY", "internal,example.com");
    let variables = variables(command);

    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
        assert_eq!(variables[name], variables["FIREDRILL_URL"], "{name}");
    }
    assert_eq!(variables["NO_PROXY"], "internal,localhost,127.0.0.1,::1");
    assert_eq!(variables["no_proxy"], variables["NO_PROXY"]);
    assert!(!variables.contains_key("GIT_SSL_CAINFO"));
}

#[test]
fn a_command_is_told_whom_to_trust() {
    let variables = variables(run("trust", &["--forward", "api.example.com", "--intercept"]));

    let read = |name: &str| fs::read_to_string(&variables[name]).expect(name);
    let own = read("NODE_EXTRA_CA_CERTS");
    assert_eq!(own.matches("BEGIN CERTIFICATE").count(), 1);
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"] {
        assert!(read(name).starts_with(&own), "{name}");
    }
}

#[test]
fn a_command_trusts_whom_it_trusted_before() {
    let made = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        made.cert.pem().replace("\r\n", "\n")
    };
    let (corp, lab) = (made("corp.example"), made("lab.example"));
    let mut command = run("before", &["--forward", "api.example.com", "--intercept"]);
    let folder = command.get_current_dir().expect("one").to_owned();
    fs::write(folder.join("corp.pem"), &corp).expect("a file");
    fs::write(folder.join("lab.pem"), &lab).expect("a file");
    command.env("NODE_EXTRA_CA_CERTS", "corp.pem").env("DENO_CERT", "lab.pem");
    let told = variables(command);

    let extra = fs::read_to_string(&told["NODE_EXTRA_CA_CERTS"]).expect("a file");
    let extra = extra.replace("\r\n", "\n");
    assert_eq!(told["DENO_CERT"], told["NODE_EXTRA_CA_CERTS"]);
    let own = fs::read_to_string(folder.join("ca/ca.pem")).expect("a file").replace("\r\n", "\n");
    assert_eq!(extra, [own, corp, lab].concat());

    // A drill inside of the drill.
    let mut inner = run("before", &["--forward", "api.example.com", "--intercept"]);
    inner.env("NODE_EXTRA_CA_CERTS", &told["NODE_EXTRA_CA_CERTS"]);
    let told = variables(inner);
    let again = fs::read_to_string(&told["NODE_EXTRA_CA_CERTS"]).expect("a file");
    assert_eq!(again.replace("\r\n", "\n"), extra);
}

#[test]
fn a_command_may_go_elsewhere_before_it_looks() {
    let mut forward = run("elsewhere", &["--forward", "api.example.com", "--intercept"]);
    let mut socket = run_at("unix:s", "elsewhere", &["--upstream", "http://127.0.0.1:9"]);
    let mut secure = run("elsewhere", &["--upstream", "http://127.0.0.1:9", "--terminate"]);
    for command in [&mut forward, &mut socket, &mut secure] {
        command.env("FIREDRILL_CA_DIR", "own/ca");
    }

    let told = [variables(forward), variables(secure)];
    let trust = REPLACING.into_iter().chain(ADDING).map(|name| &told[0][name]);
    for path in trust.chain(told.iter().map(|told| &told["FIREDRILL_CA"])) {
        assert!(path.starts_with('/') && fs::exists(path).expect("a path"), "{path}");
        assert!(path.contains("/elsewhere/own/ca/"), "{path}");
    }
    let told = variables(socket);
    let is_place =
        |name: &str| ["FIREDRILL_URL", "FIREDRILL_ADDR"].iter().any(|p| name.starts_with(p));
    let places: Vec<&String> =
        told.iter().filter(|(name, _)| is_place(name)).map(|(_, place)| place).collect();
    assert_eq!(places.len(), 3, "{told:?}");
    assert!(
        places.iter().all(|place| place.starts_with("unix:/") && place.ends_with("/s")),
        "{places:?}"
    );
}

#[test]
fn every_host_is_not_the_suites_own_machine() {
    let told = variables(run("every", &["--forward", "*"]));
    assert_eq!(told["NO_PROXY"], "localhost,127.0.0.1,::1");
    let told = variables(run("every", &["--forward", "*,127.0.0.1:3000"]));
    assert_eq!(told["NO_PROXY"], "localhost,::1");
}

#[tokio::test]
async fn without_a_command_a_shell_is_told_and_the_proxy_is_there() {
    let upstream = Upstream::answering(OK).await;
    let mut command = run("shell", &["--forward", &upstream.address.to_string()]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let told = lines
        .find_map(|line| line.ok()?.strip_prefix("export http_proxy=http://").map(str::to_owned));

    let proxy = TcpStream::connect(told.expect("a line")).await.expect("it listens");
    let request = GET.replace("GET /", &format!("GET http://{}/", upstream.address));
    assert_eq!(Wire::tcp(proxy).ask(request).await.status(), 200);

    child.kill().expect("it is there");
    child.wait().expect("it ends");
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (flags, says) in [
        (&["--forward", "a", "--upstream", "http://b"][..], "leave one out"),
        (&["--forward", "https://a/b"], "write `a`"),
        (
            &["--forward", "a", "--terminate", "--intercept"],
            "leave `--terminate` or `--intercept` out",
        ),
        (&["--intercept", "--upstream", "http://b"], "--forward"),
    ] {
        let out = run("refused", flags).output().expect("it runs");
        let text = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{flags:?}: {text}");
        assert!(text.contains(says), "{flags:?}: {text}");
    }
    let out = run_at("unix:s", "refused", &["--forward", "a"]).output().expect("it runs");
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert!(text.contains("on a Unix socket; listen on an address"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl; .ci/run installs it and runs this"]
async fn curl_goes_through() {
    let upstream = Upstream::answering(OK).await;
    let url = format!("http://{}/", upstream.address);
    for flags in [&[][..], &["--proxytunnel"]] {
        let mut command = run("curl", &["--forward", &upstream.address.to_string()]);
        command.args(["--", "curl", "-sS", "--max-time", "10"]).args(flags).arg(&url);
        let out = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(text.starts_with("ok"), "{text}{}", String::from_utf8_lossy(&out.stderr));
    }
    assert_eq!(upstream.requests().len(), 2);
}
