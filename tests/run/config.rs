//! `firedrill run` on the proxies of a config file.

use crate::{
    bytes::{Talk, command, echo},
    firedrill::{Done, Running, done, firedrill, folder, scenario, start},
    support::{
        client::{Ask, PATIENCE},
        upstream::Upstream,
    },
};
use rustix::process::Signal;
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// A client of HTTP/2 in front of a service that speaks HTTP/1, without a config.
#[test]
fn the_upstreams_version_of_http_is_a_flag() {
    let (upstream, folder) = (Upstream::start(), folder("upstream-http"));
    let file = scenario(&folder, "name: calm\nphases: [{ name: calm, for: 10m }]\n");
    let ask = "curl -s -o /dev/null -w '%{http_version} %{http_code}' --http2-prior-knowledge $FIREDRILL_URL/";
    let args = ["run", &file, "--quiet", "--listen", "127.0.0.1:0", "--upstream", &upstream.url()];
    let mut command = firedrill(args);
    command.args(["--upstream-http", "http1", "--", "sh", "-c", ask]);

    let out = done(command).out;

    assert!(out.starts_with("2 200"), "{out}");
    let mut wrong = firedrill(args);
    wrong.args(["--upstream-http", "http3"]);
    let wrong = done(wrong);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("write `same`, `http1` or `http2`"), "{}", wrong.err);
}

const OUTAGE: &str = "name: outage
phases:
  - name: outage
    for: 10m
    faults:
      - { latency: 300ms, proxy: db }
      - { respond: 503 }
";

/// A shop and a database on free ports.
fn proxies(upstream: &Upstream) -> String {
    format!(
        "proxies:\n  shop: {{ listen: 0, upstream: \"{}\" }}\n  \
         my-db: {{ listen: 0, upstream: \"{}\", protocol: tcp }}\n",
        upstream.url(),
        echo()
    )
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

fn outage() -> String {
    OUTAGE.replace("proxy: db", "proxy: my-db")
}

/// The drill in two files.
fn drill(folder: &Path, upstream: &Upstream) -> Command {
    let path = scenario(folder, &outage());
    let config = write(folder, "config.yaml", &proxies(upstream));
    firedrill(["run", &path, "--config", &config])
}

/// What the scenario says is what both proxies do.
fn plays(drill: &Running) {
    assert_eq!(Ask::get("/").at(drill.proxy("shop"), PATIENCE).status, 503);
    let mut talk = Talk::to(drill.proxy("my-db"));
    for _ in 0..2 {
        let asked = Instant::now();
        assert!(talk.works(PATIENCE));
        let took = asked.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(2), "{took:?}");
    }
}

#[test]
fn a_drill_plays_on_all_proxies_of_a_config() {
    let (upstream, folder) = (Upstream::start(), folder("config"));
    let drill = start(drill(&folder, &upstream));
    plays(&drill);
    drill.signal(Signal::TERM);
    assert_eq!(drill.finish().code, Some(130));
}

#[test]
fn one_file_may_hold_all_of_it() {
    let (upstream, folder) = (Upstream::start(), folder("whole"));
    let path = scenario(&folder, &format!("{}{}", outage(), proxies(&upstream)));
    let drill = start(firedrill(["run", &path]));
    plays(&drill);
    drill.signal(Signal::INT);
    let done = drill.finish();
    assert_eq!(done.code, Some(130));
    let row = done.out.lines().find(|line| line.starts_with("my-db "));
    let row: Vec<&str> = row.expect("of connections too").split_whitespace().collect();
    assert_eq!(row, ["my-db", "1", "1", "0", "8B", "8B"]);
    assert!(!done.out.contains("note: "), "nothing is amiss: {}", done.out);
}

#[test]
fn a_command_is_told_of_every_proxy_and_its_code_is_the_drills() {
    for (code, wanted) in [(0, 0), (7, 1)] {
        let (upstream, folder) = (Upstream::start(), folder(&format!("variables-{code}")));
        let told = folder.join("told");
        let mut command = drill(&folder, &upstream);
        let names = ["URL", "URL_SHOP", "URL_MY_DB", "ADDR_SHOP", "ADDR_MY_DB"];
        let names: String = names.map(|name| format!("$FIREDRILL_{name} ")).concat();
        let go = folder.join("go");
        let script = format!(
            "echo {names}> \"$0\"; while [ ! -e \"$1\" ] && kill -0 $PPID; do sleep 0.02; done; \
             exit {code}"
        );
        command.args(["--", "sh", "-c", &script]).args([&told, &go]);
        let drill = start(command);
        plays(&drill);
        let (shop, db) = (drill.proxy("shop"), drill.proxy("my-db"));
        fs::write(go, "").expect("a file");
        let done = drill.finish();

        assert_eq!(done.code, Some(wanted), "{}{}", done.err, done.out);
        let wanted = format!("http://{shop} http://{shop} tcp://{db} {shop} {db}\n");
        assert_eq!(fs::read_to_string(told).expect("a file"), wanted);
    }
}

fn refused(name: &str, text: &str, config: Option<&str>, args: &[&str]) -> Done {
    let folder = folder(name);
    let path = scenario(&folder, text);
    let mut command = firedrill(["run", &path]);
    if let Some(config) = config {
        command.args(["--config", &write(&folder, "config.yaml", config)]);
    }
    command.args(args);
    let done = done(command);
    assert_eq!(done.out, "", "nothing was played");
    done
}

const CONFIG: &str = "proxies:
  shop: { listen: 0, upstream: \"http://127.0.0.1:9\" }
  db: { listen: 0, upstream: 127.0.0.1:9, protocol: tcp }
";

#[test]
fn a_config_and_an_upstream_are_one_too_many() {
    let upstream = ["--upstream", "http://127.0.0.1:9"];
    let two = refused("two-places", OUTAGE, Some(CONFIG), &upstream);
    assert_eq!(two.code, Some(2));
    assert!(two.err.contains("--config") && two.err.contains("--upstream"), "{}", two.err);
    let whole = format!("{OUTAGE}{CONFIG}");
    let own = refused("own-place", &whole, None, &upstream);
    assert_eq!(own.code, Some(2));
    assert!(own.err.contains("`--upstream` makes one proxy"), "{}", own.err);
    let both = refused("both-places", &whole, Some(CONFIG), &[]);
    assert_eq!(both.code, Some(2));
    assert!(both.err.contains("leave `--config` out"), "{}", both.err);
}

#[test]
fn a_fault_that_fits_no_proxy_is_refused_at_its_place() {
    let text = OUTAGE.replace("{ respond: 503 }", "{ respond: 503, proxy: db }");
    let done = refused("misfit", &text, Some(CONFIG), &[]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("E0707") && done.err.contains("drill.yaml:7:"), "{}", done.err);

    let text = OUTAGE.replace("proxy: db", "proxy: dv");
    let done = refused("no-proxy", &text, Some(CONFIG), &[]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("E0706") && done.err.contains("did you mean `db`?"), "{}", done.err);

    // On the one proxy that flags make, too.
    let done = refused("one-proxy", OUTAGE, None, &["--upstream", "http://127.0.0.1:9"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("E0706"), "{}", done.err);
}

#[test]
fn a_config_with_mistakes_or_that_is_not_there_is_refused() {
    let bad = CONFIG.replace("protocol: tcp", "protocol: udp");
    let done = refused("bad-config", OUTAGE, Some(&bad), &[]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("config.yaml:3:"), "{}", done.err);
    let done = refused("half-config", OUTAGE, Some("proxies:\n  shop: { listen: 0, ups"), &[]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("config.yaml:2:"), "{}", done.err);
    let done = refused("no-config", OUTAGE, None, &["--config", "/nowhere/config.yaml"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("no config file `/nowhere/config.yaml`"), "{}", done.err);
}

#[test]
fn a_port_in_use_is_named_with_its_proxy() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("an address").to_string();
    let config = CONFIG.replace("db: { listen: 0", &format!("db: {{ listen: \"{address}\""));
    let done = refused("config-port", OUTAGE, Some(&config), &[]);
    assert_eq!(done.code, Some(5), "{}", done.err);
    assert!(done.err.contains("proxy `db`") && done.err.contains(&address), "{}", done.err);
}

#[test]
fn an_upstream_that_is_not_there_is_noted_and_the_drill_goes_on() {
    let folder = folder("nobody");
    let text = "name: calm\nphases: [{ name: calm, for: 10m }]\n";
    let config = write(&folder, "config.yaml", CONFIG);
    let drill = start(firedrill(["run", &scenario(&folder, text), "--config", &config]));
    drill.line(|line| line.starts_with("note: proxy `db`: ") && line.contains("going on"));
    // Accepted, and ended early: nobody is behind it.
    let mut talk = Talk::to(drill.proxy("db"));
    assert_eq!(talk.hear(PATIENCE).expect("an end"), "");
}

#[test]
fn a_running_drill_is_commanded_where_admin_listens() {
    let (upstream, folder) = (Upstream::start(), folder("commanded"));
    let mut with_admin = drill(&folder, &upstream);
    with_admin.args(["--admin", "127.0.0.1:0"]);
    let drill = start(with_admin);
    let (admin, db) = (drill.admin(), drill.proxy("my-db"));
    let mut talk = Talk::to(db);
    assert!(talk.works(PATIENCE));
    let (status, told) = command(admin, "GET /proxies", None, "");
    assert_eq!(status, 200);
    assert!(told.contains("\"my-db\"") && told.contains(&db.to_string()), "{told}");

    let toxic = r#"{"type":"latency","stream":"downstream","attributes":{"latency":400}}"#;
    let (status, told) = command(admin, "POST /proxies/my-db/toxics", None, toxic);
    assert_eq!(status, 200, "{told}");
    let asked = Instant::now();
    assert!(talk.works(PATIENCE), "the scenario's delay and that by hand");
    assert!(asked.elapsed() >= Duration::from_millis(700), "{:?}", asked.elapsed());
    drill.signal(Signal::TERM);
    assert_eq!(drill.finish().code, Some(130));
}
