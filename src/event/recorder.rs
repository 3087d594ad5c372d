//! The way to say what happened without ever waiting for a listener.

use crate::event::Event;
use std::{
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Shards, so that workers seldom meet.
const SHARDS: usize = 8;

/// Takes events from the data plane and keeps them until the collector fetches them.
///
/// Saying something is a push under a lock that is held for nanoseconds; the collector is not
/// woken but comes by on its own. What does not fit is dropped and counted, never waited for.
#[derive(Debug)]
pub struct Recorder {
    shards: [Mutex<Vec<Event>>; SHARDS],
    /// Events a shard may hold.
    limit: usize,
    dropped: AtomicU64,
    details: bool,
}

/// What was said since the last time.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events; those of one connection are in order, and so are the edges.
    pub events: Vec<Event>,
    /// How many were dropped since the drill's start.
    pub dropped: u64,
}

impl Recorder {
    /// A recorder that keeps up to about `limit` events until they are fetched. With `details`,
    /// exchanges carry what only a record needs.
    pub fn new(limit: usize, details: bool) -> Self {
        Self {
            shards: Default::default(),
            limit: limit.div_ceil(SHARDS),
            dropped: AtomicU64::new(0),
            details,
        }
    }

    /// Whether exchanges should carry their details.
    pub fn wants_details(&self) -> bool {
        self.details
    }

    /// Says something. Never blocks for long, never fails.
    pub fn say(&self, event: Event) {
        let shard = match &event {
            // One connection, one shard: its exchanges stay in order.
            Event::Exchange(exchange) => usize::try_from(exchange.conn).unwrap_or(0),
            Event::Duplicate(duplicate) => usize::try_from(duplicate.conn).unwrap_or(0),
            Event::Tunnel(tunnel) => usize::try_from(tunnel.exchange.conn).unwrap_or(0),
            Event::Connection(connection) => usize::try_from(connection.id).unwrap_or(0),
            // All edges in one shard, the one that is fetched first: they stay in order, too.
            Event::Edge(_) | Event::Proxy { .. } | Event::ByHand(_) => 0,
        };
        let mut kept = self.shards[shard % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        // A drill has few edges, and without them nothing else can be placed.
        let is_needed = matches!(event, Event::Edge(_) | Event::Proxy { .. });
        if kept.len() < self.limit || is_needed {
            kept.push(event);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Fetches what was said.
    pub fn fetch(&self) -> Batch {
        let mut events = Vec::new();
        for shard in &self.shards {
            let mut kept = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let room = kept.capacity().min(1024);
            events.append(&mut mem::replace(&mut *kept, Vec::with_capacity(room)));
        }
        Batch { events, dropped: self.dropped.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Connection, EndedBy, PhaseEdge};
    use std::{net::SocketAddr, time::Duration};

    fn edge(phase: usize) -> Event {
        let at = Duration::ZERO;
        Event::Edge(PhaseEdge { phase: Some(phase), planned: at, actual: at })
    }

    fn connection(id: u64) -> Event {
        Event::Connection(Connection {
            id,
            peer: SocketAddr::from(([10, 0, 0, 1], 40_000)),
            accepted: 1,
            ended: 2,
            phase: None,
            dealt: Vec::new(),
            proxy: 0,
            secured: 0,
            tls_error: None,
            relay: None,
            ended_by: EndedBy::ProxyFin,
        })
    }

    #[test]
    fn what_was_said_is_fetched_once() {
        let recorder = Recorder::new(1_000, false);
        recorder.say(edge(0));
        recorder.say(connection(1));

        assert_eq!(recorder.fetch().events.len(), 2);
        assert_eq!(recorder.fetch().events.len(), 0);
    }

    #[test]
    fn a_full_recorder_drops_and_counts() {
        let recorder = Recorder::new(SHARDS, false);
        for id in 0..SHARDS as u64 + 3 {
            recorder.say(connection(id));
        }

        let batch = recorder.fetch();

        assert_eq!((batch.events.len(), batch.dropped), (SHARDS, 3));
    }

    #[test]
    fn edges_stay_in_order_and_are_never_dropped() {
        let recorder = Recorder::new(SHARDS, false);
        for phase in 0..100 {
            recorder.say(edge(phase));
            recorder.say(connection(phase as u64));
        }

        let phases = recorder.fetch().events.into_iter().filter_map(|event| match event {
            Event::Edge(edge) => edge.phase,
            _ => None,
        });

        assert!(phases.eq(0..100));
    }
}
