//! D19, the service that users had.
//!
//! - *availability* = operations served in the end / operations seen. It flatters a client that
//!   stopped asking, so it is never told alone.
//! - *goodput ratio* GR = operations served per second under faults / in calm: what users had.
//! - *latency* of an operation: from its first attempt to its success, backoff included; quantiles by
//!   order statistics, which say "not estimable" below 29, 59, 299 operations for p90, p95, p99.
//! - *efficiency* η = (S − S₁) / (S* − S₁): of what the best client could have had beyond first
//!   attempts (S₁), what this one got. S* is known because the drill knows its own faults: an
//!   operation that began at t is recoverable with probability 1 − Π f(t + 5k s) over a user's
//!   [patience](PATIENCE), f being the probability that an attempt then would have been denied. η tells
//!   a hard outage from a poor client. It is undefined if S* − S₁ is below 2 %: nothing to be had; and
//!   unknown if the service failed in calm, since what it does not serve by itself nobody could have had.
//!
//! Pass η ≥ 0.8, warn ≥ 0.5. Least sample: 30 operations. Availability and GR are told, not graded:
//! what is enough is for `expect` to say.
//!
//! Intervals: bootstrap by client. Sources: Google SRE, chapter 22 (goodput); Dean and Barroso, The
//! Tail at Scale.

use crate::verdict::{
    course::Stage,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Weight},
    operation::Operation,
    phases::Phases,
    ratio::Ratio,
    stats::{Cluster, Quantile, quantile_by_rank, ratio_interval},
};
use hdrhistogram::Histogram;

/// How long a user is taken to wait for what they want, in seconds.
pub const PATIENCE: u64 = 30;
/// Latencies are told to two digits, up to an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;
/// Less than this cannot be called something to be had.
const RECOVERABLE: f64 = 0.02;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Service {
    seen: Phases<Seen>,
    /// Operations served in calm, by client.
    calm: Vec<f64>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// Served over seen.
    availability: Ratio,
    /// Operations served, by client.
    served: Vec<f64>,
    latency: Latency,
    /// Of operations for which it is known: the served, the served at first, and the recoverable.
    known: u64,
    got: f64,
    at_once: f64,
    oracle: f64,
}

/// A histogram that comes to be when there is something in it.
#[derive(Clone, Debug, Default)]
struct Latency(Option<Histogram<u64>>);

impl Latency {
    fn histogram(&mut self) -> &mut Histogram<u64> {
        self.0.get_or_insert_with(|| {
            Histogram::new_with_max(LONGEST_MICROS, 2)
                .expect("the bounds are constants that the histogram allows")
        })
    }

    fn merge(&mut self, other: &Self) {
        if let Some(other) = &other.0 {
            // Both have the same bounds.
            let _fits = self.histogram().add(other);
        }
    }
}

impl Detector for Service {
    fn name(&self) -> &'static str {
        "service"
    }

    fn code(&self) -> &'static str {
        "D19"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn leans_on_calm(&self, term: Option<&str>) -> bool {
        term == Some("goodput_ratio")
    }

    fn operation(&mut self, operation: &Operation, now: Now<'_>) {
        let first = operation.first();
        let served = operation.is_served();
        if now.stage == Stage::Base && served {
            count(&mut self.calm, now.client);
        }
        let seen = self.seen.at(first.phase);
        seen.availability.add(now.client, f64::from(u8::from(served)), 1.0);
        if let Some(at) = operation.served_at() {
            count(&mut seen.served, now.client);
            let took = at.saturating_sub(first.start).clamp(1, LONGEST_MICROS);
            seen.latency.histogram().saturating_record(took);
        }
        if let Some(recoverable) = now.recoverable {
            seen.known += 1;
            seen.got += f64::from(u8::from(served));
            seen.at_once += f64::from(u8::from(first.is_served()));
            // What was served was there to be had, whatever was to be expected.
            seen.oracle += if served { 1.0 } else { recoverable };
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let availability = self.availability(None, cx);
        let goodput = self.goodput(None, cx);
        let efficiency = self.efficiency(None, cx);
        let Measured::Number { value: available, .. } = &availability else {
            return match availability {
                Measured::TooFew { said, needs } => Finding::inconclusive(said, needs),
                Measured::NotExercised(why) => Finding::not_applicable(why),
                _ => Finding::not_applicable(""),
            };
        };
        let mut said = format!("{:.1} % of operations were served in the end", available * 100.0);
        if let Measured::Number { value, .. } = &goodput {
            said.push_str(&format!(", at {:.0} % of the calm's rate", value * 100.0));
        }
        let grade = match &efficiency {
            Measured::Number { value, .. } => {
                let share = value * 100.0;
                said.push_str(&format!(
                    "; of what a patient client could have had beyond first attempts it got {share:.0} %"
                ));
                if *value >= 0.8 {
                    Grade::Pass
                } else if *value >= 0.5 {
                    Grade::Warn
                } else {
                    Grade::Fail
                }
            }
            _ => Grade::Pass,
        };
        let claim = if matches!(efficiency, Measured::Number { .. }) {
            Claim::Quantitative
        } else {
            Claim::Informational
        };
        let mut finding = Finding::new(grade, claim, said).figure("availability", *available);
        for (name, measured) in [("goodput_ratio", &goodput), ("efficiency", &efficiency)] {
            if let Measured::Number { low, value, high, .. } = measured {
                finding = finding.figure(name, *value);
                finding = finding.figure(&format!("{name}_bounds"), vec![*low, *high]);
            }
        }
        if grade < Grade::Warn {
            return finding;
        }
        finding.advice("try again, within a budget and for as long as a user waits: much of what failed could have been had")
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        Some(match term {
            "availability" => self.availability(phase, cx),
            "goodput_ratio" => self.goodput(phase, cx),
            "recoverable_served" => self.efficiency(phase, cx),
            "lost_share" => self.lost(phase, cx),
            "latency_p50" => self.latency(0.5, phase, cx),
            "latency_p95" => self.latency(0.95, phase, cx),
            "latency_p99" => self.latency(0.99, phase, cx),
            _ => return None,
        })
    }
}

impl Service {
    fn availability(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let mut all = Ratio::default();
        for seen in self.seen.asked(cx.course, phase) {
            all.merge(&seen.availability);
        }
        if all.operations() == 0 {
            return Measured::NotExercised("no operation began then".to_owned());
        }
        if all.operations() < cx.min_operations {
            let needs = format!("{} operations", cx.min_operations);
            return Measured::too_few(all.sample(), needs);
        }
        match all.interval(cx.level, cx.seed) {
            Some(interval) => Measured::interval(interval, all.sample()),
            None => Measured::too_few(all.sample(), "more operations"),
        }
    }

    fn goodput(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let (during, calm) = (cx.course.seconds_asked(phase), cx.course.seconds(Stage::Base));
        let mut clusters: Vec<Cluster> =
            self.calm.iter().map(|served| Cluster { num: 0.0, den: served / calm }).collect();
        for seen in self.seen.asked(cx.course, phase) {
            for (at, served) in seen.served.iter().enumerate() {
                if clusters.len() <= at {
                    clusters.resize(at + 1, Cluster::default());
                }
                clusters[at].num += served / during;
            }
        }
        let served: f64 = self.calm.iter().sum();
        if served < 1.0 || calm <= 0.0 {
            return Measured::NotExercised("nothing was served in calm to compare with".to_owned());
        }
        if during <= 0.0 {
            return Measured::NotExercised("the phase was not played".to_owned());
        }
        let sample = format!("{served:.0} operations served in {calm:.0} s of calm");
        if served < cx.min_operations as f64 {
            return Measured::too_few(sample, format!("{} operations in calm", cx.min_operations));
        }
        if let Some(interval) = ratio_interval(&clusters, cx.level, cx.seed) {
            return Measured::interval(interval, sample);
        }
        // A lone client: what its counts vary by chance.
        let num: f64 = clusters.iter().map(|cluster| cluster.num * during).sum();
        let observed = |events: f64, exposure| crate::verdict::stats::Observed {
            events: crate::verdict::micros(events / 1e6),
            exposure,
        };
        match crate::verdict::stats::rate_ratio(
            observed(num, during),
            observed(served, calm),
            cx.level,
        ) {
            Some(interval) => Measured::interval(interval, sample),
            None => Measured::too_few(sample, "more operations"),
        }
    }

    fn efficiency(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let (mut known, mut got, mut at_once, mut oracle) = (0, 0.0, 0.0, 0.0);
        for seen in self.seen.asked(cx.course, phase) {
            known += seen.known;
            got += seen.got;
            at_once += seen.at_once;
            oracle += seen.oracle;
        }
        let sample = format!("{known} operations, patience of {PATIENCE} s");
        if known == 0 {
            let why = "what could have been had is not known for these faults";
            return Measured::NotExercised(why.to_owned());
        }
        if known < cx.min_operations {
            return Measured::too_few(sample, format!("{} operations", cx.min_operations));
        }
        if let Some(gate) =
            cx.gates.0.iter().find(|gate| gate.name == "calm_success" && !gate.holds)
        {
            return Measured::too_few(gate.said.clone(), gate.needs.clone());
        }
        let to_be_had = oracle - at_once;
        if to_be_had / (known as f64) < RECOVERABLE {
            let why = "hardly anything was to be had beyond first attempts";
            return Measured::NotExercised(why.to_owned());
        }
        Measured::exact(((got - at_once) / to_be_had).clamp(0.0, 1.0), sample)
    }

    /// Of what came, the share that could have been had and was not.
    fn lost(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let (mut known, mut lost) = (0, 0.0);
        for seen in self.seen.asked(cx.course, phase) {
            known += seen.known;
            lost += seen.oracle - seen.got;
        }
        if known < cx.min_operations {
            return Measured::too_few(format!("{known} operations"), "more operations");
        }
        Measured::exact(lost / known as f64, format!("{known} operations"))
    }

    fn latency(&self, p: f64, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let mut all = Latency::default();
        for seen in self.seen.asked(cx.course, phase) {
            all.merge(&seen.latency);
        }
        let Some(all) = all.0 else {
            return Measured::NotExercised("no operation was served then".to_owned());
        };
        let count = all.len();
        let at = |rank: u64| all.value_at_quantile(rank as f64 / count as f64) as f64 / 1e6;
        match quantile_by_rank(count, p, cx.level, at) {
            Quantile::Estimated(interval) => {
                Measured::interval(interval, format!("{count} operations served"))
            }
            Quantile::NotEstimable { max, seen, needed } => Measured::too_few(
                format!(
                    "{seen} operations served, the slowest in {:.2} s",
                    max.unwrap_or_default()
                ),
                needed.map_or_else(String::new, |needed| format!("{needed} operations served")),
            ),
        }
    }
}

fn count(clients: &mut Vec<f64>, at: usize) {
    if clients.len() <= at {
        clients.resize(at + 1, 0.0);
    }
    clients[at] += 1.0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{
        Oracle,
        tests::traffic::{BEGINS, ENDS, OVER, Traffic, beat, graded, ok},
    };
    use std::time::Duration;

    /// Every other attempt would have been denied.
    #[derive(Debug)]
    struct Half;

    impl Oracle for Half {
        fn denied(&self, _: u64, _: u64, _: usize, _: Duration, _: Duration) -> Option<f64> {
            Some(0.5)
        }
    }

    /// A client that tries once, while nothing is served in the outage, and this in calm.
    fn found(calm: u16) -> Finding {
        let mut traffic = Traffic::new();
        for at in beat(2.0, 0.0, OVER) {
            let fails = (BEGINS..ENDS).contains(&at);
            traffic.add(ok(1, at).really(if fails { 502 } else { calm }));
        }
        let verdict = traffic.judged_by(Box::new(Half));
        let mut findings = verdict.parts[0].findings.iter();
        findings.find(|finding| finding.detector == "service").unwrap().clone()
    }

    #[test]
    fn who_does_not_try_again_got_nothing_of_what_was_to_be_had() {
        graded(&found(200), Grade::Fail, "beyond first attempts it got 0 %");
    }

    #[test]
    fn nobody_is_blamed_for_a_service_that_serves_nothing_in_calm() {
        let found = found(502);
        graded(&found, Grade::Pass, "0.0 % of operations were served in the end");
        assert!(!found.said.contains("could have had"), "{}", found.said);
    }
}
