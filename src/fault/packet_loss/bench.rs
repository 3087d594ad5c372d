//! A bench for lossy streams: exchanges and transfers in virtual time, and the table of
//! `docs/packet-loss.md` made with it.

use crate::{
    dice::{Dice, Seed},
    fault::{
        ByteFilter, Fault, Tick, Way,
        support::{drain, fault, moment},
    },
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// What is read from a socket at a time.
const READ: usize = 16 * 1024;

/// The dice of a fault as a whole, on the bench.
pub(super) fn shared() -> Dice {
    Dice::new(Seed(20_130_821), "packet_loss")
}

/// One direction of the `nth` connection.
pub(super) fn stream(fault: &Arc<dyn Fault>, way: Way, nth: u64) -> Box<dyn ByteFilter> {
    fault.filter(way, shared().of(1, nth), shared()).expect("it shapes connections")
}

/// Sends `size` bytes from `now` on as fast as there is room; when the last one leaves.
pub(super) fn transfer(stream: &mut dyn ByteFilter, mut now: Tick, size: usize) -> Tick {
    let (mut pushed, mut left) = (0, 0);
    loop {
        stream.tune(now, Some(&moment(now)));
        left += drain(stream, now).0.len();
        while pushed < size && stream.room() > 0 {
            let read = READ.min(size - pushed);
            stream.push(now, Bytes::from_static(&[0; READ]).slice(..read));
            pushed += read;
            left += drain(stream, now).0.len();
        }
        if left == size {
            return now;
        }
        let wake = stream.wake_at().expect("what is held is held for a known time");
        assert!(wake > now, "no busy loop at {now:?}");
        now = wake;
    }
}

/// How long exchanges of one small request and a response of `size` bytes take, in milliseconds and
/// in rising order: `connections` of a hundred exchanges each, 50 ms apart.
pub(super) fn exchanges(entry: &str, size: usize, connections: u64) -> Vec<f64> {
    let fault = fault(entry);
    let mut took = Vec::new();
    for nth in 0..connections {
        let (mut up, mut down) = (stream(&fault, Way::Up, nth), stream(&fault, Way::Down, nth));
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            let asked = transfer(up.as_mut(), now, 200);
            let answered = transfer(down.as_mut(), asked, size);
            took.push(answered.saturating_sub(now).as_secs_f64() * 1e3);
            now = answered + Duration::from_millis(50);
        }
    }
    took.sort_by(f64::total_cmp);
    took
}

/// The bytes per second of a transfer of `size` bytes, over three connections.
pub(super) fn bulk(entry: &str, size: usize) -> f64 {
    let fault = fault(entry);
    let time = |nth| {
        let mut down = stream(&fault, Way::Down, nth);
        transfer(down.as_mut(), Duration::ZERO, size).as_secs_f64()
    };
    3.0 * size as f64 / (time(0) + time(1) + time(2))
}

/// The mean.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// PFTK in the form of RFC 5348 §3.1, with one segment per acknowledgement and a time-out of the
/// round trip and 200 ms: bytes per second at a loss of `p`.
pub(super) fn pftk(p: f64, rtt: f64) -> f64 {
    let rto = rtt + 0.2;
    let stalls = rto * (3.0 * (3.0 * p / 8.0).sqrt()).min(1.0) * p * (1.0 + 32.0 * p * p);
    1_448.0 / (rtt * (2.0 * p / 3.0).sqrt() + stalls)
}

/// How far off the kernel, in whole per cent; never a negative zero.
fn percent_off(found: f64, kernel: f64) -> f64 {
    ((found / kernel - 1.0) * 100.0).round() + 0.0
}

/// A row: what was loaded, how, and what a kernel (Linux 6.18, two network namespaces, a lossy link)
/// measured: mean, p90 and p99 in milliseconds with the bench's own 10 ms, or bytes per second.
type Row = (&'static str, &'static str, usize, [f64; 3]);

/// The size of ten full segments.
const TEN: usize = 14_480;

const EXCHANGES: &[Row] = &[
    ("1 segment, rtt 40 ms, 1 %", "{ rate: 1%, rtt: 40ms }", 200, [47.9, 0.0, 288.0]),
    ("1 segment, rtt 40 ms, 2 %", "{ rate: 2%, rtt: 40ms }", 200, [52.5, 0.0, 293.0]),
    ("1 segment, rtt 40 ms, 5 %", "{ rate: 5%, rtt: 40ms }", 200, [67.0, 0.0, 391.0]),
    ("1 segment, rtt 40 ms, 10 %", "{ rate: 10%, rtt: 40ms }", 200, [106.8, 0.0, 666.0]),
    ("1 segment, rtt 40 ms, 20 %", "{ rate: 20%, rtt: 40ms }", 200, [235.0, 0.0, 1_905.0]),
    ("10 segments, rtt 40 ms, 1 %", "{ rate: 1%, rtt: 40ms }", TEN, [80.5, 102.0, 368.0]),
    ("10 segments, rtt 40 ms, 2 %", "{ rate: 2%, rtt: 40ms }", TEN, [107.0, 142.0, 425.0]),
    ("10 segments, rtt 40 ms, 5 %", "{ rate: 5%, rtt: 40ms }", TEN, [172.0, 354.0, 597.0]),
    ("10 segments, rtt 40 ms, 10 %", "{ rate: 10%, rtt: 40ms }", TEN, [316.0, 576.0, 1_340.0]),
];

const BULKS: &[Row] = &[
    (
        "reno, 0.1 %",
        "{ rate: 0.1%, rtt: 40ms, congestion: reno }",
        40_000_000,
        [1.54e6, 0.001, 0.0],
    ),
    ("reno, 1 %", "{ rate: 1%, rtt: 40ms, congestion: reno }", 20_000_000, [403e3, 0.01, 0.0]),
    ("reno, 2 %", "{ rate: 2%, rtt: 40ms, congestion: reno }", 20_000_000, [286e3, 0.02, 0.0]),
    ("reno, 5 %", "{ rate: 5%, rtt: 40ms, congestion: reno }", 20_000_000, [132e3, 0.05, 0.0]),
    ("reno, 10 %", "{ rate: 10%, rtt: 40ms, congestion: reno }", 20_000_000, [76e3, 0.1, 0.0]),
    ("cubic, 0.1 %", "{ rate: 0.1%, rtt: 40ms }", 40_000_000, [1.42e6, 0.001, 0.0]),
    ("cubic, 1 %", "{ rate: 1%, rtt: 40ms }", 20_000_000, [347e3, 0.01, 0.0]),
    ("cubic, 2 %", "{ rate: 2%, rtt: 40ms }", 20_000_000, [254e3, 0.02, 0.0]),
    ("cubic, 5 %", "{ rate: 5%, rtt: 40ms }", 20_000_000, [98e3, 0.05, 0.0]),
    ("cubic, 10 %", "{ rate: 10%, rtt: 40ms }", 20_000_000, [50e3, 0.1, 0.0]),
    ("bbr, 1 %", "{ rate: 1%, rtt: 40ms, congestion: bbr }", 40_000_000, [33.9e6, 0.0, 0.0]),
];

#[test]
#[ignore = "prints the tables of docs/packet-loss.md: cargo test --release -- --ignored loss_table --nocapture"]
fn loss_table() {
    // The kernel's bench adds 2 ms to one segment each way and 10 ms to ten of them.
    let overhead = |size| if size == TEN { 10.0 } else { 2.0 };
    println!("| case | kernel: mean / p90 / p99 ms | here: mean / p90 / p99 ms | mean off by |");
    println!("|---|--:|--:|--:|");
    for (name, settings, size, [kernel, p90, p99]) in EXCHANGES {
        let took = exchanges(&format!("packet_loss: {settings}"), *size, 200);
        let at = |per_mille: usize| took[took.len() * per_mille / 1_000] + overhead(*size);
        let mean = mean(&took) + overhead(*size);
        let off = percent_off(mean, *kernel);
        let p90 = if *p90 > 0.0 { p90.to_string() } else { "–".to_owned() };
        let here = format!("{mean:.1} / {:.0} / {:.0}", at(900), at(990));
        println!("| {name} | {kernel} / {p90} / {p99} | {here} | {off:+.0} % |");
    }
    println!();
    println!("| case | kernel kB/s | PFTK kB/s | here kB/s | off the kernel by |");
    println!("|---|--:|--:|--:|--:|");
    for (name, settings, size, [kernel, p, _]) in BULKS {
        let rate = bulk(&format!("packet_loss: {settings}"), *size);
        let off = percent_off(rate, *kernel);
        let theory =
            if *p > 0.0 { format!("{:.0}", pftk(*p, 0.04) / 1e3) } else { "–".to_owned() };
        let (kernel, rate) = (kernel / 1e3, rate / 1e3);
        println!("| {name} | {kernel:.0} | {theory} | {rate:.0} | {off:+.0} % |");
    }
}
