//! The two ends of a socket: `tungstenite`'s, over streams in memory and over real ones.

use crate::support::{Drill, eventually};
use firedrill::{
    event::{Event, Tunnel},
    proxy::{Connector, Dial, UpstreamIo},
};
use futures_util::{SinkExt, StreamExt};
use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) type Socket<S = DuplexStream> = WebSocketStream<S>;

/// What the service says that it got, and when.
pub(crate) type Heard = mpsc::Receiver<(Instant, Result<Message, Error>)>;

/// A service that says every message back, and tells what it got.
#[derive(Clone)]
struct Echo(mpsc::Sender<(Instant, Result<Message, Error>)>);

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Echo")
    }
}

impl Echo {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        while let Some(message) = socket.next().await {
            let echo = message.as_ref().ok().filter(|m| m.is_text() || m.is_binary()).cloned();
            let ended = message.is_err();
            let _gone = self.0.try_send((Instant::now(), message));
            if ended {
                return;
            }
            if let Some(echo) = echo
                && socket.send(echo).await.is_err()
            {
                return;
            }
        }
    }
}

impl Dial for Echo {
    fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().serve(far));
        Box::pin(async move { Ok(UpstreamIo::Memory(near)) })
    }
}

/// A way to a service in memory that says everything back.
pub(crate) fn echo() -> (Connector, Heard) {
    let (tell, heard) = mpsc::channel(10_000);
    (Connector::custom(Arc::new(Echo(tell))), heard)
}

/// A service behind a real socket that says everything back.
pub(crate) async fn real_echo() -> (String, Heard) {
    let (tell, heard) = mpsc::channel(10_000);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(Echo(tell.clone()).serve(stream));
        }
    });
    (format!("http://{address}"), heard)
}

/// Opens a socket in memory, as from the address 10.0.0.`host`.
pub(crate) async fn open(drill: &Drill, host: u8) -> Socket {
    try_open(drill, host).await.expect("it upgrades")
}

/// The same, if it is let.
pub(crate) async fn try_open(drill: &Drill, host: u8) -> Result<Socket, Error> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let (near, far) = tokio::io::duplex(64 * 1024);
    let peer = SocketAddr::from(([10, 0, 0, host], 40_000));
    drill.proxy.serve(NEXT.fetch_add(1, Ordering::SeqCst), far, peer);
    let (socket, _) = tokio_tungstenite::client_async("ws://shop/chat", near).await?;
    Ok(socket)
}

/// Opens a real socket.
pub(crate) async fn connect(drill: &Drill) -> Socket<TcpStream> {
    let stream = TcpStream::connect(drill.address()).await.expect("it accepts");
    let url = format!("ws://{}/chat", drill.address());
    tokio_tungstenite::client_async(url, stream).await.expect("it upgrades").0
}

/// Sends a text.
pub(crate) async fn say<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<S>, text: &str) {
    socket.send(Message::text(text)).await.expect("it is open");
}

/// The next message.
pub(crate) async fn next<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<S>) -> Message {
    let next = timeout(600 * SECOND, socket.next()).await.expect("something comes");
    next.expect("it is open").expect("a message")
}

/// Asserts that nothing comes for a time.
pub(crate) async fn is_silent<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<S>,
    time: Duration,
) {
    let came = timeout(time, socket.next()).await;
    assert!(came.is_err(), "{came:?}");
}

/// The tunnels that are over.
pub(crate) fn tunnels(drill: &Drill) -> Vec<Tunnel> {
    let only = |event| match event {
        Event::Tunnel(tunnel) => Some(*tunnel),
        _ => None,
    };
    drill.events().into_iter().filter_map(only).collect()
}

/// Waits for the end of the only tunnel.
pub(crate) async fn tunnel(drill: &Drill) -> Tunnel {
    let over = || Some(tunnels(drill)).filter(|tunnels| !tunnels.is_empty());
    let mut tunnels = eventually("the tunnel is told of", over).await;
    assert_eq!(tunnels.len(), 1, "{tunnels:?}");
    tunnels.remove(0)
}
