use super::*;
use crate::{
    diag::Code,
    fault::{
        Out,
        budget::Budget,
        support::{codes, cx, cx_at, drain, effect, fault, moment, read_in},
    },
    timeline::Moving,
};
use bytes::Bytes;

const MILLISECOND: Duration = Duration::from_millis(1);

fn delay(fault: &Arc<dyn Fault>, stage: Stage, cx: &Cx) -> Duration {
    match fault.decide(stage, cx) {
        Effect::Delay(delay) => delay,
        Effect::Pass => Duration::ZERO,
        other => panic!("{other:?} is no delay"),
    }
}

#[test]
fn a_fixed_delay_is_exact_on_the_side_asked_for() {
    assert!(matches!(
        effect("latency: 300ms", Stage::RequestDelay),
        Effect::Delay(delay) if delay == 300 * MILLISECOND
    ));
    let response = fault("latency: { mean: 300ms, side: response }");
    assert_eq!(response.stages(), [Stage::ResponseDelay]);
    assert_eq!(delay(&response, Stage::ResponseDelay, &cx(0)), 300 * MILLISECOND);
    let both = fault("latency: { mean: 300ms, side: both }");
    assert_eq!(both.stages(), [Stage::RequestDelay, Stage::ResponseDelay]);
}

#[test]
fn a_delay_moves_and_at_zero_it_is_none() {
    let rising = fault("latency: 0ms -> 2s");
    assert!(rising.moves());
    assert!(matches!(rising.decide(Stage::RequestDelay, &cx(0)), Effect::Pass));
    let halfway = cx_at(0, Duration::from_secs(30));
    assert_eq!(delay(&rising, Stage::RequestDelay, &halfway), Duration::from_secs(1));
}

/// With 4000 draws a share of 10 % has a standard deviation of 0.5 %; four are allowed.
#[test]
fn draws_of_messages_are_spread_as_asked() {
    let skewed = fault("latency: { percentiles: { p0: 0ms, p50: 20ms, p90: 80ms, p100: 900ms } }");
    let mut delays: Vec<_> =
        (0..4_000).map(|nth| delay(&skewed, Stage::RequestDelay, &cx(nth))).collect();
    delays.sort();
    let share = |limit: u32| delays.iter().filter(|d| **d <= limit * MILLISECOND).count();
    assert!(share(20).abs_diff(2_000) <= 127, "{} up to the median", share(20));
    assert!(share(80).abs_diff(3_600) <= 76, "{} up to p90", share(80));
}

#[test]
fn the_same_message_draws_the_same_and_each_side_its_own() {
    let both = fault("latency: { mean: 300ms, jitter: 300ms, side: both }");
    let request = delay(&both, Stage::RequestDelay, &cx(5));
    assert_eq!(request, delay(&both, Stage::RequestDelay, &cx(5)));
    assert_ne!(request, delay(&both, Stage::ResponseDelay, &cx(5)));
    assert_ne!(request, delay(&both, Stage::RequestDelay, &cx(6)));
}

#[test]
fn per_connection_all_messages_of_a_connection_wait_as_long() {
    let sticky = fault("latency: { mean: 300ms, jitter: 300ms, per: connection }");
    let first = cx(1);
    let second = Cx { message: cx(2).message, ..first };
    assert_eq!(
        delay(&sticky, Stage::RequestDelay, &first),
        delay(&sticky, Stage::RequestDelay, &second)
    );
    assert_ne!(
        delay(&sticky, Stage::RequestDelay, &first),
        delay(&sticky, Stage::RequestDelay, &cx(2))
    );
}

#[test]
fn a_wandering_delay_is_the_same_for_everybody_at_one_time() {
    let walk = fault("latency: { median: 60ms, p99: 900ms, wander: 20s }");
    let early = Duration::from_secs(3);
    let one = delay(&walk, Stage::RequestDelay, &cx_at(1, early));
    assert_eq!(one, delay(&walk, Stage::RequestDelay, &cx_at(2, early)));
    let later = delay(&walk, Stage::RequestDelay, &cx_at(1, early + Duration::from_secs(20)));
    assert_ne!(one, later);
}

/// Pieces that come every 0.5 ms wait for the largest delay so far: 141 ms on average instead of
/// 100 ms, over bodies of 64 pieces as long as this one's.
#[test]
fn pieces_of_a_body_never_overtake_and_so_wait_longer() {
    let (chunked, problems) = read_in(None, "latency: { mean: 100ms, jitter: 50ms, per: chunk }");
    let codes: Vec<_> = problems.sorted().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::W0411]);
    let chunked = chunked.expect("a warning withholds nothing");
    let mean = |gap: Duration| {
        let mut total = Duration::ZERO;
        let mut count = 0;
        for nth in 0..20 {
            let Effect::Shape(mut filter) = chunked.decide(Stage::Body, &cx(nth)) else {
                panic!("no filter")
            };
            let pushes: Vec<Duration> = (0..500).map(|n| n * gap).collect();
            count += 500;
            total += waits(filter.as_mut(), &pushes).iter().sum::<Duration>();
        }
        (total / count).as_secs_f64() * 1e3
    };
    assert!((mean(MILLISECOND / 2) - 141.0).abs() < 4.0, "{}", mean(MILLISECOND / 2));
    assert!((mean(20 * MILLISECOND) - 111.0).abs() < 3.0, "{}", mean(20 * MILLISECOND));
}

/// How long each of the pieces pushed at these times is held.
fn waits(filter: &mut dyn ByteFilter, pushes: &[Duration]) -> Vec<Duration> {
    let mut waits = Vec::new();
    let mut next = pushes.iter().peekable();
    while waits.len() < pushes.len() {
        let push = next.peek().map(|at| **at);
        let now = push.into_iter().chain(filter.wake_at()).min().expect("something is to come");
        filter.tune(now, Some(&moment(now)));
        while next.next_if(|at| **at <= now).is_some() {
            filter.push(now, Bytes::from_static(b"x"));
        }
        for _ in 0..drain(filter, now).0.len() {
            waits.push(now.saturating_sub(pushes[waits.len()]));
        }
    }
    waits
}

/// The filter of one direction of a connection whose protocol is not known.
fn on_bytes(entry: &str, way: Way, nth: u64) -> Option<Box<dyn ByteFilter>> {
    let (fault, _warnings) = read_in(None, entry);
    let fault = fault.and_then(|fault| fault.on_bytes()).expect("it works on bytes");
    fault.filter(way, cx(nth).connection, cx(nth).shared)
}

#[test]
fn without_messages_every_chunk_is_held_from_when_it_came() {
    let mut filter = on_bytes("latency: 300ms", Way::Up, 0).expect("of requests");
    let pushes: Vec<Duration> = [0, 1, 250, 299, 301, 900].map(|at| at * MILLISECOND).into();

    assert_eq!(waits(filter.as_mut(), &pushes), [300 * MILLISECOND; 6]);
}

#[test]
fn without_messages_the_side_is_kept() {
    for (entry, up, down) in [
        ("latency: 300ms", true, false),
        ("latency: { mean: 300ms, side: response }", false, true),
        ("latency: { mean: 300ms, side: both }", true, true),
        ("latency: { mean: 300ms, per: chunk }", false, true),
    ] {
        let has = |way| on_bytes(entry, way, 0).is_some();
        assert_eq!((has(Way::Up), has(Way::Down)), (up, down), "{entry}");
    }
}

#[test]
fn without_messages_the_end_is_not_delayed_and_never_overtakes() {
    let mut filter = on_bytes("latency: 300ms", Way::Up, 0).expect("of requests");
    filter.tune(MILLISECOND, Some(&moment(MILLISECOND)));
    filter.push(MILLISECOND, Bytes::from_static(b"last"));
    filter.finish(100 * MILLISECOND);
    assert_eq!(drain(filter.as_mut(), 300 * MILLISECOND), (Bytes::new(), false));
    assert_eq!(drain(filter.as_mut(), 301 * MILLISECOND), (Bytes::from_static(b"last"), true));

    let mut idle = on_bytes("latency: 300ms", Way::Up, 0).expect("of requests");
    idle.tune(MILLISECOND, Some(&moment(MILLISECOND)));
    idle.finish(MILLISECOND);
    assert_eq!(drain(idle.as_mut(), MILLISECOND), (Bytes::new(), true));
}

#[test]
fn without_messages_a_connection_draws_once_and_each_way_for_itself() {
    let entry = "latency: { mean: 300ms, jitter: 300ms, per: connection, side: both }";
    let pushes: Vec<Duration> = (0..20).map(|nth| nth * 1_000 * MILLISECOND).collect();
    let wait = |way, nth| {
        let waits = waits(on_bytes(entry, way, nth).expect("both").as_mut(), &pushes);
        assert!(waits.iter().all(|wait| *wait == waits[0]), "{waits:?}");
        waits[0]
    };
    assert_eq!(wait(Way::Up, 1), wait(Way::Up, 1));
    assert_ne!(wait(Way::Up, 1), wait(Way::Down, 1));
    assert_ne!(wait(Way::Up, 1), wait(Way::Up, 2));
}

const CHUNK: Bytes = Bytes::from_static(&[0; 16 * 1024]);

/// 100 MB in a second, held for 200 ms: nothing is refused, and every byte is as late as the next.
#[test]
fn a_delay_does_not_narrow_the_pipe() {
    let distribution = Distribution::Fixed(Moving::Fixed(200 * MILLISECOND));
    let shared = Budget::of_its_own(budget::SHARED_BYTES);
    let mut filter = Staggered::new(Arc::new(distribution), Draws::Once(0.5), shared);
    let (mut came, mut left) = (0, 0);
    for millis in 0..1_200 {
        let now = millis * MILLISECOND;
        filter.tune(now, Some(&moment(now)));
        while let Some(Out::Bytes(bytes)) = filter.pull(now) {
            left += bytes.len();
        }
        if millis >= 200 {
            assert!(left >= 100_000 * (millis as usize - 199), "{left} bytes at {now:?}");
        }
        while millis < 1_000 && came < 100_000 * (millis as usize + 1) {
            filter.tune(now, Some(&moment(now)));
            assert!(filter.room() >= CHUNK.len(), "no room at {now:?}");
            filter.push(now, CHUNK);
            came += CHUNK.len();
        }
    }
    assert_eq!(left, came);
}

#[test]
fn a_thousand_streams_that_are_stuck_stay_within_the_budget() {
    let shared = Budget::of_its_own(budget::SHARED_BYTES);
    let distribution = Arc::new(Distribution::Fixed(Moving::Fixed(Duration::from_secs(3_600))));
    let mut held = 0;
    let streams: Vec<Staggered> = (0..1_000)
        .map(|_| {
            let mut stream = Staggered::new(Arc::clone(&distribution), Draws::Once(0.5), shared);
            loop {
                stream.tune(MILLISECOND, Some(&moment(MILLISECOND)));
                if stream.room() == 0 {
                    return stream;
                }
                stream.push(MILLISECOND, CHUNK);
                held += CHUNK.len();
            }
        })
        .collect();
    // The last chunk of each may go beyond what was left of its room.
    let most = budget::SHARED_BYTES + 1_000 * (budget::OWN + CHUNK.len());
    assert!(held <= most && held >= budget::SHARED_BYTES * 9 / 10 + 1_000 * budget::OWN * 9 / 10);
    assert!(shared.left() < budget::SHARED_BYTES / 100);

    drop(streams);

    assert_eq!(shared.left(), budget::SHARED_BYTES);
}

#[test]
fn forms_that_make_no_sense_are_refused() {
    for (entry, code) in [
        ("latency: 0ms", Code::E0413),
        ("latency: 300", Code::E0201),
        ("latency: { mean: 0s }", Code::E0413),
        ("latency: { mean: 50ms, jitter: 80ms }", Code::E0411),
        ("latency: { mean: 50ms -> 100ms, jitter: 80ms }", Code::E0411),
        ("latency: { jitter: 80ms }", Code::E0414),
        ("latency: { mean: 50ms, shape: normal }", Code::E0414),
        ("latency: { mean: 50ms, jitter: 5ms, shape: bell }", Code::E0205),
        ("latency: { median: 2s, p99: 180ms }", Code::E0412),
        ("latency: { median: 2s, p99: 2s }", Code::E0412),
        ("latency: { median: 2s }", Code::E0414),
        ("latency: { p99: 2s }", Code::E0414),
        ("latency: { mean: 1s, median: 2s, p99: 3s }", Code::E0414),
        ("latency: { percentiles: { p50: 90ms, p90: 80ms } }", Code::E0412),
        ("latency: { percentiles: { p50: 20ms, p50.0: 80ms } }", Code::E0412),
        ("latency: { percentiles: { q50: 20ms } }", Code::E0420),
        ("latency: { percentiles: { p101: 20ms } }", Code::E0420),
        ("latency: { percentiles: { pNaN: 20ms } }", Code::E0420),
        ("latency: { percentiles: {} }", Code::E0103),
        ("latency: {}", Code::E0103),
        ("latency: { side: both }", Code::E0103),
        ("latency: { mean: 1s, wander: 20s }", Code::E0414),
        ("latency: { median: 1s, p99: 2s, wander: 0s }", Code::E0203),
        ("latency: { median: 1s, p99: 2s, wander: 9s, per: connection }", Code::E0414),
        ("latency: { mean: 1s, per: chunk, side: both }", Code::E0414),
        ("latency: { mean: 1s, for: 3s }", Code::E0101),
    ] {
        assert_eq!(codes(entry), [code], "{entry}");
    }
}

#[test]
fn a_ramp_may_begin_with_nothing() {
    for entry in [
        "latency: { mean: 0ms -> 300ms, jitter: 0ms -> 80ms }",
        "latency: { median: 0ms -> 180ms, p99: 0ms -> 2s }",
        "latency: { mean: { curve: [[0s, 0s], [9s, 1s]] }, jitter: { curve: [[9s, 0s], [10s, 1s]] } }",
    ] {
        let ramp = fault(entry);
        assert!(matches!(ramp.decide(Stage::RequestDelay, &cx(0)), Effect::Pass), "{entry}");
        assert!(ramp.moves());
    }
}

#[test]
fn it_says_what_it_does_in_a_few_words() {
    for (entry, words) in [
        ("latency: 300ms", "300ms"),
        ("latency: { mean: 300ms, jitter: 80ms }", "300ms ± 80ms"),
        (
            "latency: { median: 60ms, p99: 900ms, wander: 20s, side: both }",
            "median 60ms, p99 900ms, wandering over 20s, each way",
        ),
        ("latency: { percentiles: { p50: 1ms, p99.9: 2ms } }", "p50 1ms, p99.9 2ms"),
    ] {
        assert_eq!(fault(entry).describe(), words);
    }
}
