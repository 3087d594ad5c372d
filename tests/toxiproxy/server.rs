//! `firedrill serve` as a child process, and requests to it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fmt::Display,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take of which nothing is to be concluded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A command's time; on loopback it takes a few milliseconds, and waits for nobody's traffic.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(500);

/// A running server; it ends with its test.
pub(crate) struct Server {
    child: Child,
    pub(crate) admin: SocketAddr,
}

/// An answer, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

/// The command, with an admin listener on a port of its own.
pub(crate) fn serve(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(["serve", "--admin", "127.0.0.1:0"]).args(args);
    command.env_remove("FIREDRILL_LOG").env_remove("CI");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(["--seed", "7"])
    }

    /// Starts it and waits for its first line, which says where it is commanded.
    pub(crate) fn with(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut child = serve(args).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("UTF-8");
        let admin = first.trim_end().strip_prefix("admin: http://").and_then(|at| at.parse().ok());
        let Some(admin) = admin else { panic!("its first line is {first:?}") };
        // So that it never waits for its log to be read.
        thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
        Self { child, admin }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &[], body)
    }

    pub(crate) fn patch(&self, path: &str, body: &str) -> Answer {
        self.ask("PATCH", path, &[], body)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[], "")
    }

    /// Asks on a connection of its own.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.admin);
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = body.len();
        text.push_str(&format!("connection: close\r\ncontent-length: {length}\r\n\r\n{body}"));
        self.raw(text.as_bytes()).expect("an answer")
    }

    /// Sends bytes and reads to the end what comes back.
    pub(crate) fn raw(&self, bytes: &[u8]) -> io::Result<Answer> {
        let asked = Instant::now();
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(3 * PATIENCE))?;
        stream.write_all(bytes)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let took = asked.elapsed();
        let answer = String::from_utf8(answer).map_err(io::Error::other)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Ok(Answer {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: body.to_owned(),
            took,
        })
    }

    /// Makes a proxy `p` on a free port before `upstream`; says where.
    pub(crate) fn proxy(&self, upstream: impl Display) -> SocketAddr {
        self.proxy_named("p", upstream)
    }

    pub(crate) fn proxy_named(&self, name: &str, upstream: impl Display) -> SocketAddr {
        let body = format!(r#"{{"name":"{name}","listen":"127.0.0.1:0","upstream":"{upstream}"}}"#);
        let answer = self.post("/proxies", &body);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.listen()
    }

    /// Puts a toxic on `p`.
    pub(crate) fn toxic(&self, toxic: &str) -> Answer {
        let answer = self.post("/proxies/p/toxics", toxic);
        assert_eq!(answer.status, 200, "{toxic}: {answer:?}");
        answer
    }

    /// Its number among the processes.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal and waits for its end.
    pub(crate) fn told(&mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
        self.child.wait().expect("its end").code()
    }

    /// Sees that it runs and answers.
    pub(crate) fn is_well(&mut self) {
        assert_eq!(self.child.try_wait().expect("a child"), None);
        assert_eq!(self.get("/version").status, 200);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        let read = serde_json::from_str(&self.body);
        read.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Where the proxy listens that this tells of.
    pub(crate) fn listen(&self) -> SocketAddr {
        let listen = self.json()["listen"].as_str().map(str::to_owned);
        listen.and_then(|listen| listen.parse().ok()).expect("an address")
    }

    /// Sees that it is this error, with all that belongs to one.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, message: &str) {
        let message = Value::from(message);
        assert_eq!(self.body, format!("{{\"error\":{message},\"status\":{status}}}\n"));
        self.has_error_head(status);
    }

    /// Sees that it is an error that says `message` at its start.
    #[track_caller]
    pub(crate) fn is_error_like(&self, status: u16, message: &str) {
        let json = self.json();
        let error = json["error"].as_str().expect("a message");
        assert!(error.starts_with(message), "{error:?} is not {message:?}");
        assert_eq!(json["status"], status);
        self.has_error_head(status);
    }

    #[track_caller]
    fn has_error_head(&self, status: u16) {
        assert_eq!(self.status, status);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
    }
}
