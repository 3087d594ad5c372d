//! A TCP sender on paper: it decides when each segment of a stream arrives, and knows no bytes.
//!
//! The stream is cut into segments of at most 1448 bytes as the window lets them go. Each
//! transmission is lost or not by a draw keyed by (direction, segment, attempt), so it depends on
//! nothing that happens elsewhere. A segment that is kept arrives as it is sent, and its
//! acknowledgement comes a round trip later.
//!
//! A lost transmission is noticed when a later one is acknowledged (RACK), by a probe after two
//! round trips of silence (tail-loss probe, RFC 8985), or by a time-out that doubles (RFC 6298, with
//! the 200 ms floor of Linux). Left out: the estimate of the round trip itself (it is known here),
//! delayed acknowledgements, and the undoing of needless retransmissions (there are none).

use crate::{
    dice::{Dice, Purpose},
    fault::{
        Tick,
        packet_loss::{
            arrivals::Arrivals,
            flight::{Flight, Kept},
            window::{Congestion, Window},
        },
    },
    units::Percent,
};
use std::time::Duration;

/// What a segment carries: an MTU of 1500 less the headers with timestamps.
const MSS: usize = 1_448;
/// The floor of Linux under the variance of a round trip.
const RTO_MIN: Duration = Duration::from_millis(200);
const RTO_MAX: Duration = Duration::from_secs(120);
/// What a probe allows for beyond two round trips, with several segments under way.
const PROBE_MARGIN: Duration = Duration::from_millis(2);

/// A path as the sender sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// To and fro; from 1 ms to 10 s, so that acknowledgements always come before time-outs.
    pub(super) rtt: Duration,
    /// What is added to each arrival.
    pub(super) one_way: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Timer {
    Probe(Tick),
    Timeout(Tick),
}

impl Timer {
    const fn at(self) -> Tick {
        match self {
            Self::Probe(at) | Self::Timeout(at) => at,
        }
    }
}

/// The sender of one direction.
#[derive(Debug)]
pub(super) struct Sender {
    path: Path,
    congestion: Congestion,
    dice: Dice,
    purpose: Purpose,
    /// The share of segments that is lost now.
    loss: Percent,
    window: Window,
    /// Bytes that no segment carries yet, and whether the end follows them.
    unsent: usize,
    ending: bool,
    flight: Flight,
    /// The first segment that has not arrived.
    edge: u64,
    /// While it recovers from a loss: the first segment that was not sent by then.
    recovery: Option<u64>,
    /// How many time-outs there were in a row.
    backoff: u32,
    probed: bool,
    timer: Option<Timer>,
    last_sent: Tick,
}

impl Sender {
    /// A sender that draws from the dice of a connection.
    pub(super) fn new(path: Path, congestion: Congestion, dice: Dice, purpose: Purpose) -> Self {
        Self {
            path,
            congestion,
            dice,
            purpose,
            loss: Percent::NONE,
            window: Window::new(congestion),
            unsent: 0,
            ending: false,
            flight: Flight::default(),
            edge: 0,
            recovery: None,
            backoff: 0,
            probed: false,
            timer: None,
            last_sent: Tick::ZERO,
        }
    }

    /// Sets the share of segments that is lost from now on.
    pub(super) const fn set_loss(&mut self, loss: Percent) {
        self.loss = loss;
    }

    /// Takes bytes to send.
    pub(super) fn write(&mut self, now: Tick, bytes: usize, arrivals: &mut Arrivals) {
        self.advance(now, arrivals);
        if self.flight.is_empty() && now.saturating_sub(self.last_sent) > self.rto() {
            self.window.rest();
        }
        self.unsent += bytes;
        self.send(now, arrivals);
    }

    /// Sends the end after what was written: it takes a segment of its own.
    pub(super) fn write_end(&mut self, now: Tick, arrivals: &mut Arrivals) {
        self.ending = true;
        self.write(now, 0, arrivals);
    }

    /// Lets everything happen that is due by `now`, each at its own time: that a timer of the
    /// driver fires late delays nothing that follows from it.
    pub(super) fn advance(&mut self, now: Tick, arrivals: &mut Arrivals) {
        while let Some(at) = self.next_event().filter(|at| *at <= now) {
            match self.flight.take_ack(at) {
                Some(kept) => self.on_ack(kept, at, arrivals),
                None => self.on_timer(at, arrivals),
            }
        }
    }

    /// When something will happen next.
    pub(super) fn next_event(&self) -> Option<Tick> {
        let acked = self.flight.next_ack();
        acked.into_iter().chain(self.timer.map(Timer::at)).min()
    }

    /// Whether a segment that was sent has not arrived.
    pub(super) fn has_hole(&self) -> bool {
        self.edge < self.flight.next()
    }

    /// Forgets the path; what was not sent arrives at `at`. Only without a hole.
    pub(super) fn pass_on(&mut self, at: Tick, arrivals: &mut Arrivals) {
        arrivals.add(at, std::mem::take(&mut self.unsent));
        if std::mem::take(&mut self.ending) {
            arrivals.add_end(at);
        }
        self.flight.clear();
        self.recovery = None;
        self.backoff = 0;
        self.probed = false;
        self.timer = None;
        self.window = Window::new(self.congestion);
    }

    fn rto(&self) -> Duration {
        self.path.rtt + RTO_MIN
    }

    fn send(&mut self, now: Tick, arrivals: &mut Arrivals) {
        let mut any = false;
        while self.flight.len() < self.window.segments() {
            let Some(number) = self.next_to_send() else { break };
            self.transmit(number, now, arrivals);
            any = true;
        }
        if any {
            self.arm(now);
        }
    }

    /// The lowest lost segment, else a new one.
    fn next_to_send(&mut self) -> Option<u64> {
        if let Some(number) = self.flight.take_lost() {
            return Some(number);
        }
        let bytes = self.unsent.min(MSS);
        if bytes == 0 && !std::mem::take(&mut self.ending) {
            return None;
        }
        self.unsent -= bytes;
        Some(self.flight.add(bytes))
    }

    fn transmit(&mut self, number: u64, now: Tick, arrivals: &mut Arrivals) {
        self.last_sent = now;
        let Some(segment) = self.flight.segment(number) else { return };
        let point = self.dice.of(number, segment.attempts).point(self.purpose);
        if self.loss.includes(point) {
            self.flight.launch(number, None);
        } else {
            segment.received = true;
            self.flight.launch(number, Some(now + self.path.rtt));
            self.pass_edge(now + self.path.one_way, arrivals);
        }
    }

    /// Whatever follows the edge without a hole has arrived.
    fn pass_edge(&mut self, at: Tick, arrivals: &mut Arrivals) {
        while let Some(segment) = self.flight.segment(self.edge).filter(|s| s.received) {
            self.edge += 1;
            if segment.is_end {
                arrivals.add_end(at);
            } else {
                arrivals.add(at, segment.bytes);
            }
        }
    }

    fn on_ack(&mut self, kept: Kept, now: Tick, arrivals: &mut Arrivals) {
        let is_full =
            self.flight.len() + 1 >= self.window.segments() || self.unsent > 0 || self.ending;
        if !self.flight.acknowledge(kept) {
            return;
        }
        self.backoff = 0;
        self.probed = false;
        self.window.acknowledged();
        if self.flight.notice(kept) && self.recovery.is_none() {
            self.window.shrink();
            self.recovery = Some(self.flight.next());
        }
        match self.recovery {
            Some(end) if self.flight.first() >= end => self.recovery = None,
            Some(_) => self.window.grow_in_recovery(),
            None if is_full => self.window.grow(),
            None => {}
        }
        self.send(now, arrivals);
        self.arm(now);
    }

    fn arm(&mut self, now: Tick) {
        self.timer = if self.flight.is_empty() {
            None
        } else if self.recovery.is_none() && !self.probed && self.backoff == 0 {
            let margin = if self.flight.len() == 1 { RTO_MIN } else { PROBE_MARGIN };
            Some(Timer::Probe(now + (2 * self.path.rtt + margin).min(self.rto())))
        } else {
            // 2^10 times the shortest time-out is already above the longest.
            let wait = self.rto() * (1 << self.backoff.min(10));
            Some(Timer::Timeout(now + wait.min(RTO_MAX)))
        };
    }

    fn on_timer(&mut self, now: Tick, arrivals: &mut Arrivals) {
        match self.timer.take() {
            Some(Timer::Probe(_)) => self.probe(now, arrivals),
            Some(Timer::Timeout(_)) => self.time_out(now, arrivals),
            None => {}
        }
    }

    /// Sends the highest segment under way once more: its acknowledgement tells of all before it.
    fn probe(&mut self, now: Tick, arrivals: &mut Arrivals) {
        self.probed = true;
        if let Some(number) = self.flight.highest() {
            self.transmit(number, now, arrivals);
        }
        self.arm(now);
    }

    /// Acknowledgements come before time-outs, so whatever is under way is lost.
    fn time_out(&mut self, now: Tick, arrivals: &mut Arrivals) {
        self.window.collapse(self.backoff == 0);
        self.flight.give_up_all();
        self.backoff += 1;
        self.recovery = Some(self.flight.next());
        self.send(now, arrivals);
        self.arm(now);
    }
}
