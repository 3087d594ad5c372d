//! Middleware that tells what became of each exchange.
//!
//! Outermost, so that it sees every exchange, also those a fault kills or a client leaves: an
//! exchange is over when its response body ends or is dropped, or when its future is. What ran to
//! its end is told of once its last byte has left.

mod body;
mod call;
mod service;

pub(crate) use body::Recorded;
pub(crate) use call::counter;
pub(crate) use service::RecordLayer;

use crate::{
    dice,
    event::{Dealt, Exchange, Upstream},
    proxy::ctl::{ConnCtl, lock},
};
use http::{HeaderMap, StatusCode, header};
use std::{
    mem,
    ops::Deref,
    sync::{Arc, Mutex},
};

/// An exchange being written down, shared by everything that has a hand in it: one pointer.
#[derive(Clone, Debug)]
pub(crate) struct Draft(Arc<Sheet>);

/// What a [`Draft`] points to.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) ctl: Arc<ConnCtl>,
    /// The exchange's number on its connection.
    seq: u32,
    pub(crate) exchange: Mutex<Exchange>,
}

impl Deref for Draft {
    type Target = Sheet;

    fn deref(&self) -> &Sheet {
        &self.0
    }
}

impl Draft {
    fn new(ctl: Arc<ConnCtl>, exchange: Exchange) -> Self {
        Self(Arc::new(Sheet { ctl, seq: exchange.seq, exchange: Mutex::new(exchange) }))
    }

    /// A draft for a second request like this one's.
    pub(crate) fn second(&self) -> Self {
        let mut exchange = lock(&self.exchange).clone();
        (exchange.dealt, exchange.detail) = (Vec::new(), None);
        (exchange.upstream, exchange.upstream_error) = (Upstream::NotSent, None);
        (exchange.t_forwarded, exchange.t_answered, exchange.t_upstream_end) = (0, 0, 0);
        Self::new(Arc::new(self.ctl.detached()), exchange)
    }

    /// The exchange as it is when it switches protocols, for whoever tells what comes of that.
    pub(crate) fn opening(&self, status: StatusCode) -> Box<Exchange> {
        let now = self.ctl.injector().micros();
        let mut exchange = Box::new(lock(&self.exchange).clone());
        exchange.dealt = Vec::new();
        (exchange.status, exchange.t_sent_first) = (status.as_u16(), now);
        exchange
    }

    /// Notes what a fault did.
    pub(crate) fn dealt(&self, dealt: Dealt) {
        lock(&self.exchange).dealt.push(dealt);
    }

    /// The upstream answered. Tells whether somebody wants to know what the answer's body says.
    pub(crate) fn answered(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let now = self.ctl.injector().micros();
        let mut exchange = lock(&self.exchange);
        exchange.t_answered = now;
        exchange.upstream = Upstream::Status(status.as_u16());
        let made = status.is_success() && !exchange.method.is_idempotent();
        let Some(detail) = exchange.detail.as_mut().filter(|_| made) else {
            return false;
        };
        detail.made = headers.get(header::LOCATION).map(|at| dice::key(at.as_bytes()));
        detail.made.is_none()
    }

    /// What an answer to an unsafe request says that it made, hashed.
    pub(crate) fn made(&self, made: u64) {
        if let Some(detail) = &mut lock(&self.exchange).detail {
            detail.made = Some(made);
        }
    }

    /// The client has sent all of the body.
    pub(crate) fn body_done(&self) {
        self.ctl.set_body_done(self.seq);
    }

    /// The client will not send all of the body.
    pub(crate) fn body_broken(&self) {
        self.ctl.set_body_broken(self.seq);
    }

    /// The upstream got the request or part of it, and did not answer.
    pub(crate) fn no_reply(&self) {
        lock(&self.exchange).upstream = Upstream::NoReply;
    }
}

/// Hands the exchange in when it is dropped.
#[derive(Debug)]
pub(crate) struct Teller {
    draft: Draft,
}

impl Drop for Teller {
    fn drop(&mut self) {
        let mut draft = lock(&self.draft.exchange);
        // Whoever still holds the draft has nothing more to say in it.
        let (dealt, detail) = (mem::take(&mut draft.dealt), draft.detail.take());
        let mut exchange = Box::new(draft.clone());
        drop(draft);
        (exchange.dealt, exchange.detail) = (dealt, detail);
        self.draft.ctl.finished(exchange);
    }
}
