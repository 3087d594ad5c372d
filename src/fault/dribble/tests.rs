use super::*;
use crate::fault::{
    Tick,
    support::{codes, cx, drain, fault, moment, pieces as drip},
};
use bytes::Bytes;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn dribbler(entry: &str) -> Box<dyn ByteFilter> {
    match fault(entry).decide(Stage::Body, &cx(0)) {
        Effect::Shape(mut filter) => {
            filter.tune(SECOND, Some(&moment(SECOND)));
            filter
        }
        other => panic!("{other:?} is no shape"),
    }
}

/// When how many bytes leave of a body that comes at the first second.
fn times(entry: &str, total: usize) -> Vec<(Tick, usize)> {
    let mut dribbler = dribbler(entry);
    dribbler.push(SECOND, Bytes::from(vec![1; total]));
    dribbler.finish(SECOND);
    drip(dribbler.as_mut(), SECOND).into_iter().map(|(at, piece)| (at, piece.len())).collect()
}

#[test]
fn a_body_comes_in_equal_pieces_evenly_over_the_time() {
    let wanted: Vec<(Tick, usize)> = (1..=10).map(|nth| (SECOND + nth * SECOND, 100)).collect();
    assert_eq!(times("dribble: 10s", 1_000), wanted);
    let pieces = times("dribble: { over: 1s, pieces: 3 }", 10);
    let [third, thirds] = [333_333_334, 666_666_667].map(Duration::from_nanos);
    assert_eq!(pieces, [(SECOND + third, 3), (SECOND + thirds, 3), (2 * SECOND, 4)]);
}

#[test]
fn the_last_byte_never_comes_before_the_time_is_over() {
    for (pieces, total) in [(1, 5), (1_000_000, 3), (7, 1), (10, 300_000)] {
        let entry = format!("dribble: {{ over: 10s, pieces: {pieces} }}");
        let times = times(&entry, total);
        assert_eq!(times.last().map(|(at, _)| *at), Some(11 * SECOND), "{entry}");
        assert_eq!(times.iter().map(|(_, size)| size).sum::<usize>(), total);
    }
}

#[test]
fn what_comes_late_comes_with_the_pieces_that_are_left() {
    let mut dribbler = dribbler("dribble: 10s");
    dribbler.push(SECOND, Bytes::from(vec![1; 100]));
    let halfway = 6 * SECOND;
    assert_eq!(drain(dribbler.as_mut(), halfway).0.len(), 50);
    dribbler.push(halfway, Bytes::from(vec![1; 100]));

    // 200 have come, and half of the time is over.
    assert_eq!(drain(dribbler.as_mut(), halfway).0.len(), 50);
    let rest: Vec<usize> = drip(dribbler.as_mut(), halfway).iter().map(|(_, p)| p.len()).collect();
    assert_eq!(rest, [20; 5]);

    dribbler.push(20 * SECOND, Bytes::from_static(b"late"));
    assert_eq!(drain(dribbler.as_mut(), 20 * SECOND).0, "late");
}

#[test]
fn a_large_body_is_read_no_further_than_a_mebibyte_ahead() {
    let mut dribbler = dribbler("dribble: 10s");
    dribbler.push(SECOND, Bytes::from(vec![1; pieces::MOST_HELD]));
    assert_eq!(dribbler.room(), 0);
    assert_eq!(drain(dribbler.as_mut(), 11 * SECOND).0.len(), pieces::MOST_HELD);
}

#[test]
fn so_many_bytes_pass_at_once_and_the_next_so_long_after() {
    let wanted = [(0, 8), (100, 8), (200, 4)].map(|(at, size)| (SECOND + at * MS, size));
    assert_eq!(times("dribble: { bytes: 8B, every: 100ms }", 20), wanted);
}

#[test]
fn an_empty_body_ends_at_once() {
    for entry in ["dribble: 10s", "dribble: { bytes: 8B, every: 100ms }"] {
        let mut dribbler = dribbler(entry);
        dribbler.finish(SECOND);
        assert_eq!(drain(dribbler.as_mut(), SECOND), (Bytes::new(), true), "{entry}");
    }
}

#[test]
fn without_messages_each_burst_is_spread_anew() {
    let cx = cx(0);
    let on_bytes = fault("dribble: { over: 10s, pieces: 2 }").on_bytes().expect("bytes");
    assert!(on_bytes.filter(Way::Up, cx.connection, cx.shared).is_none());
    let mut filter = on_bytes.filter(Way::Down, cx.connection, cx.shared).expect("a filter");
    for start in [SECOND, 60 * SECOND] {
        filter.tune(start, Some(&moment(start)));
        filter.push(start, Bytes::from_static(b"abcd"));
        let left: Vec<(Tick, Bytes)> = drip(filter.as_mut(), start);
        assert_eq!(left, [(start + 5 * SECOND, "ab".into()), (start + 10 * SECOND, "cd".into())]);
    }
}

#[test]
fn forms_that_make_no_sense_are_refused() {
    for (entry, code) in [
        ("dribble: 0s", Code::E0413),
        ("dribble: 10", Code::E0201),
        ("dribble: {}", Code::E0103),
        ("dribble: { side: response }", Code::E0103),
        ("dribble: { over: 0s }", Code::E0413),
        ("dribble: { over: 1s, pieces: 0 }", Code::E0203),
        ("dribble: { over: 1s, bytes: 8B }", Code::E0414),
        ("dribble: { bytes: 8B }", Code::E0414),
        ("dribble: { every: 1s }", Code::E0414),
        ("dribble: { bytes: 0B, every: 1s }", Code::E0413),
        ("dribble: { bytes: 8B, every: 0s }", Code::E0413),
        ("dribble: { bytes: 8B, every: 1s, pieces: 3 }", Code::E0414),
    ] {
        assert_eq!(codes(entry), [code], "{entry}");
    }
}

#[test]
fn it_says_what_it_does_in_a_few_words() {
    assert_eq!(fault("dribble: 10s").describe(), "in 10 pieces over 10s");
    assert_eq!(
        fault("dribble: { bytes: 8B, every: 100ms, side: both }").describe(),
        "8B every 100ms, both ways"
    );
    let both = fault("dribble: { over: 10s, side: both }");
    assert!(both.works_on(Protocol::Http).is_err() && both.works_on(Protocol::Tcp).is_ok());
}
