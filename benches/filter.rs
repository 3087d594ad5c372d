//! How fast byte filters are: bytes per second of processor time, whatever the bytes wait for in
//! virtual time.

mod support;

use bytes::Bytes;
use divan::{Bencher, counter::BytesCount};
use firedrill::{
    dice::{Dice, Seed},
    fault::{ByteFilter, Cx, Effect, Fault, Out, Stage, Way},
    timeline::Moment,
};
use std::{sync::Arc, time::Duration};
use support::scenario;

/// What is read from a socket at a time.
const READ: usize = 16 * 1024;
/// What is sent.
const SIZE: usize = 1024 * 1024;

fn main() {
    divan::main();
}

/// A virtual TCP sender, on a good link and on bad ones.
#[divan::bench(args = ["0.1%", "2%", "20%"])]
fn packet_loss(bencher: Bencher<'_, '_>, rate: &str) {
    let fault = only(&format!("packet_loss: {{ rate: {rate}, rtt: 40ms }}"));
    transfer(bencher, |cx| fault.filter(Way::Down, cx.connection, cx.shared));
}

/// A narrow pipe of each connection's own.
#[divan::bench(args = ["64KiB/s", "10MiB/s"])]
fn bandwidth(bencher: Bencher<'_, '_>, rate: &str) {
    let fault = only(&format!("bandwidth: {rate}"));
    transfer(bencher, |cx| fault.filter(Way::Down, cx.connection, cx.shared));
}

/// A body whose chunks are delayed one by one.
#[divan::bench]
fn latency_per_chunk(bencher: Bencher<'_, '_>) {
    let fault = only("latency: { mean: 50ms, jitter: 20ms, per: chunk }");
    transfer(bencher, |cx| body(fault.as_ref(), cx));
}

/// A connection without messages whose chunks are delayed, all of them at once in memory.
#[divan::bench]
fn latency_on_bytes(bencher: Bencher<'_, '_>) {
    let fault = only("latency: { mean: 200ms, side: response }").on_bytes().expect("bytes");
    transfer(bencher, |cx| fault.filter(Way::Down, cx.connection, cx.shared));
}

/// A stream in slices without a pause.
#[divan::bench(args = ["64B", "1KiB"])]
fn slice(bencher: Bencher<'_, '_>, size: &str) {
    let fault = only(&format!("slice: {size}"));
    transfer(bencher, |cx| fault.filter(Way::Down, cx.connection, cx.shared));
}

/// A body of which some bytes are changed: every byte is drawn for.
#[divan::bench(args = ["flip", "repeat"])]
fn corrupt(bencher: Bencher<'_, '_>, how: &str) {
    let fault = only(&format!("corrupt: {{ rate: 0.1%, as: {how} }}"));
    transfer(bencher, |cx| body(fault.as_ref(), cx));
}

/// The shaper of a body.
fn body(fault: &dyn Fault, cx: &Cx) -> Option<Box<dyn ByteFilter>> {
    match fault.decide(Stage::Body, cx) {
        Effect::Shape(filter) => Some(filter),
        _ => None,
    }
}

/// The only fault of a scenario.
fn only(fault: &str) -> Arc<dyn Fault> {
    Arc::clone(&scenario(&[fault]).phases[0].faults[0].fault)
}

/// Sends the bytes through the filter of one connection after another, as fast as there is room.
fn transfer(bencher: Bencher<'_, '_>, filter: impl Fn(&Cx) -> Option<Box<dyn ByteFilter>>) {
    let shared = Dice::new(Seed(20_130_821), "bench");
    let mut nth = 0;
    bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
        nth += 1;
        let moment = moment(Duration::ZERO);
        let cx = Cx {
            moment,
            message: shared.of(2, nth),
            connection: shared.of(1, nth),
            shared,
            user: nth,
            now: moment.run,
            grpc: false,
        };
        let mut filter = filter(&cx).expect("it shapes bytes");
        run(filter.as_mut())
    });
}

/// The moment that comes `elapsed` after the start of a long phase.
fn moment(elapsed: Duration) -> Moment {
    let length = Duration::from_secs(3_600);
    Moment { elapsed: elapsed.min(length), length, run: elapsed }
}

/// When the last byte leaves.
fn run(filter: &mut dyn ByteFilter) -> Duration {
    let mut now = Duration::ZERO;
    let (mut pushed, mut left) = (0, 0);
    loop {
        filter.tune(now, Some(&moment(now)));
        left += pull(filter, now);
        while pushed < SIZE && filter.room() > 0 {
            filter.push(now, Bytes::from_static(&[0; READ]));
            pushed += READ;
            left += pull(filter, now);
        }
        // A filter that repeats bytes gives out more.
        if left >= SIZE && filter.is_empty() {
            return now;
        }
        now = filter.wake_at().expect("what is held is held for a known time").max(now);
    }
}

fn pull(filter: &mut dyn ByteFilter, now: Duration) -> usize {
    let mut left = 0;
    while let Some(out) = filter.pull(now) {
        if let Out::Bytes(bytes) = out {
            left += bytes.len();
        }
    }
    left
}
