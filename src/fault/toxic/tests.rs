use super::*;
use crate::fault::{
    Out, Tick,
    support::{cx, moment, pieces},
};
use bytes::Bytes;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const KINDS: [Toxic; 9] = [
    Toxic::Latency { latency: 1_000, jitter: 50 },
    Toxic::Bandwidth { rate: 100 },
    Toxic::SlowClose { delay: 2_000 },
    Toxic::Timeout { timeout: 500 },
    Toxic::ResetPeer { timeout: 500 },
    Toxic::Slicer { average_size: 100, size_variation: 50, delay: 10 },
    Toxic::LimitData { bytes: 1_000 },
    Toxic::PacketLoss { loss_rate: 0.02, correlation: 0.25 },
    Toxic::Noop,
];

/// The filter of a toxic on responses, in force from the first second on.
fn filter(toxic: Toxic, nth: u64) -> Box<dyn ByteFilter> {
    let cx = cx(nth);
    let filter = toxic.fault(Way::Down).filter(Way::Down, cx.connection, cx.shared);
    let mut filter = filter.expect("it does something");
    filter.tune(SECOND, Some(&moment(SECOND)));
    filter
}

fn outs(filter: &mut dyn ByteFilter, now: Tick) -> Vec<Out> {
    filter.tune(now, Some(&moment(now)));
    std::iter::from_fn(|| filter.pull(now)).collect()
}

fn bytes(text: &'static str) -> Out {
    Out::Bytes(Bytes::from_static(text.as_bytes()))
}

#[test]
fn it_is_called_as_the_api_calls_it() {
    let named: Vec<(&str, Vec<&str>)> = KINDS
        .iter()
        .map(|toxic| (toxic.kind(), toxic.attributes().iter().map(|(name, _)| *name).collect()))
        .collect();
    assert_eq!(
        named,
        [
            ("latency", vec!["latency", "jitter"]),
            ("bandwidth", vec!["rate"]),
            ("slow_close", vec!["delay"]),
            ("timeout", vec!["timeout"]),
            ("reset_peer", vec!["timeout"]),
            ("slicer", vec!["average_size", "size_variation", "delay"]),
            ("limit_data", vec!["bytes"]),
            ("packet_loss", vec!["loss_rate", "correlation"]),
            ("noop", vec![]),
        ]
    );
    let slicer = Toxic::Slicer { average_size: 1, size_variation: 2, delay: 3 }.attributes();
    let values: Vec<Number> = slicer.into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [1, 2, 3].map(Number::Integer));
    assert_eq!(KINDS[7].fault(Way::Up).describe(), "loss_rate 0.02, correlation 0.25");
}

#[test]
fn what_cannot_be_is_refused_by_name_and_what_is_harmless_is_not() {
    for (toxic, attribute) in [
        (Toxic::Bandwidth { rate: -1 }, "rate"),
        (Toxic::Slicer { average_size: -1, size_variation: 0, delay: 0 }, "average_size"),
        (Toxic::Slicer { average_size: 1, size_variation: i64::MIN, delay: 0 }, "size_variation"),
        (Toxic::LimitData { bytes: -5 }, "bytes"),
        (Toxic::PacketLoss { loss_rate: 1.5, correlation: 0.0 }, "loss_rate"),
        (Toxic::PacketLoss { loss_rate: f64::NAN, correlation: 0.0 }, "loss_rate"),
        (Toxic::PacketLoss { loss_rate: 0.5, correlation: -0.1 }, "correlation"),
    ] {
        let wrong = toxic.check().expect_err("refused");
        assert_eq!(wrong.attribute, attribute);
        assert!(wrong.to_string().contains(attribute) && wrong.to_string().contains("write"));
    }
    for toxic in [
        Toxic::Latency { latency: 0, jitter: 0 },
        Toxic::Latency { latency: -5, jitter: -5 },
        Toxic::Latency { latency: 10, jitter: i64::MAX },
        Toxic::Bandwidth { rate: 0 },
        Toxic::SlowClose { delay: -1 },
        Toxic::Timeout { timeout: 0 },
        Toxic::Timeout { timeout: -1 },
        Toxic::ResetPeer { timeout: i64::MIN },
        Toxic::Slicer { average_size: 0, size_variation: 0, delay: 0 },
        Toxic::Slicer { average_size: 1, size_variation: i64::MAX, delay: i64::MAX },
        Toxic::LimitData { bytes: 0 },
    ] {
        assert_eq!(toxic.check(), Ok(()), "{toxic:?}");
    }
    assert!(KINDS.iter().all(|toxic| toxic.check().is_ok()));
}

#[test]
fn it_acts_on_its_direction_alone() {
    let cx = cx(0);
    for toxic in &KINDS[..8] {
        for (way, other) in [(Way::Up, Way::Down), (Way::Down, Way::Up)] {
            let fault = toxic.fault(way);
            assert!(fault.shapes_connections() && fault.stages().is_empty());
            assert!(fault.filter(way, cx.connection, cx.shared).is_some(), "{toxic:?}");
            assert!(fault.filter(other, cx.connection, cx.shared).is_none(), "{toxic:?}");
        }
    }
}

#[test]
fn what_does_nothing_is_not_in_the_way() {
    let cx = cx(0);
    for toxic in [
        Toxic::Noop,
        Toxic::Latency { latency: 0, jitter: 0 },
        Toxic::SlowClose { delay: 0 },
        Toxic::Slicer { average_size: 0, size_variation: 9, delay: 9 },
        Toxic::PacketLoss { loss_rate: 0.0, correlation: 1.0 },
    ] {
        let fault = toxic.fault(Way::Up);
        assert!(!fault.shapes_connections(), "{toxic:?}");
        assert!(fault.filter(Way::Up, cx.connection, cx.shared).is_none(), "{toxic:?}");
    }
}

#[test]
fn latency_is_exact_from_when_each_chunk_came_and_several_add_up() {
    let mut first = filter(Toxic::Latency { latency: 200, jitter: 0 }, 0);
    let mut second = filter(Toxic::Latency { latency: 50, jitter: 0 }, 0);
    first.push(SECOND, Bytes::from_static(b"a"));
    first.push(SECOND + 100 * MS, Bytes::from_static(b"b"));
    for (at, wanted) in pieces(first.as_mut(), SECOND) {
        second.push(at, wanted);
    }
    let left = pieces(second.as_mut(), SECOND);
    assert_eq!(left, [(SECOND + 250 * MS, "a".into()), (SECOND + 350 * MS, "b".into())]);
}

/// Of delays from -300 ms to 500 ms three in eight are none, and the others spread evenly.
#[test]
fn jitter_beyond_the_latency_counts_as_no_delay() {
    let mut delays: Vec<Duration> = (0..4_000)
        .map(|nth| {
            let mut filter = filter(Toxic::Latency { latency: 100, jitter: 400 }, nth);
            filter.push(SECOND, Bytes::from_static(b"a"));
            pieces(filter.as_mut(), SECOND)[0].0.saturating_sub(SECOND)
        })
        .collect();
    delays.sort();
    let none = delays.iter().filter(|delay| **delay < MS).count();
    assert!(none.abs_diff(1_505) < 125, "{none} of 4000");
    assert!(delays[3_999] <= 500 * MS && delays[3_999] > 490 * MS);
    let late = delays.iter().filter(|delay| **delay > 250 * MS).count();
    assert!(late.abs_diff(1_250) < 120, "{late} of 4000");
}

#[test]
fn two_hundred_kilobytes_at_a_hundred_take_two_seconds() {
    let mut filter = filter(Toxic::Bandwidth { rate: 100 }, 0);
    filter.push(SECOND, Bytes::from(vec![0; 200_000]));
    let left = pieces(filter.as_mut(), SECOND);
    let took = left.last().expect("all left").0.saturating_sub(SECOND);
    assert!(took.abs_diff(2 * SECOND) < MS, "{took:?}");
    assert!(left.len() > 20, "evenly");
}

#[test]
fn at_a_rate_of_zero_nothing_passes_until_it_is_removed() {
    let mut filter = filter(Toxic::Bandwidth { rate: 0 }, 0);
    filter.push(SECOND, Bytes::from_static(b"a"));
    assert_eq!(outs(filter.as_mut(), 1_000 * SECOND), []);
    filter.let_go(1_000 * SECOND);
    assert_eq!(filter.pull(1_000 * SECOND), Some(bytes("a")));
}

#[test]
fn a_slow_close_holds_the_end_alone() {
    let mut filter = filter(Toxic::SlowClose { delay: 2_000 }, 0);
    filter.push(SECOND, Bytes::from_static(b"a"));
    filter.finish(SECOND);
    assert_eq!(outs(filter.as_mut(), SECOND), [bytes("a")]);
    assert_eq!(outs(filter.as_mut(), 2_999 * MS), []);
    assert_eq!(outs(filter.as_mut(), 3_000 * MS), [Out::End]);
}

#[test]
fn a_timeout_is_not_prolonged_by_traffic() {
    let mut filter = filter(Toxic::Timeout { timeout: 500 }, 0);
    for at in [0, 300, 400, 499] {
        let now = SECOND + at * MS;
        filter.push(now, Bytes::from_static(b"a"));
        assert_eq!(outs(filter.as_mut(), now), []);
    }
    assert_eq!(filter.wake_at(), Some(1_500 * MS));
    assert_eq!(outs(filter.as_mut(), 1_500 * MS), [Out::Close(Close::Fin)]);
    assert!(filter.is_empty());
}

#[test]
fn a_timeout_counts_from_when_it_met_the_connection_even_if_nothing_comes() {
    let mut idle = filter(Toxic::Timeout { timeout: 500 }, 0);
    assert_eq!((idle.wake_at(), idle.is_empty()), (Some(1_500 * MS), false));
    idle.finish(1_200 * MS);
    assert_eq!(outs(idle.as_mut(), 1_499 * MS), []);
    assert_eq!(outs(idle.as_mut(), 1_500 * MS), [Out::Close(Close::Fin)]);
}

#[test]
fn a_timeout_of_zero_is_a_black_hole_whose_removal_closes() {
    for timeout in [0, -1] {
        let mut filter = filter(Toxic::Timeout { timeout }, 0);
        filter.push(SECOND, Bytes::from_static(b"lost"));
        assert_eq!(outs(filter.as_mut(), 9_999 * SECOND), []);
        assert!(filter.wake_at().is_none() && filter.room() > 0);
        filter.let_go(9_999 * SECOND);
        assert_eq!(outs(filter.as_mut(), 9_999 * SECOND), [Out::Close(Close::Fin)]);
    }
}

#[test]
fn removing_a_timeout_spares_connections_that_it_never_acted_on() {
    let cx = cx(0);
    let fault = Toxic::Timeout { timeout: 0 }.fault(Way::Down);
    let mut filter = fault.filter(Way::Down, cx.connection, cx.shared).expect("a filter");
    filter.tune(SECOND, None);
    filter.push(SECOND, Bytes::from_static(b"a"));
    filter.let_go(SECOND);
    filter.finish(SECOND);
    assert_eq!(outs(filter.as_mut(), SECOND), [bytes("a"), Out::End]);
}

#[test]
fn a_reset_waits_for_the_first_bytes_or_the_end() {
    let close = [Out::Close(Close::Reset)];
    for ends in [false, true] {
        let mut filter = filter(Toxic::ResetPeer { timeout: 500 }, 0);
        assert_eq!(outs(filter.as_mut(), 60 * SECOND), []);
        assert!(filter.wake_at().is_none() && filter.is_empty(), "idle connections stay");
        if ends {
            filter.finish(60 * SECOND);
        } else {
            filter.push(60 * SECOND, Bytes::from_static(b"a"));
            filter.push(60 * SECOND + 400 * MS, Bytes::from_static(b"b"));
        }
        assert_eq!(filter.wake_at(), Some(60_500 * MS));
        assert_eq!(outs(filter.as_mut(), 60_499 * MS), []);
        assert_eq!(outs(filter.as_mut(), 60_500 * MS), close);
    }
    let mut at_once = filter(Toxic::ResetPeer { timeout: 0 }, 0);
    at_once.push(SECOND, Bytes::from_static(b"a"));
    assert_eq!(outs(at_once.as_mut(), SECOND), close);
}

#[test]
fn removing_a_reset_resets_what_it_took_bytes_from_and_nothing_else() {
    let mut waiting = filter(Toxic::ResetPeer { timeout: 500 }, 0);
    waiting.push(SECOND, Bytes::from_static(b"a"));
    waiting.let_go(SECOND);
    assert_eq!(outs(waiting.as_mut(), SECOND), [Out::Close(Close::Reset)]);

    let mut idle = filter(Toxic::ResetPeer { timeout: 500 }, 0);
    idle.let_go(SECOND);
    idle.push(SECOND, Bytes::from_static(b"a"));
    assert_eq!(outs(idle.as_mut(), SECOND), [bytes("a")]);
}

#[test]
fn a_slicer_cuts_around_its_average_and_pauses_for_microseconds() {
    let toxic = Toxic::Slicer { average_size: 100, size_variation: 0, delay: 10 };
    let mut filter = filter(toxic, 0);
    filter.push(SECOND, Bytes::from(vec![0; 250]));
    let left = pieces(filter.as_mut(), SECOND);
    let left: Vec<(Tick, usize)> = left.into_iter().map(|(at, piece)| (at, piece.len())).collect();
    let micros = Duration::from_micros(10);
    assert_eq!(left, [(SECOND, 100), (SECOND + micros, 100), (SECOND + 2 * micros, 50)]);
}

#[test]
fn a_limit_closes_right_when_it_is_reached_and_keeps_its_count_when_it_is_changed() {
    let mut first = filter(Toxic::LimitData { bytes: 10 }, 0);
    first.push(SECOND, Bytes::from_static(b"abcdef"));
    assert_eq!(outs(first.as_mut(), SECOND), [bytes("abcdef")]);

    let mut raised = filter(Toxic::LimitData { bytes: 8 }, 0);
    raised.resume(6);
    raised.push(SECOND, Bytes::from_static(b"ghi"));
    assert_eq!(outs(raised.as_mut(), SECOND), [bytes("gh"), Out::Close(Close::Fin)]);

    let mut lowered = filter(Toxic::LimitData { bytes: 3 }, 0);
    lowered.resume(6);
    assert_eq!(outs(lowered.as_mut(), SECOND), []);
    lowered.push(SECOND, Bytes::from_static(b"g"));
    assert_eq!(outs(lowered.as_mut(), SECOND), [Out::Close(Close::Fin)]);
}

#[test]
fn lost_packets_stall_a_stream_and_lose_none_of_it() {
    let toxic = Toxic::PacketLoss { loss_rate: 0.5, correlation: 0.9 };
    let late = (0..50).filter(|nth| {
        let mut filter = filter(toxic, *nth);
        filter.push(SECOND, Bytes::from_static(b"small"));
        let left = pieces(filter.as_mut(), SECOND);
        assert_eq!(left.iter().map(|(_, piece)| piece.len()).sum::<usize>(), 5);
        left.last().is_some_and(|(at, _)| *at >= SECOND + 100 * MS)
    });
    // Of fifty, half stall, with a standard deviation of 3.5.
    let late = late.count();
    assert!((11..=39).contains(&late), "{late} of 50");
}

#[test]
fn no_number_panics_or_loops() {
    let extremes = [i64::MIN, -1, 0, 1, i64::MAX];
    let mut toxics = Vec::new();
    for a in extremes {
        toxics.extend([
            Toxic::Bandwidth { rate: a },
            Toxic::SlowClose { delay: a },
            Toxic::Timeout { timeout: a },
            Toxic::ResetPeer { timeout: a },
            Toxic::LimitData { bytes: a },
        ]);
        for b in extremes {
            toxics.push(Toxic::Latency { latency: a, jitter: b });
            toxics.extend(extremes.map(|delay| Toxic::Slicer {
                average_size: a,
                size_variation: b,
                delay,
            }));
        }
    }
    for share in [f64::NAN, f64::INFINITY, -1.0, 0.0, f64::MIN_POSITIVE, 1.0] {
        toxics.push(Toxic::PacketLoss { loss_rate: share, correlation: share });
    }
    for toxic in toxics {
        let cx = cx(0);
        let fault = toxic.fault(Way::Up);
        assert!(!fault.describe().is_empty());
        let Some(mut filter) = fault.filter(Way::Up, cx.connection, cx.shared) else { continue };
        filter.resume(u64::MAX);
        filter.tune(SECOND, Some(&moment(SECOND)));
        filter.push(SECOND, Bytes::from(vec![0; 100]));
        filter.finish(SECOND);
        let count = std::iter::from_fn(|| filter.pull(SECOND)).take(1_000).count();
        assert!(count <= 102, "{toxic:?}");
        let _wake = filter.wake_at();
        filter.let_go(SECOND);
        let count = std::iter::from_fn(|| filter.pull(SECOND)).take(1_000).count();
        assert!(count <= 102 && filter.is_empty(), "{toxic:?}");
    }
}
