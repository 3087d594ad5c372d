//! What the parts that serve one connection know of it together.

mod ends;
mod inside;
mod told;

pub(crate) use crate::proxy::stand::Stand;
use crate::{
    engine::{ConnKey, Injector, Welcome},
    event::{Dealt, Exchange, Recorder},
    proxy::{
        http::Granted,
        introduce::Ends,
        meters::Meters,
        streams::{Branch, Trunk},
    },
};
use bytes::Bytes;
use inside::Inside;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

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
    /// The handshake inside the tunnel that it became, if it did.
    inside: OnceLock<Box<Inside>>,
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
    /// How the present request's body stands. Its number is a part of it: what is left of a body when its
    /// answer is over may come to its end when the next request has begun.
    upload: AtomicU64,
    /// Whether it is a byte fault that keeps what the client sends from being read.
    upload_held: AtomicBool,
    kill: AtomicU8,
    /// Whether it is the edge of a phase that ends it.
    killed_by_edge: AtomicBool,
    /// When it was closed at the edge of a phase, while nothing was under way on it; zero if it was not.
    drained: AtomicU64,
    /// When the client began to speak TLS with us, in microseconds; zero until it does.
    secured: AtomicU64,
    /// Why it does not, in a word.
    tls_error: OnceLock<&'static str>,
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
    pub(in crate::proxy) fn blank(
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
            inside: OnceLock::new(),
            wire: Mutex::default(),
            leaving: Mutex::default(),
            recorder,
            seq: AtomicU32::new(0),
            stand: AtomicU8::new(Stand::Idle as u8),
            interims_allowed: AtomicBool::new(false),
            answer_begun: AtomicBool::new(false),
            upload: AtomicU64::new(DONE),
            upload_held: AtomicBool::new(false),
            kill: AtomicU8::new(0),
            killed_by_edge: AtomicBool::new(false),
            drained: AtomicU64::new(0),
            secured: AtomicU64::new(0),
            tls_error: OnceLock::new(),
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

    pub(in crate::proxy) const fn recorder_of(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// The number of a new exchange, from one.
    pub(crate) fn begin(&self, http11: bool, has_body: bool) -> u32 {
        self.interims_allowed.store(http11, Ordering::Release);
        let seq = self.connection().seq.fetch_add(1, Ordering::Relaxed) + 1;
        let done = if has_body { 0 } else { DONE };
        self.upload.store(u64::from(seq) << BITS | done, Ordering::Release);
        self.answer_begun.store(false, Ordering::Release);
        self.set_stand(Stand::Waiting);
        seq
    }

    /// Bytes came from the client: if no request is under way, they are the next one's first.
    pub(crate) fn bytes_came(&self) {
        // What is left of the last one's body is not.
        let is_next = self.stand() == Stand::Idle && self.body_done();
        if is_next && self.first_byte.load(Ordering::Relaxed) == 0 {
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
        Stand::of(self.stand.load(Ordering::Acquire))
    }

    pub(crate) fn set_stand(&self, stand: Stand) {
        self.stand.store(stand as u8, Ordering::Release);
    }

    /// Whether the present request's body was read to its end.
    pub(crate) fn body_done(&self) -> bool {
        self.upload.load(Ordering::Acquire) & DONE != 0
    }

    /// The client may say more after our last word.
    pub(crate) fn expects_more(&self) {
        self.upload.fetch_and(!DONE, Ordering::AcqRel);
    }

    /// The body of this request was read to its end.
    pub(crate) fn set_body_done(&self, seq: u32) {
        self.note_upload(seq, DONE);
    }

    /// Whether the client broke the present request's body off.
    pub(crate) fn body_broken(&self) -> bool {
        self.upload.load(Ordering::Acquire) & BROKEN != 0
    }

    /// The client broke the body of this request off.
    pub(crate) fn set_body_broken(&self, seq: u32) {
        self.note_upload(seq, BROKEN);
    }

    /// Whether the client waits to be told to send the present request's body.
    pub(crate) fn body_withheld(&self) -> bool {
        self.upload.load(Ordering::Acquire) & WITHHELD != 0
    }

    /// The client waits to be told to send the present request's body, or does so no longer.
    pub(crate) fn set_body_withheld(&self, withheld: bool) {
        if withheld {
            self.upload.fetch_or(WITHHELD, Ordering::AcqRel);
        } else {
            self.upload.fetch_and(!WITHHELD, Ordering::AcqRel);
        }
    }

    fn note_upload(&self, seq: u32, bit: u64) {
        let is_present = |upload| upload >> BITS == u64::from(seq);
        let note = |upload| is_present(upload).then_some(upload | bit);
        let _past = self.upload.fetch_update(Ordering::AcqRel, Ordering::Acquire, note);
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
}

impl Drop for ConnCtl {
    fn drop(&mut self) {
        match &self.branch {
            Some(branch) => branch.of.stream_ended(),
            None => self.meters.end(),
        }
    }
}

/// A body that was read to its end.
const DONE: u64 = 1;
/// A body that the client broke off.
const BROKEN: u64 = 2;
/// A body that the client sends when it is told to.
const WITHHELD: u64 = 4;
/// How many there are of these.
const BITS: u32 = 3;

/// Locks what no panic can leave half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
