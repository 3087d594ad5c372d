//! What every fault of the catalogue has to keep, whatever it does. Written from the catalogue, so
//! that a new row is covered without a line here. A fault that exists to break a promise says so,
//! is held to breaking it, and keeps all others.

use crate::{
    fault::{
        ByteFilter, Denial, Effect, Fault, H2Error, Loss, Out, Promise, Stage, Tick, Way, budget,
        catalog::{CATALOG, Layer},
        support::{cx, cx_at, fault, moment},
        toxic::Toxic,
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

const STAGES: [Stage; 12] = [
    Stage::Connect,
    Stage::RequestDelay,
    Stage::Admission,
    Stage::End,
    Stage::Request,
    Stage::RequestBody,
    Stage::RequestCut,
    Stage::Upstream,
    Stage::ResponseDelay,
    Stage::Response,
    Stage::Body,
    Stage::Cut,
];

/// No filter may hold more than this; but for a delay, which takes from a budget that all share.
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

/// A filter, whose it is, and what that exists to break.
struct Subject {
    text: &'static str,
    breaks: &'static [Promise],
    /// How many bytes it may hold beyond the one chunk that is allowed to exceed its room.
    most_held: usize,
    filter: Box<dyn ByteFilter>,
}

/// Every filter that an example makes, with messages and without, anew at each call.
fn filters() -> Vec<Subject> {
    let cx = cx(0);
    let mut filters = Vec::new();
    for (text, _, fault) in examples() {
        let breaks = fault.breaks();
        let lent = if text.starts_with("latency") { budget::SHARED_BYTES } else { 0 };
        let most_held = MOST_HELD + lent;
        let mut add = |filter| filters.push(Subject { text, breaks, most_held, filter });
        for fault in [Some(Arc::clone(&fault)), fault.on_bytes()].into_iter().flatten() {
            for way in [Way::Up, Way::Down] {
                let filter = fault.filter(way, cx.connection, cx.shared);
                assert!(filter.is_none() || fault.shapes_connections(), "{text}");
                filter.into_iter().for_each(&mut add);
            }
            for stage in [Stage::RequestBody, Stage::Body] {
                if fault.stages().contains(&stage)
                    && let Effect::Shape(filter) = fault.decide(stage, &cx)
                {
                    add(filter);
                }
            }
        }
    }
    for toxic in TOXICS {
        for way in [Way::Up, Way::Down] {
            let fault = toxic.fault(way);
            let lent = if toxic.kind() == "latency" { budget::SHARED_BYTES } else { 0 };
            filters.push(Subject {
                text: toxic.kind(),
                breaks: fault.breaks(),
                most_held: MOST_HELD + lent,
                filter: fault.filter(way, cx.connection, cx.shared).expect("a filter of its way"),
            });
        }
    }
    filters
}

/// Toxics have no examples; these are all that do something.
const TOXICS: [Toxic; 11] = [
    Toxic::Latency { latency: 100, jitter: 0 },
    Toxic::Latency { latency: 100, jitter: 300 },
    Toxic::Bandwidth { rate: 100 },
    Toxic::Bandwidth { rate: 0 },
    Toxic::SlowClose { delay: 100 },
    Toxic::Timeout { timeout: 0 },
    Toxic::Timeout { timeout: 100 },
    Toxic::ResetPeer { timeout: 100 },
    Toxic::Slicer { average_size: 100, size_variation: 500, delay: 100 },
    Toxic::LimitData { bytes: 10_000 },
    Toxic::PacketLoss { loss_rate: 0.1, correlation: 0.5 },
];

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
                (fault.gate().is_some() || fault.max_streams().is_some())
                    && stages.is_empty()
                    && !fault.shapes_connections(),
                "{text}"
            ),
            Layer::Connection => assert!(
                fault.gate().is_none()
                    && fault.shapes_connections()
                    && stages.iter().all(|stage| *stage == Stage::Connect),
                "{text}"
            ),
            Layer::Socket => assert!(
                fault.gate().is_none()
                    && stages.is_empty()
                    && !fault.shapes_connections()
                    && fault.shapes_sockets(),
                "{text}"
            ),
            Layer::Handshake => assert!(
                fault.gate().is_none()
                    && !fault.shapes_connections()
                    && stages == [Stage::Connect]
                    && fault.needs_tls(),
                "{text}"
            ),
            Layer::Message => assert!(
                fault.gate().is_none() && !stages.is_empty() && !fault.shapes_connections(),
                "{text}"
            ),
        }
        if let Some(fault) = fault.on_bytes() {
            let acts = fault.stages().is_empty() && fault.shapes_connections();
            assert!(acts && fault.gate().is_none() && fault.on_bytes().is_none(), "{text}");
        }
    }
}

/// The oracle of a verdict goes by what faults say of themselves.
#[test]
fn what_denies_says_so_and_nothing_else_does() {
    for (text, _, fault) in examples() {
        let mut denies = fault.gate().is_some() || fault.follows_load();
        for stage in STAGES.into_iter().filter(|stage| fault.stages().contains(stage)) {
            for nth in 0..50 {
                denies |= match fault.decide(stage, &cx_at(nth, Duration::from_millis(nth))) {
                    Effect::Respond(canned) | Effect::Lose(Loss::Respond(canned)) => {
                        canned.status.as_u16() >= 400
                            || canned.headers.get("grpc-status").is_some_and(|code| code != "0")
                    }
                    Effect::GoAway(error) => error != H2Error::NO_ERROR,
                    Effect::Handshake(flaw) => flaw.denies() == Denial::Always,
                    Effect::Hang { .. }
                    | Effect::Close(_)
                    | Effect::Say(_)
                    | Effect::Lose(_)
                    | Effect::Cut { .. }
                    | Effect::Finish { .. } => true,
                    _ => false,
                };
            }
        }
        if fault.shapes_connections() {
            // Silence is no end, but no answer either.
            denies |= fault.breaks().contains(&Promise::Life) || text.starts_with("blackhole");
        }
        assert_eq!(fault.denies() != Denial::Never, denies, "{text}: {:?}", fault.denies());
    }
}

/// A fault that says it breaks something breaks it, so that no check is dropped for nothing.
#[test]
fn what_is_broken_is_broken() {
    for subject in filters() {
        let (text, breaks) = (subject.text, subject.breaks);
        let mut driver = Driver::new(subject);
        // Late in the phase, where what rises has risen.
        driver.now = Duration::from_secs(50);
        for _ in 0..40 {
            driver.push(4_096);
        }
        driver.finish();
        driver.in_force = false;
        driver.pull();
        let is_broken = |promise: &Promise| match promise {
            Promise::Content => driver.changed > 0,
            Promise::Count => driver.left != driver.pushed,
            Promise::Life => driver.closed(),
        };
        assert!(breaks.iter().all(is_broken), "{text}: {breaks:?}");
    }
}

#[test]
fn the_same_dice_give_the_same_effect_at_every_stage() {
    // In two runs: some keep account of who came before.
    for ((text, _, fault), (_, _, other)) in examples().into_iter().zip(examples()) {
        for stage in STAGES.into_iter().filter(|stage| fault.stages().contains(stage)) {
            for nth in 0..50 {
                let cx = cx_at(nth / 2, Duration::from_millis(nth * 100));
                let effect = fault.decide(stage, &cx);
                let again = other.decide(stage, &cx);
                assert_eq!(format!("{effect:?}"), format!("{again:?}"), "{text} at {stage:?}");
                assert!(
                    !matches!(
                        effect,
                        Effect::Delay(Duration::ZERO) | Effect::Queue(Duration::ZERO)
                    ),
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
    breaks: &'static [Promise],
    most_held: usize,
    filter: Box<dyn ByteFilter>,
    now: Tick,
    in_force: bool,
    pushed: usize,
    left: usize,
    largest: usize,
    finished: bool,
    /// How it ended, if it has.
    end: Option<Out>,
    /// How many chunks left otherwise than they came.
    changed: usize,
}

/// What flows: its period is prime, so that no two chunks in a row look alike.
static PATTERN: LazyLock<Bytes> =
    LazyLock::new(|| (0..=250).cycle().take(2 * 1024 * 1024).collect());

/// The bytes of the stream from a place on.
fn stretch(from: usize, len: usize) -> Bytes {
    let from = from % 251;
    PATTERN.slice(from..from + len)
}

impl Driver {
    fn new(Subject { text, breaks, most_held, filter }: Subject) -> Self {
        Self {
            text,
            breaks,
            most_held,
            filter,
            now: Duration::from_secs(1),
            in_force: true,
            pushed: 0,
            left: 0,
            largest: 0,
            finished: false,
            end: None,
            changed: 0,
        }
    }

    fn ended(&self) -> bool {
        self.end == Some(Out::End)
    }

    /// Whether the fault ended the connection.
    fn closed(&self) -> bool {
        matches!(self.end, Some(Out::Close(_)))
    }

    fn keeps(&self, promise: Promise) -> bool {
        !self.breaks.contains(&promise)
    }

    fn moment(&self) -> Option<Moment> {
        self.in_force.then(|| moment(self.now))
    }

    /// Takes all that may leave now, and looks at it.
    fn pull(&mut self) {
        self.filter.tune(self.now, self.moment().as_ref());
        while let Some(out) = self.filter.pull(self.now) {
            assert!(self.end.is_none(), "{}: nothing follows the end", self.text);
            match out {
                Out::Bytes(bytes) => {
                    assert!(!bytes.is_empty(), "{}: no empty chunks", self.text);
                    let is_right = bytes == stretch(self.left, bytes.len());
                    let may_differ = !self.keeps(Promise::Content);
                    assert!(is_right || may_differ, "{}: bytes are changed or moved", self.text);
                    self.changed += usize::from(!is_right);
                    self.left += bytes.len();
                }
                Out::End => self.end = Some(out),
                Out::Close(_) => {
                    assert!(!self.keeps(Promise::Life), "{}: it ends the connection", self.text);
                    self.end = Some(out);
                }
            }
        }
        let held = self.pushed.saturating_sub(self.left);
        // What a fault threw away is not held, but nobody outside knows.
        let is_known = self.keeps(Promise::Count) && !self.closed();
        let most_held = self.most_held + self.largest;
        assert!(held <= most_held || !is_known, "{}: {held} bytes are held", self.text);
        if let Some(wake) = self.filter.wake_at() {
            assert!(wake > self.now, "{}: a busy loop at {:?}", self.text, self.now);
            assert!(!self.filter.is_empty(), "{}: woken for nothing", self.text);
        }
        if self.closed() {
            assert!(self.filter.is_empty(), "{}: what is it held for?", self.text);
        } else if is_known {
            assert!(self.left <= self.pushed, "{}: more came out than went in", self.text);
            assert!(!self.ended() || self.left == self.pushed, "{}: the end came first", self.text);
            let is_empty = held == 0 && (self.ended() || !self.finished);
            assert_eq!(self.filter.is_empty(), is_empty, "{}", self.text);
        }
    }

    /// Asserts that all that came has left, unless the fault ended the connection or changes how
    /// much there is.
    fn check_all_left(&self) {
        if !self.closed() && self.keeps(Promise::Count) {
            assert_eq!(self.left, self.pushed, "{}", self.text);
        }
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
        if self.filter.room() == 0 || size == 0 || self.closed() {
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
        if self.closed() {
            return;
        }
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
            prop_assert!(driver.ended() || driver.closed(), "{}: the end never came", driver.text);
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
                driver.check_all_left();
            }
            driver.finish();
            prop_assert!(driver.ended() || driver.closed(), "{}", driver.text);
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
            driver.check_all_left();
            prop_assert_eq!(driver.filter.wake_at(), None, "{}", driver.text);
            if driver.closed() {
                continue;
            }
            prop_assert_eq!(driver.ended(), ended, "{}", driver.text);
            if !ended {
                driver.in_force = true;
                driver.push(5_000);
                driver.check_all_left();
                driver.finish();
                prop_assert!(driver.ended(), "{}", driver.text);
            }
        }
    }
}

/// A source that never stops does not fill the memory.
#[test]
fn filters_stop_reading_before_they_hold_too_much() {
    for Subject { text, breaks, most_held, mut filter } in filters() {
        let now = Duration::from_secs(1);
        let (mut held, mut largest_room) = (0, 0);
        loop {
            filter.tune(now, Some(&moment(now)));
            if filter.room() == 0 || held > most_held {
                break;
            }
            largest_room = largest_room.max(filter.room());
            filter.push(now, stretch(0, 16 * 1024));
            held += 16 * 1024;
            while let Some(Out::Bytes(bytes)) = filter.pull(now) {
                held = held.saturating_sub(bytes.len());
            }
            if held == 0 && filter.wake_at().is_none() {
                break;
            }
        }
        let throws_away = breaks.contains(&Promise::Count);
        assert!(held <= most_held || throws_away, "{text} takes all it can get");
        assert!(largest_room <= most_held, "{text}");
    }
}
