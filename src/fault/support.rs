//! What the tests of several faults need: reading an entry, asking a fault, running a filter.

use crate::{
    diag::{Code, Problems, Source},
    dice::{Dice, Seed},
    fault::{ByteFilter, Cx, Effect, Fault, Out, Stage, Tick, catalog},
    read::Reader,
    timeline::Moment,
    yaml::{self, Node},
};
use bytes::Bytes;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Reads a fault entry such as `latency: 300ms`, looking for files in `folder`.
pub(super) fn read_in(folder: Option<PathBuf>, entry: &str) -> (Option<Arc<dyn Fault>>, Problems) {
    let mut problems = Problems::default();
    let source = Source::new("test.yaml", entry);
    let tree = yaml::parse(&source, &mut problems).expect("the example is YAML");
    let Node::Map(pairs) = &tree.value else { panic!("`{entry}` is no entry") };
    let (key, value) = &pairs[0];
    let row = catalog::find(&key.value).expect("the fault is in the catalogue");
    let fault = (row.read)(value, &mut Reader::new(&mut problems, folder));
    (fault, problems)
}

/// The fault that an entry means; there must be nothing wrong with it.
pub(super) fn fault(entry: &str) -> Arc<dyn Fault> {
    let (fault, problems) = read_in(None, entry);
    assert!(problems.is_empty(), "{entry}: {problems:?}");
    fault.expect("an entry without a problem is a fault")
}

/// What is wrong with an entry.
pub(super) fn codes(entry: &str) -> Vec<Code> {
    read_in(None, entry).1.sorted().iter().map(|problem| problem.code).collect()
}

/// The moment `elapsed` into a phase of a minute that the drill begins with.
pub(super) fn moment(elapsed: Duration) -> Moment {
    Moment { elapsed, length: Duration::from_secs(60), run: elapsed }
}

/// The context of the `nth` message of some user, at the start of a phase.
pub(super) fn cx(nth: u64) -> Cx {
    cx_at(nth, Duration::ZERO)
}

/// The context of the `nth` message, `elapsed` into a phase of a minute.
pub(super) fn cx_at(nth: u64, elapsed: Duration) -> Cx {
    let shared = Dice::new(Seed(7), "fault");
    Cx {
        moment: moment(elapsed),
        message: shared.of(1, nth),
        connection: shared.of(2, nth),
        shared,
        user: nth,
        now: elapsed,
        grpc: true,
    }
}

/// What a fault does to the first message at `stage`.
pub(super) fn effect(entry: &str, stage: Stage) -> Effect {
    let fault = fault(entry);
    assert!(fault.stages().contains(&stage), "`{entry}` is not asked at {stage:?}");
    fault.decide(stage, &cx(0))
}

/// Everything that leaves a filter at `now`: its bytes joined, and whether the end was among it.
pub(super) fn drain(filter: &mut dyn ByteFilter, now: Tick) -> (Bytes, bool) {
    let mut bytes = Vec::new();
    let mut ended = false;
    while let Some(out) = filter.pull(now) {
        assert!(!ended, "nothing follows the end");
        match out {
            Out::Bytes(chunk) => bytes.extend_from_slice(&chunk),
            Out::End => ended = true,
            Out::Close(_) => panic!("it ends the connection"),
        }
    }
    (bytes.into(), ended)
}

/// Everything that leaves a filter in force from `now` on, each chunk with its time, until nothing
/// is held for a time that is known.
pub(super) fn pieces(filter: &mut dyn ByteFilter, mut now: Tick) -> Vec<(Tick, Bytes)> {
    let mut pieces = Vec::new();
    loop {
        filter.tune(now, Some(&moment(now)));
        while let Some(Out::Bytes(bytes)) = filter.pull(now) {
            pieces.push((now, bytes));
        }
        match filter.wake_at() {
            Some(wake) => now = wake,
            None => return pieces,
        }
    }
}
