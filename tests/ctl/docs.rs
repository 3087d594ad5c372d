//! `docs/control.md`, held to what the program does.

use crate::{
    served::{Served, served},
    stage::{Stage, free, visit},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, process::Command};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/control.md");
    fs::read_to_string(path).expect("the page")
}

/// A drill of the built binary, and where it takes commands.
fn drill() -> (Served, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ctl");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("docs.yaml");
    let text = format!(
        "name: x\nphases: [{{ name: calm, for: 10m }}, {{ name: outage, for: 10m }}]\n\
         proxies: {{ shop: {{ listen: {}, upstream: 'http://127.0.0.1:1' }} }}\n",
        free()
    );
    fs::write(&file, text).expect("a file");
    served(["run".as_ref(), file.as_os_str()])
}

#[test]
fn every_example_of_the_page_works() {
    let page = page();
    let blocks: Vec<&str> = page
        .split("\n```sh\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("a block"))
        .collect();
    assert!(blocks.len() > 5, "{blocks:?}");
    let program = Path::new(env!("CARGO_BIN_EXE_firedrill")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    for block in blocks {
        // A drill for each: they end it.
        let (_served, admin) = drill();
        let mut script = block.replace("http://127.0.0.1:8474", &format!("http://{admin}"));
        for port in ["127.0.0.1:16379", "127.0.0.1:15672"] {
            script = script.replace(port, "127.0.0.1:0");
        }
        let script =
            format!("set -e\ncurl() {{ command curl --fail-with-body \"$@\"; }}\n{script}");
        let done = Command::new("bash")
            .args(["-c", &script])
            .env("PATH", format!("{}:{path}", program.display()))
            .env("FIREDRILL_ADMIN", &admin)
            .env_remove("FIREDRILL_TOKEN")
            .output()
            .expect("a shell");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(done.status.success(), "{block}\n{}{}", said(&done.stdout), said(&done.stderr));
    }
}

fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_an_answer_is_on_the_page() {
    let stage = Stage::playing(
        "{ name: x, phases: [{ name: a, for: 10m, faults: [{ latency: 1ms, times: 2 }] }] }",
    );
    let address = stage.http("shop");
    let _met = visit(address, "/a");
    stage.put_on("{ respond: 503, ttl: 1m }");
    let mut found = BTreeSet::new();
    keys(&stage.get("status").json(), &mut found);
    keys(&stage.post("faults", "{ latency: 1 }").json(), &mut found);
    let page = page();
    let missing: Vec<&String> =
        found.iter().filter(|key| !page.contains(&format!("`{key}`"))).collect();
    assert!(found.len() > 50 && missing.is_empty(), "{missing:?} of {}", found.len());
}

#[test]
fn every_metric_is_on_the_page() {
    let stage = Stage::playing("{ name: x, phases: [{ name: a, for: 10m }] }");
    let text = stage.send(http::Method::GET, "/metrics", "").text;
    let families: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| match line.split_once(' ') {
            Some((name, "counter")) => format!("{name}_total"),
            _ => line.split(' ').next().unwrap_or_default().to_owned(),
        })
        .collect();
    let page = page();
    let missing: Vec<&String> =
        families.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(families.len() > 10 && missing.is_empty(), "{missing:?}");
}

#[test]
fn every_command_of_ctl_is_on_the_page() {
    let page = page();
    for group in [&["ctl"][..], &["ctl", "proxy"], &["ctl", "fault"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        let help = command.args(group).arg("--help").output().expect("it runs").stdout;
        let help = String::from_utf8(help).expect("UTF-8");
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let commands: Vec<&str> = commands
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
            .filter(|word| !matches!(*word, "" | "help" | "proxy" | "fault"))
            .collect();
        let prefix = group.get(1).map(|word| format!("{word} ")).unwrap_or_default();
        let named = |command: &&&str| {
            let whole = format!("`{prefix}{command}");
            page.contains(&format!("{whole}`")) || page.contains(&format!("{whole} "))
        };
        let missing: Vec<&&str> = commands.iter().filter(|c| !named(c)).collect();
        assert!(commands.len() > 3 && missing.is_empty(), "{group:?}: {missing:?}");
    }
}
