//! The built binary as a child process, and the files it needs.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Nothing here takes so long, unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A running drill.
pub(crate) struct Running {
    child: Child,
    lines: Arc<Lines>,
    /// The readers of its two outputs, until they are waited for.
    readers: Option<(JoinHandle<String>, JoinHandle<()>)>,
    /// Told when it has ended; its silence has the child killed.
    watch: mpsc::Sender<()>,
}

/// The lines of standard error so far, and whether there will be more.
#[derive(Default)]
struct Lines {
    state: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

/// What a drill came to.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `firedrill run` on a port of its own.
pub(crate) fn run(scenario: &str, upstream: &str) -> Command {
    let mut command = firedrill(["run", scenario, "--listen", "127.0.0.1:0"]);
    command.args(["--upstream", upstream]);
    command
}

/// Any command, in an environment that says nothing.
pub(crate) fn firedrill(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(args);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI", "FIREDRILL_UPSTREAM"] {
        command.env_remove(variable);
    }
    command.env_remove("FIREDRILL_LOG").env_remove("FIREDRILL_TOKEN");
    command
}

/// Where [`folder`] is.
pub(crate) fn folder_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("run").join(name)
}

/// A folder of one test alone, empty at its start.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = folder_of(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder goes");
    }
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A scenario file in a folder.
pub(crate) fn scenario(folder: &Path, text: &str) -> String {
    let path = folder.join("drill.yaml");
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

/// Starts a drill.
pub(crate) fn start(mut command: Command) -> Running {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("piped");
    let out = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).expect("UTF-8");
        text
    });
    let lines: Arc<Lines> = Arc::default();
    let (stderr, into) = (child.stderr.take().expect("piped"), Arc::clone(&lines));
    let err = thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            into.push(line.expect("UTF-8"));
        }
        into.end();
    });
    let (watch, ended) = mpsc::channel();
    let pid = pid(&child);
    thread::spawn(move || {
        if ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _gone = kill_process(pid, Signal::KILL);
        }
    });
    Running { child, lines, readers: Some((out, err)), watch }
}

/// Runs a command to its end.
pub(crate) fn done(command: Command) -> Done {
    start(command).finish()
}

impl Running {
    /// Waits for a line of standard error.
    pub(crate) fn line(&self, what: impl Fn(&str) -> bool) -> String {
        let mut from = 0;
        let mut state = self.lines.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(line) = state.0[from..].iter().find(|line| what(line)) {
                return line.clone();
            }
            assert!(!state.1, "it ended without that line:\n{}", state.0.join("\n"));
            from = state.0.len();
            let more = self.lines.more.wait_timeout(state, LIMIT);
            let (now, waited) = more.unwrap_or_else(PoisonError::into_inner);
            assert!(!waited.timed_out(), "that line does not come:\n{}", now.0.join("\n"));
            state = now;
        }
    }

    /// Waits until it listens; says where.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.line(|line| line.contains(" -> http://"));
        let url = line.split(" -> ").next().and_then(|url| url.strip_prefix("http://"));
        url.and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Waits until a proxy of a config listens; says where.
    pub(crate) fn proxy(&self, name: &str) -> SocketAddr {
        let start = format!("{name}: ");
        let line = self.line(|line| line.starts_with(&start) && line.contains("://"));
        address_in(&line)
    }

    /// Waits until it takes commands; says where.
    pub(crate) fn admin(&self) -> SocketAddr {
        address_in(&self.line(|line| line.starts_with("admin: http://")))
    }

    /// Waits for so many such lines of standard error, and gives out the last.
    pub(crate) fn nth_line(&self, count: usize, what: impl Fn(&str) -> bool) -> String {
        let seen = std::cell::Cell::new(0);
        self.line(|line| {
            seen.set(seen.get() + usize::from(what(line)));
            what(line) && seen.get() == count
        })
    }

    /// Whether it runs on when so much time has gone by.
    pub(crate) fn is_still_there_after(&mut self, time: Duration) -> bool {
        thread::sleep(time);
        self.child.try_wait().expect("a child").is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid(&self.child), signal).expect("it is there");
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Done {
        let status = self.child.wait().expect("its end");
        let _unwatched = self.watch.send(());
        let (out, err) = self.readers.take().expect("it is waited for once");
        let out = out.join().expect("standard output");
        err.join().expect("standard error");
        let state = self.lines.state.lock().unwrap_or_else(PoisonError::into_inner);
        let err = state.0.iter().flat_map(|line| [line, "\n"]).collect();
        Done { code: status.code(), out, err }
    }
}

impl Drop for Running {
    /// A test that failed leaves nothing behind; commands beside a drill end with it.
    fn drop(&mut self) {
        let _ended = self.child.kill();
    }
}

impl Lines {
    fn push(&self, line: String) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.push(line);
        self.more.notify_all();
    }

    fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.more.notify_all();
    }
}

/// The address in a line such as `db: tcp://127.0.0.1:15432 -> 127.0.0.1:5432`.
fn address_in(line: &str) -> SocketAddr {
    let address = line.split("://").nth(1).and_then(|rest| rest.split(' ').next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no address: {line}"))
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}
