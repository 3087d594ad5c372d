//! One direction of a connection behind a lossy path: the bytes, and the sender that times them.

use crate::{
    dice::{Dice, Purpose, Seed},
    fault::{
        ByteFilter, Out, Tick, Way,
        packet_loss::{
            Forecast, PacketLoss, USUAL_RTT,
            arrivals::Arrivals,
            sender::{Path, Sender},
            weather::Weather,
            window::Congestion,
        },
        queue::Queue,
    },
    timeline::Moment,
    units::Percent,
};
use bytes::Bytes;
use std::time::Duration;

/// What is held at most; then the source is not read, and its own window closes.
const MOST_HELD: usize = 256 * 1024;
/// The same for a sender that loss does not slow down: what comes in a round trip or two behind a
/// hole at 30 MB/s.
const MOST_HELD_BBR: usize = 2 * 1024 * 1024;

/// Delays bytes as a lossy path does.
#[derive(Debug)]
pub(super) struct LossyStream {
    /// `None` on the side that loses nothing and only takes its time.
    forecast: Option<Forecast>,
    weather: Option<Weather>,
    sender: Sender,
    most_held: usize,
    in_force: bool,
    gone: bool,
    held: Queue,
    arrivals: Arrivals,
    /// How many of the bytes held may leave now.
    due: usize,
    /// Whether the end was taken in and has not left.
    ending: bool,
}

impl LossyStream {
    /// The stream of one direction of the connection with these dice.
    pub(super) fn new(
        fault: &PacketLoss,
        forecast: Option<Forecast>,
        way: Way,
        connection: Dice,
        shared: Dice,
    ) -> Self {
        let purpose = match way {
            Way::Up => Purpose::LossUp,
            Way::Down => Purpose::LossDown,
        };
        // Segment and attempt take the place of unit and ordinal, so those go into the seed.
        let dice = Dice::new(Seed(connection.point(purpose)), "segment");
        let path = Path {
            rtt: fault.rtt.unwrap_or(USUAL_RTT),
            one_way: fault.rtt.map_or(Duration::ZERO, |rtt| rtt / 2),
        };
        Self {
            weather: forecast.as_ref().and_then(|forecast| forecast.weather(shared)),
            forecast,
            sender: Sender::new(path, fault.congestion, dice, purpose),
            most_held: match fault.congestion {
                Congestion::Bbr => MOST_HELD_BBR,
                Congestion::Cubic | Congestion::Reno => MOST_HELD,
            },
            in_force: false,
            gone: false,
            held: Queue::default(),
            arrivals: Arrivals::default(),
            due: 0,
            ending: false,
        }
    }

    /// Whether what comes now leaves right behind what is held.
    fn passes(&self) -> bool {
        !self.in_force && !self.sender.has_hole()
    }

    /// Lets happen what is due.
    fn advance(&mut self, now: Tick) {
        if self.gone {
            return;
        }
        self.sender.advance(now, &mut self.arrivals);
        if self.passes() {
            self.sender.pass_on(now, &mut self.arrivals);
        }
        self.due += self.arrivals.take(now);
    }

    /// Whether anything has yet to arrive.
    fn is_waiting(&self) -> bool {
        self.held.len() > self.due + self.arrivals.len() || self.ending
    }
}

impl ByteFilter for LossyStream {
    fn tune(&mut self, now: Tick, moment: Option<&Moment>) {
        let moment = moment.filter(|_| !self.gone);
        self.in_force = moment.is_some();
        let loss = match (moment, &self.forecast) {
            (Some(moment), Some(forecast)) => forecast.loss(self.weather.as_mut(), moment),
            _ => Percent::NONE,
        };
        // Before what is due happens: a retry that is due now is sent into the present weather.
        self.sender.set_loss(loss);
        self.advance(now);
    }

    fn room(&self) -> usize {
        self.most_held.saturating_sub(self.held.len())
    }

    fn push(&mut self, now: Tick, bytes: Bytes) {
        let len = bytes.len();
        self.held.push(bytes);
        if self.passes() {
            self.arrivals.add(now, len);
        } else {
            self.sender.write(now, len, &mut self.arrivals);
        }
        self.advance(now);
    }

    fn finish(&mut self, now: Tick) {
        self.ending = true;
        if self.passes() {
            self.arrivals.add_end(now);
        } else {
            self.sender.write_end(now, &mut self.arrivals);
        }
        self.advance(now);
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        if self.gone {
            self.due = self.held.len();
        } else {
            self.advance(now);
        }
        if let Some(bytes) = self.held.take(self.due) {
            self.due -= bytes.len();
            return Some(Out::Bytes(bytes));
        }
        if self.held.is_empty() && self.ending && (self.gone || self.arrivals.take_end(now)) {
            self.ending = false;
            return Some(Out::End);
        }
        None
    }

    fn wake_at(&self) -> Option<Tick> {
        if self.gone {
            return None;
        }
        let arrival = self.arrivals.next();
        let event = if self.is_waiting() { self.sender.next_event() } else { None };
        arrival.into_iter().chain(event).min()
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.ending
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.in_force = false;
    }
}
