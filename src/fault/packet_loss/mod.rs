//! `packet_loss`: the stalls that lost packets cause, without losing a byte.
//!
//! ```yaml
//! - packet_loss: 2%
//! - packet_loss: { rate: 2%, rtt: 80ms, side: response }
//! - packet_loss: { rate: 0.1%, burst: { bad: 800ms, every: 20s, loss: 60% }, congestion: cubic, syn: linux6.5 }
//! ```
//!
//! A client of TCP never sees a lost packet. It sees a pause, then everything behind the hole at
//! once, and a slower flow afterwards. So each direction of each connection gets a sender that
//! exists on paper only (`sender.rs`): it cuts the stream into segments, loses some of them, and
//! retransmits as Linux does (tail-loss probe, time-outs that double, fast recovery). Its outcome
//! decides *when* the bytes go on. No byte is lost, changed or reordered, and no status is made up;
//! a loss of 100 % is silence that only the endpoints' own patience ends. It works below TLS and
//! HTTP, so handshakes suffer too, and whatever shares a connection shares its stalls.
//!
//! **`rate`**: how many segments are lost, each drawn on its own; it may move. Of small calls about
//! twice as many stall, by `rtt` + 200 ms; the rest notice nothing. **`burst`**: bad weather that
//! lasts `bad` on average and comes `every` so often on average, during which `loss` replaces
//! `rate`; it is the same for all connections at any one time, and goes by real time.
//!
//! **`rtt`**: what the path takes to and fro; retransmission times and the growth of windows follow
//! from it. Half of it is charged on each way *if it is written*; without it the path is taken to
//! have 40 ms that the client has already paid for, and only loss and windows are felt. With `rtt`
//! written, leave it out of a `latency` beside it, or it is charged twice.
//!
//! **`congestion`**: what a loss does to the window: `cubic` (the default), `reno`, or `bbr`, which
//! stalls but does not slow down. **`side`**: losses in requests, in responses, or `both` (the
//! default). **`syn`**: what a lost SYN costs a new connection: `linux6.5` (the default: 1, 2, 3, 4,
//! 5, 7 … s), `classic` (1, 3, 7 … s) or `none`. Without privilege a SYN cannot be dropped, so the
//! connection is accepted and its first byte held: the client sees a slow first byte in place of a
//! slow connect.
//!
//! When the fault is over, what is held goes on with the next retry, as in life; when the drill is
//! over, at once. `docs/packet-loss.md` compares it with a kernel: up to a loss of 5 %, calls take as
//! long to within some ten per cent; long transfers are a third too fast at worst up to 2 %, and
//! more above. No accuracy is claimed above 5 %.

mod arrivals;
#[cfg(test)]
mod bench;
mod flight;
mod form;
mod sender;
mod stream;
mod syn;
mod weather;
mod window;

use crate::{
    dice::{Dice, Purpose},
    fault::{
        ByteFilter, Cx, Effect, Fault, Stage, Way,
        catalog::{Entry, Layer, Protocol, Traffic},
        distribution::uniform,
        form::Side,
        packet_loss::{
            stream::LossyStream,
            syn::Schedule,
            weather::{Burst, Weather},
            window::Congestion,
        },
    },
    timeline::{Moment, Moving},
    units::{Percent, show_duration},
};
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "packet_loss",
    layer: Layer::Connection,
    protocols: Protocol::ALL,
    traffic: Traffic::Any,
    summary: "the stalls that lost packets cause, never a lost byte",
    about: "Each direction of each connection gets a virtual TCP sender that loses segments and
retransmits as Linux does. A loss is a pause, then everything behind it at once, then a slower flow;
never a lost byte and never a status. Of small calls twice the `rate` stall, by `rtt` + 200 ms; the
rest notice nothing.

`burst: { bad: 800ms, every: 20s, loss: 60% }` is bad weather that lasts 800 ms on average and comes
every 20 s on average, at the same time for all connections. `rtt` sets the retransmission times;
half of it is charged each way if it is written, and nothing if it is not (40 ms are assumed). Do
not write the same delay as `latency` too. `congestion` is `cubic` (the default), `reno` or `bbr`
(stalls, but no slower flow). `side` is `request`, `response` or `both` (the default).

`syn` is the retry schedule of new connections: `linux6.5` (the default), `classic` or `none`; a
lost SYN is emulated by holding the first byte of a connection that was accepted. When the fault is
over, what is held goes on with the next retry, as in life. Up to a loss of 5 %, calls take as long
as with a kernel to within some ten per cent, and long transfers up to 2 % are a third too fast at
worst; no accuracy is claimed above 5 %.",
    examples: &[
        "packet_loss: 2%",
        "packet_loss: { rate: 0% -> 2%, rtt: 80ms, side: response }",
        "packet_loss: { rate: 0.1%, burst: { bad: 800ms, every: 20s, loss: 60% }, congestion: cubic, syn: linux6.5 }",
    ],
    kind: form::KIND,
    read: form::read,
};

/// The round trip of a path whose author did not say.
const USUAL_RTT: Duration = Duration::from_millis(40);

/// Loses packets.
#[derive(Clone, Debug)]
struct PacketLoss {
    weather: Forecast,
    /// As written; half of it is then charged each way.
    rtt: Option<Duration>,
    congestion: Congestion,
    side: Side,
    syn: Option<Schedule>,
}

/// How many segments are lost, and when.
#[derive(Clone, Debug)]
struct Forecast {
    rate: Arc<Moving<Percent>>,
    burst: Option<Arc<Burst>>,
}

impl Forecast {
    fn weather(&self, shared: Dice) -> Option<Weather> {
        self.burst.as_ref().map(|burst| Weather::new(burst, shared))
    }

    /// The share of segments that is lost at `moment`.
    fn loss(&self, weather: Option<&mut Weather>, moment: &Moment) -> Percent {
        if let (Some(burst), Some(weather)) = (&self.burst, weather)
            && weather.is_bad(moment.run)
        {
            return burst.loss.at(moment);
        }
        self.rate.at(moment)
    }
}

/// One direction of a connection over a link that loses this share of segments, each on its own.
pub(super) fn one_way(
    loss: Percent,
    way: Way,
    connection: Dice,
    shared: Dice,
) -> Box<dyn ByteFilter> {
    let weather = Forecast { rate: Arc::new(Moving::Fixed(loss)), burst: None };
    let fault = PacketLoss {
        weather: weather.clone(),
        rtt: None,
        congestion: Congestion::Cubic,
        side: Side::Both,
        syn: None,
    };
    Box::new(LossyStream::new(&fault, Some(weather), way, connection, shared))
}

impl Fault for PacketLoss {
    fn stages(&self) -> &'static [Stage] {
        if self.syn.is_some() { &[Stage::Connect] } else { &[] }
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        let Some(schedule) = self.syn else { return Effect::Pass };
        let loss = self.weather.loss(self.weather.weather(cx.shared).as_mut(), &cx.moment);
        // A try fails if the SYN or the SYN-ACK is lost.
        let through = 1.0 - loss.fraction();
        let lost = match self.side {
            Side::Both => 1.0 - through * through,
            Side::Request | Side::Response => 1.0 - through,
        };
        match schedule.wait(lost, uniform(cx.connection.point(Purpose::Syn))) {
            Duration::ZERO => Effect::Pass,
            wait => Effect::Delay(wait),
        }
    }

    fn filter(&self, way: Way, connection: Dice, shared: Dice) -> Option<Box<dyn ByteFilter>> {
        if !self.side.includes(way) && self.rtt.is_none() {
            return None;
        }
        let forecast = self.side.includes(way).then(|| self.weather.clone());
        Some(Box::new(LossyStream::new(self, forecast, way, connection, shared)))
    }

    fn shapes_connections(&self) -> bool {
        true
    }

    fn moves(&self) -> bool {
        let burst = self.weather.burst.as_ref();
        self.weather.rate.moves() || burst.is_some_and(|burst| burst.loss.moves())
    }

    fn strength(&self, moment: &Moment) -> f64 {
        let rate = self.weather.rate.at(moment).fraction();
        self.weather.burst.as_ref().map_or(rate, |burst| {
            let bad = burst.bad.as_secs_f64() / burst.every.as_secs_f64();
            rate * (1.0 - bad) + burst.loss.at(moment).fraction() * bad
        })
    }

    fn describe(&self) -> String {
        let mut text = format!("{} loss", self.weather.rate.show());
        if let Some(burst) = &self.weather.burst {
            text.push_str(&format!(
                ", {} for {} every {}",
                burst.loss.show(),
                show_duration(burst.bad),
                show_duration(burst.every)
            ));
        }
        if let Some(rtt) = self.rtt {
            text.push_str(&format!(", rtt {}", show_duration(rtt)));
        }
        if self.side != Side::Both {
            text.push_str(&format!(", {}s only", self.side.name()));
        }
        text
    }
}

#[cfg(test)]
mod tests;
