//! A drill and a client of it, all in memory, by a clock that only moves when everybody waits.

use crate::{
    drill::Drill,
    service::{Client, Counting, serve},
};
use firedrill::proxy::{Connector, Dial, Proxy, Settings, UpstreamIo};
use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};
use tokio::{io::DuplexStream, sync::mpsc};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::transport::Endpoint;

/// See the module's documentation.
pub(crate) async fn in_memory(text: &str) -> (Drill, Client) {
    let upstream = Counting::default();
    let (dialled, incoming) = mpsc::channel(16);
    let incoming = ReceiverStream::new(incoming).map(io::Result::Ok);
    serve(upstream.clone(), incoming);
    before(text, upstream, Arc::new(Memory(dialled))).await
}

/// The same before an upstream of one's own.
pub(crate) async fn in_memory_before(text: &str, upstream: Arc<dyn Dial>) -> (Drill, Client) {
    before(text, Counting::default(), upstream).await
}

async fn before(text: &str, upstream: Counting, dial: Arc<dyn Dial>) -> (Drill, Client) {
    let drill = Drill::begin(text, upstream, |injector, recorder| {
        let connector = Connector::custom(dial);
        Proxy::detached(connector, Settings::default(), injector, recorder)
    });
    let (near, far) = tokio::io::duplex(64 * 1024);
    drill.proxy.serve(1, far, SocketAddr::from(([10, 0, 0, 1], 40_000)));
    let mut near = Some(near);
    let endpoint = Endpoint::from_static("http://memory");
    let channel = endpoint.connect_with_connector(tower::service_fn(move |_| {
        let near = near.take().map(hyper_util::rt::TokioIo::new);
        async move { near.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    }));
    (drill, Client::of(channel.await.expect("it connects")))
}

/// A way to the upstream that leads through memory.
#[derive(Debug)]
struct Memory(mpsc::Sender<DuplexStream>);

impl Dial for Memory {
    fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let sent =
            self.0.try_send(far).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused));
        Box::pin(async move { sent.map(|()| UpstreamIo::Memory(near)) })
    }
}
