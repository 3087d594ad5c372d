//! The face of a run that asks: what is dealt to this connection, this request?

use crate::{
    dice,
    engine::{
        active::flag,
        armed::{Armed, Whom, bit},
        counted::Counted,
        director,
        shared::{Change, Shared, lock},
        station::Station,
        ticket::Ticket,
    },
    event::{Dealt, Did},
    fault::{Close, Cx, Effect, Flaw, Gate, Stage, Tick, catalog::Protocol},
    scenario::Scenario,
    select::{RequestView, User, Users},
};
use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// A connection, as far as drawing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnKey {
    /// The peer, hashed.
    pub peer: u64,
    /// The how-manieth connection of that peer.
    pub nth: u64,
}

/// What is dealt to a connection when it is accepted.
#[derive(Debug, Default)]
pub struct Welcome {
    /// How long its first byte is held.
    pub delay: Duration,
    /// Whether it is closed then.
    pub close: Option<Close>,
    /// What goes wrong with its TLS handshake, and whose doing that is.
    pub flaw: Option<(Flaw, Arc<str>)>,
    /// By whom.
    pub dealt: Vec<Dealt>,
    /// The phase that plays then.
    pub phase: Option<usize>,
    /// The faults it counts for.
    pub counted: Arc<Counted>,
}

/// So many streams and no more.
#[derive(Clone, Debug)]
pub struct StreamLimit {
    /// How many.
    pub most: u32,
    by: Arc<Armed>,
}

impl StreamLimit {
    /// A connection on which there are streams has it, and was `told` of it or was not. A client that
    /// keeps to what it is told is hit as much as one that goes on: it has to do with less.
    pub fn meets(&self, connection: &Counted, told: bool) {
        if told {
            connection.hit(&self.by.count);
        } else {
            connection.consider(&self.by.count);
        }
    }

    /// A stream came, of which so many are under way on the connection; says what was dealt to it if that
    /// is one too many.
    pub fn refuses(&self, connection: &Counted, streams: u32) -> Option<Dealt> {
        (streams > self.most).then(|| {
            connection.hit(&self.by.count);
            Dealt { fault: Arc::clone(&self.by.name), kind: self.by.kind, did: Did::Reset }
        })
    }
}

/// The asking face of a run.
#[derive(Clone, Debug)]
pub struct Injector {
    pub(super) shared: Arc<Shared>,
    pub(super) station: Arc<Station>,
}

impl Injector {
    pub(super) fn new(shared: Arc<Shared>, station: Arc<Station>) -> Self {
        Self { shared, station }
    }

    /// The proxy's name.
    pub fn proxy(&self) -> &Arc<str> {
        &self.station.site.name
    }

    /// Tells the proxy's events from those of others.
    pub fn proxy_id(&self) -> u32 {
        self.station.id
    }

    /// What the proxy understands of its traffic.
    pub fn protocol(&self) -> Protocol {
        self.station.site.protocol
    }

    /// Who is one user of the proxy.
    pub fn users(&self) -> &Users {
        &self.station.site.users
    }

    /// The scenario being played.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.shared.scenario
    }

    /// The run's name.
    pub fn run_id(&self) -> &str {
        &self.shared.id
    }

    /// Real time since the drill's start.
    pub fn tick(&self) -> Tick {
        self.shared.tick()
    }

    /// Microseconds since the drill's start, never zero: zero means "did not happen".
    pub fn micros(&self) -> u64 {
        u64::try_from(self.tick().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// The instant of a tick.
    pub fn instant(&self, tick: Tick) -> Instant {
        director::instant(&self.shared, tick)
    }

    /// The phase that plays now, by the clock that faults go by: what was announced last may be a
    /// moment behind.
    pub fn phase(&self) -> Option<usize> {
        if !self.shared.plays() {
            // Asked by every exchange, which then needs no clock.
            return None;
        }
        self.shared.playing_at(self.shared.tick()).map(|(phase, _)| phase)
    }

    /// Announces every edge.
    pub fn changes(&self) -> watch::Receiver<Change> {
        self.station.change.subscribe()
    }

    /// Whether the drill is over.
    pub fn is_over(&self) -> bool {
        self.shared.over.load(Ordering::Acquire)
    }

    /// The key of a new connection.
    pub fn connection(&self, peer: IpAddr) -> ConnKey {
        let key = match peer {
            IpAddr::V4(address) => dice::key(&address.octets()),
            IpAddr::V6(address) => dice::key(&address.octets()),
        };
        ConnKey { peer: key, nth: self.station.peers.next(key) }
    }

    /// What is dealt to a connection as it is accepted.
    pub fn welcome(&self, conn: ConnKey) -> Welcome {
        let shakes_later = self.station.site.shakes_in_tunnels();
        self.greet(conn, |armed| !(shakes_later && armed.fault.needs_tls()))
    }

    /// What is dealt to the handshake inside the tunnel that a connection became.
    pub fn handshake(&self, conn: ConnKey) -> Welcome {
        self.greet(conn, |armed| armed.fault.needs_tls())
    }

    fn greet(&self, conn: ConnKey, acts: impl Fn(&Armed) -> bool) -> Welcome {
        let mut welcome = Welcome { phase: self.phase(), ..Welcome::default() };
        if self.station.flags() & flag::CONNECT == 0 {
            return welcome;
        }
        let in_force = self.shared.in_force(&self.station);
        let whom = Whom {
            user: None,
            nth: conn.nth,
            conn: (conn.peer, conn.nth),
            targets: 0,
            operation: 0,
        };
        for (armed, moment) in in_force.faults() {
            if !armed.acts_at(Stage::Connect) || !acts(armed) || !armed.is_on(&moment) {
                continue;
            }
            welcome.counted.consider(&armed.count);
            if !armed.includes(&whom, &moment) || !armed.has_times_left(&whom, &self.shared.times) {
                continue;
            }
            let (message, connection, shared) = armed.dice(&whom);
            let now = self.shared.tick();
            let cx = Cx { moment, message, connection, shared, user: 0, now, grpc: false };
            let did = match armed.fault.decide(Stage::Connect, &cx) {
                Effect::Delay(time) => {
                    welcome.delay += time;
                    armed.count.held(time);
                    Did::Delayed(time)
                }
                Effect::Close(close) => {
                    welcome.close = Some(close);
                    if close == Close::Fin { Did::Closed } else { Did::Reset }
                }
                // The first one decides.
                Effect::Handshake(flaw) if welcome.flaw.is_none() => {
                    welcome.flaw = Some((flaw, Arc::clone(&armed.name)));
                    Did::Handshake(flaw.name())
                }
                _ => continue,
            };
            welcome.counted.hit(&armed.count);
            welcome.dealt.push(Dealt { fault: Arc::clone(&armed.name), kind: armed.kind, did });
            if welcome.close.is_some() {
                break;
            }
        }
        welcome
    }

    /// Whether a fault of this name is in force, and when to ask again if no edge comes before.
    pub fn is_in_force(&self, fault: &str) -> (bool, Option<Tick>) {
        let in_force = self.shared.in_force(&self.station);
        let mut those = in_force.faults().filter(|(armed, _)| *armed.name == *fault);
        let Some((armed, moment)) = those.find(|(armed, moment)| armed.is_on(moment)) else {
            return (false, None);
        };
        let change = armed.pattern().map(|pattern| pattern.until_change(moment.elapsed));
        let again =
            change.and_then(|change| armed.origin.due(&self.shared, moment.elapsed + change));
        (true, again)
    }

    /// The targets that mean a request, one bit each.
    pub fn targets(&self, request: &RequestView<'_>) -> u64 {
        let targets = &self.shared.scenario.targets;
        let mut bits = targets.iter().enumerate().fold(0, |bits, (at, target)| {
            if target.matchers.iter().any(|m| m.matches(request)) { bits | bit(at) } else { bits }
        });
        if self.station.flags() & flag::HAND != 0 {
            for (bit, matchers) in &self.station.hand.load().targets {
                if matchers.iter().any(|matcher| matcher.matches(request)) {
                    bits |= bit;
                }
            }
        }
        bits
    }

    /// Whether a target can only be decided once small bodies have been read.
    pub fn needs_body(&self) -> bool {
        self.station.flags() & flag::BODY != 0
    }

    /// Whether a fault of any phase, or one by hand, takes messages out of WebSockets that a request of
    /// these targets opens.
    pub fn may_lose_messages(&self, targets: u64) -> bool {
        let hand = self.station.hand.load();
        let scenario = self.station.sets.iter().flat_map(|set| &set.faults);
        let mut all = scenario.chain(&hand.faults);
        all.any(|armed| armed.fault.loses_messages() && armed.is_meant_for(targets))
    }

    /// Whether this is the first time that there is something to say of messages that are spared.
    pub fn tells_of_spared(&self) -> bool {
        !self.station.told_spared.swap(true, Ordering::Relaxed)
    }

    /// The how-manieth request of a user this is; zero if nothing needs to know.
    pub fn nth(&self, user: User) -> u64 {
        if self.station.flags() & flag::COUNT != 0 { self.station.users.next(user.key) } else { 0 }
    }

    /// Whether a request has to be asked about at all: one load.
    pub fn has_message_faults(&self) -> bool {
        self.station.flags() & flag::MESSAGE != 0
    }

    /// A request came: starts a clock that waits for traffic. One load if it does not.
    pub fn notice_traffic(&self) {
        if self.station.flags() & flag::WAITING != 0 {
            self.first_request();
        }
    }

    /// Opens the dealings with one request.
    pub fn open(
        &self,
        user: User,
        nth: u64,
        targets: u64,
        operation: u64,
        conn: ConnKey,
    ) -> Ticket {
        let conn = (conn.peer, conn.nth);
        let whom = Whom { user: Some(user.key), nth, conn, targets, operation };
        Ticket::new(Arc::clone(&self.shared), Arc::clone(&self.station), whom)
    }

    /// What the listener does now, and when to ask again if no edge comes before.
    pub fn gate(&self) -> (Option<Gate>, Option<Tick>) {
        let in_force = self.shared.in_force(&self.station);
        let gates = || in_force.faults().filter(|(armed, _)| armed.fault.gate().is_some());
        let shut = gates().find(|(armed, moment)| armed.is_on(moment));
        let gate = shut.and_then(|(armed, _)| armed.fault.gate());
        let flaps = gates().filter_map(|(armed, moment)| {
            let change = moment.elapsed + armed.pattern()?.until_change(moment.elapsed);
            armed.origin.due(&self.shared, change)
        });
        let again = flaps.min();
        (gate, again)
    }

    /// How many streams a connection may have now, if a fault says so.
    pub fn max_streams(&self) -> Option<StreamLimit> {
        if self.station.flags() & flag::STREAMS == 0 {
            return None;
        }
        let in_force = self.shared.in_force(&self.station);
        let limits = in_force.faults().filter(|(armed, moment)| armed.is_on(moment));
        let limits = limits.filter_map(|(armed, _)| Some((armed.fault.max_streams()?, armed)));
        let (most, by) = limits.min_by_key(|(most, _)| *most)?;
        Some(StreamLimit { most, by: Arc::clone(by) })
    }

    /// The listener has done what its gate says: counts it.
    pub fn gate_came(&self) {
        let in_force = self.shared.in_force(&self.station);
        let mut gates = in_force.faults().filter(|(armed, _)| armed.fault.gate().is_some());
        if let Some((armed, _)) = gates.find(|(armed, moment)| armed.is_on(moment)) {
            armed.count.hit();
        }
    }

    /// Starts a clock that waits for traffic.
    fn first_request(&self) {
        // One starts it, and whoever comes meanwhile waits for the faults that it puts in force,
        // with which the flag goes.
        let _one = lock(&self.shared.starting);
        if self.station.flags() & flag::WAITING != 0 {
            // The first request already meets the first phase.
            director::play(&self.shared, self.shared.tick());
            self.shared.moved();
        }
    }
}
