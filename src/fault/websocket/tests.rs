//! Frames through the filters of a socket, to the nanosecond.

use super::*;
use crate::{
    diag::Code,
    fault::{
        ByteFilter, Close, Out, Tick, Way,
        frames::{Parser, Sum, Tracker, close_frame},
        support::{codes, cx, fault, moment},
        websocket::lane::CLOSE_WAIT,
    },
};
use bytes::Bytes;
use proptest::prelude::*;

const NOW: Tick = Tick::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// A frame of a server: its first byte, and so much payload.
fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..=125 => frame.push(u8::try_from(length).unwrap()),
        126..=65_535 => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend((0..length).map(|at| u8::try_from(at % 251).unwrap()));
    frame
}

/// The same of a client.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![first, 0x80 | length, 1, 2, 3, 4];
    frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Both directions of a socket, up first.
fn lanes(entry: &str) -> [Box<dyn ByteFilter>; 2] {
    let lanes = fault(entry).lanes(cx(0).message).expect("it acts on sockets");
    [Way::Up, Way::Down].map(|way| lanes.lane(way, Parser::new(way == Way::Up)))
}

fn down(entry: &str) -> Box<dyn ByteFilter> {
    let [_, mut down] = lanes(entry);
    tune(&mut *down, NOW, true);
    down
}

fn tune(lane: &mut dyn ByteFilter, now: Tick, in_force: bool) {
    lane.tune(now, in_force.then(|| moment(now)).as_ref());
}

/// What leaves at `now`, and how it ends if it does.
fn pull(lane: &mut dyn ByteFilter, now: Tick) -> (Vec<u8>, Option<Out>) {
    let mut bytes = Vec::new();
    loop {
        match lane.pull(now) {
            Some(Out::Bytes(chunk)) => bytes.extend_from_slice(&chunk),
            end => return (bytes, end),
        }
    }
}

fn push(lane: &mut dyn ByteFilter, bytes: &[u8]) -> Vec<u8> {
    lane.push(NOW, Bytes::copy_from_slice(bytes));
    pull(lane, NOW).0
}

#[test]
fn a_message_in_parts_is_dropped_whole_and_controls_between_them_pass() {
    let mut down = down("websocket: { drop: yes }");
    let ping = frame(0x89, 2);
    let stream =
        [frame(0x01, 300), ping.clone(), frame(0x00, 70_000), ping.clone(), frame(0x80, 0)];

    let mut left = Vec::new();
    for chunk in stream.concat().chunks(7) {
        left.extend(push(&mut *down, chunk));
    }

    assert_eq!(left, [ping.clone(), ping].concat());
    assert!(down.is_empty() && down.has_acted() == Some(true));
}

/// Half a message would be worse than none: what follows it would be no message at all.
#[test]
fn a_message_has_one_lot_whatever_comes_over_the_fault_meanwhile() {
    let (first, rest) = (frame(0x01, 3), frame(0x80, 3));
    let mut down = down("websocket: { drop: yes }");
    assert!(push(&mut *down, &first).is_empty());
    tune(&mut *down, NOW, false);
    assert!(push(&mut *down, &rest).is_empty(), "it began to be dropped");
    assert_eq!(push(&mut *down, &first), first);
    tune(&mut *down, NOW, true);
    assert_eq!(push(&mut *down, &rest), rest, "it began to pass");
}

#[test]
fn a_claim_of_two_to_the_sixty_third_costs_nothing() {
    for entry in ["websocket: { delay: 1ms }", "websocket: { drop: yes }"] {
        let mut down = down(entry);
        down.push(NOW, Bytes::from_static(&[0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255]));
        for _ in 0..100 {
            down.push(NOW, Bytes::from_static(&[0; 1_000]));
        }
        let later = NOW + MS;
        tune(&mut *down, later, true);
        let (left, _) = pull(&mut *down, later);
        assert_eq!(left.len(), if entry.contains("drop") { 0 } else { 100_010 });
        assert!(down.is_empty());
    }
}

#[test]
fn what_is_no_frame_passes_untouched_from_there_on() {
    for wrong in [&[0x83, 0][..], &[0x81, 0x80, 1, 2, 3, 4], &[0x82, 127, 255, 0, 0, 0, 0, 0, 0, 1]]
    {
        for entry in
            ["websocket: { drop: yes }", "websocket: { stall: yes }", "websocket: { delay: 1s }"]
        {
            let mut down = down(entry);
            let stream = [wrong, b"anything", &frame(0x81, 5)].concat();
            assert_eq!(push(&mut *down, &stream), stream, "{entry} {wrong:x?}");
        }
    }
}

#[test]
fn a_head_that_is_cut_off_leaves_with_the_end() {
    for entry in ["websocket: { drop: yes }", "websocket: { delay: 1s, side: request }"] {
        let mut down = down(entry);
        assert!(push(&mut *down, &[0x81, 126, 1]).is_empty());
        down.finish(NOW);
        assert_eq!(pull(&mut *down, NOW), (vec![0x81, 126, 1], Some(Out::End)));
    }
}

#[test]
fn every_message_is_late_by_as_much_and_never_less() {
    let mut down = down("websocket: { delay: 300ms }");
    for nth in 0..10 {
        let now = NOW + 100 * MS * nth;
        tune(&mut *down, now, true);
        down.push(now, frame(0x81, 10).into());
    }
    let mut left = Vec::new();
    while let Some(wake) = down.wake_at() {
        let early = wake.saturating_sub(Duration::from_nanos(1));
        tune(&mut *down, early, true);
        assert!(pull(&mut *down, early).0.is_empty());
        tune(&mut *down, wake, true);
        assert_eq!(pull(&mut *down, wake).0, frame(0x81, 10));
        left.push(wake);
    }
    let wanted: Vec<Tick> = (0..10).map(|nth| NOW + 300 * MS + 100 * MS * nth).collect();
    assert_eq!(left, wanted);
}

#[test]
fn a_close_waits_for_the_end_of_a_frame_but_not_for_ever() {
    let [mut up, mut down] = lanes("websocket: { close: { code: 1001, reason: bye } }");
    down.push(NOW, frame(0x82, 100)[..50].to_vec().into());
    for lane in [&mut up, &mut down] {
        tune(&mut **lane, NOW, true);
    }
    let (bytes, _) = pull(&mut *down, NOW);
    assert_eq!(bytes.len(), 50, "nothing stands in the middle of a frame");
    let (bytes, _) = pull(&mut *up, NOW);
    let mut tracker = Tracker::new(Parser::new(true));
    tracker.feed(&bytes);
    assert_eq!(tracker.sum(), Sum { bytes: 11, frames: 1, messages: 0, close: Some(1001) });

    let rest = [frame(0x82, 100)[50..].to_vec(), frame(0x81, 3)].concat();
    let close = close_frame(1001, "bye", None);
    assert_eq!(push(&mut *down, &rest), [frame(0x82, 100)[50..].to_vec(), close].concat());
    assert!(push(&mut *down, &frame(0x81, 3)).is_empty());

    assert!(push(&mut *up, &masked(0x81, b"still talking")).is_empty());
    assert_eq!(up.wake_at(), Some(NOW + CLOSE_WAIT));
    up.push(NOW, masked(0x88, &1001_u16.to_be_bytes()).into());
    assert_eq!(pull(&mut *up, NOW).1, Some(Out::Close(Close::Fin)));
    assert_eq!(pull(&mut *down, NOW).1, Some(Out::Close(Close::Fin)));
    assert!(up.is_empty() && down.is_empty() && up.wake_at().is_none());
}

#[test]
fn a_silence_holds_no_more_than_it_may() {
    let mut down = down("websocket: { stall: yes }");
    let (mut bytes, chunk) = (0, Bytes::from(frame(0x82, 0).repeat(8_000)));
    while down.room() > 0 && bytes < 512 * 1024 * 1024 {
        down.push(NOW, chunk.clone());
        tune(&mut *down, NOW, true);
        assert!(pull(&mut *down, NOW).0.is_empty());
        bytes += chunk.len();
    }
    assert!(bytes <= 300 * 1024 * 1024, "{bytes}");
    down.let_go(NOW);
    assert_eq!(pull(&mut *down, NOW).0.len(), bytes);
    assert!(down.is_empty() && down.wake_at().is_none());
}

#[test]
fn a_million_tiny_frames_are_one_run_and_not_a_million_pieces() {
    let mut down = down("websocket: { delay: 10ms }");
    let chunk = Bytes::from(frame(0x81, 0).repeat(32 * 1024));
    let mut pieces = 0;
    for _ in 0..31 {
        down.push(NOW, chunk.clone());
    }
    let later = NOW + 10 * MS;
    tune(&mut *down, later, true);
    while let Some(Out::Bytes(_)) = down.pull(later) {
        pieces += 1;
    }
    assert!(pieces <= 62, "{pieces}");
}

#[test]
fn forms_that_make_no_sense_are_refused() {
    for (entry, code) in [
        ("websocket: {}", Code::E0103),
        ("websocket: { stall: no }", Code::E0413),
        ("websocket: { delay: 0s }", Code::E0413),
        ("websocket: { drop: 0% }", Code::E0413),
        ("websocket: { drop: 20 }", Code::E0201),
        ("websocket: { close: 1006 }", Code::E0413),
        ("websocket: { close: 200 }", Code::E0203),
        ("websocket: { close: later }", Code::E0205),
        ("websocket: { close: {} }", Code::E0103),
        ("websocket: { stall: yes, drop: 20% }", Code::E0414),
        ("websocket: { stall: yes, close: 1001 }", Code::E0414),
        ("websocket: { close: 1001, after: 10 }", Code::E0201),
        ("websocket: { close: 1001, after: ten messages }", Code::E0202),
        ("websocket: { close: 1001, after: 10 frames }", Code::E0201),
        ("websocket: { close: 1001, way: up }", Code::E0101),
        ("websocket: { drop: 20%, side: client }", Code::E0205),
    ] {
        assert_eq!(codes(entry), [code], "{entry}");
    }
    let long = format!("websocket: {{ close: {{ code: 1001, reason: {} }} }}", "x".repeat(124));
    assert_eq!(codes(&long), [Code::E0203]);
}

#[test]
fn it_says_what_it_does() {
    for (entry, words) in [
        ("websocket: { close: 1001 }", "sockets closed with 1001"),
        (
            "websocket: { close: reset, after: 10 messages, side: response }",
            "sockets reset after 10 messages, of the upstream only",
        ),
        ("websocket: { delay: 300ms, drop: 20% }", "messages 300ms late, 20% of messages dropped"),
        ("websocket: { stall: yes, after: 30s }", "sockets fall silent after 30s"),
    ] {
        assert_eq!(fault(entry).describe(), words);
    }
}

/// One thing that may happen to a direction.
#[derive(Clone, Debug)]
enum Move {
    Wait(u64),
    Frame(u8, usize),
    Noise(Vec<u8>),
    Turn(bool),
    Finish,
    LetGo,
}

fn step() -> impl Strategy<Value = Move> {
    prop_oneof![
        (0_u64..2_000).prop_map(Move::Wait),
        (prop::sample::select(vec![0x81, 0x01, 0x80, 0x00, 0x89, 0x8a, 0x82]), 0_usize..400)
            .prop_map(|(first, length)| Move::Frame(first, length)),
        prop::collection::vec(any::<u8>(), 1..40).prop_map(Move::Noise),
        any::<bool>().prop_map(Move::Turn),
        Just(Move::Finish),
        Just(Move::LetGo),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, in whatever pieces: nothing is woken for without end, nothing follows the end,
    /// what passes is in order, and a fault that is over holds nothing back.
    #[test]
    fn nothing_is_held_that_should_have_left(
        steps in prop::collection::vec(step(), 1..60),
        cut in 1_usize..50,
    ) {
        for entry in [
            "websocket: { close: 1001, after: 3 messages }",
            "websocket: { close: 1001, after: 1s }",
            "websocket: { close: reset, after: 2 messages }",
            "websocket: { delay: 300ms, drop: 30% }",
            "websocket: { delay: 300ms }",
            "websocket: { stall: yes, after: 2 messages }",
        ] {
            let [_, mut lane] = lanes(entry);
            let (mut now, mut in_force, mut finished) = (NOW, true, false);
            let (mut pushed, mut left, mut end) = (Vec::new(), Vec::new(), None);
            let mut look = |lane: &mut dyn ByteFilter, now: Tick, in_force: bool, end: &mut Option<Out>| {
                tune(lane, now, in_force);
                let (bytes, out) = pull(lane, now);
                assert!(end.is_none() || (bytes.is_empty() && out.is_none()), "{entry}: after the end");
                left.extend(bytes);
                if out.is_some() {
                    *end = out;
                }
                if let Some(wake) = lane.wake_at() {
                    assert!(wake > now, "{entry}: a busy loop");
                    assert!(!lane.is_empty(), "{entry}: woken for nothing");
                }
            };
            for step in &steps {
                tune(&mut *lane, now, in_force);
                match step {
                    Move::Wait(millis) => now += MS * u32::try_from(*millis).unwrap(),
                    Move::Turn(on) => in_force = *on,
                    Move::Finish if !finished => {
                        finished = true;
                        lane.finish(now);
                    }
                    Move::Finish => {}
                    Move::LetGo => lane.let_go(now),
                    Move::Frame(..) | Move::Noise(_) if finished => {}
                    Move::Frame(first, length) => {
                        let frame = frame(*first, *length);
                        pushed.extend_from_slice(&frame);
                        for chunk in frame.chunks(cut) {
                            lane.push(now, Bytes::copy_from_slice(chunk));
                        }
                    }
                    Move::Noise(noise) => {
                        pushed.extend_from_slice(noise);
                        lane.push(now, Bytes::copy_from_slice(noise));
                    }
                }
                look(&mut *lane, now, in_force, &mut end);
            }
            if !finished {
                lane.finish(now);
            }
            look(&mut *lane, now, false, &mut end);
            while let Some(wake) = lane.wake_at() {
                now = wake;
                look(&mut *lane, now, false, &mut end);
            }
            prop_assert!(lane.is_empty() && end.is_some(), "{entry}: {end:?}");
            if !entry.contains("drop") && !entry.contains("close") {
                prop_assert_eq!(&left, &pushed, "{}", entry);
            }
        }
    }
}
