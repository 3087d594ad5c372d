//! What casts doubt on a record that can be read all the same.
//!
//! A verdict on a record that is not whole, or whose times cannot be, would be about something that
//! did not happen. Such a record is read, and what is wrong with it is said beside every figure.

use crate::{
    dice,
    event::{Event, Exchange},
    observe::read::time_of,
};
use std::collections::HashMap;

/// Events are written in batches, and within one not by time. A batch spans a twentieth of a second,
/// or as long as a disk kept the writer waiting; what lies further back, in microseconds, is no
/// matter of batches.
const SLACK: u64 = 30_000_000;
/// Exchanges of one connection come one after the other, but the last byte of one may be told late.
const CONNECTION_SLACK: u64 = 1_000_000;
/// Connections remembered per generation.
const REMEMBERED: usize = 100_000;

/// What casts doubt on a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Soundness {
    /// It breaks off.
    pub cut: Option<Cut>,
    /// Times that run backwards.
    pub backwards: Noted,
    /// Exchanges that are told of a second time; they were left out.
    pub repeated: Noted,
    /// How many exchanges its last line counts and how many there are, if that differs.
    pub miscounted: Option<(u64, u64)>,
    /// Lines of types that this version does not know; no reason for doubt.
    pub unknown: u64,
}

/// Where a record breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// In the middle of this line.
    Line(u64),
    /// Between two lines: the last one is missing.
    NoEnd,
}

/// How many lines are so, and which is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// How many.
    pub count: u64,
    /// The number of the first.
    pub line: u64,
}

impl Noted {
    fn note(&mut self, line: u64) {
        if self.count == 0 {
            self.line = line;
        }
        self.count += 1;
    }
}

impl Soundness {
    /// Why a verdict on it is doubtful, a sentence each; none if it is not.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        match self.cut {
            Some(Cut::Line(line)) => doubts.push(format!(
                "the record breaks off in the middle of line {line}: what came after is not known"
            )),
            Some(Cut::NoEnd) => doubts.push(
                "the record has no last line: it was cut off, and what came after is not known"
                    .to_owned(),
            ),
            None => {}
        }
        if self.backwards.count > 0 {
            doubts.push(format!(
                "times run backwards in {}, first in line {}: a clock jumped, or the record was \
                 changed",
                lines(self.backwards.count),
                self.backwards.line
            ));
        }
        if self.repeated.count > 0 {
            doubts.push(format!(
                "{} of exchanges that were told of before, first line {}: each was counted once",
                lines(self.repeated.count),
                self.repeated.line
            ));
        }
        if let Some((told, read)) = self.miscounted {
            doubts.push(format!(
                "the last line counts {told} exchanges, and {read} are there: the record was changed"
            ));
        }
        doubts
    }
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

/// Watches a record go by.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    pub(super) sound: Soundness,
    pub(super) exchanges: u64,
    latest: u64,
    edge: u64,
    /// What is remembered of connections, in two generations.
    young: HashMap<u64, Last>,
    old: HashMap<u64, Last>,
    again: bool,
}

/// The last of a connection: the highest number of an exchange, which of the 64 up to it were seen,
/// and when the last one ended.
#[derive(Clone, Copy, Debug)]
struct Last {
    seq: u32,
    seen: u64,
    end: u64,
}

impl Watch {
    /// Looks at the event of a line.
    pub(super) fn see(&mut self, event: &Event, line: u64) {
        self.again = false;
        let at = time_of(event);
        let mut is_odd = false;
        match event {
            Event::Exchange(exchange) => {
                is_odd = !is_in_order(exchange);
                is_odd |= self.exchange(exchange, line);
            }
            Event::Edge(_) => {
                is_odd = at < self.edge;
                self.edge = self.edge.max(at);
            }
            Event::Tunnel(tunnel) => is_odd = !is_in_order(&tunnel.exchange),
            Event::Connection(connection) => is_odd = connection.ended < connection.accepted,
            // Told of with the time at which it came to be, if with any.
            Event::Proxy { .. } => return,
            Event::Duplicate(_) | Event::ByHand(_) => {}
        }
        is_odd |= at.saturating_add(SLACK) < self.latest;
        self.latest = self.latest.max(at);
        if is_odd && !self.again {
            self.sound.backwards.note(line);
        }
    }

    /// Whether that exchange was told of before.
    pub(super) fn is_again(&self) -> bool {
        self.again
    }

    /// Whether it ended before the one before it on its connection.
    fn exchange(&mut self, exchange: &Exchange, line: u64) -> bool {
        let key = dice::key_of(&[
            &exchange.proxy.to_le_bytes(),
            &exchange.conn.to_le_bytes(),
            &exchange.accepted.to_le_bytes(),
        ]);
        let before = self.young.get(&key).or_else(|| self.old.get(&key)).copied();
        let mut last = before.unwrap_or(Last { seq: exchange.seq, seen: 0, end: 0 });
        let bit = if exchange.seq >= last.seq {
            last.seen = last.seen.checked_shl(exchange.seq - last.seq).unwrap_or(0);
            last.seq = exchange.seq;
            1
        } else {
            // What lies too far back is not known any more.
            1_u64.checked_shl(last.seq - exchange.seq).unwrap_or(0)
        };
        if last.seen & bit != 0 {
            self.again = true;
            self.sound.repeated.note(line);
            return false;
        }
        last.seen |= bit;
        self.exchanges += 1;
        let is_late = exchange.t_end.saturating_add(CONNECTION_SLACK) < last.end;
        last.end = last.end.max(exchange.t_end);
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, last);
        is_late
    }
}

/// Whether the times of one exchange are in the order in which they can only happen.
fn is_in_order(exchange: &Exchange) -> bool {
    let after = |time: u64, before: u64| time == 0 || time >= before;
    after(exchange.t_first, exchange.accepted)
        && exchange.t_head >= exchange.t_first.max(exchange.accepted)
        && after(exchange.t_forwarded, exchange.t_head)
        && after(exchange.t_answered, exchange.t_forwarded)
        && after(exchange.t_sent_first, exchange.t_head)
        && exchange.t_end >= exchange.t_head
}
