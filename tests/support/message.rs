//! HTTP/1.1 messages, as far as these tests write them.

use std::{
    io::{self, Read},
    str,
};

/// A head and what it says of the body that follows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// The request line or status line.
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body's announced length; `None` if it goes on to the end of the connection.
    pub(crate) fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }
}

/// Bytes that were read and not yet used.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    /// Reads a head; `None` if the stream ends before the first byte of one.
    pub(crate) fn head(&mut self, stream: &mut impl Read) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = self.0.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.0.split_off(end + 4);
                let head = std::mem::replace(&mut self.0, rest);
                return parse(&head[..end]).map(Some);
            }
            if !self.fill(stream)? {
                let broken = io::ErrorKind::UnexpectedEof;
                return if self.0.is_empty() { Ok(None) } else { Err(broken.into()) };
            }
        }
    }

    /// Reads a body of `length` into `body`; what came before a failure is kept there.
    pub(crate) fn body(
        &mut self,
        stream: &mut impl Read,
        length: usize,
        body: &mut Vec<u8>,
    ) -> io::Result<()> {
        loop {
            let take = self.0.len().min(length - body.len());
            body.extend(self.0.drain(..take));
            if body.len() == length {
                return Ok(());
            }
            if !self.fill(stream)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads some more; false at the end.
    fn fill(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        let got = stream.read(&mut chunk)?;
        self.0.extend_from_slice(&chunk[..got]);
        Ok(got > 0)
    }
}

fn parse(head: &[u8]) -> io::Result<Head> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let text = str::from_utf8(head).map_err(|_| wrong())?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    });
    Ok(Head { first, headers: headers.collect::<Option<_>>().ok_or_else(wrong)? })
}
