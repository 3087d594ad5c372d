//! One end of a connection, in bytes.

use crate::support::Message;
use std::{fmt, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    time::timeout,
};

/// How a connection ended, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a FIN.
    Fin,
    /// With a RST.
    Reset,
    /// With a FIN before TLS said so.
    Cut,
}

/// One end of a connection.
pub(crate) struct Wire<S> {
    io: S,
    /// Read, and not yet asked for.
    ahead: Vec<u8>,
    end: Option<End>,
    /// A test that waits for longer than this has failed.
    patience: Duration,
}

impl<S> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire {{ ahead: {:?} }}", String::from_utf8_lossy(&self.ahead))
    }
}

impl Wire<TcpStream> {
    pub(crate) fn tcp(io: TcpStream) -> Self {
        io.set_nodelay(true).expect("a socket");
        Self { io, ahead: Vec::new(), end: None, patience: Duration::from_secs(10) }
    }

    /// Ends the connection with a RST.
    pub(crate) fn reset(self) {
        self.io.set_zero_linger().expect("a socket");
    }
}

impl Wire<DuplexStream> {
    /// An end in memory, where time is virtual and patience is free.
    pub(crate) fn memory(io: DuplexStream) -> Self {
        Self { io, ahead: Vec::new(), end: None, patience: Duration::from_secs(86_400) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// The same, over something else: TLS.
    pub(crate) fn over(io: S) -> Self {
        Self { io, ahead: Vec::new(), end: None, patience: Duration::from_secs(10) }
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let send = async {
            self.io.write_all(bytes.as_ref()).await?;
            self.io.flush().await
        };
        timeout(self.patience, send).await.expect("the peer takes the bytes")
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the connection is open");
    }

    /// The stream, to look at.
    pub(crate) fn io(&self) -> &S {
        &self.io
    }

    /// The stream, to read from.
    pub(crate) fn io_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// The bare stream, of which nothing was read ahead.
    pub(crate) fn into_io(self) -> S {
        assert!(self.ahead.is_empty(), "{self:?}");
        self.io
    }

    /// Closes the sending side.
    pub(crate) async fn half_close(&mut self) {
        self.try_half_close().await.expect("the connection is open");
    }

    pub(crate) async fn try_half_close(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }

    /// Reads some more; false at the end.
    async fn more(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        let mut chunk = vec![0; 64 * 1024];
        let ahead = String::from_utf8_lossy(&self.ahead[..self.ahead.len().min(300)]).into_owned();
        let read = timeout(self.patience, self.io.read(&mut chunk)).await;
        match read.unwrap_or_else(|_| panic!("nothing more comes after {ahead:?}")) {
            Ok(0) => self.end = Some(End::Fin),
            Ok(count) => {
                self.ahead.extend_from_slice(&chunk[..count]);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.end = Some(End::Reset);
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.end = Some(End::Cut);
            }
            Err(error) => panic!("{error}"),
        }
        false
    }

    /// Reads up to and including `mark`; all there is, if the connection ends before.
    pub(crate) async fn until(&mut self, mark: &str) -> String {
        let mut from = 0;
        loop {
            let rest = &self.ahead[from..];
            if let Some(at) = rest.windows(mark.len()).position(|w| w == mark.as_bytes()) {
                let taken: Vec<u8> = self.ahead.drain(..from + at + mark.len()).collect();
                return String::from_utf8_lossy(&taken).into_owned();
            }
            from = self.ahead.len().saturating_sub(mark.len());
            if !self.more().await {
                return String::from_utf8_lossy(&std::mem::take(&mut self.ahead)).into_owned();
            }
        }
    }

    /// Reads `count` bytes; fewer, if the connection ends before.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count && self.more().await {}
        let count = count.min(self.ahead.len());
        self.ahead.drain(..count).collect()
    }

    /// Whatever comes next; nothing at the end.
    pub(crate) async fn some(&mut self) -> Option<Vec<u8>> {
        let is_more = !self.ahead.is_empty() || self.more().await;
        is_more.then(|| std::mem::take(&mut self.ahead))
    }

    /// Reads to the end, and says which.
    pub(crate) async fn rest(&mut self) -> (Vec<u8>, End) {
        while self.more().await {}
        (std::mem::take(&mut self.ahead), self.end.expect("it ended"))
    }

    /// The end, before which nothing may come.
    pub(crate) async fn end(&mut self) -> End {
        let (rest, end) = self.rest().await;
        assert!(rest.is_empty(), "{:?} comes before the end", String::from_utf8_lossy(&rest));
        end
    }

    /// Reads a head.
    pub(crate) async fn head(&mut self) -> Message {
        let head = self.until("\r\n\r\n").await;
        Message { whole: head.ends_with("\r\n\r\n"), head, ..Message::default() }
    }

    /// Reads a request with its body; `None` at the end of the connection.
    pub(crate) async fn request(&mut self) -> Option<Message> {
        let message = self.head().await;
        if message.head.is_empty() {
            return None;
        }
        let none = message.length().is_none() && !message.is_chunked();
        Some(if none { message } else { self.body(message).await })
    }

    /// Reads an answer with its body.
    pub(crate) async fn answer(&mut self) -> Message {
        let message = self.head().await;
        match message.status() {
            100..200 | 204 | 304 => message,
            _ => self.body(message).await,
        }
    }

    /// Reads the body that a head announces.
    pub(crate) async fn body(&mut self, mut message: Message) -> Message {
        message.whole = false;
        if message.is_chunked() {
            loop {
                let size = self.until("\r\n").await;
                let Ok(size) = usize::from_str_radix(size.trim(), 16) else { return message };
                if size == 0 {
                    break;
                }
                message.chunks.push(size);
                message.body.extend(self.take(size).await);
                self.take(2).await;
            }
            loop {
                let line = self.until("\r\n").await;
                if line.trim().is_empty() {
                    message.whole = line == "\r\n";
                    return message;
                }
                message.trailers.push_str(&line);
            }
        }
        message.body = match message.length() {
            Some(length) => self.take(length).await,
            None => self.rest().await.0,
        };
        message.whole = message.length().is_none_or(|length| message.body.len() == length);
        message
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.send(request).await;
        self.answer().await
    }

    /// Nothing comes for so long, not even an end.
    pub(crate) async fn is_silent_for(&mut self, time: Duration) {
        let mut chunk = [0; 512];
        assert!(self.ahead.is_empty(), "{:?}", String::from_utf8_lossy(&self.ahead));
        if let Ok(read) = timeout(time, self.io.read(&mut chunk)).await {
            let read = read.map(|count| String::from_utf8_lossy(&chunk[..count]).into_owned());
            panic!("{read:?} comes");
        }
    }
}
