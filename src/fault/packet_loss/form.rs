//! How packet loss is written, and what is wrong with it.

use crate::{
    diag::{Code, Diagnostic},
    fault::{
        Fault,
        form::{Side, is_curve},
        packet_loss::{Forecast, PacketLoss, syn::Schedule, weather::Burst, window::Congestion},
    },
    read::{Field, Kind, Reader, Shape},
    timeline::Moving,
    units::Percent,
    yaml::{Node, Spanned},
};
use std::{sync::Arc, time::Duration};

const RATE: Kind = Kind::Moving(&Kind::Percent);

/// What may stand after `packet_loss:`.
pub(super) const KIND: Kind = Kind::Any(&[RATE, Kind::Map(&SHAPE)]);

static SHAPE: Shape = Shape {
    what: "`packet_loss`",
    fields: &[
        Field::optional("rate", RATE, "how many segments are lost; by default none but in bursts"),
        Field::optional(
            "rtt",
            Kind::Duration,
            "what the path takes to and fro, half of it charged each way; by default 40ms, not charged",
        ),
        Field::optional("burst", Kind::Map(&BURST), "bad weather, at the same time for everybody"),
        Field::optional(
            "congestion",
            Kind::Word(&["cubic", "reno", "bbr"]),
            "what a loss does to the flow: `cubic` (the default), `reno` or `bbr`",
        ),
        Field::optional(
            "syn",
            Kind::Word(&["linux6.5", "classic", "none"]),
            "when a lost SYN is sent again: `linux6.5` (the default), `classic`, or `none` are lost",
        ),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "which way segments are lost: `request`, `response` or `both` (the default)",
        ),
    ],
};

static BURST: Shape = Shape {
    what: "`burst`",
    fields: &[
        Field::required(
            "bad",
            Kind::Duration,
            "how long a burst lasts on average, such as `800ms`",
        ),
        Field::required(
            "every",
            Kind::Duration,
            "how long from one burst to the next on average, such as `20s`",
        ),
        Field::required("loss", RATE, "how many segments are lost in a burst, such as `60%`"),
    ],
};

const CONGESTIONS: &[(&str, Congestion)] =
    &[("cubic", Congestion::Cubic), ("reno", Congestion::Reno), ("bbr", Congestion::Bbr)];

const SCHEDULES: &[(&str, Option<Schedule>)] =
    &[("linux6.5", Some(Schedule::Linux65)), ("classic", Some(Schedule::Classic)), ("none", None)];

/// Round trips outside of these are no paths; the retransmission times rely on it.
const RTTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(10));

/// Reads packet loss.
pub(super) fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let mut fault = PacketLoss {
        weather: Forecast { rate: Arc::new(Moving::Fixed(Percent::NONE)), burst: None },
        rtt: None,
        congestion: Congestion::Cubic,
        side: Side::Both,
        syn: Some(Schedule::Linux65),
    };
    if matches!(node.value, Node::Map(_)) && !is_curve(&node.value) {
        read_fields(node, &mut fault, reader)?;
    } else {
        fault.weather.rate = Arc::new(reader.moving(node)?);
    }
    let burst = fault.weather.burst.as_ref().map_or(Percent::NONE, |burst| burst.loss.peak());
    if fault.weather.rate.peak() == Percent::NONE && burst == Percent::NONE {
        reader.problem(
            Diagnostic::new(Code::E0413, "a loss of `0%` is none", node.span)
                .help("write a larger share, such as `2%`"),
        );
        return None;
    }
    Some(Arc::new(fault))
}

fn read_fields(
    node: &Spanned<Node>,
    fault: &mut PacketLoss,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let fields = reader.fields(node, &SHAPE)?;
    let mut whole = true;
    let mut keep = |is_right: bool| whole &= is_right;
    if let Some(rate) = fields.get("rate") {
        keep(reader.moving(rate).map(|rate| fault.weather.rate = Arc::new(rate)).is_some());
    }
    if let Some(rtt) = fields.get("rtt") {
        keep(read_rtt(rtt, reader).map(|rtt| fault.rtt = Some(rtt)).is_some());
    }
    if let Some(burst) = fields.get("burst") {
        let burst = read_burst(burst, reader);
        keep(burst.map(|burst| fault.weather.burst = Some(Arc::new(burst))).is_some());
    }
    if let Some(word) = fields.get("congestion") {
        keep(reader.choice(word, CONGESTIONS).map(|c| fault.congestion = c).is_some());
    }
    if let Some(word) = fields.get("syn") {
        keep(reader.choice(word, SCHEDULES).map(|syn| fault.syn = syn).is_some());
    }
    if let Some(word) = fields.get("side") {
        keep(reader.choice(word, Side::WORDS).map(|side| fault.side = side).is_some());
    }
    if fields.get("rate").is_none() && fields.get("burst").is_none() {
        let title = "`packet_loss` needs `rate` or `burst`";
        let help = "write `rate: 2%`, or `burst: { bad: 800ms, every: 20s, loss: 60% }`";
        reader.problem(Diagnostic::new(Code::E0103, title, node.span).help(help));
        return None;
    }
    whole.then_some(())
}

fn read_rtt(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Duration> {
    let rtt = reader.quantity(node)?;
    if (RTTS.0..=RTTS.1).contains(&rtt) {
        return Some(rtt);
    }
    let title = "the round trip of a path is from `1ms` to `10s`";
    let help = "write a time such as `80ms`";
    reader.problem(Diagnostic::new(Code::E0203, title, node.span).help(help));
    None
}

fn read_burst(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Burst> {
    let fields = reader.fields(node, &BURST)?;
    let (bad_node, every_node) = (fields.get("bad")?, fields.get("every")?);
    let bad = reader.quantity::<Duration>(bad_node);
    let every = reader.quantity::<Duration>(every_node);
    let loss = reader.moving(fields.get("loss")?);
    let (bad, every, loss) = (bad?, every?, loss?);
    if bad > Duration::ZERO && bad < every {
        return Some(Burst { bad, every, loss });
    }
    let title = "a burst is shorter than its period and longer than nothing";
    reader.problem(
        Diagnostic::new(Code::E0421, title, bad_node.span)
            .label(every_node.span, "the period is here")
            .help(
                "write `bad` shorter than `every`, such as `{ bad: 800ms, every: 20s, loss: 60% }`",
            ),
    );
    None
}
