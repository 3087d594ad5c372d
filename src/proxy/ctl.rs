//! What the parts that serve one connection know of it together.

use crate::{
    engine::{ConnKey, Injector, Welcome},
    event::{Dealt, EndedBy, Event, Exchange, Recorder, Upstream},
    fault::Close,
    proxy::{
        http::Granted,
        introduce::Ends,
        meters::Meters,
        streams::{Branch, Trunk},
    },
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// Where the exchange on a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stand {
    /// No request is under way.
    Idle = 0,
    /// A request was read, and nothing of its answer was written.
    Waiting = 1,
    /// The answer is being written.
    Responding = 2,
    /// All of the answer is written, though perhaps not flushed.
    Flushing = 3,
    /// The connection is a tunnel now.
    Tunnel = 4,
}

/// One connection's control block: shared by its socket, its services and its task.
#[derive(Debug)]
pub(crate) struct ConnCtl {
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    /// Both of its ends, if they have addresses.
    pub(crate) ends: Option<Ends>,
    pub(crate) key: ConnKey,
    /// When it was accepted, in microseconds of the drill.
    pub(crate) accepted: u64,
    /// The user of its first request.
    pub(crate) user: Arc<OnceLock<u64>>,
    /// What was dealt to it when it was accepted.
    pub(crate) welcome: Welcome,
    /// What its bytes went through since the last exchange was told of.
    pub(crate) wire: Mutex<Vec<Dealt>>,
    /// Exchanges that are over but for bytes that have not left yet.
    leaving: Mutex<VecDeque<Box<Exchange>>>,
    recorder: Arc<Recorder>,
    seq: AtomicU32,
    stand: AtomicU8,
    /// Whether the client may be sent interim answers.
    interims_allowed: AtomicBool,
    /// Whether any of the present answer was written.
    answer_begun: AtomicBool,
    /// Whether the present request's body was read to its end.
    body_done: AtomicBool,
    /// Whether the client broke the present request's body off.
    body_broken: AtomicBool,
    /// Whether it is a byte fault that keeps what the client sends from being read.
    upload_held: AtomicBool,
    kill: AtomicU8,
    /// Whether it is the edge of a phase that ends it.
    killed_by_edge: AtomicBool,
    /// When it was closed at the edge of a phase, while nothing was under way on it; zero if it was not.
    drained: AtomicU64,
    /// Whether the client speaks TLS with us.
    over_tls: AtomicBool,
    after_flush: AtomicU8,
    /// What leaves before it ends so, behind all that was written.
    last_words: Mutex<Bytes>,
    interims: Mutex<VecDeque<Bytes>>,
    /// The tunnel that it becomes when what is being answered has left.
    pub(crate) granted: Mutex<Option<Box<Granted>>>,
    has_interims: AtomicBool,
    /// When the first byte of the next request came, in microseconds; zero until it does.
    first_byte: AtomicU64,
    gone_at: AtomicU64,
    gone_by_reset: AtomicBool,
    notify: Notify,
    injector: Injector,
    pub(crate) meters: Arc<Meters>,
    /// What makes it the control block of one stream of a connection that carries many.
    pub(super) branch: Option<Box<Branch>>,
    /// What its streams have in common, if it carries many.
    pub(super) trunk: Trunk,
}

impl ConnCtl {
    pub(crate) fn new(
        id: u64,
        peer: SocketAddr,
        key: ConnKey,
        welcome: Welcome,
        injector: Injector,
        recorder: Arc<Recorder>,
        meters: Arc<Meters>,
    ) -> Self {
        meters.begin();
        Self::blank(id, peer, key, welcome, injector, recorder, meters)
    }

    /// One that is not counted.
    pub(super) fn blank(
        id: u64,
        peer: SocketAddr,
        key: ConnKey,
        welcome: Welcome,
        injector: Injector,
        recorder: Arc<Recorder>,
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            id,
            peer,
            ends: None,
            key,
            accepted: injector.micros(),
            user: Arc::default(),
            welcome,
            wire: Mutex::default(),
            leaving: Mutex::default(),
            recorder,
            seq: AtomicU32::new(0),
            stand: AtomicU8::new(Stand::Idle as u8),
            interims_allowed: AtomicBool::new(false),
            answer_begun: AtomicBool::new(false),
            body_done: AtomicBool::new(true),
            body_broken: AtomicBool::new(false),
            upload_held: AtomicBool::new(false),
            kill: AtomicU8::new(0),
            killed_by_edge: AtomicBool::new(false),
            drained: AtomicU64::new(0),
            over_tls: AtomicBool::new(false),
            after_flush: AtomicU8::new(0),
            last_words: Mutex::default(),
            interims: Mutex::default(),
            granted: Mutex::default(),
            has_interims: AtomicBool::new(false),
            first_byte: AtomicU64::new(0),
            gone_at: AtomicU64::new(0),
            gone_by_reset: AtomicBool::new(false),
            notify: Notify::new(),
            injector,
            meters,
            branch: None,
            trunk: Trunk::default(),
        }
    }

    /// The same, with both of its ends and when it was accepted.
    pub(crate) fn from(mut self, ends: Option<Ends>, accepted: u64) -> Self {
        (self.ends, self.accepted) = (ends, accepted);
        self
    }

    /// A control block for a request of our own on behalf of this connection's client, who is told
    /// nothing of it.
    pub(crate) fn detached(&self) -> Self {
        let (injector, recorder) = (self.injector.clone(), Arc::clone(&self.recorder));
        let meters = Arc::default();
        Self::new(self.id, self.peer, self.key, Welcome::default(), injector, recorder, meters)
            .from(self.ends, self.accepted)
    }

    pub(crate) fn injector(&self) -> &Injector {
        &self.injector
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(super) const fn recorder_of(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// The number of a new exchange, from one.
    pub(crate) fn begin(&self, http11: bool, has_body: bool) -> u32 {
        self.interims_allowed.store(http11, Ordering::Release);
        self.body_done.store(!has_body, Ordering::Release);
        self.body_broken.store(false, Ordering::Release);
        self.answer_begun.store(false, Ordering::Release);
        self.set_stand(Stand::Waiting);
        self.connection().seq.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Bytes came from the client: if no request is under way, they are the next one's first.
    pub(crate) fn bytes_came(&self) {
        if self.stand() == Stand::Idle && self.first_byte.load(Ordering::Relaxed) == 0 {
            self.first_byte.store(self.injector.micros(), Ordering::Relaxed);
        }
    }

    /// When the first byte of the request that begins now came; zero for one that was sent before
    /// the last one was answered.
    pub(crate) fn take_first_byte(&self) -> u64 {
        self.connection().first_byte.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn exchanges(&self) -> u32 {
        self.seq.load(Ordering::Relaxed)
    }

    pub(crate) fn stand(&self) -> Stand {
        match self.stand.load(Ordering::Acquire) {
            0 => Stand::Idle,
            1 => Stand::Waiting,
            2 => Stand::Responding,
            3 => Stand::Flushing,
            _ => Stand::Tunnel,
        }
    }

    pub(crate) fn set_stand(&self, stand: Stand) {
        self.stand.store(stand as u8, Ordering::Release);
    }

    pub(crate) fn body_done(&self) -> bool {
        self.body_done.load(Ordering::Acquire)
    }

    /// The client may say more after our last word.
    pub(crate) fn expects_more(&self) {
        self.body_done.store(false, Ordering::Release);
    }

    pub(crate) fn set_body_done(&self) {
        self.body_done.store(true, Ordering::Release);
    }

    pub(crate) fn body_broken(&self) -> bool {
        self.body_broken.load(Ordering::Acquire)
    }

    pub(crate) fn set_body_broken(&self) {
        self.body_broken.store(true, Ordering::Release);
    }

    /// Whether nothing can be read now, and a byte fault is in force that may be why.
    pub(crate) fn upload_held(&self) -> bool {
        self.connection().upload_held.load(Ordering::Acquire)
    }

    pub(crate) fn set_upload_held(&self, held: bool) {
        self.upload_held.store(held, Ordering::Release);
    }

    pub(crate) fn allows_interims(&self) -> bool {
        self.interims_allowed.load(Ordering::Acquire)
    }

    /// Whether an interim answer may still come before the final one. One that came together with it
    /// may: the final one is given out before anything is written.
    pub(crate) fn is_before_answer(&self) -> bool {
        self.stand() == Stand::Waiting || !self.answer_begun.load(Ordering::Acquire)
    }

    /// Bytes of the present answer are written now, unless they are an interim one's.
    pub(crate) fn writes(&self) {
        if self.stand() != Stand::Waiting {
            self.answer_begun.store(true, Ordering::Release);
        }
    }

    /// Sends an interim answer before the final one.
    pub(crate) fn push_interim(&self, bytes: Bytes) {
        lock(&self.interims).push_back(bytes);
        self.has_interims.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    pub(crate) fn take_interims(&self) -> VecDeque<Bytes> {
        if !self.has_interims.swap(false, Ordering::AcqRel) {
            return VecDeque::new();
        }
        std::mem::take(&mut *lock(&self.interims))
    }

    pub(crate) fn has_interims(&self) -> bool {
        self.has_interims.load(Ordering::Acquire)
    }

    /// Ends the connection now.
    pub(crate) fn kill(&self, close: Close) {
        // The first word counts: a FIN that is on its way is not turned into a RST.
        let first = self.kill.compare_exchange(0, code(close), Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.note_code(close);
        }
        self.notify.notify_one();
        self.wake_stream();
    }

    /// Has the connection's task look what there is to do.
    pub(super) fn look(&self) {
        self.notify.notify_one();
    }

    /// Ends the connection now, as the edge of a phase wants it.
    pub(crate) fn kill_by_edge(&self) {
        self.killed_by_edge.store(self.killed().is_none(), Ordering::Release);
        self.kill(Close::Reset);
    }

    /// Says goodbye on the connection if nothing is under way on it and nothing of a request came: what
    /// comes now comes too late, and is read all the same. Says whether it did.
    pub(crate) fn drain(&self) -> bool {
        let is_idle = self.stand() == Stand::Idle
            && self.exchanges() > 0
            && self.first_byte.load(Ordering::Relaxed) == 0
            && self.killed().is_none();
        if is_idle {
            self.drained.store(self.injector.micros().max(1), Ordering::Release);
        }
        is_idle
    }

    /// When it was closed at the edge of a phase, while nothing was under way on it, in microseconds
    /// of the drill.
    pub(crate) fn drained(&self) -> Option<u64> {
        Some(self.drained.load(Ordering::Acquire)).filter(|at| *at > 0)
    }

    /// Whether it was closed at the edge of a phase, while nothing was under way on it.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained().is_some()
    }

    /// Notes that the client speaks TLS with us.
    pub(crate) fn set_over_tls(&self) {
        self.over_tls.store(true, Ordering::Release);
    }

    /// Whether the client speaks TLS with us.
    pub(crate) fn is_over_tls(&self) -> bool {
        self.connection().over_tls.load(Ordering::Acquire)
    }

    /// Ends the connection as soon as what is written has left.
    pub(crate) fn kill_after_flush(&self, close: Close) {
        self.note_code(close);
        self.after_flush.store(code(close), Ordering::Release);
    }

    /// Writes these bytes in place of an answer, and ends the connection with a FIN.
    pub(crate) fn say_last(&self, bytes: Bytes) {
        *lock(&self.last_words) = bytes;
        self.kill_after_flush(Close::Fin);
        self.notify.notify_one();
    }

    /// What is to leave before the connection ends, once.
    pub(crate) fn take_last_words(&self) -> Bytes {
        if self.after_flush.load(Ordering::Acquire) == 0 {
            return Bytes::new();
        }
        std::mem::take(&mut *lock(&self.last_words))
    }

    /// Whether a RST is to follow what is written.
    pub(crate) fn resets_after_flush(&self) -> bool {
        decode(self.after_flush.load(Ordering::Acquire)) == Some(Close::Reset)
    }

    /// To be called when everything written has left.
    pub(crate) fn flushed(&self) {
        if let Some(close) = decode(self.after_flush.load(Ordering::Acquire)) {
            self.kill(close);
        }
        if self.stand() == Stand::Flushing {
            self.set_stand(Stand::Idle);
            while let Some(exchange) = self.next_leaving() {
                self.tell(exchange);
            }
        }
    }

    /// To be called when the connection is gone: what has not left never will.
    pub(crate) fn closed(&self) {
        while let Some(mut exchange) = self.next_leaving() {
            exchange.complete = false;
            self.tell(exchange);
        }
    }

    /// What was done to the bytes that it went by, since that was last told.
    fn take_wire(&self) -> Vec<Dealt> {
        match &self.branch {
            Some(branch) => {
                let mut wire = std::mem::take(&mut *lock(&self.wire));
                wire.extend(branch.of.wire_since(branch.begun));
                wire
            }
            None => std::mem::take(&mut *lock(&self.wire)),
        }
    }

    fn next_leaving(&self) -> Option<Box<Exchange>> {
        lock(&self.leaving).pop_front()
    }

    /// An exchange is over, as far as its services can know. One that ran to its end is told of
    /// when its last byte has left: until then the client may not have it.
    pub(crate) fn finished(&self, exchange: Box<Exchange>) {
        let is_tunnel = self.stand() == Stand::Tunnel;
        if exchange.complete && !is_tunnel {
            lock(&self.leaving).push_back(exchange);
            self.set_stand(Stand::Flushing);
        } else {
            self.tell(exchange);
        }
    }

    fn tell(&self, mut exchange: Box<Exchange>) {
        exchange.t_end = self.injector.micros();
        exchange.t_client_gone = self.gone_at();
        if !exchange.complete {
            exchange.ended_by = self.ended_by();
            if let Some(http2) = &mut exchange.http2 {
                http2.reset = self.reset_code();
            }
            // Sent, and nobody waited for the answer: the upstream has heard of it all the same.
            if exchange.t_forwarded > 0 && exchange.upstream == Upstream::NotSent {
                exchange.upstream = Upstream::NoReply;
            }
        } else if self.killed().is_some() {
            exchange.ended_by = EndedBy::ProxyFin;
        }
        for dealt in self.take_wire() {
            if !exchange.dealt.contains(&dealt) {
                exchange.dealt.push(dealt);
            }
        }
        self.recorder.say(Event::Exchange(exchange));
    }

    /// How it is being ended, if it is: a stream ends with its connection, too.
    pub(crate) fn killed(&self) -> Option<Close> {
        self.killed_itself().or_else(|| self.branch.as_ref()?.of.killed())
    }

    pub(super) fn killed_itself(&self) -> Option<Close> {
        decode(self.kill.load(Ordering::Acquire))
    }

    /// How it is to end once what is written has left, if it is.
    pub(super) fn ends_after_flush(&self) -> Option<Close> {
        decode(self.after_flush.load(Ordering::Acquire))
    }

    /// Waits until somebody has something to say: a kill, an interim answer.
    pub(crate) async fn called(&self) {
        self.notify.notified().await;
    }

    /// Waits for the end of the connection by our own hand.
    pub(crate) async fn until_killed(&self) {
        while self.killed().is_none() {
            self.called().await;
        }
    }

    /// Notes that the client closed its side.
    pub(crate) fn client_gone(&self, by_reset: bool) {
        let now = self.injector.micros();
        let first = self.gone_at.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire);
        // After a FIN a RST says only that the client doesn't listen any more.
        if first.is_ok() && by_reset {
            self.gone_by_reset.store(true, Ordering::Release);
        }
    }

    /// When the client went, in microseconds of the drill; zero if it is there.
    pub(crate) fn gone_at(&self) -> u64 {
        match (self.gone_at.load(Ordering::Acquire), &self.branch) {
            (0, Some(branch)) => branch.of.gone_at(),
            (at, _) => at,
        }
    }

    /// Whether the client reset the stream, if it is one.
    pub(super) fn gone_itself(&self) -> bool {
        self.gone_at.load(Ordering::Acquire) > 0
    }

    /// How an exchange that broke off now did so.
    pub(crate) fn ended_by(&self) -> EndedBy {
        if let Some(ended_by) = self.stream_ended_by() {
            return ended_by;
        }
        match (self.killed(), self.gone_at()) {
            (Some(Close::Reset), _) if self.is_drained() => EndedBy::Stale,
            (Some(Close::Reset), _) if self.killed_by_edge.load(Ordering::Acquire) => {
                EndedBy::PhaseEdge
            }
            (Some(Close::Reset), _) => EndedBy::ProxyRst,
            (Some(Close::Fin), _) | (None, 0) => EndedBy::ProxyFin,
            _ if self.gone_by_reset.load(Ordering::Acquire) => EndedBy::ClientRst,
            _ => EndedBy::ClientFin,
        }
    }
}

impl ConnCtl {
    /// The code that a stream ends with, if one was asked for.
    fn note_code(&self, close: Close) {
        if let Close::ResetStream(error) = close {
            self.reset_with(error.code().into());
        }
    }
}

impl Drop for ConnCtl {
    fn drop(&mut self) {
        match &self.branch {
            Some(branch) => branch.of.stream_ended(),
            None => self.meters.end(),
        }
    }
}

/// Locks what no panic can leave half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn code(close: Close) -> u8 {
    match close {
        Close::Fin => 1,
        Close::Reset | Close::ResetStream(_) => 2,
    }
}

const fn decode(code: u8) -> Option<Close> {
    match code {
        1 => Some(Close::Fin),
        2 => Some(Close::Reset),
        _ => None,
    }
}
