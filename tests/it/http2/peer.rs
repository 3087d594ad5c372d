//! A client and a service that speak HTTP/2, on the `h2` crate.

use bytes::Bytes;
use firedrill::proxy::{Connector, Dial, UpstreamIo};
use h2::{
    Reason, RecvStream,
    client::{ResponseFuture, SendRequest},
    server::SendResponse,
};
use http::{HeaderMap, Request, Response};
use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A client's connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) sender: SendRequest<Bytes>,
    /// What came of the connection.
    pub(super) task: JoinHandle<Result<(), h2::Error>>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no `{name}` in {self:?}"));
        value.to_str().expect("text")
    }
}

impl Client {
    pub(super) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it accepts");
        stream.set_nodelay(true).expect("a socket");
        Self::on(stream).await
    }

    pub(super) async fn on(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = h2::client::handshake(io).await.expect("a handshake");
        Self { sender, task: tokio::spawn(connection) }
    }

    /// Asks; nothing follows the head.
    pub(super) async fn start(&self, request: Request<()>) -> ResponseFuture {
        let mut sender = self.sender.clone().ready().await.expect("the connection is there");
        sender.send_request(request, true).expect("a request").0
    }

    pub(super) async fn ask(&self, request: Request<()>) -> Result<Got, h2::Error> {
        whole(self.start(request).await.await?).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Got, h2::Error> {
        self.ask(get(path)).await
    }

    /// Asks with a body, and perhaps trailers.
    pub(super) async fn post(
        &self,
        request: Request<()>,
        body: Bytes,
        trailers: Option<HeaderMap>,
    ) -> Result<Got, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (answer, mut stream) = sender.send_request(request, false)?;
        let send = async {
            send_all(&mut stream, body, trailers.is_none()).await;
            if let Some(trailers) = trailers {
                let _gone = stream.send_trailers(trailers);
            }
        };
        let answer = async { whole(answer.await?).await };
        let (answer, ()) = tokio::join!(answer, send);
        answer
    }
}

/// Sends a body as there is room for it.
pub(super) async fn send_all(stream: &mut h2::SendStream<Bytes>, mut body: Bytes, end: bool) {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let Some(Ok(room)) = room else { return };
        let part = body.split_to(room.min(body.len()));
        if stream.send_data(part, end && body.is_empty()).is_err() {
            return;
        }
    }
}

pub(super) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://shop.example{path}")).body(()).expect("a request")
}

/// Reads an answer to its end.
pub(super) async fn whole(response: Response<RecvStream>) -> Result<Got, h2::Error> {
    let (parts, mut body) = response.into_parts();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        let _more = body.flow_control().release_capacity(data.len());
        all.extend_from_slice(&data);
    }
    let trailers = body.trailers().await?;
    Ok(Got { status: parts.status.as_u16(), headers: parts.headers, body: all.into(), trailers })
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) address: SocketAddr,
    pub(super) connections: Arc<AtomicUsize>,
    _task: Aborts,
}

#[derive(Debug)]
struct Aborts(JoinHandle<()>);

impl Drop for Aborts {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One request, and where its answer goes.
pub(super) type Asked = (Request<RecvStream>, SendResponse<Bytes>);

type Answers = Arc<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl Service {
    /// A service that says what it was asked.
    pub(super) async fn echo() -> Self {
        Self::of(echo).await
    }

    pub(super) async fn of<F>(answer: impl Fn(Asked) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&connections), boxed(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).expect("a socket");
                tokio::spawn(serve(stream, Arc::clone(&answer)));
            }
        });
        Self { address, connections, _task: Aborts(task) }
    }

    /// The same in memory.
    pub(super) fn in_memory<F>(answer: impl Fn(Asked) -> F + Send + Sync + 'static) -> Connector
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Connector::custom(Arc::new(Memory(boxed(answer))))
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn boxed<F>(answer: impl Fn(Asked) -> F + Send + Sync + 'static) -> Answers
where
    F: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |asked| Box::pin(answer(asked)))
}

struct Memory(Answers);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Dial for Memory {
    fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>> {
        let (near, far): (DuplexStream, DuplexStream) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve(far, Arc::clone(&self.0)));
        Box::pin(async { Ok(UpstreamIo::Memory(near)) })
    }
}

async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, answer: Answers) {
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol().max_concurrent_streams(1_000);
    let Ok(mut connection) = builder.handshake(io).await else { return };
    while let Some(Ok(asked)) = connection.accept().await {
        tokio::spawn(answer(asked));
    }
}

/// Answers with what was asked: the head in fields, the body as it came, and trailers.
pub(super) async fn echo((request, mut respond): Asked) {
    let (parts, mut body) = request.into_parts();
    let mut answer = Response::builder()
        .header("x-method", parts.method.as_str())
        .header("x-target", parts.uri.to_string());
    for (name, value) in &parts.headers {
        answer = answer.header(format!("x-saw-{name}"), value);
    }
    let mut stream =
        respond.send_response(answer.body(()).expect("an answer"), false).expect("it is sent");
    while let Some(Ok(data)) = body.data().await {
        let _more = body.flow_control().release_capacity(data.len());
        send_all(&mut stream, data, false).await;
    }
    let mut trailers = body.trailers().await.ok().flatten().unwrap_or_default();
    trailers.insert("x-end", "yes".parse().expect("a value"));
    let _gone = stream.send_trailers(trailers);
}

/// Answers `ok`.
pub(super) async fn ok((_, mut respond): Asked) {
    if let Ok(mut stream) = respond.send_response(Response::new(()), false) {
        let _gone = stream.send_data(Bytes::from_static(b"ok"), true);
    }
}

/// The code with which the other side reset a stream.
pub(super) fn reset(error: &h2::Error) -> Option<Reason> {
    error.reason().filter(|_| error.is_reset() && error.is_remote())
}

/// What several tasks write down.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(super) fn add(&self, note: impl Into<String>) {
        self.0.lock().expect("no panic").push(note.into());
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}
