//! Several records as one: replicas of a drill, or repeated drills of one scenario.
//!
//! Events come in the order of their times, each counted from the start of its own drill. What
//! numbers stand for is made distinct: connections by record, proxies by name. The edges of the
//! phases are those of the first record; how far those of the others are off is told.

use crate::{
    dice,
    event::{Event, Exchange},
    observe::{
        Ending, Preface,
        read::{ReadError, Reader, Soundness, time_of},
    },
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io::BufRead,
    sync::Arc,
};

/// Connections of the second record are numbered from here, those of the third from twice that.
const STEP: u64 = 1_000_000_000_000;

/// Records that are read as one.
#[derive(Debug)]
pub struct Merged<R> {
    readers: Vec<Reader<R>>,
    /// The next event of each.
    heads: Vec<Option<Event>>,
    /// Whose event is next: by time, then by place.
    order: BinaryHeap<Reverse<(u64, usize)>>,
    /// Whether users of different records are different users, whatever they are called.
    users_apart: bool,
    proxies: Vec<Arc<str>>,
    /// By record and number there.
    numbers: HashMap<(usize, u32), u32>,
    /// When phases began, by record.
    edges: Vec<HashMap<Option<usize>, u64>>,
}

/// A record that was read to its end.
#[derive(Clone, Debug)]
pub struct ReadRecord {
    /// What its first line says.
    pub preface: Preface,
    /// What its last line says, if it has one.
    pub ending: Option<Ending>,
    /// What casts doubt on it.
    pub soundness: Soundness,
    /// Exchanges in it.
    pub exchanges: u64,
    /// How far its phases began from those of the first record, in microseconds, at most.
    pub edges_off: u64,
}

/// Reads records as one. With `users_apart` a user of one record is nobody's of another: drills that
/// were played one after the other have nothing to do with each other, replicas of one have.
///
/// # Errors
///
/// Fails if the beginning of one cannot be read; tells which, by its place.
pub fn merge<R: BufRead>(
    readers: Vec<Reader<R>>,
    users_apart: bool,
) -> Result<Merged<R>, (usize, ReadError)> {
    let mut merged = Merged {
        heads: Vec::new(),
        order: BinaryHeap::new(),
        users_apart,
        proxies: Vec::new(),
        numbers: HashMap::new(),
        edges: vec![HashMap::new(); readers.len()],
        readers,
    };
    merged.heads.resize_with(merged.readers.len(), || None);
    for at in 0..merged.readers.len() {
        merged.fill(at)?;
    }
    Ok(merged)
}

impl<R: BufRead> Merged<R> {
    /// The next event of all; `None` at their end.
    ///
    /// # Errors
    ///
    /// Fails if a line cannot be read; tells in which record, by its place.
    pub fn next_event(&mut self) -> Result<Option<Event>, (usize, ReadError)> {
        while let Some(Reverse((_, at))) = self.order.pop() {
            let Some(event) = self.heads[at].take() else { continue };
            self.fill(at)?;
            if let Some(event) = self.renumbered(event, at) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// What was read, record by record, after the last event.
    pub fn finish(self) -> Vec<ReadRecord> {
        let Self { readers, edges, .. } = self;
        let off = |of: &HashMap<Option<usize>, u64>| {
            let both = of.iter().filter_map(|(phase, at)| {
                edges.first()?.get(phase).map(|first| first.abs_diff(*at))
            });
            both.max().unwrap_or(0)
        };
        let off: Vec<u64> = edges.iter().map(off).collect();
        let records = readers.into_iter().zip(off).map(|(reader, edges_off)| {
            let exchanges = reader.exchanges();
            let (preface, ending, soundness) = reader.finish();
            ReadRecord { preface, ending, soundness, exchanges, edges_off }
        });
        records.collect()
    }

    fn fill(&mut self, at: usize) -> Result<(), (usize, ReadError)> {
        let event = self.readers[at].next_event().map_err(|error| (at, error))?;
        if let Some(event) = event {
            self.order.push(Reverse((time_of(&event), at)));
            self.heads[at] = Some(event);
        }
        Ok(())
    }

    /// The event as one of all records; `None` if the others have said it.
    fn renumbered(&mut self, mut event: Event, at: usize) -> Option<Event> {
        if let Event::Edge(edge) = &event {
            let time = time_of(&event);
            // One that is played again counts from its first beginning.
            self.edges[at].entry(edge.phase).or_insert(time);
            return (at == 0).then_some(event);
        }
        if self.readers.len() == 1 {
            return Some(event);
        }
        let more = (at as u64).saturating_mul(STEP);
        match &mut event {
            Event::Exchange(exchange) => self.renumber(exchange, at),
            Event::Tunnel(tunnel) => self.renumber(&mut tunnel.exchange, at),
            Event::Connection(connection) => {
                connection.id = connection.id.saturating_add(more);
                connection.proxy = self.number(at, connection.proxy);
                if let Some(relay) = &mut connection.relay {
                    relay.user = self.user(at, relay.user);
                }
            }
            Event::Duplicate(duplicate) => {
                duplicate.conn = duplicate.conn.saturating_add(more);
                duplicate.proxy = self.number(at, duplicate.proxy);
            }
            Event::ByHand(by_hand) => by_hand.proxy = self.number(at, by_hand.proxy),
            Event::Proxy { id, name, .. } => {
                let known = self.proxies.iter().position(|known| known == name);
                let place = known.unwrap_or_else(|| {
                    self.proxies.push(Arc::clone(name));
                    self.proxies.len() - 1
                });
                let place = u32::try_from(place).unwrap_or(u32::MAX);
                self.numbers.insert((at, *id), place);
                *id = place;
                return known.is_none().then_some(event);
            }
            Event::Edge(_) => {}
        }
        Some(event)
    }

    fn renumber(&self, exchange: &mut Exchange, at: usize) {
        let more = (at as u64).saturating_mul(STEP);
        exchange.conn = exchange.conn.saturating_add(more);
        exchange.proxy = self.number(at, exchange.proxy);
        exchange.user = self.user(at, exchange.user);
    }

    fn number(&self, at: usize, id: u32) -> u32 {
        self.numbers.get(&(at, id)).copied().unwrap_or(0)
    }

    fn user(&self, at: usize, user: u64) -> u64 {
        if !self.users_apart || at == 0 {
            return user;
        }
        dice::key_of(&[&user.to_le_bytes(), b"record", &(at as u64).to_le_bytes()])
    }
}
