//! A TCP sender on paper: it decides when each segment of a stream arrives, and knows no bytes.
//!
//! The stream is cut into segments of at most 1448 bytes as the window lets them go. Each
//! transmission is lost or not by a draw keyed by (direction, segment, attempt), so it depends on
//! nothing that happens elsewhere. A segment that is kept arrives as it is sent, and its
//! acknowledgement comes a round trip later; acknowledgements come in the order of sending, so two
//! rings in that order are all the bookkeeping there is, and every step costs the same however wide
//! the window.
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
            window::{Congestion, Window},
        },
        queue::pop_if,
    },
    units::Percent,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

/// What a segment carries: an MTU of 1500 less the headers with timestamps.
pub(super) const MSS: usize = 1_448;
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InFlight,
    /// And waiting to be sent again.
    Lost,
    Acked,
}

#[derive(Debug)]
struct Segment {
    bytes: usize,
    is_end: bool,
    state: State,
    received: bool,
    attempts: u64,
    /// The number of its latest transmission.
    transmission: u64,
}

/// A transmission that was kept and will be acknowledged.
#[derive(Debug)]
struct Kept {
    transmission: u64,
    segment: u64,
    acked_at: Tick,
}

/// A transmission that was lost, which nobody has noticed.
#[derive(Debug)]
struct Missing {
    transmission: u64,
    segment: u64,
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
    /// From the first that is not acknowledged (its number is `first`) to the last one sent.
    segments: VecDeque<Segment>,
    first: u64,
    /// The first that has not arrived.
    edge: u64,
    kept: VecDeque<Kept>,
    missing: VecDeque<Missing>,
    lost: BinaryHeap<Reverse<u64>>,
    in_flight: usize,
    transmissions: u64,
    /// While it recovers from a loss: the first segment that was not sent by then.
    recovery: Option<u64>,
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
            segments: VecDeque::new(),
            first: 0,
            edge: 0,
            kept: VecDeque::new(),
            missing: VecDeque::new(),
            lost: BinaryHeap::new(),
            in_flight: 0,
            transmissions: 0,
            recovery: None,
            backoff: 0,
            probed: false,
            timer: None,
            last_sent: Tick::ZERO,
        }
    }

    /// Sets the share of segments that is lost from now on.
    pub(super) fn set_loss(&mut self, loss: Percent) {
        self.loss = loss;
    }

    /// Takes bytes to send.
    pub(super) fn write(&mut self, now: Tick, bytes: usize, arrivals: &mut Arrivals) {
        self.advance(now, arrivals);
        if self.in_flight == 0 && now.saturating_sub(self.last_sent) > self.rto() {
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
            match pop_if(&mut self.kept, |kept| kept.acked_at == at) {
                Some(kept) => self.on_ack(&kept, at, arrivals),
                None => self.on_timer(at, arrivals),
            }
        }
    }

    /// When something will happen next.
    pub(super) fn next_event(&self) -> Option<Tick> {
        let acked = self.kept.front().map(|kept| kept.acked_at);
        acked.into_iter().chain(self.timer.map(Timer::at)).min()
    }

    /// Whether a segment that was sent has not arrived.
    pub(super) fn has_hole(&self) -> bool {
        self.edge < self.next()
    }

    /// Forgets the path; what was not sent arrives at `at`. Only without a hole.
    pub(super) fn pass_on(&mut self, at: Tick, arrivals: &mut Arrivals) {
        arrivals.add(at, std::mem::take(&mut self.unsent));
        if std::mem::take(&mut self.ending) {
            arrivals.add_end(at);
        }
        // Numbers go on, so that no draw is made twice.
        self.first = self.next();
        self.edge = self.first;
        self.segments.clear();
        self.kept.clear();
        self.missing.clear();
        self.lost.clear();
        self.in_flight = 0;
        self.recovery = None;
        self.backoff = 0;
        self.probed = false;
        self.timer = None;
        self.window = Window::new(self.congestion);
    }

    /// The number of the next new segment.
    fn next(&self) -> u64 {
        self.first + self.segments.len() as u64
    }

    fn rto(&self) -> Duration {
        self.path.rtt + RTO_MIN
    }

    /// A segment that is not acknowledged yet.
    fn segment(&mut self, number: u64) -> Option<&mut Segment> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.segments.get_mut(index)
    }

    fn send(&mut self, now: Tick, arrivals: &mut Arrivals) {
        let mut any = false;
        while self.in_flight < self.window.segments() {
            let Some(number) = self.next_to_send() else { break };
            self.in_flight += 1;
            self.transmit(number, now, arrivals);
            any = true;
        }
        if any {
            self.arm(now);
        }
    }

    /// The lowest lost segment, else a new one.
    fn next_to_send(&mut self) -> Option<u64> {
        while let Some(Reverse(number)) = self.lost.pop() {
            if self.segment(number).is_some_and(|segment| segment.state == State::Lost) {
                return Some(number);
            }
        }
        if self.unsent == 0 && !self.ending {
            return None;
        }
        let number = self.next();
        let bytes = self.unsent.min(MSS);
        self.unsent -= bytes;
        let is_end = bytes == 0;
        if is_end {
            self.ending = false;
        }
        let state = State::InFlight;
        let segment =
            Segment { bytes, is_end, state, received: false, attempts: 0, transmission: 0 };
        self.segments.push_back(segment);
        Some(number)
    }

    fn transmit(&mut self, number: u64, now: Tick, arrivals: &mut Arrivals) {
        self.transmissions += 1;
        self.last_sent = now;
        let (transmission, dice, purpose) = (self.transmissions, self.dice, self.purpose);
        let Some(segment) = self.segment(number) else { return };
        let point = dice.of(number, segment.attempts).point(purpose);
        segment.attempts += 1;
        segment.transmission = transmission;
        segment.state = State::InFlight;
        if self.loss.includes(point) {
            self.missing.push_back(Missing { transmission, segment: number });
            return;
        }
        let acked_at = now + self.path.rtt;
        self.kept.push_back(Kept { transmission, segment: number, acked_at });
        self.receive(number, now + self.path.one_way, arrivals);
    }

    fn receive(&mut self, number: u64, at: Tick, arrivals: &mut Arrivals) {
        let mut edge = self.edge;
        if let Some(segment) = self.segment(number) {
            segment.received = true;
        }
        while let Some(segment) = self.segment(edge).filter(|segment| segment.received) {
            edge += 1;
            if segment.is_end {
                arrivals.add_end(at);
            } else {
                arrivals.add(at, segment.bytes);
            }
        }
        self.edge = edge;
    }

    fn on_ack(&mut self, kept: &Kept, now: Tick, arrivals: &mut Arrivals) {
        let full = self.in_flight + 1 >= self.window.segments() || self.unsent > 0 || self.ending;
        let Some(segment) = self.segment(kept.segment) else { return };
        match std::mem::replace(&mut segment.state, State::Acked) {
            State::InFlight => self.in_flight -= 1,
            State::Lost => {}
            State::Acked => return,
        }
        self.backoff = 0;
        self.probed = false;
        self.window.acknowledged();
        while pop_if(&mut self.segments, |segment| segment.state == State::Acked).is_some() {
            self.first += 1;
        }
        let noticed = self.notice(kept.transmission);
        if noticed && self.recovery.is_none() {
            self.window.shrink();
            self.recovery = Some(self.next());
        }
        match self.recovery {
            Some(end) if self.first >= end => self.recovery = None,
            Some(_) => self.window.grow_in_recovery(),
            None if full => self.window.grow(),
            None => {}
        }
        self.send(now, arrivals);
        self.arm(now);
    }

    /// Whatever was sent before `transmission` and is still under way is lost; whether there was
    /// any.
    fn notice(&mut self, transmission: u64) -> bool {
        let mut any = false;
        while let Some(missing) = pop_if(&mut self.missing, |m| m.transmission < transmission) {
            any |= self.give_up(&missing);
        }
        any
    }

    /// Takes a transmission for lost, unless its segment was sent again since.
    fn give_up(&mut self, missing: &Missing) -> bool {
        let Some(segment) = self.segment(missing.segment) else { return false };
        if segment.state != State::InFlight || segment.transmission != missing.transmission {
            return false;
        }
        segment.state = State::Lost;
        self.in_flight -= 1;
        self.lost.push(Reverse(missing.segment));
        true
    }

    fn arm(&mut self, now: Tick) {
        self.timer = if self.in_flight == 0 && self.lost.is_empty() {
            None
        } else if self.recovery.is_none() && !self.probed && self.backoff == 0 {
            let margin = if self.in_flight == 1 { RTO_MIN } else { PROBE_MARGIN };
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
        let highest = self.segments.iter().rposition(|s| s.state == State::InFlight);
        if let Some(index) = highest {
            self.transmit(self.first + index as u64, now, arrivals);
        }
        self.arm(now);
    }

    fn time_out(&mut self, now: Tick, arrivals: &mut Arrivals) {
        self.window.collapse(self.backoff == 0);
        // Acknowledgements come before time-outs, so whatever is under way is missing.
        while let Some(missing) = self.missing.pop_front() {
            self.give_up(&missing);
        }
        self.backoff += 1;
        self.recovery = Some(self.next());
        self.send(now, arrivals);
        self.arm(now);
    }
}
