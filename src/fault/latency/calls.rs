//! Delays for the messages of a gRPC call, each its own.
//!
//! Messages leave one after the other, each no sooner than its delay after it came and no sooner than its
//! delay after the one before it left: as from a server, or a client, that takes so much longer over each. So a pause
//! shows however many come at once. Bytes are held until their message may leave and then pass as they
//! come; a message is never collected, however long it says it is.

use crate::{
    fault::{ByteFilter, Out, Tick, distribution::Distribution, latency::Draws},
    grpc::Messages,
    timeline::Moment,
};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};

/// What is held of a body; its source feels the rest.
const ROOM: usize = 64 * 1024;

/// Holds each message for a delay of its own.
#[derive(Debug)]
pub(super) struct Calls {
    distribution: Arc<Distribution>,
    draws: Draws,
    /// Where in its phase the fault is, while it is in force.
    moment: Option<Moment>,
    messages: Messages,
    /// When the message that is coming may leave.
    due: Tick,
    /// Parts of messages and when they may leave.
    held: VecDeque<(Tick, Bytes)>,
    bytes: usize,
    ending: bool,
    gone: bool,
}

impl Calls {
    pub(super) fn new(distribution: Arc<Distribution>, draws: Draws) -> Self {
        Self {
            distribution,
            draws,
            moment: None,
            messages: Messages::default(),
            due: Tick::ZERO,
            held: VecDeque::new(),
            bytes: 0,
            ending: false,
            gone: false,
        }
    }

    fn delay(&mut self) -> Tick {
        match &self.moment {
            Some(moment) if !self.gone => {
                self.distribution.quantile(self.draws.next(moment), moment)
            }
            _ => Tick::ZERO,
        }
    }
}

impl ByteFilter for Calls {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        self.moment = moment.copied();
    }

    fn room(&self) -> usize {
        ROOM.saturating_sub(self.bytes)
    }

    fn push(&mut self, now: Tick, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let piece = self.messages.next(&bytes);
            let part = bytes.split_to(piece.len);
            if piece.begins {
                self.due = self.due.max(now).saturating_add(self.delay());
            }
            self.bytes += part.len();
            self.held.push_back((self.due, part));
        }
    }

    fn finish(&mut self, _now: Tick) {
        self.ending = true;
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        match self.held.front() {
            Some((due, _)) if *due > now && !self.gone => None,
            Some(_) => {
                let (_, bytes) = self.held.pop_front()?;
                self.bytes -= bytes.len();
                Some(Out::Bytes(bytes))
            }
            None => std::mem::take(&mut self.ending).then_some(Out::End),
        }
    }

    fn wake_at(&self) -> Option<Tick> {
        self.held.front().map(|(due, _)| *due)
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.ending
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{fault, moment, pieces};
    use crate::fault::{Effect, Stage, support::cx};
    use std::time::Duration;

    const PAUSE: Duration = Duration::from_millis(300);

    fn filter() -> Box<dyn ByteFilter> {
        let latency = fault("latency: { mean: 300ms, per: grpc_message }");
        match latency.decide(Stage::Body, &cx(0)) {
            Effect::Shape(filter) => filter,
            other => panic!("{other:?}"),
        }
    }

    fn message(len: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 0, len];
        bytes.resize(5 + usize::from(len), 7);
        bytes
    }

    #[test]
    fn messages_that_come_at_once_leave_one_pause_after_the_other() {
        let (mut filter, start) = (filter(), Duration::from_secs(1));
        filter.tune(start, Some(&moment(start)));
        let all: Vec<u8> = [3, 0, 9].into_iter().flat_map(message).collect();
        // However they are cut into frames.
        for frame in all.chunks(4) {
            filter.push(start, Bytes::copy_from_slice(frame));
        }
        let mut left: Vec<(Tick, usize)> = Vec::new();
        for (at, bytes) in pieces(&mut *filter, start) {
            match left.last_mut().filter(|(last, _)| *last == at) {
                Some((_, len)) => *len += bytes.len(),
                None => left.push((at, bytes.len())),
            }
        }
        assert_eq!(left, [(start + PAUSE, 8), (start + 2 * PAUSE, 5), (start + 3 * PAUSE, 14)]);
    }

    #[test]
    fn a_message_that_comes_late_still_waits_its_whole_pause() {
        let mut filter = filter();
        for nth in 1..4 {
            let now = Duration::from_secs(nth);
            filter.tune(now, Some(&moment(now)));
            filter.push(now, message(1).into());
            assert_eq!(pieces(&mut *filter, now).first().map(|(at, _)| *at), Some(now + PAUSE));
        }
    }

    #[test]
    fn a_message_that_claims_4_gib_is_not_collected() {
        let (mut filter, start) = (filter(), Duration::from_secs(1));
        filter.tune(start, Some(&moment(start)));
        filter.push(start, Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]));
        filter.push(start, vec![0; ROOM].into());
        assert_eq!((filter.room(), filter.pull(start)), (0, None));
        let later = start + PAUSE;
        assert_eq!(pieces(&mut *filter, later).len(), 2);
        filter.push(later, vec![0; ROOM].into());
        assert!(matches!(filter.pull(later), Some(Out::Bytes(_))), "it has begun to leave");
    }
}
