use super::*;
use crate::fault::{
    Out, Tick,
    support::{codes, cx, drain, fault, moment},
};
use bytes::Bytes;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn filter(fault: &Arc<dyn Fault>) -> Box<dyn ByteFilter> {
    let cx = cx(0);
    fault.filter(Way::Down, cx.connection, cx.shared).expect("a filter of responses")
}

/// Sends `total` bytes as fast as there is room, waking up `late` each time; how many had left by
/// each time at which some left.
fn send(filter: &mut dyn ByteFilter, total: usize, late: Duration) -> Vec<(Tick, usize)> {
    let (mut now, mut pushed, mut left) = (Tick::ZERO, 0, 0);
    let mut log = Vec::new();
    while left < total {
        filter.tune(now, Some(&moment(now)));
        while pushed < total && filter.room() > 0 {
            let size = 8_192.min(total - pushed);
            filter.push(now, Bytes::from(vec![0; size]));
            pushed += size;
        }
        let before = left;
        while let Some(Out::Bytes(bytes)) = filter.pull(now) {
            left += bytes.len();
        }
        if left > before {
            log.push((now, left));
        }
        if left < total && (filter.room() == 0 || pushed == total) {
            let wake = filter.wake_at().expect("bytes are held for a known time");
            assert!(wake > now, "no busy loop");
            now = wake + late;
        }
    }
    log
}

#[test]
fn n_bytes_take_n_by_rate_and_never_less() {
    for (entry, rate) in [
        ("bandwidth: 100B/s", 100.0),
        ("bandwidth: 64KiB/s", 65_536.0),
        ("bandwidth: 2Mbit/s", 250_000.0),
        ("bandwidth: 50MB/s", 5e7),
    ] {
        let total = 50_000;
        for late in [Duration::ZERO, MILLISECOND] {
            let log = send(filter(&fault(entry)).as_mut(), total, late);
            // A byte is out when it is through, so it is never ahead of the ideal pipe.
            for (at, left) in &log {
                let ideal = *left as f64 / rate;
                assert!(at.as_secs_f64() >= ideal - 1e-7, "{entry}: {left} bytes at {at:?}");
            }
            let took = log.last().expect("all left").0.as_secs_f64();
            let ideal = total as f64 / rate;
            assert!(took <= ideal + 0.003, "{entry}, late by {late:?}: {took} s, not {ideal} s");
        }
    }
}

#[test]
fn the_flow_is_even_over_each_second() {
    let log = send(filter(&fault("bandwidth: 64KiB/s")).as_mut(), 640 * 1024, MILLISECOND);

    let by = |time: f64| {
        log.iter().take_while(|(at, _)| at.as_secs_f64() <= time).last().map_or(0, |(_, n)| *n)
    };
    for start in 0..90 {
        let start = f64::from(start) / 10.0;
        let amount = (by(start + 1.0) - by(start)) as f64;
        // A slice is a sixteenth of a second, so one more or less may fall into a second.
        assert!((amount - 65_536.0).abs() <= 4_096.0 + 655.0, "{amount} bytes from {start} s");
    }
    assert!(log.len() >= 150, "in sixteenths of a second, not in lumps: {} steps", log.len());
}

#[test]
fn whoever_sends_less_than_the_rate_meets_no_queue() {
    let mut filter = filter(&fault("bandwidth: 64KiB/s"));
    for n in 0..100 {
        let now = n * 100 * MILLISECOND;
        filter.tune(now, Some(&moment(now)));
        filter.push(now, Bytes::from(vec![0; 655]));
        assert_eq!(drain(filter.as_mut(), now).0.len(), 0);
        // 655 bytes take 10 ms, whenever they come.
        let wake = filter.wake_at().expect("held");
        assert!(wake.saturating_sub(now).abs_diff(10 * MILLISECOND) < MILLISECOND / 10);
        filter.tune(wake, Some(&moment(wake)));
        assert_eq!(drain(filter.as_mut(), wake).0.len(), 655);
    }
}

#[test]
fn a_burst_passes_at_once_and_has_to_be_earned_again() {
    let mut filter = filter(&fault("bandwidth: { rate: 1KiB/s, burst: 10KiB }"));
    let log = send(filter.as_mut(), 11 * 1024, Duration::ZERO);
    assert_eq!(log[0].0, Duration::ZERO);
    let took = log.last().expect("all left").0;
    assert!(took.abs_diff(Duration::from_secs(1)) < MILLISECOND, "{took:?}");
}

#[test]
fn a_change_of_rate_acts_at_once() {
    let mut filter = filter(&fault("bandwidth: { curve: [[0s, 1B/s], [9s, 1B/s], [10s, 1MB/s]] }"));
    filter.tune(Tick::ZERO, Some(&moment(Tick::ZERO)));
    filter.push(Tick::ZERO, Bytes::from(vec![0; 10_000]));
    assert_eq!(drain(filter.as_mut(), Tick::ZERO).0.len(), 0);

    let now = Duration::from_secs(10);
    filter.tune(now, Some(&moment(now)));
    let slow = drain(filter.as_mut(), now).0.len();
    assert!(slow <= 10, "{slow} bytes in 10 s at 1 B/s");
    let later = now + 10 * MILLISECOND;
    filter.tune(later, Some(&moment(later)));

    assert_eq!(drain(filter.as_mut(), later).0.len(), 10_000 - slow);
}

#[test]
fn those_who_share_a_pipe_take_turns() {
    let fault = fault("bandwidth: { rate: 64KiB/s, scope: proxy }");
    let armed = fault.armed().expect("a pipe is shared within a run");
    let mut both = [filter(&armed), filter(&armed)];
    let mut left = [0; 2];
    for filter in &mut both {
        filter.tune(Tick::ZERO, Some(&moment(Tick::ZERO)));
        filter.push(Tick::ZERO, Bytes::from(vec![0; 64 * 1024]));
    }
    for millis in 0..=1_000 {
        let now = millis * MILLISECOND;
        for (filter, left) in both.iter_mut().zip(&mut left) {
            filter.tune(now, Some(&moment(now)));
            *left += drain(filter.as_mut(), now).0.len();
        }
    }
    assert_eq!(left, [32 * 1024, 32 * 1024]);
    assert!(armed.armed().is_some(), "each run has a pipe of its own");
}

#[test]
fn a_connection_that_goes_away_leaves_its_turn_to_the_others() {
    let armed = fault("bandwidth: { rate: 1KiB/s, scope: proxy }").armed().expect("shared");
    let mut gone: Vec<_> = (0..100).map(|_| filter(&armed)).collect();
    for filter in &mut gone {
        filter.tune(Tick::ZERO, Some(&moment(Tick::ZERO)));
        filter.push(Tick::ZERO, Bytes::from(vec![0; 1_024]));
    }
    let mut stays = filter(&armed);
    stays.tune(Tick::ZERO, Some(&moment(Tick::ZERO)));
    stays.push(Tick::ZERO, Bytes::from(vec![0; 64]));

    drop(gone);

    let wake = stays.wake_at().expect("held");
    assert!(wake < 70 * MILLISECOND, "{wake:?}");
}

#[test]
fn the_side_is_kept_and_the_rest_passes() {
    let cx = cx(0);
    let fault = fault("bandwidth: { rate: 1KiB/s, side: response }");
    assert!(fault.filter(Way::Up, cx.connection, cx.shared).is_none());
    assert!(fault.filter(Way::Down, cx.connection, cx.shared).is_some());
    assert_eq!(fault.describe(), "1KiB/s, responses only");
}

#[test]
fn wrong_forms_are_refused() {
    assert_eq!(codes("bandwidth: 64").len(), 1);
    assert_eq!(codes("bandwidth: { side: response }"), [Code::E0103]);
    assert_eq!(codes("bandwidth: { rate: 1KiB/s, burst: 0B }"), [Code::E0413]);
    assert_eq!(codes("bandwidth: { rate: 1KiB/s, scope: user }"), [Code::E0205]);
    assert_eq!(codes("bandwidth: 0B/s"), [Code::E0203]);
}
