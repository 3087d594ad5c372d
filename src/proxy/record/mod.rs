//! Middleware that tells what became of each exchange.
//!
//! Outermost, so that it sees every exchange, also those a fault kills or a client leaves: an
//! exchange is told when its response body ends or is dropped, or when its future is.

mod body;
mod service;

pub(crate) use body::Recorded;
pub(crate) use service::RecordLayer;

use crate::{
    event::{Dealt, EndedBy, Event, Exchange, Recorder, Upstream},
    proxy::ctl::{ConnCtl, Stand, lock},
};
use http::StatusCode;
use std::{
    mem,
    sync::{Arc, Mutex},
};

/// An exchange being written down, shared by everything that has a hand in it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) ctl: Arc<ConnCtl>,
    pub(crate) exchange: Arc<Mutex<Exchange>>,
}

impl Draft {
    /// Notes what a fault did.
    pub(crate) fn dealt(&self, dealt: Dealt) {
        lock(&self.exchange).dealt.push(dealt);
    }

    /// The upstream answered.
    pub(crate) fn answered(&self, status: StatusCode) {
        let now = self.ctl.injector().micros();
        let mut exchange = lock(&self.exchange);
        exchange.t_answered = now;
        exchange.upstream = Upstream::Status(status.as_u16());
    }

    /// The upstream got the request or part of it, and did not answer.
    pub(crate) fn no_reply(&self) {
        lock(&self.exchange).upstream = Upstream::NoReply;
    }
}

/// Tells of the exchange when it is dropped.
#[derive(Debug)]
pub(crate) struct Teller {
    draft: Draft,
    recorder: Arc<Recorder>,
}

impl Teller {
    fn new(draft: Draft, recorder: Arc<Recorder>) -> Self {
        Self { draft, recorder }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let ctl = &self.draft.ctl;
        let now = ctl.injector().micros();
        let mut draft = lock(&self.draft.exchange);
        // Whoever still holds the draft has nothing more to say in it.
        let (dealt, detail) = (mem::take(&mut draft.dealt), draft.detail.take());
        let mut exchange = Box::new(draft.clone());
        drop(draft);
        (exchange.dealt, exchange.detail) = (dealt, detail);
        exchange.t_end = now;
        exchange.t_client_gone = ctl.gone_at();
        if !exchange.complete {
            exchange.ended_by = ctl.ended_by();
            // Sent, and nobody waited for the answer: the upstream has heard of it all the same.
            if exchange.t_forwarded > 0 && exchange.upstream == Upstream::NotSent {
                exchange.upstream = Upstream::NoReply;
            }
        } else if ctl.killed().is_some() {
            exchange.ended_by = EndedBy::ProxyFin;
        }
        for dealt in lock(&ctl.wire).iter() {
            if !exchange.dealt.contains(dealt) {
                exchange.dealt.push(dealt.clone());
            }
        }
        if ctl.stand() != Stand::Tunnel {
            ctl.set_stand(Stand::Flushing);
        }
        self.recorder.say(Event::Exchange(exchange));
    }
}
