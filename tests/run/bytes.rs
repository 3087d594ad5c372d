//! A service in bytes, and one end of a connection to it.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// A service that sends everything back, until the test's process ends.
pub(crate) fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut read = stream.try_clone()?;
                // A peer that breaks off is what a drill is about.
                io::copy(&mut read, &mut { stream })
            });
        }
    });
    address
}

/// A connection to such a service.
#[derive(Debug)]
pub(crate) struct Talk(TcpStream);

impl Talk {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_nodelay(true).expect("a socket");
        Self(stream)
    }

    pub(crate) fn say(&mut self, what: &str) {
        self.0.write_all(what.as_bytes()).expect("the connection is open");
    }

    /// What comes within so long; nothing at the end, and an error in a silence.
    pub(crate) fn hear(&mut self, patience: Duration) -> io::Result<String> {
        self.0.set_read_timeout(Some(patience))?;
        let mut buffer = [0; 4_096];
        let count = self.0.read(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    /// Whether what is said comes back.
    pub(crate) fn works(&mut self, patience: Duration) -> bool {
        self.0.write_all(b"ping").is_ok() && self.hear(patience).is_ok_and(|came| came == "ping")
    }
}

/// One request to an admin listener, and the status and body of its answer.
pub(crate) fn command(
    admin: SocketAddr,
    request: &str,
    token: Option<&str>,
    body: &str,
) -> (u16, String) {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let text = format!(
        "{request} HTTP/1.1\r\nhost: {admin}\r\n{}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        token.unwrap_or_default(),
        body.len()
    );
    let mut stream = TcpStream::connect(admin).expect("it listens");
    stream.write_all(text.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}
