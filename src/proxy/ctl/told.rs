//! Exchanges that are over, until they are told of: when their last byte has left.

use crate::{
    event::{Dealt, EndedBy, Event, Exchange, Upstream},
    proxy::{
        ctl::{ConnCtl, Stand, lock},
        stand::decode,
    },
};
use std::sync::atomic::Ordering;

impl ConnCtl {
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
    pub(in crate::proxy) fn take_wire(&self) -> Vec<Dealt> {
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
}
