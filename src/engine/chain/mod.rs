//! One direction of one connection's bytes, or of one socket's messages, through every filter that
//! is in force.

mod links;

use crate::{
    engine::{
        active::flag,
        armed::{Armed, Tunnel},
        counted::Counted,
        injector::{ConnKey, Injector},
        shared::{Shared, lock},
        socket::Socket,
        station::Station,
    },
    event::{Dealt, Did},
    fault::{
        ByteFilter, Close, Out, Tick, Way,
        frames::{Parser, Sum, Tracker},
    },
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, atomic::Ordering},
    time::Duration,
};

/// How often bytes held by a fault whose share or strength moves are looked at again.
const RECHECK: Duration = Duration::from_millis(20);

/// The filters on one direction of one connection, in the order in which they came into force.
///
/// Outside its user nothing knows of phases: a filter that is no longer in force gives out what it
/// holds and is taken away, and the drill's end empties all of them at once.
#[derive(Debug)]
pub struct Chain {
    shared: Arc<Shared>,
    station: Arc<Station>,
    conn: ConnKey,
    /// The user of the connection's first request, once there is one.
    user: Arc<OnceLock<u64>>,
    counted: Arc<Counted>,
    /// What it became a tunnel by, if it did.
    tunnel: Option<Tunnel>,
    /// The socket whose messages these are, if it is not all bytes of a connection.
    socket: Option<Lane>,
    /// Whether the links' points are those of the user.
    knows_user: bool,
    way: Way,
    links: Vec<Link>,
    generation: u64,
    /// The source has ended.
    finished: bool,
    /// The end has left.
    ended: bool,
    /// What came while no filter was there to take it.
    passing: VecDeque<Out>,
    /// A filter ended the connection; what it let through before is still on its way.
    closing: Option<Close>,
    /// What was dealt by filters that are gone.
    untold: Vec<Dealt>,
}

/// What a chain knows of its socket.
#[derive(Debug)]
struct Lane {
    socket: Arc<Socket>,
    /// What came in.
    came: Tracker,
    /// What has left.
    left: Tracker,
}

#[derive(Debug)]
struct Link {
    armed: Arc<Armed>,
    filter: Box<dyn ByteFilter>,
    /// What the fault's share is compared with.
    point: Option<u64>,
    in_force: bool,
    met: Met,
    /// Still part of the published set; one that is not leaves when it is empty.
    current: bool,
    /// Bytes that came through it.
    passed: u64,
    /// The frames that came through it, if it is a socket's.
    frames: Option<Tracker>,
}

/// Whether bytes of the connection met a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// None did.
    Never,
    /// Some did, and the record was not told yet.
    Untold,
    /// Some did, before the record was told last.
    Told,
}

impl Link {
    fn dealt(&self) -> Dealt {
        let did = if self.frames.is_some() { Did::Messages } else { Did::Wire };
        Dealt { fault: Arc::clone(&self.armed.name), kind: self.armed.kind, did }
    }

    /// It may have acted on what came before.
    fn note(&mut self, counted: &Counted) {
        if self.met == Met::Never && self.filter.has_acted() == Some(true) {
            counted.hit(&self.armed.count);
            self.met = Met::Untold;
        }
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        let out = self.filter.pull(now);
        if let Some(Out::Bytes(bytes)) = &out {
            self.passed += bytes.len() as u64;
            if let Some(frames) = &mut self.frames {
                frames.feed(bytes);
            }
        }
        out
    }

    /// Bytes meet it.
    fn touch(&mut self, counted: &Counted) {
        if self.in_force && self.filter.has_acted() != Some(false) {
            if self.met == Met::Never {
                counted.hit(&self.armed.count);
            }
            self.met = Met::Untold;
        }
    }
}

impl Chain {
    /// The chain of a new connection, whose two directions share what they know of its user and
    /// what they count it for.
    pub fn new(
        injector: &Injector,
        conn: ConnKey,
        user: Arc<OnceLock<u64>>,
        counted: Arc<Counted>,
        way: Way,
    ) -> Self {
        Self {
            shared: Arc::clone(&injector.shared),
            station: Arc::clone(&injector.station),
            conn,
            user,
            counted,
            tunnel: None,
            socket: None,
            knows_user: false,
            way,
            links: Vec::new(),
            generation: u64::MAX,
            finished: false,
            ended: false,
            passing: VecDeque::new(),
            closing: None,
            untold: Vec::new(),
        }
    }

    /// The chain of what runs through a tunnel: faults on the connection itself are below it.
    pub fn of_tunnel(
        injector: &Injector,
        conn: ConnKey,
        user: Arc<OnceLock<u64>>,
        counted: Arc<Counted>,
        (tunnel, way): (Tunnel, Way),
    ) -> Self {
        Self { tunnel: Some(tunnel), ..Self::new(injector, conn, user, counted, way) }
    }

    /// The chain of one direction of a socket: only what acts on messages is in it.
    pub fn of_socket(injector: &Injector, conn: ConnKey, socket: &Arc<Socket>, way: Way) -> Self {
        let (user, counted) = (Arc::clone(&socket.user), Arc::clone(&socket.counted));
        let mut chain = Self::new(injector, conn, user, counted, way);
        let parser = Parser::new(way == Way::Up).with_context(socket.keeps_context(way));
        let frames = Tracker::new(parser);
        chain.socket = Some(Lane { socket: Arc::clone(socket), came: frames, left: frames });
        chain
    }

    /// Bytes passed it by.
    pub fn passed_by(&mut self, bytes: &[u8]) {
        if let Some(lane) = &mut self.socket {
            lane.came.feed(bytes);
            lane.left.feed(bytes);
        }
    }

    /// What came in and what has left, if it is a socket's.
    pub fn sums(&self) -> Option<(Sum, Sum)> {
        self.socket.as_ref().map(|lane| (lane.came.sum(), lane.left.sum()))
    }

    /// Whether bytes may pass it by: nothing is in force for them and nothing is held.
    pub fn is_idle(&mut self) -> bool {
        if self.links.is_empty()
            && self.passing.is_empty()
            && !self.finished
            && self.station.flags() & self.flag() == 0
        {
            return true;
        }
        self.tune();
        !self.finished
            && self.passing.is_empty()
            && self.links.iter().all(|link| !link.in_force && link.filter.is_empty())
    }

    const fn flag(&self) -> u32 {
        if self.socket.is_some() { flag::SOCKET } else { flag::WIRE }
    }

    /// Whether nothing is held, not even an end.
    pub fn is_empty(&self) -> bool {
        self.passing.is_empty()
            && (!self.finished || self.ended)
            && self.links.iter().all(|link| link.filter.is_empty())
    }

    /// How many bytes it would take in.
    pub fn room(&mut self) -> usize {
        self.tune();
        self.links.first().map_or(usize::MAX, |link| link.filter.room())
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: Bytes) {
        let now = self.tune();
        self.links.iter_mut().for_each(|link| link.touch(&self.counted));
        if let Some(lane) = &mut self.socket {
            lane.came.feed(&bytes);
        }
        match self.links.first_mut() {
            Some(first) => first.filter.push(now, bytes),
            None => self.passing.push_back(Out::Bytes(bytes)),
        }
        self.links.iter_mut().for_each(|link| link.note(&self.counted));
    }

    /// Somebody has bytes for it, and it has no room.
    pub fn blocked(&mut self) {
        let full = self.links.iter_mut().filter(|link| link.filter.room() == 0);
        full.for_each(|link| link.touch(&self.counted));
    }

    /// The source has ended.
    pub fn finish(&mut self) {
        if !self.finished {
            let now = self.tune();
            self.finished = true;
            match self.links.first_mut() {
                Some(first) => first.filter.finish(now),
                None => self.passing.push_back(Out::End),
            }
            self.links.iter_mut().for_each(|link| link.note(&self.counted));
        }
    }

    /// The next thing that may leave now.
    pub fn pull(&mut self) -> Option<Out> {
        let mut out = self.pull_one();
        if let (Some(Out::End), Some(close)) = (&out, self.closing) {
            out = Some(Out::Close(close));
        }
        if let (Some(lane), Some(Out::Bytes(bytes))) = (&mut self.socket, &out) {
            lane.left.feed(bytes);
        }
        self.links.iter_mut().for_each(|link| link.note(&self.counted));
        self.ended |= matches!(out, Some(Out::End | Out::Close(_)));
        out
    }

    fn pull_one(&mut self) -> Option<Out> {
        let now = self.tune();
        if let Some(out) = self.passing.pop_front() {
            return Some(out);
        }
        // Bytes move down the chain, last link first, so that room opens up before it is needed.
        loop {
            if let Some(out) = self.links.last_mut().and_then(|link| link.pull(now)) {
                return Some(out);
            }
            let mut moved = false;
            for at in (1..self.links.len()).rev() {
                let (before, after) = self.links.split_at_mut(at);
                let (from, to) = (&mut before[at - 1], &mut after[0].filter);
                while to.room() > 0 {
                    match from.pull(now) {
                        Some(Out::Bytes(bytes)) => to.push(now, bytes),
                        Some(Out::End) => to.finish(now),
                        Some(Out::Close(close)) => {
                            self.closing = Some(close);
                            to.finish(now);
                        }
                        None => break,
                    }
                    moved = true;
                }
            }
            if !moved {
                return None;
            }
        }
    }

    /// Whether its end was thrown away: nothing more will come of it.
    pub fn has_lost_the_end(&self) -> bool {
        self.links.iter().any(|link| link.filter.has_lost_the_end())
    }

    /// When a filter ends the connection, whatever is held then: to be looked at where nothing can
    /// be pulled, because the receiver takes nothing or a filter behind lets nothing through.
    pub fn closes_at(&mut self) -> Option<(Tick, Close)> {
        let now = self.tune();
        let own = self.links.iter().filter_map(|link| link.filter.closes_at(now));
        let seen = self.closing.map(|close| (now, close));
        own.chain(seen).min_by_key(|(at, _)| *at)
    }

    /// When to pull again, unless an edge comes before.
    pub fn wake_at(&self) -> Option<Tick> {
        let now = self.shared.tick();
        let playing = self.shared.playing_at(now);
        // What is due and finds no room behind it waits for that, and not for the clock.
        let has_way = |at: usize| self.links.get(at + 1).is_none_or(|to| to.filter.room() > 0);
        self.links
            .iter()
            .enumerate()
            .filter(|(_, link)| !link.filter.is_empty() || link.filter.room() == 0)
            .filter_map(|(at, link)| {
                let origin = link.armed.origin;
                let flap = link.armed.pattern().and_then(|pattern| {
                    let elapsed = origin.moment(playing, now)?.elapsed;
                    origin.due(&self.shared, elapsed + pattern.until_change(elapsed))
                });
                let moves = link.armed.share_moves() || link.armed.fault.moves();
                let recheck =
                    (moves && origin.moment(playing, now).is_some()).then(|| now + RECHECK);
                let own = link.filter.wake_at().filter(|_| has_way(at));
                [own, flap, recheck].into_iter().flatten().min()
            })
            .min()
    }

    /// Adds what was dealt to the connection's bytes since the last time.
    pub fn take_dealt(&mut self, into: &Mutex<Vec<Dealt>>) {
        for link in self.links.iter_mut().filter(|link| link.met == Met::Untold) {
            link.met = Met::Told;
            self.untold.push(link.dealt());
        }
        if self.untold.is_empty() {
            return;
        }
        let mut into = lock(into);
        for new in self.untold.drain(..) {
            if !into.iter().any(|dealt| dealt.fault == new.fault) {
                into.push(new);
            }
        }
    }

    /// Brings the links up to date with what is in force now.
    fn tune(&mut self) -> Tick {
        let now = self.shared.tick();
        let generation = self.station.generation.load(Ordering::Acquire);
        if generation != self.generation {
            self.generation = generation;
            self.relink(now);
        }
        if self.links.is_empty() {
            return now;
        }
        if !self.knows_user && self.user.get().is_some() {
            self.knows_user = true;
            let whom = self.whom();
            for link in &mut self.links {
                link.point = link.armed.point(&whom);
            }
        }
        let playing = self.shared.playing_at(now);
        for link in &mut self.links {
            let armed = &link.armed;
            let moment = armed.origin.moment(playing, now).filter(|moment| {
                link.current && armed.is_on(moment) && armed.includes_point(link.point, moment)
            });
            link.in_force = moment.is_some();
            link.filter.tune(now, moment.as_ref());
        }
        if !self.finished {
            let untold = &mut self.untold;
            self.links.retain(|link| {
                let stays = link.current || !link.filter.is_empty();
                if !stays && link.met == Met::Untold {
                    untold.push(link.dealt());
                }
                stays
            });
        }
        now
    }
}
