//! Many exchanges at a time on one connection, as HTTP/2 has them.
//!
//! Each stream has a control block of its own, so that every service above it works as on a
//! connection: to end it is to reset the stream, and its fellows do not notice. What belongs to the
//! connection is asked of the connection.

use crate::{
    engine::Welcome,
    event::{Dealt, EndedBy},
    fault::{Close, H2Error},
    proxy::ctl::{ConnCtl, Stand, lock},
};
use futures_util::task::AtomicWaker;
use h2::Reason;
use http::{HeaderMap, Response, StatusCode};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Waker,
};

/// What the streams of a connection have in common.
#[derive(Debug, Default)]
pub(super) struct Trunk {
    /// Streams under way.
    active: AtomicU32,
    /// The code with which it is sent away, one above it; zero if it is not.
    away: AtomicU32,
    /// It is over: what streams hear of now is the connection's end, and nobody's reset.
    over: AtomicBool,
    wire: Mutex<WireLog>,
}

/// What was done to a connection's bytes, and when, counted in changes: each of the streams that
/// were under way has met it.
#[derive(Debug, Default)]
struct WireLog {
    count: u64,
    /// One row for each fault at most.
    rows: Vec<(Dealt, u64)>,
}

/// What makes a control block that of a stream.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) of: Arc<ConnCtl>,
    /// The count of its connection's changes when it began.
    pub(super) begun: u64,
    waker: AtomicWaker,
    /// Interim answers that are to leave before the answer.
    interims: Mutex<VecDeque<Response<()>>>,
    /// With which code it was reset, one above it; zero if it was not.
    code: AtomicU32,
    /// Whether it is the upstream's reset, passed on.
    by_upstream: AtomicBool,
}

impl ConnCtl {
    /// A control block for a new stream on this connection.
    pub(super) fn stream(self: &Arc<Self>) -> Arc<Self> {
        self.trunk.active.fetch_add(1, Ordering::AcqRel);
        // Something is under way, in whatever state.
        self.set_stand(Stand::Responding);
        let welcome = Welcome {
            delay: self.welcome.delay,
            close: None,
            flaw: None,
            dealt: Vec::new(),
            phase: self.welcome.phase,
            counted: Arc::clone(&self.welcome.counted),
        };
        let mut stream = Self::blank(
            self.id,
            self.peer,
            self.key,
            welcome,
            self.injector().clone(),
            Arc::clone(self.recorder_of()),
            Arc::clone(&self.meters),
        );
        (stream.ends, stream.accepted) = (self.ends, self.accepted);
        stream.user = Arc::clone(&self.user);
        stream.branch = Some(Box::new(Branch {
            of: Arc::clone(self),
            // What its head went through on its way is noted, and not yet counted.
            begun: lock(&self.trunk.wire).count,
            waker: AtomicWaker::new(),
            interims: Mutex::default(),
            code: AtomicU32::new(0),
            by_upstream: AtomicBool::new(false),
        }));
        Arc::new(stream)
    }

    /// The connection's control block: its own, or that of the connection that it is a stream of.
    pub(crate) fn connection(&self) -> &Self {
        self.branch.as_ref().map_or(self, |branch| &branch.of)
    }

    /// Whether it is one stream of many.
    pub(crate) const fn is_stream(&self) -> bool {
        self.branch.is_some()
    }

    /// Has the connection sent away: gently with `NO_ERROR`, else at once.
    pub(super) fn send_away(&self, error: H2Error) {
        self.trunk.away.store(error.code() + 1, Ordering::Release);
        self.look();
    }

    /// The stream is one too many.
    pub(super) fn refuse(&self, dealt: Dealt) {
        lock(&self.wire).push(dealt);
        self.reset_with(Reason::REFUSED_STREAM);
        self.kill(Close::Reset);
    }

    /// With which code it is to be sent away now, if it is.
    pub(super) fn take_away(&self) -> Option<Reason> {
        match self.trunk.away.load(Ordering::Acquire) {
            0 => None,
            _ => self.trunk.away.swap(0, Ordering::AcqRel).checked_sub(1).map(Reason::from),
        }
    }

    /// The connection is over, for all its streams.
    pub(super) fn set_over(&self) {
        self.trunk.over.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.connection().trunk.over.load(Ordering::Acquire)
    }

    /// Streams under way on this connection.
    pub(super) fn active_streams(&self) -> u32 {
        self.connection().trunk.active.load(Ordering::Acquire)
    }

    pub(super) fn stream_ended(&self) {
        if self.trunk.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.set_stand(Stand::Idle);
        }
    }

    /// Wakes whoever serves the stream, if it is one.
    pub(super) fn wake_stream(&self) {
        if let Some(branch) = &self.branch {
            branch.waker.wake();
        }
    }

    /// Has `waker` woken when there is something to say to the stream.
    pub(super) fn stream_wakes(&self, waker: &Waker) {
        if let Some(branch) = &self.branch {
            branch.waker.register(waker);
        }
    }

    /// Sends a stream's client an interim answer, if its answer has not begun.
    pub(super) fn inform(&self, status: StatusCode, headers: &HeaderMap) {
        let Some(branch) = &self.branch else { return };
        let mut interim = Response::new(());
        *interim.status_mut() = status;
        interim.headers_mut().clone_from(headers);
        lock(&branch.interims).push_back(interim);
        branch.waker.wake();
    }

    pub(super) fn next_informed(&self) -> Option<Response<()>> {
        lock(&self.branch.as_ref()?.interims).pop_front()
    }

    /// The upstream reset its half of the exchange: so is the client's, with the same code.
    pub(super) fn reset_by_upstream(&self, reason: Reason) {
        if let Some(branch) = &self.branch {
            branch.by_upstream.store(true, Ordering::Release);
            self.reset_with(reason);
            self.kill(Close::Reset);
        }
    }

    /// Notes the code of a reset, the first one that there is.
    pub(super) fn reset_with(&self, reason: Reason) {
        if let Some(branch) = &self.branch {
            let code = u32::from(reason).saturating_add(1);
            let _first = branch.code.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// The code of the stream's reset, ours or the client's.
    pub(super) fn reset_code(&self) -> Option<u32> {
        self.branch.as_ref()?.code.load(Ordering::Acquire).checked_sub(1)
    }

    /// How the stream itself ended, if it is one and did.
    pub(super) fn stream_ended_by(&self) -> Option<EndedBy> {
        let branch = self.branch.as_ref()?;
        if self.killed_itself().is_some() && !self.is_killed_by_edge() {
            let upstream = branch.by_upstream.load(Ordering::Acquire);
            return Some(if upstream { EndedBy::UpstreamRst } else { EndedBy::ProxyRst });
        }
        match (self.gone_itself(), self.reset_code()) {
            _ if self.is_killed_by_edge() => None,
            (true, _) => Some(EndedBy::ClientRst),
            (false, Some(_)) => Some(EndedBy::ProxyRst),
            (false, None) => None,
        }
    }

    /// What was done to the connection's bytes since then.
    pub(super) fn wire_since(&self, begun: u64) -> Vec<Dealt> {
        self.collect_wire(|log| {
            let since = log.rows.iter().filter(|(_, at)| *at > begun);
            since.map(|(dealt, _)| dealt.clone()).collect()
        })
    }

    fn collect_wire<T>(&self, look: impl FnOnce(&WireLog) -> T) -> T {
        let mut log = lock(&self.trunk.wire);
        for dealt in std::mem::take(&mut *lock(&self.wire)) {
            log.count += 1;
            let count = log.count;
            match log.rows.iter_mut().find(|(known, _)| *known == dealt) {
                Some((_, at)) => *at = count,
                None => log.rows.push((dealt, count)),
            }
        }
        look(&log)
    }
}
