//! `rate_limit`: beyond a rate, requests are turned away.
//!
//! ```yaml
//! - rate_limit: 10/s
//! - rate_limit: { rate: 600/min, per: run, burst: 20, status: 503, retry_after: 5s }
//! - rate_limit: 100/s -> 5/s
//! ```
//!
//! A token bucket for each user, connection or the whole run: full at the start of the phase, as
//! deep as `burst`, filled at `rate`. A request that finds a token passes untouched; one that finds
//! none is answered here, and takes none. The default is a bucket for each user, as APIs have it; a
//! server that is too small for all of them together is `overload`.
//!
//! What the answer says of the limit: `retry-after`; `ratelimit-policy` and `ratelimit`, as
//! draft-ietf-httpapi-ratelimit-headers-11 has them; and the three fields of that draft's versions
//! up to 06, which are what most clients in use read. There is no `x-ratelimit-*`: its reset is a
//! time of day with some services and a number of seconds with others, so that none would be right.

mod buckets;

use crate::{
    dice::Purpose,
    fault::{
        Canned, Cx, Denial, Effect, Fault, Stage,
        canned::{bare, read_status, whole_seconds},
        catalog::{Entry, Layer, Protocol, Traffic},
        form::is_curve,
        rate_limit::buckets::Buckets,
    },
    read::{Field, Kind, Reader, Shape},
    timeline::{Moment, Moving},
    units::RequestRate,
    yaml::{Node, Spanned},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "rate_limit",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "429 beyond a rate, with `retry-after` and rate-limit fields",
    about: "Each user has a bucket of tokens, as deep as `burst` and filled at `rate`, full when the
phase begins. A request that finds a token passes untouched; one that finds none is answered 429, or
`status`, and the upstream never sees it. `per` is `user` (the default), `connection` or `run`, which
is one bucket for everybody. `burst` is by default what the rate is in a second, at least 1. Only
requests within the fault's target and share are counted, each once and before anything else answers
it. The answer has `retry-after` (whole seconds, rounded up: until the next token, unless given),
`ratelimit-policy` and `ratelimit` (draft 11 of the IETF), and the older `ratelimit-limit`,
`ratelimit-remaining` and `ratelimit-reset`. Beyond 65,536 users that are short of tokens at a time,
newcomers share buckets with others. Rates are in real time, and may move.",
    examples: &[
        "rate_limit: 10/s",
        "rate_limit: { rate: 10/s, per: user, burst: 20, status: 429, retry_after: 2s }",
        "rate_limit: { rate: 6000/min -> 60/min, per: run }",
    ],
    kind: Kind::Any(&[RATE, Kind::Map(&SHAPE)]),
    read,
};

const RATE: Kind = Kind::Moving(&Kind::Requests);

static SHAPE: Shape = Shape {
    what: "`rate_limit`",
    fields: &[
        Field::required(
            "rate",
            RATE,
            "how many requests in what time, such as `10/s` or `600/min`",
        ),
        Field::optional(
            "per",
            Kind::Word(&["user", "connection", "run"]),
            "whose requests are counted together: `user` (the default), `connection` or `run`",
        ),
        Field::optional(
            "burst",
            Kind::Integer(1, MOST_BURST),
            "what passes at once after a rest; by default what the rate is in a second",
        ),
        Field::optional("status", Kind::Integer(200, 599), "the status, 429 by default"),
        Field::optional(
            "retry_after",
            Kind::Duration,
            "sent as `retry-after` in whole seconds, rounded up; by default until the next token",
        ),
    ],
};

const MOST_BURST: i64 = 1_000_000;

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Per {
    User,
    Connection,
    Run,
}

/// Turns away what comes too fast.
#[derive(Debug)]
struct RateLimit {
    rate: Moving<RequestRate>,
    per: Per,
    burst: Option<u32>,
    retry_after: Option<Duration>,
    /// The answer, but for what it says of the limit.
    canned: Canned,
    buckets: Mutex<Buckets>,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let limit = |rate| RateLimit {
        rate,
        per: Per::User,
        burst: None,
        retry_after: None,
        canned: bare(StatusCode::TOO_MANY_REQUESTS),
        buckets: Mutex::new(Buckets::new()),
    };
    if !matches!(node.value, Node::Map(_)) || is_curve(&node.value) {
        return Some(Arc::new(limit(reader.moving(node)?)));
    }
    let fields = reader.fields(node, &SHAPE)?;
    let mut limit = limit(reader.moving(fields.get("rate")?)?);
    if let Some(per) = fields.get("per") {
        let words = [("user", Per::User), ("connection", Per::Connection), ("run", Per::Run)];
        limit.per = reader.choice(per, &words)?;
    }
    if let Some(burst) = fields.get("burst") {
        limit.burst = u32::try_from(reader.integer(burst, 1, MOST_BURST)?).ok();
    }
    if let Some(status) = fields.get("status") {
        limit.canned = bare(read_status(status, reader)?);
    }
    if let Some(after) = fields.get("retry_after") {
        limit.retry_after = Some(reader.quantity(after)?);
    }
    Some(Arc::new(limit))
}

impl RateLimit {
    /// What a full bucket holds.
    fn depth(&self, rate: RequestRate) -> f64 {
        self.burst.map_or_else(|| rate.per_second().ceil().max(1.0), f64::from)
    }

    /// The answer to a request for which there is a token in `wait`.
    fn answer(&self, rate: RequestRate, wait: Duration) -> Canned {
        let mut canned = self.canned.clone();
        let (quota, window) = rate.quota();
        let reset = whole_seconds(wait);
        let after = self.retry_after.map_or(reset, whole_seconds);
        for (name, value) in [
            (header::RETRY_AFTER, after.to_string()),
            (POLICY, format!("\"default\";q={quota};w={window}")),
            (LIMIT, format!("\"default\";r=0;t={reset}")),
            (OLD_LIMIT, quota.to_string()),
            (OLD_REMAINING, "0".to_owned()),
            (OLD_RESET, reset.to_string()),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                canned.headers.insert(name, value);
            }
        }
        canned
    }
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const OLD_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const OLD_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const OLD_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

impl Fault for RateLimit {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::Admission]
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        let key = match self.per {
            Per::User => cx.user,
            // One point of its own for each connection is as good as a key.
            Per::Connection => cx.connection.point(Purpose::Share),
            Per::Run => 0,
        };
        let rate = self.rate.at(&cx.moment);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.take(key, cx.now, rate.per_second(), self.depth(rate)) {
            Ok(()) => Effect::Pass,
            Err(wait) => Effect::Respond(Arc::new(self.answer(rate, wait))),
        }
    }

    fn armed(&self) -> Option<Arc<dyn Fault>> {
        Some(Arc::new(Self {
            rate: self.rate.clone(),
            canned: self.canned.clone(),
            buckets: Mutex::new(Buckets::new()),
            ..*self
        }))
    }

    fn follows_load(&self) -> bool {
        true
    }

    fn moves(&self) -> bool {
        self.rate.moves()
    }

    fn strength(&self, moment: &Moment) -> f64 {
        // Time per request: half the rate is twice as hard.
        1.0 / self.rate.at(moment).per_second()
    }

    fn denies(&self) -> Denial {
        Denial::Perhaps
    }

    fn describe(&self) -> String {
        let mut text = format!("{} beyond {}", self.canned.status.as_u16(), self.rate.show());
        text.push_str(match self.per {
            Per::User => " per user",
            Per::Connection => " per connection",
            Per::Run => " in all",
        });
        if let Some(burst) = self.burst {
            text.push_str(&format!(", bursts of {burst}"));
        }
        if let Some(after) = self.retry_after {
            text.push_str(&format!(", retry after {}s", whole_seconds(after)));
        }
        text
    }
}

#[cfg(test)]
mod tests;
