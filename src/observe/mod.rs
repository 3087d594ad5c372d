//! What it meant: events folded into figures, and written down.
//!
//! Nothing here acts; it and the data plane never meet but in [`event`](crate::event).

mod cell;
mod collector;
mod gaps;
mod hex;
mod journal;
mod keys;
mod line;
mod opened;
pub mod read;
mod write;

pub use cell::{Cell, Latency};
pub use collector::{Collected, Collector, Listener};
pub use journal::{End, Ending, Journal, Preface, RECORD_FORMAT, Tally};
pub use keys::KeySet;

use crate::event::{
    Connection, EndedBy, Event, Exchange, HandChange, Outcome, PhaseEdge, Tunnel, Upstream,
};
use gaps::Gaps;
use opened::Opened;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The connections of one proxy that passes bytes on as they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relays {
    /// Those that ended.
    pub connections: u64,
    /// Those to which something was dealt.
    pub injected: u64,
    /// Those that the upstream did not take.
    pub unconnected: u64,
    /// Bytes that reached the upstream.
    pub up: u64,
    /// Bytes that reached clients.
    pub down: u64,
}

/// The figures of a drill.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    /// By phase (`None`: outside the timeline) and target (`None`: all requests).
    pub cells: BTreeMap<(Option<usize>, Option<usize>), Cell>,
    /// When each phase began, planned and actual.
    pub edges: Vec<PhaseEdge>,
    /// Users seen.
    pub users: KeySet,
    /// Users into whose exchanges something was injected.
    pub users_hit: KeySet,
    /// Genuine upstream failures, by their word.
    pub genuine: BTreeMap<&'static str, u64>,
    /// Exchanges, but for wrappings.
    pub exchanges: u64,
    /// Ways to requests that are told of by themselves; no other figure counts them.
    pub wrappings: u64,
    /// Exchanges into which something was injected, or into the tunnel that they became.
    pub injected: u64,
    /// Exchanges that ended well for the client.
    pub ok: u64,
    /// Exchanges that the upstream answered, whatever it said and whatever became of it.
    pub answered: u64,
    /// Connections that ended without an exchange.
    pub bare_connections: u64,
    /// Handshakes of TLS that a fault had fail.
    pub handshakes_dealt: u64,
    /// Connections on which hands were shaken for TLS and nothing was asked.
    pub unasked: u64,
    /// Handshakes of TLS that failed though no fault was dealt to them, by their word.
    pub handshakes_failed: BTreeMap<&'static str, u64>,
    /// Connections whose bytes were passed on as they came, by the name of their proxy.
    pub relays: BTreeMap<Arc<str>, Relays>,
    /// Faults that were put on proxies by hand.
    pub by_hand: u64,
    proxies: BTreeMap<u32, Arc<str>>,
    /// Whether one of them is a forward proxy.
    pub forwards: bool,
    /// Events that did not fit the recorder.
    pub dropped: u64,
    gaps: Gaps,
    opened: Opened,
}

impl Observations {
    /// Takes one event in.
    pub fn fold(&mut self, event: &Event) {
        match event {
            Event::Exchange(exchange) => self.exchange(exchange),
            Event::Connection(connection) => self.connection(connection),
            Event::Edge(edge) => self.edges.push(edge.in_micros()),
            Event::Proxy { id, name, forward } => {
                self.forwards |= forward;
                self.proxies.insert(*id, Arc::clone(name));
            }
            // No client asked for a copy, and none had its answer.
            Event::ByHand(by_hand) if by_hand.change == HandChange::Added => self.by_hand += 1,
            Event::Tunnel(tunnel) => self.tunnel(tunnel),
            Event::Duplicate(_) | Event::ByHand(_) => {}
        }
    }

    /// The longest time a client let pass between a failure and the next attempt that looks alike
    /// (same user, method and targets).
    pub fn longest_retry_gap(&self) -> Duration {
        self.gaps.longest()
    }

    /// Handshakes of TLS with clients that failed, whoever's doing it was.
    pub fn handshakes(&self) -> u64 {
        self.handshakes_dealt + self.handshakes_failed.values().sum::<u64>()
    }

    /// How far the edges were off their plan, at worst.
    pub fn worst_edge(&self) -> Duration {
        let off = |edge: &PhaseEdge| {
            edge.actual.max(edge.planned).saturating_sub(edge.actual.min(edge.planned))
        };
        self.edges.iter().map(off).max().unwrap_or_default()
    }

    fn connection(&mut self, connection: &Connection) {
        if let Some(word) = connection.tls_error {
            if connection.is_handshake_dealt() {
                self.handshakes_dealt += 1;
            } else {
                *self.handshakes_failed.entry(word).or_default() += 1;
            }
        }
        self.unasked += u64::from(connection.is_unasked());
        let Some(relay) = &connection.relay else {
            // One that was drained had its exchanges.
            self.bare_connections += u64::from(connection.ended_by != EndedBy::Drained);
            return;
        };
        let name = self.proxies.get(&connection.proxy).cloned().unwrap_or_default();
        let relays = self.relays.entry(name).or_default();
        relays.connections += 1;
        relays.up += relay.up;
        relays.down += relay.down;
        self.users.insert(relay.user);
        if !connection.dealt.is_empty() || connection.ended_by == EndedBy::PhaseEdge {
            relays.injected += 1;
            self.users_hit.insert(relay.user);
        }
        if let Some(word) = relay.upstream_error {
            *self.genuine.entry(word).or_default() += 1;
            relays.unconnected += 1;
        } else if relay.t_connected > 0 {
            self.answered += 1;
        }
    }

    /// The exchange that opened it was counted when it was told, but for what came later.
    fn tunnel(&mut self, tunnel: &Tunnel) {
        let exchange = &tunnel.exchange;
        if exchange.injected() {
            self.users_hit.insert(exchange.user);
        }
        if let Some(opening) = self.opened.hurt(exchange) {
            self.injected += 1;
            self.in_cells(opening.phase, opening.targets, |cell| cell.injected += 1);
        }
        if !exchange.complete {
            self.gaps.see(exchange, exchange.outcome());
        }
    }

    fn exchange(&mut self, exchange: &Exchange) {
        if exchange.is_wrapping() {
            self.wrappings += 1;
            return;
        }
        let outcome = exchange.outcome();
        self.exchanges += 1;
        self.users.insert(exchange.user);
        if outcome == Outcome::Ok {
            self.ok += 1;
        }
        if matches!(exchange.upstream, Upstream::Status(_)) {
            self.answered += 1;
        }
        if exchange.injected() {
            self.injected += 1;
            self.users_hit.insert(exchange.user);
        }
        if let Some(word) = exchange.upstream_error {
            *self.genuine.entry(word).or_default() += 1;
        }
        self.gaps.see(exchange, outcome);
        self.opened.see(exchange);
        self.in_cells(exchange.phase, exchange.targets, |cell| cell.add(exchange, outcome));
    }

    /// All that a phase and its targets tell of one exchange.
    fn in_cells(&mut self, phase: Option<usize>, targets: u64, mut tell: impl FnMut(&mut Cell)) {
        tell(self.cells.entry((phase, None)).or_default());
        for target in 0..64 {
            if targets & (1 << target) != 0 {
                tell(self.cells.entry((phase, Some(target))).or_default());
            }
        }
    }
}
