//! One attempt, as a judge needs it: small, and without any text.

use crate::{
    dice,
    event::{Call, Dealt, Detail, Did, EndedBy, Exchange, Outcome, Tunnel, Upstream},
    grpc::Code,
    verdict::{call, label::Labels},
};
use http::Method;
use std::{fmt, time::Duration};

/// A client that connects and then says nothing for so long did not connect for this request.
const PRECONNECT: u64 = 1_000_000;

/// The code of a stream of HTTP/2 that is refused.
const REFUSED_STREAM: u32 = 7;

/// An answer that is held for so long is one that a client may wait for in vain.
const LATE: Duration = Duration::from_secs(5);

/// A client that closes its side so long before the end of an answer did not wait for it, in
/// microseconds.
const EARLY: u64 = 500_000;

/// What the client can know of an attempt that failed (resilience literature: may a request that is
/// not idempotent be sent again without a key?).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It was provably not processed: 429, 425, 503 with `Retry-After`, a connection refused or
    /// reset before anything was read, a stream of HTTP/2 refused.
    NotProcessed,
    /// Nobody can tell: reset or silence after the request was read, 500, 502, 504, a plain 503.
    Ambiguous,
    /// It was processed and the client was told so: a 2xx whose body broke off.
    Processed,
    /// It will not get better by asking again: 400, 401, 403, 404 and their kin.
    Final,
}

/// In what way an attempt went wrong; delays after different wrongs are never pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrong {
    /// An answer of this status.
    Status(u16),
    /// A gRPC call whose status is this.
    Grpc(Code),
    /// The connection was reset.
    Reset,
    /// The connection was closed without an answer.
    Closed,
    /// An answer broke off.
    Cut,
    /// The client left before there was an answer.
    Left,
}

/// What an answer says of how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// The status of HTTP.
    Http(u16),
    /// That of gRPC.
    Grpc(Code),
}

impl Answer {
    /// As JSON has it: a number, or a name.
    pub fn json(self) -> serde_json::Value {
        match self {
            Self::Http(status) => status.into(),
            Self::Grpc(code) => code.name().into(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => status.fmt(f),
            Self::Grpc(code) => code.fmt(f),
        }
    }
}

/// One attempt. Times are microseconds since the drill's start.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question that a detector asks")]
pub struct Attempt {
    /// The connection, and the how-manieth exchange on it.
    pub conn: (u64, u32),
    /// Whether it is the first that was asked there.
    pub is_first: bool,
    /// The proxy that it came to.
    pub proxy: u32,
    /// Who: the user, told apart by its program too where only its address is known.
    pub user: u64,
    /// The user alone, as shares of users are drawn.
    pub lot: u64,
    /// The client program, by its place in the [labels](Labels).
    pub program: u16,
    /// The test case that it names; 0 is none.
    pub case: u16,
    /// The route: method and path without what looks like an identifier.
    pub route: u16,
    /// The targets of the scenario that mean it, one bit each.
    pub targets: u64,
    /// Whether its method may change something each time it is called (POST, PATCH; of gRPC calls, those
    /// whose names do not say that they only read).
    pub is_unsafe: bool,
    /// The phase in which it came.
    pub phase: Option<u16>,
    /// User, method, path, query and body: what a retry has in common with what it retries.
    pub print: u64,
    /// As `print`, but blind to the body.
    pub vague: u64,
    /// As `print`, whoever asks.
    pub content: u64,
    /// The same and all header fields that do not change by themselves, credentials included.
    pub whole_print: u64,
    /// As `print`, but blind to what is made anew for each attempt in a JSON body.
    pub masked: Option<u64>,
    /// The idempotency key, hashed.
    pub key: Option<u64>,
    /// Another name of the operation: an operation header, an SDK's invocation id, or a trace with
    /// the same content. Hashed.
    pub operation: Option<u64>,
    /// Whether that name is one that the client gives to operations.
    pub is_declared: bool,
    /// The number of the attempt as the client counts it.
    pub counter: Option<u32>,
    /// When the body's hash differs although the key is the same, the key was reused.
    pub body: u64,
    /// When the client began it: it connected, or sent the first byte on an open connection.
    pub start: u64,
    /// Its last byte was read; zero if it never was.
    pub received: u64,
    /// It was passed on to the upstream; zero if it was not.
    pub forwarded: u64,
    /// The upstream's answer began; zero if there was none.
    pub answered: u64,
    /// The head of the answer was sent; zero if none was.
    pub told: u64,
    /// The client closed or reset its side; zero if it did not.
    pub left: u64,
    /// It was over.
    pub end: u64,
    /// The status the client was sent; zero if none was.
    pub status: u16,
    /// What came of it as a gRPC call, if it is one.
    pub call: Option<Call>,
    /// Whether its stream was refused, which promises that nobody looked at it (RFC 9113 §8.7).
    pub refused: bool,
    /// What the upstream had to do with it.
    pub upstream: Upstream,
    /// Whether the upstream did the work.
    accepted: bool,
    /// Hash of what the upstream said it made: its `location`, else its answer's body.
    pub made: Option<u64>,
    /// How it ended.
    pub ended_by: EndedBy,
    /// How it went, as the client saw it.
    pub outcome: Outcome,
    /// What a failure told the client.
    pub class: Option<Class>,
    /// In what way it went wrong.
    pub wrong: Option<Wrong>,
    /// Whether something was injected into it.
    pub injected: bool,
    /// What was injected into it, by its place in the [labels](Labels); 0 is nothing.
    pub dealt: u16,
    /// Whether it came over TLS that is spoken with us.
    pub secure: bool,
    /// What was wrong on purpose with the TLS of its connection, if it is the first one there, and how
    /// long it took until hands were shaken.
    pub flaw: Option<(&'static str, Duration)>,
    /// Whether a fault broke it off in the middle, or stopped reading there.
    pub is_cut: bool,
    /// Whether a fault held it without an answer.
    pub held: bool,
    /// Whether a fault let its answer drip.
    pub dripped: bool,
    /// When the client was told to use its connection no more, though nothing broke; zero if it was not.
    pub sent_away: u64,
    /// How long it was asked to wait before the next attempt.
    pub retry_after: Option<Duration>,
    /// Whether that was given as a date.
    pub retry_date: bool,
    /// How long its caller will wait, as it says.
    pub deadline: Option<Duration>,
}

impl Attempt {
    /// The attempt that an exchange was, the first on its connection or not; `None` if its details were not
    /// kept.
    pub fn of(exchange: &Exchange, is_first: bool, labels: &mut Labels) -> Option<Self> {
        let detail = exchange.detail.as_deref()?;
        let keys = &detail.keys;
        let agent = detail.agent.as_deref().unwrap_or_default();
        let user = user(exchange, labels, agent);
        let prints = Prints { exchange, detail, user };
        let plain = prints.whole(detail.body_hash);
        // A client cannot ask before hands are shaken.
        let ready = exchange.accepted.max(exchange.secured);
        let opens =
            is_first && exchange.t_first.max(exchange.t_head) <= ready.saturating_add(PRECONNECT);
        let first = if exchange.t_first > 0 { exchange.t_first } else { exchange.t_head };
        let asked = detail.retry_after.as_deref();
        let (ended_by, outcome) = if is_left_dripping(exchange) {
            (EndedBy::ClientFin, Outcome::ClientGone)
        } else {
            (exchange.ended_by, exchange.outcome())
        };
        let mut attempt = Self {
            conn: (exchange.conn, exchange.seq),
            is_first,
            proxy: exchange.proxy,
            user,
            lot: exchange.user,
            program: labels.program(keys.client.as_deref(), agent),
            case: keys.case.as_deref().map_or(0, |case| labels.case(case)),
            route: labels.route(exchange.method.as_str(), &detail.path),
            targets: exchange.targets,
            is_unsafe: matches!(exchange.method, Method::POST | Method::PATCH)
                && !(exchange.grpc.is_some() && call::reads(&detail.path)),
            phase: exchange.phase.and_then(|phase| u16::try_from(phase).ok()),
            print: plain,
            content: prints.content(detail.body_hash),
            vague: prints.whole(0),
            whole_print: dice::key_of(&[
                &plain.to_le_bytes(),
                &detail.fingerprint.to_le_bytes(),
                &detail.auth.unwrap_or(0).to_le_bytes(),
            ]),
            masked: detail.masked_hash.map(|body| prints.whole(body)),
            key: keys.idempotency.as_deref().map(|text| prints.name("key", text)),
            operation: prints.operation(plain),
            is_declared: keys.operation.is_some() || keys.invocation.is_some(),
            // gRPC numbers attempts from the second one on.
            counter: match keys.attempt.as_deref() {
                None => exchange.grpc.map(|_| 0),
                Some(text) => counter(text),
            },
            body: detail.body_hash,
            start: if opens { exchange.accepted } else { first },
            received: exchange.t_received,
            forwarded: exchange.t_forwarded,
            answered: exchange.t_answered,
            told: exchange.t_sent_first,
            left: exchange.t_client_gone,
            end: exchange.t_end.max(exchange.t_head),
            status: exchange.status,
            call: exchange.grpc,
            refused: is_refused(exchange),
            upstream: exchange.upstream,
            accepted: call::is_accepted(exchange),
            made: detail.made,
            ended_by,
            outcome,
            class: None,
            wrong: None,
            injected: exchange.injected(),
            dealt: labels.dealt(&exchange.dealt, exchange.ended_by),
            secure: exchange.secured > 0,
            flaw: flaw(exchange),
            is_cut: is_cut(exchange),
            held: is_held(exchange),
            dripped: is_dripped(exchange),
            sent_away: sent_away(exchange),
            retry_after: detail.retry_wait,
            retry_date: exchange.grpc.is_none()
                && asked.is_some_and(|asked| asked.trim().parse::<u64>().is_err()),
            deadline: keys.deadline.as_deref().and_then(deadline),
        };
        attempt.class = attempt.classify();
        attempt.wrong = attempt.went_wrong();
        Some(attempt)
    }

    /// What a tunnel was that did not end as its ends wanted: an attempt to keep it, which failed when it
    /// broke, so that the next handshake is seen as what comes of that.
    pub fn of_tunnel(tunnel: &Tunnel, labels: &mut Labels) -> Option<Self> {
        if tunnel.exchange.complete {
            return None;
        }
        let attempt = Self::of(&tunnel.exchange, false, labels)?;
        let phase = attempt.phase;
        Some(attempt.as_it_broke(phase))
    }

    /// The same as if it had begun when it broke, in this phase: however long it lived before, that is no latency and no
    /// timeout.
    #[must_use]
    pub fn as_it_broke(self, phase: Option<u16>) -> Self {
        let end = self.end;
        Self {
            phase,
            start: end,
            received: end,
            forwarded: end,
            answered: end,
            told: end,
            held: false,
            dripped: false,
            ..self
        }
    }

    /// Whether the library that made the call says that it is not the first attempt at it.
    pub fn is_numbered(&self) -> bool {
        self.call.is_some() && self.counter.is_some_and(|counter| counter > 0)
    }

    /// Whether the client got what it asked for.
    pub fn is_served(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether it made, or was to keep, a connection of another protocol.
    pub const fn opens_socket(&self) -> bool {
        self.status == 101
    }

    /// Whether the upstream did the work: it answered with a 2xx, and of a gRPC call, with no status
    /// that says otherwise.
    pub const fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// What the answer said of how it went, if there was one.
    pub fn answer(&self) -> Answer {
        self.failure().map_or(Answer::Http(self.status), Answer::Grpc)
    }

    /// The status of a gRPC call that failed.
    fn failure(&self) -> Option<Code> {
        let code = self.call?.status?;
        (code != Code::Ok && self.status == 200).then_some(code)
    }

    /// How long it took.
    pub const fn took(&self) -> Duration {
        Duration::from_micros(self.end.saturating_sub(self.start))
    }

    /// What a failure told the client.
    fn classify(&self) -> Option<Class> {
        use Class::{Ambiguous, Final, NotProcessed, Processed};
        if let (Some(call), Some(code)) = (self.call, self.failure()) {
            let class = call::classify(call, code, self.retry_after, self.injected);
            // The upstream had messages of it, whatever the status says.
            return Some(if self.is_cut && class == NotProcessed { Ambiguous } else { class });
        }
        match (self.status, self.outcome) {
            (_, Outcome::Ok) => None,
            (200..=299, _) => Some(Processed),
            (0, _) if self.refused => Some(NotProcessed),
            (425 | 429, _) => Some(NotProcessed),
            (503, _) if self.retry_after.is_some() => Some(NotProcessed),
            (400..=407 | 410..=422 | 424 | 426..=499 | 501 | 505, _) => Some(Final),
            (0, _) if self.upstream == Upstream::NotSent && self.received == 0 => {
                Some(NotProcessed)
            }
            _ => Some(Ambiguous),
        }
    }

    fn went_wrong(&self) -> Option<Wrong> {
        if self.is_served() {
            return None;
        }
        if let Some(code) = self.failure() {
            let left = self.outcome == Outcome::ClientGone;
            return Some(if left { Wrong::Left } else { Wrong::Grpc(code) });
        }
        Some(match (self.status, self.ended_by) {
            (_, EndedBy::ClientFin | EndedBy::ClientRst) => Wrong::Left,
            (400.., _) => Wrong::Status(self.status),
            (1.., _) => Wrong::Cut,
            (0, EndedBy::ProxyRst | EndedBy::PhaseEdge | EndedBy::Stale) => Wrong::Reset,
            (0, _) => Wrong::Closed,
        })
    }
}

/// What was wrong on purpose with the TLS of its connection, and how long hands took.
fn flaw(exchange: &Exchange) -> Option<(&'static str, Duration)> {
    let took = Duration::from_micros(exchange.secured.saturating_sub(exchange.accepted));
    exchange.dealt.iter().find_map(|dealt| match dealt.did {
        Did::Handshake(flaw) => Some((flaw, took)),
        _ => None,
    })
}

/// Whether its stream was refused, by us or by the upstream.
fn is_refused(exchange: &Exchange) -> bool {
    let reset = exchange.http2.and_then(|http2| http2.reset);
    reset == Some(REFUSED_STREAM)
        && matches!(exchange.ended_by, EndedBy::ProxyRst | EndedBy::UpstreamRst)
}

/// Whether a fault broke it off in the middle.
fn is_cut(exchange: &Exchange) -> bool {
    exchange.dealt.iter().any(|dealt| dealt.did == Did::Cut)
}

/// When a fault told the client to use its connection no more: a GOAWAY comes at once, `connection: close`
/// with the answer.
fn sent_away(exchange: &Exchange) -> u64 {
    let is_told = exchange.dealt.iter().any(|dealt| dealt.did == Did::SentAway);
    match exchange.http2 {
        _ if !is_told => 0,
        Some(_) => exchange.t_head,
        None => exchange.t_end,
    }
}

/// Whether a fault let its answer drip.
fn is_dripped(exchange: &Exchange) -> bool {
    exchange.dealt.iter().any(|dealt| dealt.kind == "dribble")
}

/// Whether the client left in the middle of an answer that dripped, though its rest could still be sent,
/// all at once at the end of the fault: to a socket that is closed only what comes after says so. Who
/// closes their side before the answer begins has only nothing more to ask.
fn is_left_dripping(exchange: &Exchange) -> bool {
    is_dripped(exchange)
        && exchange.complete
        && exchange.t_sent_first > 0
        && exchange.t_client_gone > exchange.t_sent_first
        && exchange.t_client_gone.saturating_add(EARLY) < exchange.t_end
}

/// Whether a fault held it without an answer: for good, or so long that a client may have left.
fn is_held(exchange: &Exchange) -> bool {
    // A `hang` that stops reading in the middle of a call holds nobody whose answer begins even so.
    let is_unread = exchange.t_received == 0 || exchange.t_sent_first < exchange.t_received;
    let is_answered = exchange.t_sent_first > 0 && is_unread;
    let is_silence = |dealt: &Dealt| match dealt.kind {
        "hang" => dealt.did != Did::Cut || !is_answered,
        kind => kind == "blackhole",
    };
    let is_late = |dealt: &Dealt| match dealt.did {
        Did::Delayed(wait) | Did::Queued(wait) => wait >= LATE,
        _ => false,
    };
    let is_unanswered = |dealt: &Dealt| {
        matches!(dealt.did, Did::Delayed(_) | Did::Queued(_)) || dealt.kind == "lose_response"
    };
    let is_gone = exchange.t_sent_first == 0
        && exchange.status == 0
        && matches!(exchange.ended_by, EndedBy::ClientFin | EndedBy::ClientRst);
    exchange.dealt.iter().any(is_silence)
        || exchange.dealt.iter().any(is_late)
        || is_gone && exchange.dealt.iter().any(is_unanswered)
}

/// The user; told apart by its program too where only its address is known.
fn user(exchange: &Exchange, labels: &Labels, agent: &str) -> u64 {
    if exchange.user_source < labels.user_sources() {
        return exchange.user;
    }
    dice::key_of(&[&exchange.user.to_le_bytes(), agent.as_bytes()])
}

/// Makes the hashes that an attempt is known by.
struct Prints<'e> {
    exchange: &'e Exchange,
    detail: &'e Detail,
    user: u64,
}

impl Prints<'_> {
    /// What is asked for, whoever asks.
    fn content(&self, body: u64) -> u64 {
        let query = self.detail.query.as_deref().unwrap_or_default().as_bytes();
        let method = self.exchange.method.as_str().as_bytes();
        let path = self.detail.path.as_bytes();
        // No method, path or query holds a NUL.
        dice::key_of(&[method, b"\0", path, b"\0", query, b"\0", &body.to_le_bytes()])
    }

    /// What is asked for, and by whom.
    fn whole(&self, body: u64) -> u64 {
        dice::key_of(&[&self.user.to_le_bytes(), &self.content(body).to_le_bytes()])
    }

    /// A name that the user gave.
    fn name(&self, kind: &str, text: &str) -> u64 {
        dice::key_of(&[&self.user.to_le_bytes(), kind.as_bytes(), b"\0", text.as_bytes()])
    }

    /// The name of the operation.
    fn operation(&self, plain: u64) -> Option<u64> {
        let keys = &self.detail.keys;
        let given = keys.operation.as_deref().map(|text| self.name("operation", text));
        given
            .or_else(|| keys.invocation.as_deref().map(|text| self.name("invocation", text)))
            // A trace alone spans many different requests.
            .or_else(|| keys.trace.as_deref().map(|text| self.name("trace", text) ^ plain))
    }
}

/// The attempt's number in what SDKs send: `2`, or `attempt=2; max=3`.
fn counter(text: &str) -> Option<u32> {
    let number = text.split(';').find_map(|part| part.trim().strip_prefix("attempt="));
    number.unwrap_or(text).trim().parse().ok()
}

/// How long a caller will wait: `250` (milliseconds, as Envoy has it) or gRPC's `250m`, `3S`.
fn deadline(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    Some(match text.get(digits.len()..)? {
        "" | "m" => Duration::from_millis(number),
        "H" => Duration::from_secs(number.saturating_mul(3_600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}
