//! Requests inside TLS inside tunnels, counted once.

use crate::{
    firedrill::{Done, done, firedrill, folder, scenario, start},
    support::upstream::Upstream,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{fs, path::Path, process::Command};

fn with_ca(folder: &Path, args: &[&str]) -> Command {
    let mut command = firedrill(args);
    command.env("FIREDRILL_CA_DIR", folder.join("ca"));
    command
}

fn counts_of(done: &Done, json: &Path) {
    assert!(done.out.contains("1 request from 1 user; injected into 1 (100.0 %), 1 user hit"));
    let text = fs::read_to_string(json).expect("a summary");
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    for (key, count) in
        [("requests", 1), ("injected", 1), ("ok", 0), ("users", 1), ("users_hit", 1)]
    {
        assert_eq!(summary[key], count, "{key}: {text}");
    }
    let all = &summary["phases"][0]["targets"]["all"];
    assert_eq!((&all["requests"], &all["injected"]), (&1.into(), &1.into()));
}

#[test]
fn the_way_to_a_request_is_not_counted_as_one() {
    let (upstream, folder) = (Upstream::start(), folder("intercept"));
    let calm = scenario(&folder, "name: calm\nphases: [{ name: calm, for: 10m }]\n");
    let listen = ["run", &calm, "--listen", "127.0.0.1:0", "--upstream", &upstream.url()];
    let service = start(with_ca(&folder, &[&listen[..], &["--terminate"]].concat()));
    let line = service.line(|line| line.contains(" -> http://"));
    let port = line.split(" -> ").next().and_then(|url| url.rsplit(':').next()).expect("a port");
    let place = format!("localhost:{port}");
    let outage = folder.join("outage.yaml");
    let text = "name: out\nphases: [{ name: out, for: 10m, faults: [{ respond: 503 }] }]\n";
    fs::write(&outage, text).expect("a file");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let (record, json, again) = (path("drill.jsonl"), path("drill.json"), path("again.json"));
    let page = path("page.html");
    let ca = path("ca/ca.pem");
    let mut drill = with_ca(
        &folder,
        &[
            &["run", outage.to_str().expect("UTF-8"), "--listen", "127.0.0.1:0"][..],
            &["--forward", &place, "--intercept", "--upstream-ca", &ca],
            &["--record", &record, "--json", &json, "--html", &page],
        ]
        .concat(),
    );
    let url = format!("https://{place}/");
    drill.args(["--", "curl", "-sS", "--max-time", "20", "--write-out", "%{http_code}", &url]);
    for name in ["NO_PROXY", "no_proxy", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
        drill.env_remove(name);
    }

    let played = done(drill);

    assert!(played.out.contains("503"), "{}{}", played.out, played.err);
    counts_of(&played, Path::new(&json));
    let html = fs::read_to_string(&page).expect("a page");
    assert!(html.contains("100.0 %") && !html.contains("50.0 %"), "with a fault injected");
    let lines = fs::read_to_string(&record).expect("a record");
    let exchanges = lines.lines().filter(|line| line.contains(r#""type":"exchange""#));
    let methods: Vec<String> = exchanges
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|line| line["request"]["method"].as_str().expect("a method").to_owned())
        .collect();
    assert_eq!(methods, ["CONNECT", "GET"], "the record has both");
    let told = done(firedrill(["report", &record, "--json", &again]));
    counts_of(&told, Path::new(&again));
    assert!(!told.out.contains("was changed"), "{}", told.out);
    service.signal(Signal::INT);
    service.finish();
}
