//! A service that remembers what it was asked.

use crate::support::message::Buffer;
use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// A request as the service saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) user: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// A service on loopback, one thread per connection, until the test's process ends.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Starts it. `/slow/N` is answered after N milliseconds, `/missing/…` with a 404, and
    /// `/broken` not at all: the connection ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let upstream = Self { address, seen };
        let service = upstream.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let service = service.clone();
                // A peer that breaks off is what a drill is about.
                thread::spawn(move || service.serve(stream).ok());
            }
        });
        upstream
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Buffer::default();
        while let Some(head) = buffer.head(&mut stream)? {
            let mut words = head.first.split(' ').map(str::to_owned);
            let mut word = || words.next().unwrap_or_default();
            let (method, path) = (word(), word());
            let mut body = Vec::new();
            buffer.body(&mut stream, head.length().unwrap_or(0), &mut body)?;
            let user = head.header("x-user-id").map(str::to_owned);
            self.lock().push(Seen { method, path: path.clone(), user, body });
            if let Some(millis) = path.strip_prefix("/slow/").and_then(|text| text.parse().ok()) {
                thread::sleep(Duration::from_millis(millis));
            }
            if path == "/broken" {
                return Ok(());
            }
            let status = if path.starts_with("/missing/") { "404 Not Found" } else { "200 OK" };
            let body = body_of(&path);
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat())?;
        }
        Ok(())
    }
}

/// What the service answers: bytes that tell their path and place, 64 KiB of them for images.
pub(crate) fn body_of(path: &str) -> Vec<u8> {
    let length = if path.starts_with("/images/") { 64 * 1024 } else { 64 };
    let line = format!("{path}:");
    line.bytes()
        .cycle()
        .take(length)
        .enumerate()
        .map(|(at, byte)| byte ^ at.to_le_bytes()[1])
        .collect()
}
