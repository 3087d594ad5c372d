//! A client that says what it met.

use crate::support::message::{Buffer, Head};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// How long an answer may take that is not meant to be late: far longer than any of them takes on
/// a machine with other things to do, since nothing is concluded from waiting for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the last byte that was announced.
    Whole,
    /// The client's patience ended first.
    Silent,
    /// With a FIN before the last byte.
    Closed,
    /// With a RST.
    Reset,
    /// It did not begin: nobody listens.
    Refused,
}

/// What a client met.
#[derive(Clone, Debug)]
pub(crate) struct Met {
    pub(crate) end: End,
    /// Zero if no head came.
    pub(crate) status: u16,
    head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) asked: Instant,
    pub(crate) ended: Instant,
}

/// A connection that is kept as long as it can be.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    open: Option<(TcpStream, Buffer)>,
    asked: Instant,
    /// What came of the answer so far.
    head: Option<Head>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn post(path: impl Into<String>, body: &str) -> Self {
        Self { method: "POST", body: body.as_bytes().to_vec(), ..Self::get(path) }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn user(self, user: &str) -> Self {
        self.header("x-user-id", user)
    }

    /// Asks on a connection of its own.
    pub(crate) fn at(&self, address: SocketAddr, patience: Duration) -> Met {
        Connection::to(address).ask(self, patience)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nhost: shop.example\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.method == "POST" {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Met {
    pub(crate) fn is_ok(&self) -> bool {
        self.end == End::Whole && self.status == 200
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub(crate) fn took(&self) -> Duration {
        self.ended.duration_since(self.asked)
    }
}

impl Connection {
    /// A connection that is made when it is first needed.
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, open: None, asked: Instant::now(), head: None, body: Vec::new() }
    }

    /// Asks, once: an attempt that fails is what these tests want to see.
    pub(crate) fn ask(&mut self, ask: &Ask, patience: Duration) -> Met {
        let met = match self.send(ask) {
            Ok(()) => self.hear(patience),
            Err(error) => self.met(Err(error)),
        };
        if met.end != End::Whole {
            self.open = None;
        }
        met
    }

    /// Sends a request and does not wait for the answer.
    pub(crate) fn send(&mut self, ask: &Ask) -> io::Result<()> {
        self.asked = Instant::now();
        self.head = None;
        self.body.clear();
        if self.open.is_none() {
            let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            stream.set_nodelay(true)?;
            self.open = Some((stream, Buffer::default()));
        }
        let Some((stream, _)) = &mut self.open else { unreachable!("opened above") };
        stream.write_all(&ask.bytes())
    }

    /// Waits for the answer to what was sent; may be called again after silence.
    pub(crate) fn hear(&mut self, patience: Duration) -> Met {
        let heard = self.receive(Instant::now() + patience);
        self.met(heard)
    }

    fn receive(&mut self, until: Instant) -> io::Result<()> {
        let Some((stream, buffer)) = &mut self.open else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let mut stream = Until { stream, until };
        let head = loop {
            match self.head.take() {
                // What comes before the answer is not the answer.
                Some(head) if status_of(&head) >= 200 => break self.head.insert(head),
                _ => {
                    let eof = || io::Error::from(io::ErrorKind::UnexpectedEof);
                    self.head = Some(buffer.head(&mut stream)?.ok_or_else(eof)?);
                }
            }
        };
        let length = head.length().expect("these services announce every length");
        buffer.body(&mut stream, length, &mut self.body)
    }

    fn met(&self, end: io::Result<()>) -> Met {
        let head = self.head.clone().unwrap_or_default();
        Met {
            end: end.map_or_else(|error| end_of(&error), |()| End::Whole),
            status: status_of(&head),
            head,
            body: self.body.clone(),
            asked: self.asked,
            ended: Instant::now(),
        }
    }
}

fn status_of(head: &Head) -> u16 {
    head.first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A stream that is read until a point in time.
struct Until<'s> {
    stream: &'s mut TcpStream,
    until: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // What is already there is read in any case.
        let left = self.until.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        self.stream.read(into)
    }
}

fn end_of(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => End::Silent,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => End::Reset,
        io::ErrorKind::ConnectionRefused => End::Refused,
        io::ErrorKind::UnexpectedEof => End::Closed,
        _ => panic!("the client failed: {error}"),
    }
}
