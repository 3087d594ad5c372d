use super::*;
use crate::{
    diag::Code,
    fault::{
        Tick,
        packet_loss::bench::{bulk, exchanges, mean, pftk, shared, stream, transfer},
        support::{codes, cx, cx_at, drain, fault, moment},
    },
};
use bytes::Bytes;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Of `n` draws that hit with probability `p`, within four standard deviations.
fn within_four_sigma(found: usize, n: usize, p: f64) {
    let expected = n as f64 * p;
    let sigma = (expected * (1.0 - p)).sqrt();
    let off = (found as f64 - expected).abs();
    assert!(off <= 4.0 * sigma, "{found} of {n}, expected {expected:.0} ± {sigma:.0}");
}

#[test]
fn twice_the_rate_of_small_calls_stalls_and_by_a_time_out() {
    for (rate, p) in [("1%", 0.01), ("2%", 0.02), ("5%", 0.05)] {
        let took = exchanges(&format!("packet_loss: {{ rate: {rate}, rtt: 40ms }}"), 200, 60);
        let stalls: Vec<f64> =
            took.iter().map(|took| took - 40.0).filter(|stall| *stall > 100.0).collect();
        within_four_sigma(stalls.len(), took.len(), 1.0 - (1.0 - p) * (1.0 - p));
        let median = stalls[stalls.len() / 2];
        assert!((median - 240.0).abs() <= 10.0, "{rate}: stalled by {median} ms");
        let untouched = took.iter().filter(|took| (**took - 40.0).abs() < 1e-3).count();
        assert_eq!(untouched + stalls.len(), took.len(), "the others notice nothing");
    }
}

/// E[latency] = r + 2 · RTO · p(1 − p)/(1 − 2p). A stall has a standard deviation of about 140 ms
/// around its mean, and 12000 exchanges with 2p of them stalled leave an error of the mean of 0.5 ms.
#[test]
fn the_mean_of_small_calls_is_that_of_the_closed_form() {
    for (rate, p) in [("2%", 0.02), ("5%", 0.05)] {
        let took = exchanges(&format!("packet_loss: {{ rate: {rate}, rtt: 40ms }}"), 200, 120);
        let expected = 40.0 + 2.0 * 240.0 * p * (1.0 - p) / (1.0 - 2.0 * p);
        let found = mean(&took);
        assert!((found - expected).abs() < 2.5, "{rate}: {found} ms, not {expected} ms");
    }
}

/// Means that an independent implementation of the same model found over 20000 exchanges. Their
/// standard deviation is about as large as they are, so 3000 exchanges here leave an error of 2 %;
/// the rest of the 10 % is for what two implementations may do differently.
#[test]
fn ten_segments_take_as_long_as_in_the_reference_model() {
    for (settings, reference) in [
        ("{ rate: 1%, rtt: 40ms }", 74.1),
        ("{ rate: 2%, rtt: 40ms }", 93.7),
        ("{ rate: 5%, rtt: 40ms }", 140.9),
        ("{ rate: 2%, rtt: 40ms, congestion: reno }", 94.2),
        ("{ rate: 2%, rtt: 100ms }", 221.6),
        ("{ rate: 5%, rtt: 10ms }", 51.6),
    ] {
        let found = mean(&exchanges(&format!("packet_loss: {settings}"), 14_480, 30));
        assert!((found / reference - 1.0).abs() < 0.1, "{settings}: {found}, not {reference} ms");
    }
}

#[test]
fn a_long_transfer_is_as_slow_as_theory_says() {
    for congestion in ["reno", "cubic"] {
        for (rate, p) in [("0.5%", 0.005), ("1%", 0.01), ("2%", 0.02)] {
            let settings = format!("{{ rate: {rate}, rtt: 40ms, congestion: {congestion} }}");
            let found = bulk(&format!("packet_loss: {settings}"), 20_000_000);
            let off = found / pftk(p, 0.04) - 1.0;
            assert!(off.abs() < 0.35, "{settings}: {found:.0} B/s, off by {off:.2}");
        }
    }
}

#[test]
fn bbr_stalls_but_keeps_its_rate() {
    let cubic = bulk("packet_loss: { rate: 1%, rtt: 40ms }", 8_000_000);
    let bbr = bulk("packet_loss: { rate: 1%, rtt: 40ms, congestion: bbr }", 8_000_000);
    assert!(bbr > 8.0 * cubic, "{bbr:.0} B/s beside {cubic:.0} B/s");
}

#[test]
fn without_loss_only_the_way_and_the_window_take_time() {
    let one = |settings: &str, size| {
        let fault = fault(&format!("packet_loss: {settings}"));
        transfer(stream(&fault, Way::Down, 0).as_mut(), SECOND, size).saturating_sub(SECOND)
    };
    // The rate rises from nothing, so there is none at the start of the phase.
    let free = "{ curve: [[0s, 0%], [59s, 0%], [60s, 1%]] }";
    assert_eq!(one(free, 14_480), Duration::ZERO, "ten segments fit into the first window");
    assert_eq!(one(free, 14_481), 40 * MILLISECOND, "the next one waits for a round trip");
    let paid = format!("{{ rate: {free}, rtt: 80ms }}");
    assert_eq!(one(&paid, 14_480), 40 * MILLISECOND, "half of the round trip that is written");
}

/// One segment, all of whose tries are lost until the rate falls to nothing.
fn hit(until: Tick) -> (Box<dyn ByteFilter>, Tick) {
    let fault = fault("packet_loss: 100%");
    let mut stream = stream(&fault, Way::Down, 0);
    stream.tune(Tick::ZERO, Some(&moment(Tick::ZERO)));
    stream.push(Tick::ZERO, Bytes::from_static(b"held"));
    let mut wake = Tick::ZERO;
    while wake < until {
        stream.tune(wake, Some(&moment(wake)));
        assert_eq!(stream.pull(wake), None);
        wake = stream.wake_at().expect("a retry is to come");
    }
    (stream, wake)
}

#[test]
fn retries_come_at_gaps_that_double() {
    let (mut stream, mut retry) = hit(MILLISECOND);
    let mut gaps = Vec::new();
    for _ in 0..11 {
        stream.tune(retry, Some(&moment(retry)));
        let next = stream.wake_at().expect("it never gives up");
        gaps.push(next.saturating_sub(retry).as_millis());
        retry = next;
    }
    // The probe came after 240 ms, the first time-out 240 ms later.
    assert_eq!(
        gaps,
        [240, 480, 960, 1_920, 3_840, 7_680, 15_360, 30_720, 61_440, 120_000, 120_000]
    );
}

#[test]
fn after_total_loss_the_next_byte_comes_with_the_next_retry_and_not_before() {
    let (mut stream, retry) = hit(10 * SECOND);
    let over = 10 * SECOND;
    assert!(retry > over + SECOND, "the next retry is some way off: {retry:?}");

    stream.tune(over, None);
    assert_eq!(stream.pull(over), None);
    stream.push(over, Bytes::from_static(b" back"));
    assert_eq!(stream.pull(over), None, "behind what is held");
    assert_eq!(stream.wake_at(), Some(retry));

    stream.tune(retry, None);
    assert_eq!(drain(stream.as_mut(), retry).0, "held back");
    let later = retry + MILLISECOND;
    stream.tune(later, None);
    stream.push(later, Bytes::from(vec![0; 100_000]));
    assert_eq!(drain(stream.as_mut(), later).0.len(), 100_000, "nothing is in the way any more");
}

#[test]
fn a_late_driver_delays_nothing_that_follows() {
    let (mut on_time, retry) = hit(SECOND);
    let (mut late, _) = hit(SECOND);
    on_time.tune(retry, Some(&moment(retry)));
    late.tune(retry + 3 * MILLISECOND, Some(&moment(retry)));
    assert_eq!(on_time.wake_at(), late.wake_at());
}

#[test]
fn the_end_of_the_stream_may_be_lost_like_any_segment() {
    let fault = fault("packet_loss: 30%");
    let mut late = 0;
    for nth in 0..200 {
        let mut stream = stream(&fault, Way::Down, nth);
        stream.tune(Tick::ZERO, Some(&moment(Tick::ZERO)));
        stream.finish(Tick::ZERO);
        late += usize::from(!drain(stream.as_mut(), Tick::ZERO).1);
    }
    within_four_sigma(late, 200, 0.3);
}

#[test]
fn losses_are_the_same_whenever_the_segments_come() {
    let fault = fault("packet_loss: 20%");
    let lost = |gap: Duration| {
        let mut stream = stream(&fault, Way::Up, 4);
        let mut now = Tick::ZERO;
        let mut lost = Vec::new();
        for n in 0..200 {
            let there = transfer(stream.as_mut(), now, 100);
            if there > now {
                lost.push(n);
            }
            now = there + gap;
        }
        lost
    };
    let sparse = lost(SECOND);
    assert!(sparse.len() > 20);
    assert_eq!(sparse, lost(50 * MILLISECOND));
}

#[test]
fn directions_and_connections_lose_different_segments() {
    let fault = fault("packet_loss: 20%");
    let delay = |way, nth| {
        let mut stream = stream(&fault, way, nth);
        transfer(stream.as_mut(), Tick::ZERO, 144_800)
    };
    assert_eq!(delay(Way::Up, 0), delay(Way::Up, 0));
    assert_ne!(delay(Way::Up, 0), delay(Way::Down, 0));
    assert_ne!(delay(Way::Up, 0), delay(Way::Up, 1));
}

/// The share of segments lost is that of bad time by the loss in it: 4 % of 60 %. Looks are 20 s
/// apart on 100 walks, so they are nearly independent.
#[test]
fn bursts_lose_their_share_of_segments_and_all_connections_agree() {
    let entry = "packet_loss: { burst: { bad: 800ms, every: 20s, loss: 60% } }";
    let (mut stalled, mut bad_times) = (0, 0);
    for run in 0..5_000 {
        let now = run * 20 * SECOND;
        let mut hits = 0;
        for nth in 0..4 {
            let cx = cx_at(u64::from(run) * 4 + nth, now);
            let mut stream = fault(entry)
                .filter(Way::Down, cx.connection, cx.shared)
                .expect("it shapes connections");
            stream.tune(now, Some(&cx.moment));
            stream.push(now, Bytes::from_static(b"x"));
            hits += usize::from(stream.pull(now).is_none());
        }
        stalled += hits;
        bad_times += usize::from(hits > 0);
    }
    // A fifth of the four is not hit in bad weather by chance: 1 − 0.4⁴ of the bad times show.
    within_four_sigma(bad_times, 5_000, 0.04 * (1.0 - 0.4_f64.powi(4)));
    let share = stalled as f64 / 20_000.0;
    assert!((share - 0.024).abs() < 0.007, "{share}");
}

#[test]
fn a_lost_syn_holds_a_new_connection_for_whole_seconds() {
    let lossy = fault("packet_loss: 10%");
    assert_eq!(lossy.stages(), [Stage::Connect]);
    let wait = |fault: &Arc<dyn Fault>, nth| match fault.decide(Stage::Connect, &cx(nth)) {
        Effect::Pass => 0,
        Effect::Delay(wait) => wait.as_secs(),
        other => panic!("{other:?} is no delay"),
    };
    let waits: Vec<u64> = (0..4_000).map(|nth| wait(&lossy, nth)).collect();
    within_four_sigma(waits.iter().filter(|wait| **wait == 0).count(), 4_000, 0.81);
    within_four_sigma(waits.iter().filter(|wait| **wait == 1).count(), 4_000, 0.154);
    let one_way = fault("packet_loss: { rate: 10%, side: response }");
    let held = (0..4_000).filter(|nth| wait(&one_way, *nth) > 0).count();
    within_four_sigma(held, 4_000, 0.1);
    assert!(fault("packet_loss: { rate: 10%, syn: none }").stages().is_empty());
}

#[test]
fn the_side_without_loss_still_takes_its_time() {
    let loss = fault("packet_loss: { rate: 100%, side: response, rtt: 80ms, syn: none }");
    let mut up = stream(&loss, Way::Up, 0);
    assert_eq!(transfer(up.as_mut(), SECOND, 1_000), SECOND + 40 * MILLISECOND);
    let free = fault("packet_loss: { rate: 100%, side: response }");
    assert!(free.filter(Way::Up, shared(), shared()).is_none());
}

#[test]
fn wrong_forms_are_refused() {
    for (entry, code) in [
        ("packet_loss: 0%", Code::E0413),
        ("packet_loss: 2", Code::E0201),
        ("packet_loss: 101%", Code::E0203),
        ("packet_loss: {}", Code::E0103),
        ("packet_loss: { rtt: 40ms }", Code::E0103),
        ("packet_loss: { rate: 2%, rtt: 0ms }", Code::E0203),
        ("packet_loss: { rate: 2%, rtt: 11s }", Code::E0203),
        ("packet_loss: { rate: 2%, congestion: vegas }", Code::E0205),
        ("packet_loss: { rate: 2%, syn: linux }", Code::E0205),
        ("packet_loss: { burst: { bad: 20s, every: 20s, loss: 60% } }", Code::E0421),
        ("packet_loss: { burst: { bad: 0s, every: 20s, loss: 60% } }", Code::E0421),
        ("packet_loss: { burst: { bad: 1s, every: 20s } }", Code::E0103),
        ("packet_loss: { burst: { bad: 1s, every: 20s, loss: 0% } }", Code::E0413),
    ] {
        assert_eq!(codes(entry), [code], "{entry}");
    }
}

#[test]
fn it_says_what_it_does_in_a_few_words() {
    let entry =
        "packet_loss: { rate: 0.1%, rtt: 80ms, burst: { bad: 800ms, every: 20s, loss: 60% } }";
    assert_eq!(fault(entry).describe(), "0.1% loss, 60% for 800ms every 20s, rtt 80ms");
    assert!(!fault(entry).moves());
    assert!(fault("packet_loss: 0% -> 2%").moves());
}
