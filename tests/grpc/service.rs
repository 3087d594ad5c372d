//! A service with every kind of method, and a client of it. Written out, where others generate code:
//! `protoc` is on no fresh machine.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpListener, time::Instant};
use tokio_stream::{Stream, StreamExt as _, wrappers::TcpListenerStream};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    codegen::{BoxFuture, http},
    metadata::MetadataMap,
    server::{
        ClientStreamingService, Grpc, ServerStreamingService, StreamingService, UnaryService,
    },
    transport::{Channel, Server, server::Connected},
};
use tonic_prost::ProstCodec;

/// The only message there is.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Number {
    #[prost(uint64, tag = "1")]
    pub(crate) value: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) filling: Vec<u8>,
}

pub(crate) fn number(value: u64) -> Number {
    Number { value, filling: Vec::new() }
}

/// Fails a call of `Double`.
pub(crate) const UNLUCKY: u64 = 13;

type Numbers = Pin<Box<dyn Stream<Item = Result<Number, Status>> + Send>>;

/// The service: `Double` one number, `Count` up to it, `Sum` many, `Echo` each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counting {
    /// The metadata of the calls that came.
    pub(crate) seen: Arc<Mutex<Vec<MetadataMap>>>,
    /// The values that came on streams, and when.
    pub(crate) heard: Arc<Mutex<Vec<(u64, Instant)>>>,
}

impl Counting {
    fn sees(&self, metadata: &MetadataMap) {
        self.seen.lock().expect("no panic").push(metadata.clone());
    }

    fn hears(&self, number: &Number) {
        self.heard.lock().expect("no panic").push((number.value, Instant::now()));
    }
}

impl UnaryService<Number> for Counting {
    type Response = Number;
    type Future = BoxFuture<Response<Number>, Status>;

    fn call(&mut self, request: Request<Number>) -> Self::Future {
        self.sees(request.metadata());
        Box::pin(async move {
            let Number { value, filling } = request.into_inner();
            if value == UNLUCKY {
                return Err(Status::failed_precondition("unlucky: 100 %"));
            }
            let mut response = Response::new(Number { value: value * 2, filling });
            response.metadata_mut().insert("x-head", "here".parse().expect("ascii"));
            Ok(response)
        })
    }
}

impl ServerStreamingService<Number> for Counting {
    type Response = Number;
    type ResponseStream = Numbers;
    type Future = BoxFuture<Response<Numbers>, Status>;

    fn call(&mut self, request: Request<Number>) -> Self::Future {
        self.sees(request.metadata());
        let numbers = tokio_stream::iter(0..request.into_inner().value).map(|at| Ok(number(at)));
        Box::pin(async { Ok(Response::new(Box::pin(numbers) as Numbers)) })
    }
}

impl ClientStreamingService<Number> for Counting {
    type Response = Number;
    type Future = BoxFuture<Response<Number>, Status>;

    fn call(&mut self, request: Request<Streaming<Number>>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (mut numbers, mut sum) = (request.into_inner(), 0);
            while let Some(number) = numbers.message().await? {
                this.hears(&number);
                sum += number.value;
            }
            Ok(Response::new(number(sum)))
        })
    }
}

impl StreamingService<Number> for Counting {
    type Response = Number;
    type ResponseStream = Numbers;
    type Future = BoxFuture<Response<Numbers>, Status>;

    fn call(&mut self, request: Request<Streaming<Number>>) -> Self::Future {
        let this = self.clone();
        let numbers =
            request.into_inner().map(move |number| number.inspect(|number| this.hears(number)));
        Box::pin(async { Ok(Response::new(Box::pin(numbers) as Numbers)) })
    }
}

impl tower::Service<http::Request<Body>> for Counting {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(64 << 20);
            Ok(match request.uri().path() {
                "/test.Counting/Double" => grpc.unary(this, request).await,
                "/test.Counting/Count" => grpc.server_streaming(this, request).await,
                "/test.Counting/Sum" => grpc.client_streaming(this, request).await,
                "/test.Counting/Echo" => grpc.streaming(this, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// Serves it on a port of its own, until the runtime is gone.
pub(crate) async fn start() -> (SocketAddr, Counting) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let counting = Counting::default();
    serve(counting.clone(), TcpListenerStream::new(listener));
    (address, counting)
}

/// Serves whatever connects.
pub(crate) fn serve<I>(
    counting: Counting,
    incoming: impl Stream<Item = std::io::Result<I>> + Send + 'static,
) where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Connected + Unpin + Send + 'static,
{
    // On a busy machine it looks at streams later than they are reset.
    let server = Server::builder().http2_max_pending_accept_reset_streams(Some(10_000));
    tokio::spawn(server.serve_with_incoming(counting, incoming));
}

/// A client of the service.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    channel: Channel,
    /// What its requests say beyond their message.
    metadata: MetadataMap,
}

impl Client {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URL");
        Self::of(endpoint.connect().await.expect("it connects"))
    }

    pub(crate) fn of(channel: Channel) -> Self {
        Self { channel, metadata: MetadataMap::new() }
    }

    /// With this in the metadata of each call.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.metadata.insert(name, value.parse().expect("ascii"));
        self
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request
    }

    async fn grpc(&self) -> tonic::client::Grpc<Channel> {
        let mut grpc =
            tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(64 << 20);
        grpc.ready().await.expect("it is ready");
        grpc
    }

    pub(crate) async fn double(&self, message: Number) -> Result<Response<Number>, Status> {
        self.double_within(message, None).await
    }

    /// With a deadline, as `grpc-timeout` tells it and tonic keeps it.
    pub(crate) async fn double_within(
        &self,
        message: Number,
        deadline: Option<Duration>,
    ) -> Result<Response<Number>, Status> {
        let mut request = self.request(message);
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        let path = http::uri::PathAndQuery::from_static("/test.Counting/Double");
        self.grpc().await.unary(request, path, ProstCodec::default()).await
    }

    pub(crate) async fn count(&self, to: u64) -> Result<Streaming<Number>, Status> {
        let path = http::uri::PathAndQuery::from_static("/test.Counting/Count");
        let request = self.request(number(to));
        let mut grpc = self.grpc().await;
        let answer = grpc.server_streaming(request, path, ProstCodec::default()).await;
        answer.map(Response::into_inner)
    }

    pub(crate) async fn sum(
        &self,
        numbers: impl Stream<Item = Number> + Send + 'static,
    ) -> Result<u64, Status> {
        let path = http::uri::PathAndQuery::from_static("/test.Counting/Sum");
        let request = self.request(numbers);
        let mut grpc = self.grpc().await;
        let answer = grpc.client_streaming(request, path, ProstCodec::default()).await;
        answer.map(|answer: Response<Number>| answer.into_inner().value)
    }

    pub(crate) async fn echo(
        &self,
        numbers: impl Stream<Item = Number> + Send + 'static,
    ) -> Result<Streaming<Number>, Status> {
        let path = http::uri::PathAndQuery::from_static("/test.Counting/Echo");
        let request = self.request(numbers);
        let mut grpc = self.grpc().await;
        let answer = grpc.streaming(request, path, ProstCodec::default()).await;
        answer.map(Response::into_inner)
    }
}

/// The messages of a stream, and how it ended.
pub(crate) async fn drain(mut stream: Streaming<Number>) -> (Vec<u64>, Code, String) {
    let mut values = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(number)) => values.push(number.value),
            Ok(None) => return (values, Code::Ok, String::new()),
            Err(status) => return (values, status.code(), status.message().to_owned()),
        }
    }
}
