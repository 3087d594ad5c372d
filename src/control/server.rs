//! The admin listener: one port for every way of commanding.

use crate::control::{
    App,
    guard::{self, Guard},
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{DefaultBodyLimit, Request},
    middleware::{self, Next},
    response::Response,
};
use http::StatusCode;
use http_body_util::LengthLimitError;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a body may take after its head.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// So many connections at a time; more wait for their turn. Pools of idle ones are given up after the
/// time a head may take.
const MOST_CONNECTIONS: usize = 4096;
/// The largest body: ten thousand faults fit into it.
const MOST_BODY: usize = 16 * 1024 * 1024;
/// After an accept that failed for want of something, how long to wait for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The admin listener. Dropping it closes it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens for commands.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be listened on.
    pub async fn start(address: SocketAddr, guard: Guard, app: App) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = router(guard, app);
        let task = tokio::spawn(accept(listener, router));
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(guard: Guard, app: App) -> Router {
    let app = Arc::new(app);
    super::toxiproxy::routes()
        .merge(super::api::routes())
        .merge(super::metrics::routes())
        .fallback(super::toxiproxy::not_found)
        .with_state(app)
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(middleware::from_fn(in_time))
        // Outermost, so that nothing is looked at that may not command.
        .layer(middleware::from_fn_with_state(Arc::new(guard), guard::keep))
}

/// Reads the body first, so that one that never comes holds nothing up.
async fn in_time(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let (status, why) = match timeout(BODY_TIMEOUT, to_bytes(body, MOST_BODY)).await {
        Ok(Ok(bytes)) => return next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(error)) if is_too_long(&error) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 16 MiB")
        }
        Ok(Err(_)) => (StatusCode::BAD_REQUEST, "the body broke off"),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body did not come to its end in 15 s"),
    };
    super::api::no_body(status, why)
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

async fn accept(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, router.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept commands");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router, _place: OwnedSemaphorePermit) {
    let _best_effort = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = served.await {
        tracing::debug!(%error, "a command's connection ended early");
    }
}
