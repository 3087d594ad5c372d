//! How a connection, or one stream of it, ends: whose hand it was, and when.

use crate::{
    event::EndedBy,
    fault::Close,
    proxy::{
        ctl::{ConnCtl, Stand, lock},
        stand::{code, decode},
    },
};
use bytes::Bytes;
use std::sync::atomic::Ordering;

impl ConnCtl {
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
    pub(in crate::proxy) fn look(&self) {
        self.notify.notify_one();
    }

    /// Ends the connection now, as the edge of a phase wants it.
    pub(crate) fn kill_by_edge(&self) {
        self.killed_by_edge.store(self.killed().is_none(), Ordering::Release);
        self.kill(Close::Reset);
    }

    /// Whether it is the edge of a phase that ends it, or the connection that it is a stream of.
    pub(in crate::proxy) fn is_killed_by_edge(&self) -> bool {
        let own = self.killed_by_edge.load(Ordering::Acquire);
        own || self.connection().killed_by_edge.load(Ordering::Acquire)
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

    /// Notes that the client speaks TLS with us, from now on.
    pub(crate) fn set_over_tls(&self) {
        self.secured.store(self.injector.micros(), Ordering::Release);
    }

    /// When the client began to speak TLS with us, in microseconds of the drill; zero if it does not.
    pub(crate) fn secured(&self) -> u64 {
        self.connection().secured.load(Ordering::Acquire)
    }

    /// Whether the client speaks TLS with us.
    pub(crate) fn is_over_tls(&self) -> bool {
        self.secured() > 0
    }

    /// Notes why the client does not speak TLS with us, in a word.
    pub(crate) fn set_tls_error(&self, word: &'static str) {
        let _first = self.tls_error.set(word);
    }

    /// Why the client does not speak TLS with us, if it was to.
    pub(crate) fn tls_error(&self) -> Option<&'static str> {
        self.tls_error.get().copied()
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

    /// How it is being ended, if it is: a stream ends with its connection, too.
    pub(crate) fn killed(&self) -> Option<Close> {
        self.killed_itself().or_else(|| self.branch.as_ref()?.of.killed())
    }

    pub(in crate::proxy) fn killed_itself(&self) -> Option<Close> {
        decode(self.kill.load(Ordering::Acquire))
    }

    /// How it is to end once what is written has left, if it is.
    pub(in crate::proxy) fn ends_after_flush(&self) -> Option<Close> {
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
    pub(in crate::proxy) fn gone_itself(&self) -> bool {
        self.gone_at.load(Ordering::Acquire) > 0
    }

    /// How an exchange that broke off now did so.
    pub(crate) fn ended_by(&self) -> EndedBy {
        if let Some(ended_by) = self.stream_ended_by() {
            return ended_by;
        }
        match (self.killed(), self.gone_at()) {
            (Some(Close::Reset), _) if self.is_drained() => EndedBy::Stale,
            (Some(Close::Reset), _) if self.is_killed_by_edge() => EndedBy::PhaseEdge,
            (Some(Close::Reset), _) => EndedBy::ProxyRst,
            (Some(Close::Fin), _) | (None, 0) => EndedBy::ProxyFin,
            _ if self.gone_by_reset.load(Ordering::Acquire) => EndedBy::ClientRst,
            _ => EndedBy::ClientFin,
        }
    }

    /// The code that a stream ends with, if one was asked for.
    fn note_code(&self, close: Close) {
        if let Close::ResetStream(error) = close {
            self.reset_with(error.code().into());
        }
    }
}
