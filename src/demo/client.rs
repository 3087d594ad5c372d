//! What clients have in common: users who want things, and a wire to ask for them.

use crate::{
    demo::{
        http::{Boxed, Connection, Dialer, Ending, Reply},
        ledger::Purchase,
        shop,
        tally::{Journal, Kind, Tally},
    },
    dice::{Dice, Purpose, Seed},
    units::Percent,
};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use rand::RngExt;
use std::{ops::RangeInclusive, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long a user thinks before an operation.
const THINK: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_millis(400);
/// How many operations in a hundred buy.
const PURCHASES: f64 = 0.2;

/// A way to treat a service: one file each, listed in [`crate::demo::CLIENTS`].
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Its name: the start of its users' names and of its orders.
    pub name: &'static str,
    /// What it does, in half a sentence.
    pub about: &'static str,
    /// The client of one user.
    pub(super) make: fn(Seed, u64) -> Box<dyn Client>,
}

/// The client program of one user: it does one operation after the other, its own way.
pub(super) trait Client: Send {
    /// Does an operation with as many attempts as it thinks right; true if it got what it wanted.
    fn perform<'a>(&'a mut self, call: &'a Call, wire: &'a mut Wire) -> Boxed<'a, bool>;
}

/// One thing a user wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its name, unique in the life of the shop.
    pub(super) id: String,
    pub(super) want: Want,
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    List,
    Item(u64),
    Purchase { amount: u64 },
}

/// How to make an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// How long to wait for the whole answer, connecting included.
    pub(super) timeout: Duration,
    /// Whether a purchase carries its operation's name as `Idempotency-Key`.
    pub(super) keyed: bool,
    /// Whether an idle connection may be used again.
    pub(super) reuse: bool,
}

/// One user's way to the service, and the record of what went over it.
#[derive(Debug)]
pub(super) struct Wire {
    user: String,
    dialer: Dialer,
    idle: Option<Connection>,
    journal: Journal,
}

/// A user of a client.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) policy: Policy,
    pub(super) number: u64,
    pub(super) seed: Seed,
    /// The number of the demonstration at its shop.
    pub(super) visit: u64,
}

impl Policy {
    /// What the names of its orders begin with at the shop's `visit`th demonstration.
    pub(super) fn orders(&self, visit: u64) -> String {
        format!("{}-{visit}-", self.name)
    }
}

impl Want {
    const fn kind(self) -> Kind {
        if matches!(self, Self::Purchase { .. }) { Kind::Purchase } else { Kind::Browse }
    }
}

impl User {
    /// Wants one thing after the other until `stop`.
    pub(super) async fn live(
        self,
        dialer: Dialer,
        began: Instant,
        stop: CancellationToken,
    ) -> Tally {
        let mut wire = Wire::new(format!("{}-{}", self.policy.name, self.number), dialer, began);
        let mut client = (self.policy.make)(self.seed, self.number);
        stop.run_until_cancelled(async {
            for nth in 0.. {
                sleep(self.think(nth)).await;
                wire.operate(client.as_mut(), &self.call(nth)).await;
            }
        })
        .await;
        wire.close()
    }

    /// The dice of the user's `nth` operation: the same whatever the client, so that all clients
    /// are asked for the same things.
    fn dice(&self, what: &str, nth: u64) -> Dice {
        Dice::new(self.seed, what).of(self.number, nth)
    }

    fn think(&self, nth: u64) -> Duration {
        self.dice("demo think", nth).rng(Purpose::Delay).random_range(THINK)
    }

    pub(super) fn call(&self, nth: u64) -> Call {
        let item = self.dice("demo item", nth).rng(Purpose::Share).random_range(0..=shop::ITEMS);
        let buys = self.dice("demo purchase", nth).point(Purpose::Share);
        let want = match item {
            _ if Percent::from_fraction(PURCHASES).includes(buys) => {
                Want::Purchase { amount: shop::price(item) }
            }
            0 => Want::List,
            item => Want::Item(item),
        };
        Call { id: format!("{}{}-{nth}", self.policy.orders(self.visit), self.number), want }
    }
}

impl Wire {
    pub(super) fn new(user: String, dialer: Dialer, began: Instant) -> Self {
        Self { user, dialer, idle: None, journal: Journal::new(began) }
    }

    /// Lets `client` do an operation, and notes how it went.
    pub(super) async fn operate(&mut self, client: &mut dyn Client, call: &Call) {
        self.journal.begin(call.want.kind());
        let success = client.perform(call, self).await;
        self.journal.end(success);
    }

    /// Hangs up, and tells what happened.
    pub(super) fn close(self) -> Tally {
        self.journal.close()
    }

    /// Sends one request and waits for its answer. An attempt that fails takes its connection
    /// with it.
    pub(super) async fn attempt(&mut self, call: &Call, manner: Manner) -> Result<Reply, Ending> {
        let request = self.request(call, manner);
        let place = self.journal.sent();
        let idle = self.idle.take().filter(|_| manner.reuse);
        let exchange = async {
            let reused = match idle {
                Some(idle) => idle.ready().await,
                None => None,
            };
            let mut connection = match reused {
                Some(connection) => connection,
                None => Connection::open(&self.dialer).await?,
            };
            let reply = connection.exchange(request).await?;
            Ok((reply, connection))
        };
        let ended = timeout(manner.timeout, exchange).await.unwrap_or(Err(Ending::TimedOut));
        let ended = ended.map(|(reply, connection)| {
            self.idle = Some(connection);
            reply
        });
        let ending = ended.as_ref().map_or_else(|ending| *ending, |r| Ending::Answered(r.status));
        self.journal.ended(place, ending);
        ended
    }

    fn request(&self, call: &Call, manner: Manner) -> Request<Full<Bytes>> {
        let (method, path, body) = match call.want {
            Want::List => (http::Method::GET, "/items".to_owned(), Bytes::new()),
            Want::Item(id) => (http::Method::GET, format!("/items/{id}"), Bytes::new()),
            Want::Purchase { amount } => {
                let purchase = Purchase { order: call.id.clone(), amount };
                let body = serde_json::json!(purchase).to_string();
                (http::Method::POST, "/purchase".to_owned(), Bytes::from(body))
            }
        };
        let mut request = Request::new(Full::new(body));
        let text = |text: &str| HeaderValue::from_str(text).ok();
        let wanted = [
            (header::HOST, text("shop")),
            (header::HeaderName::from_static("x-user-id"), text(&self.user)),
        ];
        for (name, value) in wanted {
            request.headers_mut().extend(value.map(|value| (name, value)));
        }
        if call.want.kind() == Kind::Purchase {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
            let key = header::HeaderName::from_static("idempotency-key");
            let value = text(&call.id).filter(|_| manner.keyed);
            request.headers_mut().extend(value.map(|value| (key, value)));
        }
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_default();
        request
    }
}
