//! D15, connections: whether a client storms the door, and finds another one.
//!
//! **Rate.** The most connections opened in any window from the first fault on, over the mean in
//! calm. Windows are as long as 50 of them take in calm, from one second to ten, and slide by a
//! quarter; they are no longer than the calm, and a mean below one is taken for one. As for the recovery's peak, what chance makes of a
//! steady client and what this one did in calm (when it filled its pool, say) is no finding. Pass up
//! to 3, warn up to 10, fail above. Connections on which no request came are not counted. Least
//! sample: 30 attempts in calm.
//!
//! A connection that replaces one that broke in the same window, or the second before it, is forced, and
//! so is one in the place of a connection that we sent the client away from (`goaway`): the expectation
//! counts it, the finding does not.
//!
//! **Failover**, where a drill has several proxies: of operations whose attempt at one of them
//! failed, the time from that attempt's beginning to the first one at another; the median. RFC 8305
//! would begin after 250 ms. If of 20 such operations none went elsewhere, it never does.
//!
//! **Stale reuse** and **idle-close survival** are told in `stale`.
//!
//! Sources: RFC 8305, §5; RFC 9112, §9.3.1 and §9.6 (a client may meet a close at any time).

mod stale;

use crate::{
    event::EndedBy,
    verdict::{
        attempt::Attempt,
        detect::{Cx, Detector, Now},
        finding::{Claim, Finding, Grade, Measured, Weight},
        flow::Second,
        operation::Operation,
        phases::Phases,
        span::{Span, seconds_of, whole},
        stats::{Interval, Quantile, quantile, steady_peak},
    },
};
use std::collections::HashSet;

use stale::Stale;

/// Connections that a window of calm should hold.
const CONNECTIONS: f64 = 50.0;
/// The longest window, in seconds.
const WIDEST: usize = 10;
/// Attempts in calm without which nothing is compared.
const LEAST: f64 = 30.0;
/// Failing operations without which no absence is told of.
const FAILING: u64 = 20;
/// Failovers that are looked at, per phase.
const KEPT: usize = 2_000;
/// Connections that clients were sent away from, as far as they are remembered.
const REMEMBERED: usize = 10_000;
/// What comes later is not told apart by time: three days, in seconds.
const LONGEST: usize = 3 * 24 * 3600;
/// How sure it has to be that no steady client reaches as far.
const LEVEL: f64 = 0.95;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Connections {
    /// The proxies that were used, one bit each.
    proxies: u64,
    failovers: Phases<Failovers>,
    /// Connections that broke, or that clients were sent away from, by seconds.
    broken: Vec<u32>,
    /// Those that clients were sent away from: several streams of one may tell so.
    sent_away: HashSet<u64>,
    stale: Stale,
}

#[derive(Clone, Debug, Default)]
struct Failovers {
    failing: u64,
    /// Seconds from the first sign at one proxy to the first one at another.
    took: Vec<f64>,
}

/// The busiest window.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Peak {
    height: f64,
    chance: f64,
    window: usize,
}

impl Detector for Connections {
    fn name(&self) -> &'static str {
        "connections"
    }

    fn code(&self) -> &'static str {
        "D15"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn leans_on_links(&self) -> bool {
        false
    }

    fn leans_on_calm(&self, term: Option<&str>) -> bool {
        term.is_none_or(|term| term == "connection_rate_peak")
    }

    fn attempt(&mut self, attempt: &Attempt, _now: Now<'_>) {
        self.proxies |= 1 << attempt.proxy.min(63);
        self.stale.attempt(attempt);
        let gone = match attempt.ended_by {
            EndedBy::Completed if attempt.sent_away == 0 => return,
            EndedBy::Completed if !self.is_news(attempt.conn.0) => return,
            EndedBy::Completed => attempt.sent_away,
            _ => attempt.end,
        };
        let second = whole(gone).min(LONGEST);
        if self.broken.len() <= second {
            self.broken.resize(second + 1, 0);
        }
        self.broken[second] += 1;
    }

    fn operation(&mut self, operation: &Operation, _now: Now<'_>) {
        self.stale.operation(operation);
        let attempts = operation.attempts();
        let Some(failed) = attempts.iter().find(|attempt| !attempt.is_served()) else { return };
        let seen = self.failovers.at(operation.first().phase);
        seen.failing += 1;
        let elsewhere = attempts
            .iter()
            .find(|other| other.proxy != failed.proxy && other.start >= failed.start);
        if let Some(other) = elsewhere
            && seen.took.len() < KEPT
        {
            seen.took.push(other.start.saturating_sub(failed.start) as f64 / 1e6);
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let finding = match peak(cx, [&self.broken, cx.course.drained()]) {
            Ok(peak) => graded(peak),
            Err(Measured::TooFew { said, needs }) => Finding::inconclusive(said, needs),
            Err(Measured::NotExercised(why)) => Finding::not_applicable(why),
            Err(_) => Finding::not_applicable(""),
        };
        let finding =
            per_connection(finding, "attempts_per_connection_in_calm", cx, Span::calm(cx));
        let finding = per_connection(finding, "attempts_per_connection_after", cx, Span::after(cx));
        let finding = self.stale.told(finding, cx);
        match self.failover(None, cx) {
            Measured::Number { value, sample, .. } if value.is_finite() => {
                let mut finding = finding.figure("failover_time", value);
                finding.said = format!(
                    "{}; another endpoint is tried after {value:.2} s ({sample})",
                    finding.said
                );
                finding
            }
            _ => finding,
        }
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        Some(match term {
            "connection_rate_peak" => peak(cx, [&[], &[]]).map_or_else(|why| why, Peak::measured),
            "stale_connection_reuse" => self.stale.reuse(phase, cx),
            "survives_idle_close" => self.stale.survives(phase, cx),
            "failover_time" => self.failover(phase, cx),
            _ => return None,
        })
    }
}

impl Connections {
    /// Whether nobody was sent away from a connection yet, as far as is remembered.
    fn is_news(&mut self, conn: u64) -> bool {
        if self.sent_away.len() >= REMEMBERED {
            self.sent_away.clear();
        }
        self.sent_away.insert(conn)
    }

    fn failover(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let mut all = Failovers::default();
        for seen in self.failovers.asked(cx.course, phase) {
            all.failing += seen.failing;
            all.took.extend(&seen.took);
        }
        if self.proxies.count_ones() < 2 {
            return Measured::NotExercised("all traffic went to one proxy".to_owned());
        }
        if all.failing == 0 {
            return Measured::NotExercised("no operation failed at any of the proxies".to_owned());
        }
        all.took.sort_by(f64::total_cmp);
        let sample = format!("{} of {} operations that failed", all.took.len(), all.failing);
        let Some(middle) = all.took.get(all.took.len() / 2).copied() else {
            if all.failing < FAILING {
                return Measured::too_few(sample, format!("{FAILING} operations that fail"));
            }
            return Measured::exact(f64::INFINITY, sample);
        };
        match quantile(&all.took, 0.5, cx.level) {
            Quantile::Estimated(interval) => Measured::interval(interval, sample),
            Quantile::NotEstimable { .. } => {
                let ends = (all.took.first().copied(), all.took.last().copied());
                let (Some(low), Some(high)) = ends else { return Measured::exact(middle, sample) };
                Measured::interval(Interval { low, value: middle, high }, sample)
            }
        }
    }
}

impl Peak {
    fn measured(self) -> Measured {
        let height = if self.height > self.chance { self.height } else { self.height.min(1.0) };
        Measured::exact(height, self.said())
    }

    fn said(self) -> String {
        let Self { height, chance, window } = self;
        let than = if height <= chance { "no more than" } else { "more than" };
        format!(
            "new connections at {height:.2}x of calm in the busiest {window} s, {than} the \
             {chance:.2}x of a steady client"
        )
    }
}

fn graded(peak: Peak) -> Finding {
    let grade = match peak.height {
        height if height <= 3.0 || height <= peak.chance => Grade::Pass,
        height if height <= 10.0 => Grade::Warn,
        _ => Grade::Fail,
    };
    let finding = Finding::new(grade, Claim::Quantitative, peak.said())
        .figure("connection_rate_peak", peak.height)
        .figure("peak_by_chance", peak.chance);
    if grade == Grade::Pass {
        return finding;
    }
    finding.advice(
        "keep connections open and in a pool with a limit, and wait with jitter before opening them \
         anew",
    )
}

/// The busiest window, but for connections that replace broken ones; those by seconds, in two lists.
fn peak(cx: &Cx<'_>, broken: [&[u32]; 2]) -> Result<Peak, Measured> {
    let none = |why: &str| Measured::NotExercised(why.to_owned());
    let calm =
        Span::calm(cx).ok_or_else(|| none("there was no traffic in calm to compare with"))?;
    let fault = Span::fault(cx).ok_or_else(|| none("the faults never began"))?;
    let base = calm.came(cx);
    if base.attempts < LEAST {
        let said = format!("{:.0} attempts in {:.0} s of calm", base.attempts, base.seconds);
        return Err(Measured::too_few(said, format!("{LEAST:.0} of them")));
    }
    let rate = base.connections / base.seconds;
    // A window that began in calm and reached beyond it would compare the faults with themselves.
    let window = seconds_of(CONNECTIONS / rate).clamp(1, WIDEST.min(calm.seconds()));
    let mean = (rate * window as f64).max(1.0);
    let seconds = cx.flow.seconds();
    let to = seconds.len();
    if to <= fault.from {
        return Err(none("nothing came once the faults had begun"));
    }
    let windows = ((to - fault.from) / window).max(1);
    let steady = steady_peak(mean, 3 * windows as u64, LEVEL).unwrap_or(f64::INFINITY);
    let steady = steady * (1.0 + 1.645 / base.connections.max(mean).sqrt());
    Ok(Peak {
        height: busiest(seconds, broken, fault.from, to, window) / mean,
        chance: steady.max(busiest(seconds, broken, calm.from, calm.to, window) / mean),
        window,
    })
}

fn busiest(seconds: &[Second], broken: [&[u32]; 2], from: usize, to: usize, window: usize) -> f64 {
    let sum = |at: usize| {
        let opened = seconds.iter().skip(at).take(window);
        let opened: f64 = opened.map(|second| f64::from(second.connections)).sum();
        let (before, within) = (at.saturating_sub(1), window + at.min(1));
        let broken = broken.iter().flat_map(|broken| broken.iter().skip(before).take(within));
        (opened - broken.copied().map(f64::from).sum::<f64>()).max(0.0)
    };
    let last = to.saturating_sub(window).max(from);
    (from..=last).step_by((window / 4).max(1)).map(sum).fold(0.0, f64::max)
}

fn per_connection(finding: Finding, name: &str, cx: &Cx<'_>, span: Option<Span>) -> Finding {
    let Some(came) = span.map(|span| span.came(cx)).filter(|came| came.connections > 0.0) else {
        return finding;
    };
    finding.figure(name, came.attempts / came.connections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::traffic::{
        BEGINS, ENDS, OVER, Traffic, beat, chance, graded, judged_as, ok,
    };

    /// Ten users with a connection each, five requests per second in all.
    fn pooled(traffic: &mut Traffic) {
        for user in 1..=10 {
            traffic.extend(chance(user, 0.5, 0.0, OVER).map(|at| ok(user, at)));
        }
    }

    #[test]
    fn a_connection_for_each_request_is_no_storm() {
        let mut traffic = Traffic::expecting("connection_rate_peak: 3x");
        traffic.extend(chance(1, 5.0, 0.0, OVER).map(|at| ok(1, at).fresh()));
        let verdict = traffic.judged();
        assert_eq!(verdict.expectations[0].grade, Grade::Pass, "{:?}", verdict.expectations);
    }

    #[test]
    fn a_flood_of_connections_is_one() {
        let mut traffic = Traffic::expecting("connection_rate_peak: 3x");
        pooled(&mut traffic);
        traffic.extend(beat(50.0, BEGINS, BEGINS + 20.0).map(|at| ok(1, at).fresh().status(503)));
        let verdict = traffic.judged();
        assert_eq!(verdict.expectations[0].grade, Grade::Fail, "{:?}", verdict.expectations);
        let mut findings = verdict.parts[0].findings.iter();
        let found = findings.find(|finding| finding.detector == "connections").unwrap();
        graded(found, Grade::Fail, "more than the");
    }

    /// All ten connections are reset at once, and opened again at once: as they were at first.
    #[test]
    fn a_pool_that_is_filled_again_is_no_storm() {
        let mut traffic = Traffic::new();
        (1..=10).for_each(|user| traffic.add(ok(user, 0.1)));
        pooled(&mut traffic);
        (1..=10).for_each(|user| traffic.add(ok(user, ENDS + 0.1).fresh()));
        let finding = traffic.finding("connections");
        graded(&finding, Grade::Pass, "");
        assert!(finding.figures["attempts_per_connection_in_calm"].as_f64().unwrap() > 20.0);
    }

    /// Each is forced by the one that was reset before it.
    #[test]
    fn connections_that_replace_broken_ones_are_no_storm() {
        let mut traffic = Traffic::expecting("connection_rate_peak: 3x");
        pooled(&mut traffic);
        traffic.extend(beat(8.0, BEGINS, ENDS).map(|at| ok(1, at).fresh().left(0.05)));
        let verdict = traffic.judged();
        assert_eq!(verdict.expectations[0].grade, Grade::Fail, "it was asked for all of them");
        let mut findings = verdict.parts[0].findings.iter();
        let found = findings.find(|finding| finding.detector == "connections").unwrap();
        assert_eq!(found.grade, Grade::Pass, "{found:?}");
    }

    /// Calm is half as long as a window would be.
    #[test]
    fn a_flood_after_a_short_calm_is_no_chance() {
        let mut traffic = Traffic::of(
            "
phases:
  - { name: calm, for: 5s }
  - { name: outage, for: 30s, faults: [{ respond: 503 }] }
",
        );
        for user in 1..=8 {
            traffic.extend(beat(10.0, 0.01, 5.0).map(|at| ok(user, at)));
            traffic.extend(beat(10.0, 5.0, 9.0).map(|at| ok(user, at).fresh().status(503)));
        }
        graded(&traffic.finding("connections"), Grade::Fail, "in the busiest 5 s, more than the");
    }

    /// Eight connections that say GOAWAY, or `connection: close`, after each answer.
    #[test]
    fn connections_in_place_of_those_that_said_goaway_are_no_storm() {
        for (is_sent_away, grade) in [(true, Grade::Pass), (false, Grade::Fail)] {
            let mut traffic = Traffic::new();
            pooled(&mut traffic);
            traffic.extend(beat(8.0, BEGINS, ENDS).map(|at| {
                let this = ok(1, at).fresh();
                if is_sent_away { this.sent_away() } else { this }
            }));
            graded(&traffic.finding("connections"), grade, "");
        }
    }

    #[test]
    fn too_little_calm_and_none() {
        let mut traffic = Traffic::new();
        traffic.extend(beat(0.2, 0.0, OVER).map(|at| ok(1, at)));
        graded(
            &traffic.finding("connections"),
            Grade::Inconclusive,
            "20 attempts in 100 s of calm",
        );
        let mut traffic = Traffic::new();
        traffic.extend(beat(1.0, BEGINS, OVER).map(|at| ok(1, at)));
        graded(&traffic.finding("connections"), Grade::NotApplicable, "no traffic in calm");
    }

    #[test]
    fn without_a_drain_nothing_is_said_of_closed_connections() {
        for term in ["stale_connection_reuse: 1%", "survives_idle_close: true"] {
            let mut traffic = Traffic::expecting(term);
            pooled(&mut traffic);
            judged_as(&traffic.expectation(), Grade::NotApplicable, "`connections: drain`");
        }
    }

    /// One second after their connections were closed, all ten use them again.
    #[test]
    fn who_uses_closed_connections_is_told_so_and_whether_that_was_mended() {
        let kinds = [
            ("GET", Some(2_000_000), Grade::Pass),
            ("GET", None, Grade::Fail),
            ("POST", None, Grade::NotApplicable),
        ];
        for (method, elsewhere, grade) in kinds {
            let of = |term: &str| {
                let mut traffic = Traffic::expecting(term);
                pooled(&mut traffic);
                (1..=10).for_each(|user| traffic.drained(user, ENDS));
                for user in 1..=10 {
                    let what = format!("{method} /late/{user}");
                    traffic.add(ok(user, ENDS + 1.0).of(&what).stale());
                    if elsewhere.is_some() {
                        traffic.add(ok(user, ENDS + 1.1).of(&what).fresh());
                    }
                }
                traffic
            };
            judged_as(
                &of("survives_idle_close: true").expectation(),
                grade,
                match grade {
                    Grade::NotApplicable => "must not be sent twice",
                    Grade::Pass => "10 of 10 requests that came too late were asked again",
                    _ => "0 of 10 requests that came too late were asked again",
                },
            );
            let reuse = of("stale_connection_reuse: 0.1%").expectation();
            judged_as(&reuse, Grade::Fail, "10 idle connections were closed");
            let finding = of("survives_idle_close: true").finding("connections");
            assert_eq!(finding.figures["stale_requests"], 10);
            assert_eq!(finding.sightings.len(), if grade == Grade::Fail { 5 } else { 0 });
        }
    }

    /// Sixty connections that were closed at once are opened again at once.
    #[test]
    fn connections_that_replace_drained_ones_are_no_storm() {
        for (is_drained, grade) in [(true, Grade::Pass), (false, Grade::Warn)] {
            let mut traffic = Traffic::new();
            traffic.extend(
                (1..=60).flat_map(|user| chance(user, 0.1, 0.0, OVER).map(move |at| ok(user, at))),
            );
            for user in 1..=60 {
                if is_drained {
                    traffic.drained(user, ENDS);
                }
                traffic.add(ok(user, ENDS + 0.1).fresh());
            }
            graded(&traffic.finding("connections"), grade, "");
        }
    }

    #[test]
    fn who_opens_new_connections_instead_survives() {
        let mut traffic =
            Traffic::expecting("survives_idle_close: true, stale_connection_reuse: 1%");
        pooled(&mut traffic);
        (1..=10).for_each(|user| traffic.drained(user, ENDS));
        let verdict = traffic.judged();
        for judged in &verdict.expectations {
            assert_eq!(judged.grade, Grade::Pass, "{judged:?}");
        }
    }

    #[test]
    fn failover_is_timed_from_the_first_sign_at_the_dead_endpoint() {
        for (gap, grade) in [(0.3, Grade::Pass), (5.0, Grade::Fail)] {
            let mut traffic = Traffic::expecting("failover_time: 1s");
            pooled(&mut traffic);
            for (at, nth) in beat(0.5, BEGINS, ENDS - 10.0).zip(0..) {
                let what = format!("GET /cart/{nth}");
                traffic.add(ok(1, at).of(&what).left(gap - 0.1));
                traffic.add(ok(1, at + gap).of(&what).proxy(1));
            }
            judged_as(&traffic.expectation(), grade, "85 of 85 operations that failed");
        }
    }

    #[test]
    fn who_stays_with_the_dead_endpoint_never_fails_over() {
        for (failures, grade) in [(60.0, Grade::Fail), (10.0, Grade::Inconclusive)] {
            let mut traffic = Traffic::expecting("failover_time: 1s");
            pooled(&mut traffic);
            traffic.extend(beat(1.0, 0.0, OVER).map(|at| ok(2, at).proxy(1)));
            traffic.extend(beat(1.0, BEGINS, BEGINS + failures).map(|at| ok(1, at).status(503)));
            assert_eq!(traffic.expectation().grade, grade);
        }
        let mut alone = Traffic::expecting("failover_time: 1s");
        pooled(&mut alone);
        judged_as(&alone.expectation(), Grade::NotApplicable, "one proxy");
    }
}
