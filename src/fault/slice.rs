//! `slice`: bytes leave in small slices.
//!
//! ```yaml
//! - slice: 64B
//! - slice: { size: 64B, variation: 32B, delay: 10ms, side: response }
//! ```
//!
//! What was written at once arrives in many reads, so that a client which takes one read for one
//! message fails. A slice has `size` bytes, or from `size - variation` to `size + variation`, drawn
//! for each; fewer only where no more have come. `delay` is a pause after each slice, however long
//! it took the next bytes to come. Without it slices are written one by one, and the kernels on the
//! way may join them again. It differs from `bandwidth`, whose slices follow from a rate.

use crate::{
    diag::{Code, Diagnostic},
    dice::{Dice, Purpose},
    fault::{
        ByteFilter, Fault, Out, Tick, Way,
        catalog::{Entry, Layer, Protocol, Traffic},
        form::Side,
        queue::Queue,
    },
    read::{Field, Kind, Reader, Shape},
    timeline::Moment,
    units::{ByteSize, Quantity, show_duration},
    yaml::{Node, Spanned},
};
use bytes::Bytes;
use rand::Rng;
use rand_pcg::Pcg64Dxsm;
use std::{sync::Arc, time::Duration};

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "slice",
    layer: Layer::Connection,
    protocols: Protocol::ALL,
    traffic: Traffic::Any,
    summary: "bytes leave in small slices, with or without a pause after each",
    about: "What was written at once arrives in many reads. A slice has `size` bytes, or, with a
`variation`, from `size - variation` to `size + variation`, drawn for each; fewer only where no more
have come. `delay` is a pause after each slice; without it, the kernels on the way may join slices
again. `side` picks `request`, `response` or `both` (the default). Bytes are sliced below TLS and
HTTP, heads and handshakes included; for the body of an answer alone, use `dribble`.",
    examples: &["slice: 64B", "slice: { size: 64B, variation: 32B, delay: 10ms, side: response }"],
    kind: Kind::Any(&[Kind::Size, Kind::Map(&SHAPE)]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`slice`",
    fields: &[
        Field::required("size", Kind::Size, "how many bytes a slice has, such as `64B`"),
        Field::optional(
            "variation",
            Kind::Size,
            "how far slices stray from `size`, at most `size`; by default not at all",
        ),
        Field::optional("delay", Kind::Duration, "the pause after each slice; by default none"),
        Field::optional(
            "side",
            Kind::Word(Side::NAMES),
            "`request`, `response` or `both` (the default)",
        ),
    ],
};

/// What is held at most; it has yet to be sliced.
const MOST_HELD: usize = 64 * 1024;

/// Slices connections.
#[derive(Clone, Copy, Debug)]
struct Slice {
    cut: Cut,
    side: Side,
}

/// How a stream is sliced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The mean size of a slice, in bytes. Slices of no size have one byte.
    pub(super) size: u64,
    /// How far a slice may be from it.
    pub(super) variation: u64,
    /// The pause after each.
    pub(super) pause: Duration,
}

impl Cut {
    /// The size of the next slice.
    fn draw(self, rng: &mut Pcg64Dxsm) -> usize {
        let least = self.size.saturating_sub(self.variation).max(1);
        let most = self.size.saturating_add(self.variation).max(least);
        let sizes = u128::from(most - least) + 1;
        // Below `sizes`, which is at most 2^64.
        let above = u64::try_from((u128::from(rng.next_u64()) * sizes) >> 64).unwrap_or(0);
        usize::try_from(least.saturating_add(above)).unwrap_or(usize::MAX)
    }
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let (mut variation, mut pause, mut side) = (ByteSize(0), Duration::ZERO, Side::Both);
    let mut size_node = node;
    if matches!(node.value, Node::Map(_)) {
        let fields = reader.fields(node, &SHAPE)?;
        size_node = fields.get("size")?;
        if let Some(node) = fields.get("delay") {
            pause = reader.quantity(node)?;
        }
        if let Some(node) = fields.get("side") {
            side = reader.choice(node, Side::WORDS)?;
        }
        if let Some(node) = fields.get("variation") {
            variation = reader.quantity(node)?;
        }
    }
    let size: ByteSize = reader.quantity(size_node)?;
    if size.0 == 0 {
        let problem = Diagnostic::new(Code::E0413, "a slice of `0B` is none", size_node.span);
        reader.problem(problem.help("write how many bytes a slice has, such as `64B`"));
        return None;
    }
    if variation > size {
        let title = "`variation` is larger than `size`: no slice has fewer bytes than none";
        let problem = Diagnostic::new(Code::E0203, title, node.span);
        reader.problem(problem.help(format!("write at most `{}`", size.show())));
        return None;
    }
    let cut = Cut { size: size.0, variation: variation.0, pause };
    Some(Arc::new(Slice { cut, side }))
}

impl Fault for Slice {
    fn filter(&self, way: Way, connection: Dice, _shared: Dice) -> Option<Box<dyn ByteFilter>> {
        let slicer = || Box::new(Slicer::new(self.cut, way.dice(connection)));
        self.side.includes(way).then(|| slicer() as Box<dyn ByteFilter>)
    }

    fn shapes_connections(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        let mut text = format!("slices of {}", ByteSize(self.cut.size).show());
        if self.cut.variation > 0 {
            text.push_str(&format!(" ± {}", ByteSize(self.cut.variation).show()));
        }
        if !self.cut.pause.is_zero() {
            text.push_str(&format!(", {} apart", show_duration(self.cut.pause)));
        }
        if self.side != Side::Both {
            text.push_str(&format!(", {}s only", self.side.name()));
        }
        text
    }
}

/// Cuts a stream into slices.
#[derive(Debug)]
pub(super) struct Slicer {
    cut: Cut,
    rng: Pcg64Dxsm,
    /// How many bytes the next slice has.
    next: usize,
    /// Until when the pause after the last slice lasts.
    pause_ends: Tick,
    in_force: bool,
    gone: bool,
    held: Queue,
    ending: bool,
    /// How often something was cut, or paused after.
    cuts: u64,
}

impl Slicer {
    /// A slicer that draws its sizes with these dice.
    pub(super) fn new(cut: Cut, dice: Dice) -> Self {
        let mut rng = dice.rng(Purpose::Slice);
        Self {
            next: cut.draw(&mut rng),
            cut,
            rng,
            pause_ends: Tick::ZERO,
            in_force: false,
            gone: false,
            held: Queue::default(),
            ending: false,
            cuts: 0,
        }
    }
}

impl ByteFilter for Slicer {
    fn tune(&mut self, _now: Tick, moment: Option<&Moment>) {
        self.in_force = moment.is_some() && !self.gone;
    }

    fn room(&self) -> usize {
        MOST_HELD.saturating_sub(self.held.len())
    }

    fn push(&mut self, _now: Tick, bytes: Bytes) {
        self.held.push(bytes);
    }

    fn finish(&mut self, _now: Tick) {
        self.ending = true;
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        if self.held.is_empty() {
            return std::mem::take(&mut self.ending).then_some(Out::End);
        }
        if !self.in_force {
            return self.held.take(usize::MAX).map(Out::Bytes);
        }
        if self.pause_ends > now {
            return None;
        }
        self.cuts += u64::from(self.held.len() > self.next || !self.cut.pause.is_zero());
        let slice = self.held.gather(self.next)?;
        self.next = self.cut.draw(&mut self.rng);
        self.pause_ends = now.saturating_add(self.cut.pause);
        Some(Out::Bytes(slice))
    }

    fn has_acted(&self) -> Option<bool> {
        Some(self.cuts > 0)
    }

    fn wake_at(&self) -> Option<Tick> {
        (!self.held.is_empty()).then_some(self.pause_ends)
    }

    fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.ending
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.in_force = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::support::{codes, cx, drain, fault, moment, pieces};

    const MS: Duration = Duration::from_millis(1);

    fn slicer(entry: &str) -> Box<dyn ByteFilter> {
        let cx = cx(0);
        fault(entry).filter(Way::Down, cx.connection, cx.shared).expect("a filter")
    }

    fn sizes(entry: &str, total: usize) -> Vec<usize> {
        let mut slicer = slicer(entry);
        slicer.tune(MS, Some(&moment(MS)));
        slicer.push(MS, Bytes::from(vec![7; total]));
        pieces(slicer.as_mut(), MS).iter().map(|(_, piece)| piece.len()).collect()
    }

    #[test]
    fn every_slice_but_the_last_has_its_size() {
        assert_eq!(sizes("slice: 64B", 200), [64, 64, 64, 8]);
        assert_eq!(sizes("slice: 1B", 3), [1, 1, 1]);
        assert_eq!(sizes("slice: 1GB", 3), [3]);
    }

    #[test]
    fn a_slice_goes_across_the_chunks_that_came() {
        let mut slicer = slicer("slice: 4B");
        slicer.tune(MS, Some(&moment(MS)));
        for chunk in ["a", "bc", "defg", "h"] {
            slicer.push(MS, Bytes::from(chunk));
        }

        let pieces: Vec<Bytes> =
            pieces(slicer.as_mut(), MS).into_iter().map(|(_, piece)| piece).collect();

        assert_eq!(pieces, ["abcd", "efgh"]);
    }

    /// Evenly spread: of 3000 slices, each of 65 sizes has 46 on average, with a deviation of 6.7.
    #[test]
    fn sizes_vary_within_their_bounds_and_all_of_them_occur() {
        let sizes = sizes("slice: { size: 64B, variation: 32B }", 64 * 3_000);
        let sizes = &sizes[..sizes.len() - 1];
        assert!(sizes.iter().all(|size| (32..=96).contains(size)), "{sizes:?}");
        for wanted in 32..=96 {
            let count = sizes.iter().filter(|size| **size == wanted).count();
            assert!((19..=73).contains(&count), "{count} of {wanted} bytes");
        }
    }

    #[test]
    fn the_same_connection_is_cut_the_same_and_each_way_its_own() {
        let entry = "slice: { size: 64B, variation: 32B }";
        assert_eq!(sizes(entry, 5_000), sizes(entry, 5_000));
        let cx = cx(0);
        let mut up = fault(entry).filter(Way::Up, cx.connection, cx.shared).expect("a filter");
        up.tune(MS, Some(&moment(MS)));
        up.push(MS, Bytes::from(vec![7; 5_000]));
        let upwards: Vec<usize> =
            pieces(up.as_mut(), MS).iter().map(|(_, piece)| piece.len()).collect();
        assert_ne!(upwards, sizes(entry, 5_000));
    }

    #[test]
    fn the_pause_after_a_slice_is_exact_and_counts_while_nothing_comes() {
        let mut slicer = slicer("slice: { size: 4B, delay: 10ms }");
        slicer.tune(MS, Some(&moment(MS)));
        slicer.push(MS, Bytes::from_static(b"abcdefgh"));
        let times: Vec<Tick> = pieces(slicer.as_mut(), MS).iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [MS, 11 * MS]);

        slicer.push(15 * MS, Bytes::from_static(b"ijkl"));
        slicer.finish(15 * MS);
        assert_eq!(slicer.wake_at(), Some(21 * MS));
        assert_eq!(drain(slicer.as_mut(), 20 * MS), (Bytes::new(), false));
        assert_eq!(drain(slicer.as_mut(), 21 * MS), (Bytes::from_static(b"ijkl"), true));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused_and_extremes_survive() {
        assert_eq!(codes("slice: 0B"), [Code::E0413]);
        assert_eq!(codes("slice: { size: 8B, variation: 9B }"), [Code::E0203]);
        assert_eq!(codes("slice: { delay: 1ms }"), [Code::E0103]);
        assert_eq!(codes("slice: 64"), [Code::E0201]);
        let pause = Duration::MAX;
        for (size, variation) in [(0, 0), (0, u64::MAX), (u64::MAX, u64::MAX), (1, u64::MAX)] {
            let mut slicer = Slicer::new(Cut { size, variation, pause }, cx(0).connection);
            slicer.tune(MS, Some(&moment(MS)));
            slicer.push(MS, Bytes::from_static(b"x"));
            assert_eq!(drain(&mut slicer, MS).0, "x");
        }
    }

    #[test]
    fn it_says_what_it_does_in_a_few_words() {
        assert_eq!(fault("slice: 64B").describe(), "slices of 64B");
        assert_eq!(
            fault("slice: { size: 64B, variation: 32B, delay: 10ms, side: request }").describe(),
            "slices of 64B ± 32B, 10ms apart, requests only"
        );
    }
}
