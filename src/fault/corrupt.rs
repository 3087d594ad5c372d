//! `corrupt`: bytes arrive other than they were sent.
//!
//! ```yaml
//! - corrupt: 0.1%
//! - corrupt: { rate: 0% -> 1%, as: zero, after: 1KiB }
//! ```
//!
//! TCP's checksum misses some of what memory and middleboxes do to bytes. Of each byte it is decided
//! on its own whether it is hit, by the dice and its place in the stream alone: the same bytes in
//! every run, however the stream is cut, and those that a rate hits are hit by any higher one.
//!
//! **`as`**: `flip` one bit of it (the default), make it `zero`, or `repeat` it, so that it arrives
//! twice and everything behind it is moved. With `flip` and `zero` the length stays. With `repeat` the
//! body becomes longer than a `content-length` says: so much is cut off at its end, since a message
//! cannot be longer than announced; a body without one simply grows.
//!
//! Of HTTP it is the body of the response that is hit, so that messages stay messages. Where the
//! protocol is not known it is the bytes of the connection, whatever they mean; `side` then picks the
//! direction, and `after` spares the first bytes, a handshake's, say.

use crate::{
    diag::{Code, Diagnostic},
    dice::{Dice, Purpose},
    fault::{
        ByteFilter, Cx, Effect, Fault, Out, Promise, Stage, Tick, Way,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::{Side, is_curve},
        on_bytes::{Bytewise, OnBytes},
        queue::Queue,
    },
    read::{Field, Kind, Reader, Shape},
    timeline::{Moment, Moving},
    units::{ByteSize, Percent, Quantity},
    yaml::{Node, Spanned},
};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "corrupt",
    layer: Layer::Message,
    protocols: Protocol::ALL,
    traffic: Traffic::HttpAndBytes,
    summary: "bytes of the body are flipped, zeroed or repeated",
    about: "Each byte is hit with the probability `rate`, which may move. `as: flip` (the default)
turns one of its bits over, `zero` makes it 0, `repeat` lets it arrive twice. Which bytes are hit
follows from the seed and their place alone. `after` spares the first bytes.

Of HTTP the body of the response is hit, never a head. `flip` and `zero` keep its length; `repeat`
makes it longer, so that of a body with a `content-length` as much is missing at the end. On a proxy
with `protocol: tcp` the bytes of the connection are hit: `side` is then `response` (the default),
`request` or `both`.",
    examples: &[
        "corrupt: 0.1%",
        "corrupt: { rate: 0% -> 1%, as: zero, after: 1KiB }",
        "corrupt: { rate: 1%, as: repeat }",
    ],
    kind: Kind::Any(&[RATE, Kind::Map(&SHAPE)]),
    read,
};

const RATE: Kind = Kind::Moving(&Kind::Percent);

static SHAPE: Shape = Shape {
    what: "`corrupt`",
    fields: &[
        Field::required("rate", RATE, "the share of bytes that is hit, such as `0.1%`"),
        Field::optional(
            "as",
            Kind::Word(&["flip", "zero", "repeat"]),
            "what becomes of them: `flip` a bit (the default), `zero`, or `repeat` the byte",
        ),
        Field::optional("after", Kind::Size, "how many bytes are spared at first; by default none"),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "without HTTP: `request`, `response` (the default) or `both`",
        ),
    ],
};

/// What becomes of a byte that is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Flip,
    Zero,
    Repeat,
}

const HOWS: &[(&str, How)] = &[("flip", How::Flip), ("zero", How::Zero), ("repeat", How::Repeat)];

/// What passes in one step.
const ROOM: usize = 256 * 1024;

/// Spoils bytes.
#[derive(Clone, Debug)]
struct Corrupt {
    rate: Arc<Moving<Percent>>,
    how: How,
    after: ByteSize,
    side: Side,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let (mut how, mut after, mut side) = (How::Flip, ByteSize(0), Side::Response);
    let mut rate_node = node;
    if matches!(node.value, Node::Map(_)) && !is_curve(&node.value) {
        let fields = reader.fields(node, &SHAPE)?;
        rate_node = fields.get("rate")?;
        if let Some(word) = fields.get("as") {
            how = reader.choice(word, HOWS)?;
        }
        if let Some(size) = fields.get("after") {
            after = reader.quantity(size)?;
        }
        if let Some(word) = fields.get("side") {
            side = reader.choice(word, Side::WORDS)?;
        }
    }
    let rate: Moving<Percent> = reader.moving(rate_node)?;
    if rate.peak() == Percent::NONE {
        let problem = Diagnostic::new(Code::E0413, "a rate of `0%` hits no byte", rate_node.span);
        reader.problem(problem.help("write a larger share, such as `0.1%`"));
        return None;
    }
    Some(Arc::new(Corrupt { rate: Arc::new(rate), how, after, side }))
}

impl Fault for Corrupt {
    fn stages(&self) -> &'static [Stage] {
        // The body of a request has no stage: see `works_on`.
        if self.side.includes(Way::Down) { &[Stage::Body] } else { &[] }
    }

    fn decide(&self, _stage: Stage, cx: &Cx) -> Effect {
        Effect::Shape(Box::new(Spoiler::new(self, cx.message)))
    }

    fn on_bytes(&self) -> Option<Arc<dyn Fault>> {
        Some(Arc::new(OnBytes(self.clone())))
    }

    fn works_on(&self, protocol: Protocol) -> Result<(), String> {
        if protocol.has_requests() && self.side != Side::Response {
            let side = self.side.name();
            return Err(format!(
                "`side: {side}` needs `protocol: tcp`: of HTTP, `corrupt` hits the body of responses"
            ));
        }
        Ok(())
    }

    fn breaks(&self) -> &'static [Promise] {
        match self.how {
            How::Flip | How::Zero => &[Promise::Content],
            How::Repeat => &[Promise::Content, Promise::Count],
        }
    }

    fn moves(&self) -> bool {
        self.rate.moves()
    }

    fn strength(&self, moment: &Moment) -> f64 {
        self.rate.at(moment).fraction()
    }

    fn describe(&self) -> String {
        let done = match self.how {
            How::Flip => "flipped",
            How::Zero => "zeroed",
            How::Repeat => "repeated",
        };
        let mut text = format!("{} of bytes {done}", self.rate.show());
        if self.after.0 > 0 {
            text.push_str(&format!(", after {}", self.after.show()));
        }
        match self.side {
            Side::Response => {}
            Side::Request => text.push_str(", requests only"),
            Side::Both => text.push_str(", both ways"),
        }
        text
    }
}

impl Bytewise for Corrupt {
    fn shaper(&self, way: Way, connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        let spoiler = || Box::new(Spoiler::new(self, way.dice(connection)));
        self.side.includes(way).then(|| spoiler() as Box<dyn ByteFilter>)
    }
}

/// Spoils the bytes of a stream.
#[derive(Debug)]
struct Spoiler {
    rate: Arc<Moving<Percent>>,
    how: How,
    after: u64,
    key: u64,
    /// The share that is hit now.
    now: Percent,
    gone: bool,
    /// The place in the stream of the next byte to come.
    place: u64,
    held: Queue,
    ending: bool,
    /// A byte was hit.
    acted: bool,
}

impl Spoiler {
    fn new(fault: &Corrupt, dice: Dice) -> Self {
        Self {
            rate: Arc::clone(&fault.rate),
            how: fault.how,
            after: fault.after.0,
            key: dice.point(Purpose::Corrupt),
            now: Percent::NONE,
            gone: false,
            place: 0,
            held: Queue::default(),
            ending: false,
            acted: false,
        }
    }

    /// What was drawn for the byte at a place: the mixer of SplitMix64, which is made for counters.
    fn point(&self, place: u64) -> u64 {
        let x = self.key.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// The places in a stretch of `len` bytes that are hit, and what was drawn for them.
    fn hits(&self, len: usize) -> impl Iterator<Item = (usize, u64)> + use<'_> {
        let spared = usize::try_from(self.after.saturating_sub(self.place)).unwrap_or(usize::MAX);
        (spared.min(len)..len)
            .map(|at| (at, self.point(self.place.wrapping_add(at as u64))))
            .filter(|(_, point)| self.now.includes(*point))
    }

    fn change(&self, bytes: Bytes) -> Bytes {
        let mut changed = BytesMut::from(bytes);
        for (at, point) in self.hits(changed.len()) {
            // The bits that decide about a hit are the upper ones.
            changed[at] = if self.how == How::Zero { 0 } else { changed[at] ^ (1 << (point % 8)) };
        }
        changed.freeze()
    }

    fn repeat(&self, bytes: &Bytes) -> Bytes {
        let mut longer = BytesMut::with_capacity(bytes.len() + 16);
        let mut copied = 0;
        for (at, _) in self.hits(bytes.len()) {
            longer.extend_from_slice(&bytes[copied..=at]);
            copied = at;
        }
        longer.extend_from_slice(&bytes[copied..]);
        longer.freeze()
    }
}

impl ByteFilter for Spoiler {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        let moment = moment.filter(|_| !self.gone);
        self.now = moment.map_or(Percent::NONE, |moment| self.rate.at(moment));
    }

    fn room(&self) -> usize {
        ROOM.saturating_sub(self.held.len())
    }

    fn push(&mut self, _now: Tick, bytes: Bytes) {
        let len = bytes.len() as u64;
        let bytes = match self.how {
            _ if self.now == Percent::NONE || self.hits(bytes.len()).next().is_none() => bytes,
            How::Flip | How::Zero => {
                self.acted = true;
                self.change(bytes)
            }
            How::Repeat => {
                self.acted = true;
                self.repeat(&bytes)
            }
        };
        self.held.push(bytes);
        self.place = self.place.wrapping_add(len);
    }

    fn has_acted(&self) -> Option<bool> {
        Some(self.acted)
    }

    fn finish(&mut self, _now: Tick) {
        self.ending = true;
    }

    fn pull(&mut self, _now: Tick) -> Option<Out> {
        if let Some(bytes) = self.held.take(usize::MAX) {
            return Some(Out::Bytes(bytes));
        }
        std::mem::take(&mut self.ending).then_some(Out::End)
    }

    fn wake_at(&self) -> Option<Tick> {
        None
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.ending
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.now = Percent::NONE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{codes, cx, drain, fault, moment};
    use std::time::Duration;

    const NOW: Tick = Tick::from_secs(30);

    fn spoiler(entry: &str, nth: u64) -> Box<dyn ByteFilter> {
        match fault(entry).decide(Stage::Body, &cx(nth)) {
            Effect::Shape(filter) => filter,
            other => panic!("{other:?} is no shape"),
        }
    }

    /// What becomes of a body, sent in chunks of `chunk` bytes.
    fn spoilt(entry: &str, body: &[u8], chunk: usize) -> Vec<u8> {
        let mut spoiler = spoiler(entry, 0);
        let mut out = Vec::new();
        for chunk in body.chunks(chunk) {
            spoiler.tune(NOW, Some(&moment(NOW)));
            spoiler.push(NOW, Bytes::copy_from_slice(chunk));
            out.extend_from_slice(&drain(spoiler.as_mut(), NOW).0);
        }
        out
    }

    fn body(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at % 255 + 1).expect("at most 255")).collect()
    }

    fn hits(before: &[u8], after: &[u8]) -> Vec<usize> {
        (0..before.len()).filter(|at| before[*at] != after[*at]).collect()
    }

    /// 1 % of 100 000 bytes are 1000, with a standard deviation of 31; four of those are allowed.
    #[test]
    fn as_many_bytes_are_hit_as_the_rate_says_and_each_by_one_bit() {
        let body = body(100_000);
        let flipped = spoilt("corrupt: 1%", &body, 16_384);
        let hits = hits(&body, &flipped);
        assert!((875..=1_125).contains(&hits.len()), "{}", hits.len());
        let mut bits = [0; 8];
        for at in hits {
            let difference = body[at] ^ flipped[at];
            assert_eq!(difference.count_ones(), 1);
            bits[difference.trailing_zeros() as usize] += 1;
        }
        assert!(bits.iter().all(|count| (80..=170).contains(count)), "{bits:?}");
    }

    #[test]
    fn the_same_bytes_are_hit_however_the_stream_is_cut() {
        let body = body(20_000);
        for how in ["flip", "zero", "repeat"] {
            let entry = format!("corrupt: {{ rate: 2%, as: {how} }}");
            let whole = spoilt(&entry, &body, 20_000);
            assert_ne!(whole, body);
            for chunk in [1, 7, 1_000, 16_384] {
                assert!(spoilt(&entry, &body, chunk) == whole, "{how} in chunks of {chunk}");
            }
        }
    }

    #[test]
    fn each_message_has_places_of_its_own() {
        let body = body(20_000);
        let [one, other] = [0, 1].map(|nth| {
            let mut spoiler = spoiler("corrupt: 2%", nth);
            spoiler.tune(NOW, Some(&moment(NOW)));
            spoiler.push(NOW, Bytes::from(body.clone()));
            hits(&body, &drain(spoiler.as_mut(), NOW).0)
        });
        let both = one.iter().filter(|at| other.contains(at)).count();
        assert!(both < 30, "{both} places in common");
    }

    #[test]
    fn a_higher_rate_hits_the_same_bytes_and_more() {
        let body = body(20_000);
        let few = hits(&body, &spoilt("corrupt: 1%", &body, 4_096));
        let many = hits(&body, &spoilt("corrupt: 5%", &body, 4_096));
        assert!(few.iter().all(|at| many.contains(at)) && many.len() > 3 * few.len());
    }

    #[test]
    fn nothing_is_hit_at_zero_and_everything_at_a_hundred_percent() {
        let body = body(50_000);
        // Halfway through the phase both curves are at 0 %.
        for how in ["flip", "zero", "repeat"] {
            let rate = "{ curve: [[0s, 100%], [30s, 0%], [60s, 100%]] }";
            let entry = format!("corrupt: {{ rate: {rate}, as: {how} }}");
            assert!(spoilt(&entry, &body, 16_384) == body, "{how}");
        }
        assert_eq!(spoilt("corrupt: { rate: 100%, as: zero }", &body, 999), vec![0; 50_000]);
        let twice: Vec<u8> = b"abc".iter().flat_map(|byte| [*byte, *byte]).collect();
        assert_eq!(spoilt("corrupt: { rate: 100%, as: repeat }", b"abc", 2), twice);
        assert_eq!(hits(&body, &spoilt("corrupt: 100%", &body, 999)).len(), 50_000);
    }

    #[test]
    fn a_byte_that_is_repeated_arrives_twice_in_its_place() {
        let body = body(20_000);
        let longer = spoilt("corrupt: { rate: 1%, as: repeat }", &body, 4_096);
        assert!((20_144..=20_256).contains(&longer.len()), "{}", longer.len());
        let mut rest = longer.iter().peekable();
        for byte in &body {
            assert_eq!(rest.next(), Some(byte));
            // No two bytes of the body in a row are equal, so an equal one is the repeated one.
            rest.next_if(|next| *next == byte);
        }
        assert_eq!(rest.next(), None);
    }

    #[test]
    fn the_first_bytes_are_spared() {
        let body = body(5_000);
        let entry = "corrupt: { rate: 100%, after: 1KiB }";
        for chunk in [1_000, 1_024, 5_000] {
            let hits = hits(&body, &spoilt(entry, &body, chunk));
            assert_eq!((hits.len(), hits.first()), (5_000 - 1_024, Some(&1_024)));
        }
    }

    #[test]
    fn the_places_go_on_while_it_is_not_in_force() {
        let body = body(9_000);
        let whole = hits(&body, &spoilt("corrupt: 5%", &body, 3_000));
        let mut spoiler = spoiler("corrupt: 5%", 0);
        let mut out = Vec::new();
        for (nth, chunk) in body.chunks(3_000).enumerate() {
            spoiler.tune(NOW, (nth != 1).then(|| moment(NOW)).as_ref());
            spoiler.push(NOW, Bytes::copy_from_slice(chunk));
            out.extend_from_slice(&drain(spoiler.as_mut(), NOW).0);
        }
        let outside: Vec<usize> =
            whole.into_iter().filter(|at| !(3_000..6_000).contains(at)).collect();
        assert_eq!(hits(&body, &out), outside);
    }

    #[test]
    fn without_messages_it_hits_the_bytes_of_its_side_each_way_its_own() {
        let cx = cx(0);
        let bytes = |entry: &str| fault(entry).on_bytes().expect("it works on bytes");
        let response = bytes("corrupt: 2%");
        assert!(response.filter(Way::Up, cx.connection, cx.shared).is_none());
        let both = bytes("corrupt: { rate: 2%, side: both }");
        let body = body(20_000);
        let [up, down] = [Way::Up, Way::Down].map(|way| {
            let mut filter = both.filter(way, cx.connection, cx.shared).expect("a filter");
            filter.tune(NOW, Some(&moment(NOW)));
            filter.push(NOW, Bytes::from(body.clone()));
            hits(&body, &drain(filter.as_mut(), NOW).0)
        });
        assert!(up.len() > 300 && down.len() > 300 && up != down);
        let both = fault("corrupt: { rate: 2%, side: both }");
        assert!(both.works_on(Protocol::Http).is_err() && both.works_on(Protocol::Tcp).is_ok());
        let request = fault("corrupt: { rate: 2%, side: request }");
        assert!(request.stages().is_empty(), "it leaves responses alone");
    }

    #[test]
    fn the_rate_moves_over_the_phase() {
        let rising = fault("corrupt: 0% -> 1%");
        assert!(rising.moves());
        let halfway = rising.strength(&moment(Duration::from_secs(30)));
        assert!((halfway - 0.005).abs() < 1e-12, "{halfway}");
    }

    #[test]
    fn forms_that_make_no_sense_are_refused() {
        assert_eq!(codes("corrupt: 0%"), [Code::E0413]);
        assert_eq!(codes("corrupt: 0.1"), [Code::E0201]);
        assert_eq!(codes("corrupt: { as: flip }"), [Code::E0103]);
        assert_eq!(codes("corrupt: { rate: 1%, as: noise }"), [Code::E0205]);
    }

    #[test]
    fn it_says_what_it_does_in_a_few_words() {
        assert_eq!(fault("corrupt: 0.1%").describe(), "0.1% of bytes flipped");
        assert_eq!(
            fault("corrupt: { rate: 1%, as: repeat, after: 1KiB, side: both }").describe(),
            "1% of bytes repeated, after 1KiB, both ways"
        );
    }
}
