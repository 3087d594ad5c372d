//! Other programs, found, started and ended.

use crate::server::Server;
use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A folder under the system's own, which other users may enter; it goes with its test.
pub(crate) struct Folder(PathBuf);

/// A program that serves; it ends with its test.
pub(crate) struct Service(Child);

/// What a program came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    /// Both outputs, one after the other.
    pub(crate) told: String,
    pub(crate) took: Duration,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("firedrill-peers-{name}-{}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

impl Service {
    /// Starts a program and waits until it has written a line with `ready` in it.
    pub(crate) fn start(mut command: Command, ready: &str) -> Self {
        // Both outputs are one, since programs differ in which they write to.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command.stdin(Stdio::null()).stdout(writer.try_clone().expect("a pipe")).stderr(writer);
        let service = Self(command.spawn().expect("it starts"));
        // It holds the pipe's other end, whose closing tells of its end.
        drop(command);
        let mut lines = BufReader::new(reader);
        let mut told = String::new();
        while !told.contains(ready) {
            let more = lines.read_line(&mut told).expect("UTF-8");
            assert!(more > 0, "it ended before it was ready:\n{told}");
        }
        thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Runs a program to its end.
pub(crate) fn done(mut command: Command) -> Done {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = [output.stdout, output.stderr].concat();
    Done {
        code: output.status.code(),
        told: String::from_utf8_lossy(&told).into_owned(),
        took: begun.elapsed(),
    }
}

/// Reads on until `end` is there, and returns what came.
pub(crate) fn read_until(stream: &mut impl Read, end: &str) -> String {
    let (mut told, mut byte) = (String::new(), [0]);
    while !told.contains(end) {
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} after {told:?}"));
        told.push(char::from(byte[0]));
    }
    told
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    port.expect("a free port").port()
}

/// A server with a proxy `p` before a service at `port`, as a config file makes it; and where.
pub(crate) fn proxied(folder: &Folder, port: u16) -> (Server, u16) {
    let path = folder.path().join("firedrill.yaml");
    let text = format!(
        "proxies:\n  p: {{ listen: \"127.0.0.1:0\", upstream: \"127.0.0.1:{port}\", protocol: tcp }}\n"
    );
    fs::write(&path, text).expect("a file");
    let server = Server::with(["--config", path.to_str().expect("UTF-8")]);
    let port = server.get("/proxies/p").listen().port();
    (server, port)
}
