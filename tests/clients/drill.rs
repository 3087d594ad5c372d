//! Plays every class of faults to every client: the built binary, with the client's driver beside it.

use crate::{
    class::{CALM, Class},
    record::{Attempt, attempts},
    roster::Client,
    service,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Mutex,
    thread,
};

/// How many drills run at once; they mostly wait.
const AT_ONCE: usize = 20;

/// A driver that takes longer, in seconds, has hung.
const LIMIT: &str = "200";

/// One client in one class of faults, played.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) client: &'static Client,
    pub(crate) class: &'static Class,
    record: PathBuf,
    /// What `--json` wrote.
    json: PathBuf,
}

/// Plays classes to clients, the slowest first: whoever begins last is waited for.
pub(crate) fn play_all(mut waiting: Vec<(&'static Client, &'static Class)>) -> Vec<Run> {
    let upstream = service::start();
    waiting.sort_by(|(a, _), (b, _)| a.hold().total_cmp(&b.hold()));
    let (waiting, played) = (Mutex::new(waiting), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((client, class)) = next(&waiting) {
                    let run = play(client, class, &upstream);
                    played.lock().expect("nobody panics there").push(run);
                }
            });
        }
    });
    played.into_inner().expect("nobody panics there")
}

fn next<T>(waiting: &Mutex<Vec<T>>) -> Option<T> {
    waiting.lock().expect("nobody panics there").pop()
}

fn play(client: &'static Client, class: &'static Class, upstream: &str) -> Run {
    let folder = folder(client, class);
    let [scenario, record, json] =
        ["drill.yaml", "drill.jsonl", "drill.json"].map(|name| folder.join(name));
    fs::write(&scenario, class.scenario(client.hold())).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.arg("run").arg(&scenario).args(["--upstream", upstream, "--listen", "127.0.0.1:0"]);
    command.args(["--wait-for-traffic", "--record"]).arg(&record).arg("--json").arg(&json);
    command.args(["--", "timeout", LIMIT]).args(client.command());
    command.env("CLIENTS_CLASS", class.name).env("CLIENTS_CALM", CALM.to_string());
    command.env("CLIENTS_OPERATIONS", client.operations(class).to_string());
    // Nothing else in between, and no settings of whoever runs this.
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command.env_remove("FIREDRILL_LOG").env("PYTHONDONTWRITEBYTECODE", "1");
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().expect("it starts");
    let told = [stdout, stderr].concat();
    fs::write(folder.join("told"), &told).expect("a file");
    let told = String::from_utf8_lossy(&told);
    assert_eq!(status.code(), Some(0), "{} in {}:\n{told}", client.name, class.name);
    Run { client, class, record, json }
}

/// Where a run leaves its files; they stay, for whoever wants to look.
fn folder(client: &Client, class: &Class) -> PathBuf {
    let name = client.name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name).join(class.name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder goes");
    }
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Run {
    /// The attempts that met the fault.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        attempts(&fs::read_to_string(&self.record).expect("a record"), self.class.name)
    }

    /// How many operations of each method met the fault.
    pub(crate) fn operations(&self) -> usize {
        self.client.operations(self.class)
    }

    /// What the program told of the run at its end.
    pub(crate) fn summary(&self) -> Value {
        let text = fs::read_to_string(&self.json).expect("a summary");
        serde_json::from_str(&text).expect("JSON")
    }
}
