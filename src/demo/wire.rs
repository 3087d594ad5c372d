//! A user's way to the service: connections, requests, and the record of what went over them.

use crate::demo::{
    client::{Call, Client, Key, Manner, Reuse, Want},
    http::{Connection, Dialer, Ending, Reply},
    ledger::Purchase,
    tally::{Journal, Kind, Tally},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::{Instant, timeout};

/// Idle connections that are kept for each address.
const IDLE: usize = 32;

/// Who goes over a wire, as its requests tell.
#[derive(Clone, Debug)]
pub(super) struct Papers {
    /// The user: `x-user-id`.
    pub(super) user: String,
    /// The program: `user-agent`.
    pub(super) agent: String,
    /// Whether each request says which operation it is for, in `x-firedrill-operation`.
    pub(super) truth: bool,
}

/// One user's way to the service.
#[derive(Debug)]
pub(super) struct Wire {
    papers: Papers,
    doors: Vec<Door>,
    journal: Mutex<Journal>,
}

/// One address of the service.
#[derive(Debug)]
struct Door {
    dialer: Dialer,
    idle: Mutex<Vec<Connection>>,
}

/// An operation under way.
#[derive(Debug)]
pub(super) struct Errand<'w> {
    pub(super) call: &'w Call,
    wire: &'w Wire,
    operation: u64,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    /// A wire to a service with these addresses, of a demonstration that `began` then.
    pub(super) fn new(papers: Papers, doors: &[Dialer], began: Instant) -> Self {
        let door = |dialer: &Dialer| Door { dialer: dialer.clone(), idle: Mutex::default() };
        let doors = doors.iter().map(door).collect();
        Self { papers, doors, journal: Mutex::new(Journal::new(began)) }
    }

    /// Notes that an operation is wanted, and gives its number.
    pub(super) fn wanted(&self, call: &Call) -> u64 {
        lock(&self.journal).begin(call.want.kind())
    }

    /// Lets `client` do an operation of that number, and notes how it went.
    pub(super) async fn operate(&self, client: &dyn Client, call: &Call, operation: u64) {
        let errand = Errand { call, wire: self, operation };
        let success = client.perform(&errand).await;
        lock(&self.journal).end(operation, success);
    }

    /// Hangs up, and tells what happened.
    pub(super) fn close(self) -> Tally {
        self.journal.into_inner().unwrap_or_else(PoisonError::into_inner).close()
    }
}

impl Errand<'_> {
    /// An operation that nobody's client does.
    #[cfg(test)]
    pub(super) fn new<'w>(wire: &'w Wire, call: &'w Call) -> Errand<'w> {
        Errand { call, wire, operation: wire.wanted(call) }
    }

    /// Whether it buys something.
    pub(super) fn buys(&self) -> bool {
        self.call.want.kind() == Kind::Purchase
    }

    /// Sends one request and waits for its answer. An attempt that fails takes its connection
    /// with it.
    pub(super) async fn attempt(&self, manner: Manner) -> Result<Reply, Ending> {
        let Some(door) = self.wire.doors.get(manner.door % self.wire.doors.len().max(1)) else {
            return Err(Ending::Refused);
        };
        let place = lock(&self.wire.journal).sent(self.operation);
        let exchange = async {
            let mut connection = door.connection(manner.reuse).await?;
            let request = self.request(manner);
            let reply = connection.exchange(request, manner.patience).await?;
            Ok((reply, connection))
        };
        let ended = timeout(manner.patience.total(), exchange).await;
        let ended = ended.unwrap_or(Err(Ending::TimedOut)).map(|(reply, connection)| {
            door.keep(connection);
            reply
        });
        let ending = ended.as_ref().map_or_else(|ending| *ending, |r| Ending::Answered(r.status));
        lock(&self.wire.journal).ended(place, ending);
        ended
    }

    fn request(&self, manner: Manner) -> Request<Full<Bytes>> {
        let (method, path, body) = match self.call.want {
            Want::List => (Method::GET, "/items".to_owned(), Bytes::new()),
            Want::Item(id) => (Method::GET, format!("/items/{id}"), Bytes::new()),
            Want::Purchase { amount } => {
                let purchase = Purchase { order: self.call.id.clone(), amount };
                let body = serde_json::json!(purchase).to_string();
                (Method::POST, "/purchase".to_owned(), Bytes::from(body))
            }
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = self.headers(manner).into_iter();
        let valued = |(name, value): (&'static str, String)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
        };
        request.headers_mut().extend(headers.filter_map(valued));
        request
    }

    fn headers(&self, manner: Manner) -> Vec<(&'static str, String)> {
        let Papers { user, agent, truth } = &self.wire.papers;
        let id = &self.call.id;
        let mut headers = vec![
            (header::HOST.as_str(), "shop".to_owned()),
            (header::USER_AGENT.as_str(), agent.clone()),
            ("x-user-id", user.clone()),
        ];
        if self.buys() {
            headers.push((header::CONTENT_TYPE.as_str(), "application/json".to_owned()));
            let key = match manner.key {
                Key::None => None,
                Key::Operation => Some(id.clone()),
                Key::Attempt(nth) => Some(format!("{id}-{nth}")),
                Key::User => Some(user.clone()),
            };
            headers.extend(key.map(|key| ("idempotency-key", key)));
        }
        if manner.reload {
            headers.push((header::CACHE_CONTROL.as_str(), "max-age=0".to_owned()));
            headers.push(("sec-fetch-user", "?1".to_owned()));
        }
        if *truth {
            headers.push(("x-firedrill-operation", id.clone()));
        }
        headers
    }
}

impl Door {
    /// An idle connection, or a new one.
    async fn connection(&self, reuse: Reuse) -> Result<Connection, Ending> {
        while let Some(idle) = self.idle(reuse) {
            if reuse == Reuse::Unchecked {
                return Ok(idle);
            }
            if let Some(open) = idle.ready().await {
                return Ok(open);
            }
        }
        Connection::open(&self.dialer).await
    }

    fn idle(&self, reuse: Reuse) -> Option<Connection> {
        if reuse == Reuse::Never { None } else { lock(&self.idle).pop() }
    }

    fn keep(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }
}
