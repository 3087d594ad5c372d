//! The embedded shop: a small service worth protecting.
//!
//! `GET /items`, `GET /items/{id}`, and `POST /purchase` with `{"order": "…", "amount": 999}`,
//! where an `Idempotency-Key` makes a repetition free.

use crate::{
    demo::{
        io::{Io, Stream},
        ledger::{Ledger, Purchase, Refusal},
    },
    dice::{Dice, Purpose, Seed},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use rand::RngExt;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// How many things are for sale: enough that two users seldom look at the same one.
pub(super) const ITEMS: u64 = 10_000;
/// How many of them are on the front page.
const SHOWN: u64 = 12;
/// How long a request takes to serve.
const SERVICE_TIME: RangeInclusive<Duration> = Duration::from_millis(2)..=Duration::from_millis(5);
/// The longest purchase the shop reads.
const LONGEST_BODY: usize = 4 * 1024;
/// Connections open at once; the next one waits in the kernel's queue.
const CONNECTIONS: usize = 4_096;
/// How long a closing shop lets a request finish.
const GRACE: Duration = Duration::from_millis(200);

/// A shop on a loopback port of its own. Dropped, it closes without waiting.
#[derive(Debug)]
pub struct Shop {
    address: SocketAddr,
    counter: Arc<Counter>,
    tasks: TaskTracker,
    stop: CancellationToken,
    visits: AtomicU64,
    _closing: DropGuard,
}

/// What every connection shares.
#[derive(Debug)]
struct Counter {
    opened: Instant,
    service: RangeInclusive<Duration>,
    served: AtomicU64,
    ledger: Mutex<Ledger>,
}

impl Shop {
    /// Opens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Fails if the loopback interface has no port to give.
    pub async fn start() -> io::Result<Self> {
        Self::taking(SERVICE_TIME).await
    }

    /// The same, where a request takes so long to serve.
    ///
    /// # Errors
    ///
    /// Fails if the loopback interface has no port to give.
    pub async fn taking(service: RangeInclusive<Duration>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let stop = CancellationToken::new();
        let shop = Self {
            address: listener.local_addr()?,
            counter: Arc::new(Counter {
                opened: Instant::now(),
                service,
                served: AtomicU64::new(0),
                ledger: Mutex::default(),
            }),
            tasks: TaskTracker::new(),
            _closing: stop.clone().drop_guard(),
            stop,
            visits: AtomicU64::new(0),
        };
        let (tasks, stop) = (shop.tasks.clone(), shop.stop.clone());
        let accepting = accept(listener, Arc::clone(&shop.counter), tasks, stop.clone());
        shop.tasks.spawn(async move { stop.run_until_cancelled(accepting).await });
        Ok(shop)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A copy of the books as they are now.
    pub fn ledger(&self) -> Ledger {
        self.counter.ledger().clone()
    }

    /// Closes: requests under way get a moment to finish, then nothing of the shop is left.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The number of a demonstration at this shop, so that no two of them share an order.
    pub(super) fn visit(&self) -> u64 {
        self.visits.fetch_add(1, Ordering::Relaxed)
    }

    /// Serves a connection that did not come by its port.
    pub fn serve(&self, stream: impl Stream) {
        self.tasks.spawn(serve(stream, Arc::clone(&self.counter), self.stop.clone()));
    }

    #[cfg(test)]
    pub(super) fn tasks(&self) -> usize {
        self.tasks.len()
    }
}

async fn accept(
    listener: TcpListener,
    counter: Arc<Counter>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: trying again at once would spin until somebody hangs up.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        // An answer waits for nothing; a stream that cannot promise that still works.
        drop(stream.set_nodelay(true));
        let connection = serve(stream, Arc::clone(&counter), stop.clone());
        tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// Serves one connection until either side closes it.
async fn serve(stream: impl Stream, counter: Arc<Counter>, stop: CancellationToken) {
    let service = service_fn(move |request| answer(Arc::clone(&counter), request));
    let mut connection = pin!(http1::Builder::new().serve_connection(Io::new(stream), service));
    // How a connection ends is the customer's business: nothing is to be done about an error.
    tokio::select! {
        _ = &mut connection => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    drop(timeout(GRACE, connection).await);
}

async fn answer(
    counter: Arc<Counter>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let nth = counter.served.fetch_add(1, Ordering::Relaxed);
    counter.ledger().request(counter.opened.elapsed());
    let (status, body) = counter.route(request).await;
    // The work is done before the time is spent: a customer who hangs up meanwhile has bought.
    let mut rng = Dice::new(Seed(0), "demo service time").of(nth, 0).rng(Purpose::Delay);
    sleep(rng.random_range(counter.service.clone())).await;
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

impl Counter {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn route(&self, request: Request<Incoming>) -> (StatusCode, Value) {
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::GET, "/items") => (StatusCode::OK, (1..=SHOWN).map(item).collect()),
            (&Method::GET, _) => {
                let id = path.strip_prefix("/items/").and_then(|id| id.parse().ok());
                match id.filter(|id| (1..=ITEMS).contains(id)) {
                    Some(id) => (StatusCode::OK, item(id)),
                    None => refused(StatusCode::NOT_FOUND, "no such thing here"),
                }
            }
            (&Method::POST, "/purchase") => self.purchase(request).await,
            _ => refused(StatusCode::NOT_FOUND, "no such thing here"),
        }
    }

    async fn purchase(&self, request: Request<Incoming>) -> (StatusCode, Value) {
        let key = request.headers().get("idempotency-key").cloned();
        let Ok(body) = Limited::new(request.into_body(), LONGEST_BODY).collect().await else {
            return refused(StatusCode::BAD_REQUEST, "the purchase is too long or broke off");
        };
        let Ok(purchase) = serde_json::from_slice::<Purchase>(&body.to_bytes()) else {
            return refused(StatusCode::BAD_REQUEST, "a purchase is {\"order\": …, \"amount\": …}");
        };
        let key = key.as_ref().and_then(|key| key.to_str().ok());
        match self.ledger().charge(key, purchase) {
            Ok(receipt) => (StatusCode::CREATED, json!(receipt)),
            Err(Refusal::KeyReused) => {
                refused(StatusCode::UNPROCESSABLE_ENTITY, "the key belongs to another purchase")
            }
            Err(Refusal::Full) => refused(StatusCode::INSUFFICIENT_STORAGE, "the books are full"),
        }
    }
}

fn item(id: u64) -> Value {
    json!({ "id": id, "name": format!("item {id}"), "amount": price(id) })
}

/// The price of an item in cents.
pub(super) const fn price(id: u64) -> u64 {
    499 + 250 * (id % SHOWN)
}

fn refused(status: StatusCode, why: &str) -> (StatusCode, Value) {
    (status, json!({ "error": why }))
}
