//! What every fault of the catalogue has to keep, whatever it does. Written from the catalogue, so
//! that a new row is covered without a line here.

use crate::{
    fault::{
        ByteFilter, Effect, Fault, Out, Stage, Tick, Way,
        catalog::{CATALOG, Layer},
        support::{cx, cx_at, fault, moment},
    },
    timeline::Moment,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

const STAGES: [Stage; 9] = [
    Stage::Connect,
    Stage::RequestDelay,
    Stage::End,
    Stage::Request,
    Stage::Upstream,
    Stage::ResponseDelay,
    Stage::Response,
    Stage::Body,
    Stage::Cut,
];

/// No filter may hold more than this beyond the one chunk that is allowed to exceed its room.
const MOST_HELD: usize = 4 * 1024 * 1024;

/// Every example with the layer of its row.
type Examples = Vec<(&'static str, Layer, Arc<dyn Fault>)>;

/// All of them, read once.
static READ: LazyLock<Examples> = LazyLock::new(|| {
    let each = CATALOG.iter().flat_map(|row| row.examples.iter().map(move |text| (row, *text)));
    each.map(|(row, text)| {
        assert!(text.starts_with(row.name), "`{text}` is an example of `{}`", row.name);
        (text, row.layer, fault(text))
    })
    .collect()
});

/// All of them, as in a run of their own.
fn examples() -> Examples {
    let arm = |fault: &Arc<dyn Fault>| fault.armed().unwrap_or_else(|| Arc::clone(fault));
    READ.iter().map(|(text, layer, fault)| (*text, *layer, arm(fault))).collect()
}

/// Every filter that an example makes, anew at each call.
fn filters() -> Vec<(&'static str, Box<dyn ByteFilter>)> {
    let cx = cx(0);
    let mut filters = Vec::new();
    for (text, _, fault) in examples() {
        for way in [Way::Up, Way::Down] {
            let filter = fault.filter(way, cx.connection, cx.shared);
            assert!(filter.is_none() || fault.shapes_connections(), "{text}");
            filters.extend(filter.map(|filter| (text, filter)));
        }
        if fault.stages().contains(&Stage::Body)
            && let Effect::Shape(filter) = fault.decide(Stage::Body, &cx)
        {
            filters.push((text, filter));
        }
    }
    filters
}

#[test]
fn every_row_says_what_it_is_in_order() {
    let mut names = HashSet::new();
    for row in CATALOG {
        assert!(names.insert(row.name), "`{}` is there twice", row.name);
        assert!(!row.examples.is_empty(), "`{}` has an example", row.name);
        for line in [row.summary, row.about] {
            assert!(!line.trim().is_empty(), "{}", row.name);
        }
        assert!(!row.summary.contains('\n') && !row.summary.ends_with('.'), "{}", row.summary);
        assert!(row.about.trim_end().ends_with('.'), "{}", row.about);
    }
}

#[test]
fn every_example_reads_and_describes_itself_in_a_few_words() {
    for (text, _, fault) in examples() {
        let words = fault.describe();
        assert!((1..=90).contains(&words.chars().count()), "{text}: `{words}`");
        assert!(!words.contains('\n'), "{text}");
        assert_eq!(fault.moves(), text.contains("->") || text.contains("curve"), "{text}");
    }
}

#[test]
fn every_fault_keeps_to_its_layer() {
    for (text, layer, fault) in examples() {
        let stages = fault.stages();
        match layer {
            Layer::Listener => assert!(
                fault.gate().is_some() && stages.is_empty() && !fault.shapes_connections(),
                "{text}"
            ),
            Layer::Connection => assert!(
                fault.gate().is_none()
                    && fault.shapes_connections()
                    && stages.iter().all(|stage| *stage == Stage::Connect),
                "{text}"
            ),
            Layer::Message => assert!(
                fault.gate().is_none() && !stages.is_empty() && !fault.shapes_connections(),
                "{text}"
            ),
        }
    }
}

#[test]
fn the_same_dice_give_the_same_effect_at_every_stage() {
    for (text, _, fault) in examples() {
        for stage in STAGES.into_iter().filter(|stage| fault.stages().contains(stage)) {
            for nth in 0..50 {
                let cx = cx_at(nth, Duration::from_secs(nth));
                let effect = fault.decide(stage, &cx);
                let again = fault.decide(stage, &cx);
                assert_eq!(format!("{effect:?}"), format!("{again:?}"), "{text} at {stage:?}");
                assert!(
                    !matches!(effect, Effect::Delay(Duration::ZERO)),
                    "{text}: no delay is a pass"
                );
            }
        }
    }
}

/// One thing that may happen to a stream.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes.
    Wait(Duration),
    /// Time passes until the filter wants to be woken, and so much longer.
    Wake(Duration),
    /// The source has bytes, if there is room for them.
    Push(usize),
    /// The fault comes into force, or is over.
    Turn(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..400_000).prop_map(|micros| Step::Wait(Duration::from_micros(micros))),
        (0_u64..3_000).prop_map(|micros| Step::Wake(Duration::from_micros(micros))),
        (0_usize..40_000).prop_map(Step::Push),
        (1_usize..300).prop_map(Step::Push),
        any::<bool>().prop_map(Step::Turn),
    ]
}

/// Drives a filter as the data plane does, and looks at whatever comes out.
struct Driver {
    text: &'static str,
    filter: Box<dyn ByteFilter>,
    now: Tick,
    in_force: bool,
    pushed: usize,
    left: usize,
    largest: usize,
    finished: bool,
    ended: bool,
}

/// What flows: its period is prime, so that no two chunks in a row look alike.
static PATTERN: LazyLock<Bytes> = LazyLock::new(|| (0..=250).cycle().take(128 * 1024).collect());

/// The bytes of the stream from a place on.
fn stretch(from: usize, len: usize) -> Bytes {
    let from = from % 251;
    PATTERN.slice(from..from + len)
}

impl Driver {
    fn new((text, filter): (&'static str, Box<dyn ByteFilter>)) -> Self {
        let (now, in_force) = (Duration::from_secs(1), true);
        let (pushed, left, largest, finished, ended) = (0, 0, 0, false, false);
        Self { text, filter, now, in_force, pushed, left, largest, finished, ended }
    }

    fn moment(&self) -> Option<Moment> {
        self.in_force.then(|| moment(self.now))
    }

    /// Takes all that may leave now, and looks at it.
    fn pull(&mut self) {
        self.filter.tune(self.now, self.moment().as_ref());
        while let Some(out) = self.filter.pull(self.now) {
            assert!(!self.ended, "{}: nothing follows the end", self.text);
            match out {
                Out::Bytes(bytes) => {
                    assert!(!bytes.is_empty(), "{}: no empty chunks", self.text);
                    let is_right = bytes == stretch(self.left, bytes.len());
                    assert!(is_right, "{}: bytes are changed or out of order", self.text);
                    self.left += bytes.len();
                }
                Out::End => self.ended = true,
                Out::Close(_) => panic!("{}: it ends the connection", self.text),
            }
        }
        assert!(self.left <= self.pushed, "{}: more came out than went in", self.text);
        assert!(!self.ended || self.left == self.pushed, "{}: the end came first", self.text);
        let held = self.pushed - self.left;
        assert!(held <= MOST_HELD + self.largest, "{}: {held} bytes are held", self.text);
        if let Some(wake) = self.filter.wake_at() {
            assert!(wake > self.now, "{}: a busy loop at {:?}", self.text, self.now);
            assert!(held > 0 || !self.filter.is_empty(), "{}: woken for nothing", self.text);
        }
        let is_empty = held == 0 && (self.ended || !self.finished);
        assert_eq!(self.filter.is_empty(), is_empty, "{}", self.text);
    }

    /// Nothing leaves before the time at which the filter wants to be woken.
    fn check_not_early(&mut self) {
        if let Some(wake) = self.filter.wake_at() {
            let moment = self.moment();
            let early = self.now + wake.saturating_sub(self.now) / 2;
            self.filter.tune(early, moment.as_ref());
            assert_eq!(self.filter.pull(early), None, "{}: early at {early:?}", self.text);
            self.now = early;
        }
    }

    fn push(&mut self, size: usize) {
        self.filter.tune(self.now, self.moment().as_ref());
        if self.filter.room() == 0 || size == 0 {
            return;
        }
        self.filter.push(self.now, stretch(self.pushed, size));
        self.pushed += size;
        self.largest = self.largest.max(size);
        self.pull();
    }

    fn play(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Wait(time) => self.now += time,
                Step::Wake(late) => {
                    self.check_not_early();
                    self.now = self.filter.wake_at().map_or(self.now, |wake| wake + late);
                }
                Step::Push(size) => self.push(size),
                Step::Turn(on) => self.in_force = on,
            }
            self.pull();
        }
    }

    fn finish(&mut self) {
        self.filter.tune(self.now, self.moment().as_ref());
        self.filter.finish(self.now);
        self.finished = true;
        self.pull();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// However a stream is cut, timed and interrupted, every byte comes out once and in order, the
    /// end once and last, and no later than the retries that were under way when the fault ended.
    #[test]
    fn filters_keep_every_byte_in_order(
        steps in prop::collection::vec(step(), 1..60),
        still_in_force in any::<bool>(),
    ) {
        for filter in filters() {
            let mut driver = Driver::new(filter);
            driver.play(&steps);
            driver.in_force = still_in_force;
            driver.finish();
            // As long as it may take in force, and then without.
            for _ in 0..2_000 {
                let Some(wake) = driver.filter.wake_at() else { break };
                driver.now = wake;
                driver.pull();
            }
            driver.in_force = false;
            driver.pull();
            while let Some(wake) = driver.filter.wake_at() {
                driver.now = wake;
                driver.pull();
            }
            prop_assert!(driver.ended, "{}: the end never came", driver.text);
            prop_assert!(driver.filter.is_empty());
        }
    }

    /// Where nothing is held, a fault that is not in force is not there.
    #[test]
    fn filters_pass_everything_at_once_while_the_fault_is_not_in_force(
        steps in prop::collection::vec(step(), 0..40),
        sizes in prop::collection::vec(1_usize..50_000, 1..10),
    ) {
        for filter in filters() {
            let mut driver = Driver::new(filter);
            driver.play(&steps);
            driver.in_force = false;
            driver.pull();
            while let Some(wake) = driver.filter.wake_at() {
                driver.now = wake;
                driver.pull();
            }
            for size in &sizes {
                driver.push(*size);
                prop_assert_eq!(driver.left, driver.pushed, "{}", driver.text);
            }
            driver.finish();
            prop_assert!(driver.ended, "{}", driver.text);
        }
    }

    /// The end of a drill frees everything at that moment, and for good.
    #[test]
    fn filters_let_go_of_everything_at_once(
        steps in prop::collection::vec(step(), 0..40),
        ended in any::<bool>(),
    ) {
        for filter in filters() {
            let mut driver = Driver::new(filter);
            driver.play(&steps);
            if ended {
                driver.finish();
            }
            driver.filter.let_go(driver.now);
            driver.pull();
            prop_assert_eq!(driver.left, driver.pushed, "{}", driver.text);
            prop_assert_eq!(driver.ended, ended, "{}", driver.text);
            prop_assert_eq!(driver.filter.wake_at(), None, "{}", driver.text);
            if !ended {
                driver.in_force = true;
                driver.push(5_000);
                prop_assert_eq!(driver.left, driver.pushed, "{}", driver.text);
                driver.finish();
                prop_assert!(driver.ended, "{}", driver.text);
            }
        }
    }
}

/// A source that never stops does not fill the memory.
#[test]
fn filters_stop_reading_before_they_hold_too_much() {
    for (text, mut filter) in filters() {
        let now = Duration::from_secs(1);
        filter.tune(now, Some(&moment(now)));
        let (mut held, mut largest_room) = (0, 0);
        while filter.room() > 0 && held <= MOST_HELD {
            largest_room = largest_room.max(filter.room());
            filter.push(now, Bytes::from(vec![0; 16 * 1024]));
            held += 16 * 1024;
            while let Some(Out::Bytes(bytes)) = filter.pull(now) {
                held -= bytes.len();
            }
            if held == 0 && filter.wake_at().is_none() {
                break;
            }
        }
        assert!(held <= MOST_HELD, "{text} takes all it can get");
        assert!(largest_room <= MOST_HELD, "{text}");
    }
}
