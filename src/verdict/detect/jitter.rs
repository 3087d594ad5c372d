//! D8, jitter, and the herd that comes without it.
//!
//! **CV** = deviation over mean of the waits of one index over operations, pooled over indices by
//! degrees of freedom, with Vangel's interval. Pools as in D7: per client program and kind of failure,
//! without waits that a `Retry-After` asked for, and without the first operation of each client where
//! there are others. Waits below 50 ms are noise and not assessed. In theory full jitter has 0.577,
//! equal jitter 0.192, ±20 % 0.115, −25 % 0.082, +0 to 20 % 0.052, 100 ms on a second 0.028, and none
//! 0.003 to 0.02. Jitter is additive if the deviation stays the same as waits grow (slope of ln
//! deviation on ln mean below ½) and proportional if it grows with them.
//!
//! Pass ≥ 0.10, warn 0.03 to 0.10, fail below 0.03, each once the interval lies there; from 50 degrees
//! of freedom on the value itself decides between two. Least sample: 5 waits for none against any.
//!
//! **φ** = the largest share of the operations that failed [at once](crate::verdict::pulse) whose
//! retries began within any 100 ms. It takes 30 failures within 100 ms: replicate the client, and reset
//! what is in flight. Without such a pulse there is no herd test. Pass ≤ 40 %, warn ≤ 70 %, fail above.
//! Of a population of *P* that fails at once, *P*·φ come back within the same tenth of a second. CV alone
//! is not enough: proportional jitter on a short wait is still a herd.
//!
//! The worse of both counts, of the worst pool. Sources: Brooker, "Exponential Backoff and Jitter"
//! (2015); simulations of the strategies above.

use crate::verdict::{
    attempt::Attempt,
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Weight},
    operation::Operation,
    pulse::{Herd, Pulses},
    stats::{Backoff, IMMEDIATE, Interval, classify, variation_interval, wilson_at},
    waits::Waits,
    words::{counted, wrong},
};

/// CV from which on a client passes, and from which on it is warned.
const PASS: f64 = 0.10;
const WARN: f64 = 0.03;
/// Degrees of freedom from which on something is said, and from which on the value itself decides.
const LEAST: u64 = 4;
const ENOUGH: u64 = 50;
/// φ up to which a client passes, and up to which it is warned.
const SPREAD: f64 = 0.40;
const CLOSE: f64 = 0.70;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Jitter {
    waits: Waits,
    pulses: Pulses,
}

/// How the waits of a pool vary.
#[derive(Debug)]
struct Varied {
    cv: Interval,
    freedom: u64,
    grade: Grade,
    way: Option<&'static str>,
    sample: String,
}

/// What is known of how waits vary.
enum Found {
    Nothing(String),
    TooFew(String),
    /// Each pool of which something can be said, the worst first.
    Varied(Vec<Varied>),
}

impl Detector for Jitter {
    fn name(&self) -> &'static str {
        "jitter"
    }

    fn code(&self) -> &'static str {
        "D8"
    }

    fn weight(&self) -> Weight {
        Weight::Major
    }

    fn attempt(&mut self, attempt: &Attempt, now: Now<'_>) {
        self.waits.attempt(attempt, now.client);
    }

    fn operation(&mut self, operation: &Operation, now: Now<'_>) {
        self.waits.operation(operation, now.client);
        self.pulses.operation(operation);
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let herd = self.herd(None, cx);
        let varied = self.varied(None, cx);
        let finding = match (&varied, herd) {
            (Found::Varied(pools), _) => of_waits(&pools[0], herd, cx),
            (_, Some(herd)) => {
                Finding::new(herd_grade(herd), Claim::Quantitative, at_once(&herd_said(herd)))
            }
            (Found::TooFew(said), None) => Finding::inconclusive(said, needs()),
            (Found::Nothing(why), None) => Finding::not_applicable(why),
        };
        let finding = match herd {
            Some(herd) => finding
                .figure("herd_100ms", herd.share())
                .figure("failed_at_once", herd.failed)
                .figure("pulses", herd.pulses),
            None => finding,
        };
        if finding.grade < Grade::Warn {
            return finding;
        }
        finding.advice(
            "make the wait random from nothing to all of it (full jitter), and the base long enough \
             that those who fail at once do not come back at once",
        )
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        match term {
            "jitter" => Some(match self.varied(phase, cx) {
                Found::Nothing(why) => Measured::NotExercised(why),
                Found::TooFew(said) => Measured::too_few(said, needs()),
                Found::Varied(pools) => {
                    let least = pools.iter().min_by(|a, b| a.cv.value.total_cmp(&b.cv.value));
                    let Varied { cv, sample, .. } = least?;
                    Measured::interval(*cv, sample.clone())
                }
            }),
            "herd_100ms" => Some(self.measured_herd(phase, cx)),
            _ => None,
        }
    }
}

impl Jitter {
    fn herd(&self, phase: Option<usize>, cx: &Cx<'_>) -> Option<Herd> {
        let span = match phase.map(|phase| cx.course.legs().get(phase)) {
            None => 0..=u64::MAX,
            Some(leg) => {
                let leg = leg?;
                leg.begun?..=leg.ended.unwrap_or(u64::MAX)
            }
        };
        self.pulses.herd(span, cx.rho)
    }

    fn measured_herd(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let herd = self.herd(phase, cx);
        let Some((herd, share)) =
            herd.and_then(|herd| Some((herd, wilson_at(herd.together, herd.failed, cx.level)?)))
        else {
            let why = format!(
                "no {} operations that are tried again failed within 100 ms",
                Pulses::LEAST
            );
            return Measured::NotExercised(why);
        };
        Measured::interval(share, pulses(herd))
    }

    fn varied(&self, phase: Option<usize>, cx: &Cx<'_>) -> Found {
        let pools = self.waits.asked(cx.course, phase);
        if pools.values().all(|pool| pool.retried == 0) {
            return Found::Nothing("nothing was tried again".to_owned());
        }
        let mut varied = Vec::new();
        let mut few: Option<(u64, String)> = None;
        for (kind, pool) in pools.iter().filter(|(_, pool)| pool.is_retried(cx.rho)) {
            let Some(found) = classify(&pool.sequences(cx.rho), IMMEDIATE) else { continue };
            if found.medians.iter().all(|median| *median < IMMEDIATE) {
                continue;
            }
            let waits: u64 = found.indices.iter().map(|index| index.n).sum();
            let sample = format!("{} after {}", counted(waits, "wait"), wrong(kind.1));
            let interval = found.cv.and_then(|cv| variation_interval(cv, found.freedom, cx.level));
            match interval.filter(|_| found.freedom >= LEAST) {
                Some(cv) => varied.push(Varied {
                    cv,
                    freedom: found.freedom,
                    grade: grade(cv, found.freedom),
                    way: way(&found),
                    sample,
                }),
                None if few.as_ref().is_none_or(|(most, _)| waits > *most) => {
                    few = Some((waits, sample));
                }
                None => {}
            }
        }
        // The worst first; what is inconclusive only if nothing else is known.
        let badness = |pool: &Varied| match pool.grade {
            Grade::Inconclusive => Grade::NotApplicable,
            grade => grade,
        };
        varied.sort_by(|a, b| badness(b).cmp(&badness(a)).then(a.cv.value.total_cmp(&b.cv.value)));
        match few {
            _ if !varied.is_empty() => Found::Varied(varied),
            Some((_, sample)) => Found::TooFew(sample),
            None => Found::Nothing(
                "no wait of its own that could vary: retries come at once, or when a `Retry-After` \
                 says"
                    .to_owned(),
            ),
        }
    }
}

fn of_waits(pool: &Varied, herd: Option<Herd>, cx: &Cx<'_>) -> Finding {
    let Interval { low, value, high } = pool.cv;
    let mut said = format!(
        "waits vary by {value:.3} of their length (CV; {:.0} %: {low:.3} to {high:.3}; {})",
        cx.level * 100.0,
        pool.sample
    );
    if let Some(way) = pool.way.filter(|_| value >= WARN) {
        said.push_str(&format!(", {way}"));
    }
    let mut grade = pool.grade;
    match herd {
        Some(herd) => {
            said.push_str(&format!("; {}", herd_said(herd)));
            grade = match (grade, herd_grade(herd)) {
                (Grade::Inconclusive, herd @ (Grade::Warn | Grade::Fail)) => herd,
                (waits, herd) => waits.max(herd),
            };
        }
        None => said.push_str("; no herd test, since too few failed at once"),
    }
    let finding = Finding::new(grade, Claim::Quantitative, said)
        .figure("cv", value)
        .figure("low", low)
        .figure("high", high)
        .figure("freedom", pool.freedom)
        .figure("kind", pool.way);
    if grade == Grade::Inconclusive {
        return Finding { needs: Some(needs()), ..finding };
    }
    finding
}

fn grade(cv: Interval, freedom: u64) -> Grade {
    if cv.surely_below(WARN) {
        Grade::Fail
    } else if cv.surely_at_least(PASS) {
        Grade::Pass
    } else if cv.surely_below(PASS) && cv.surely_at_least(WARN) {
        Grade::Warn
    } else if freedom < ENOUGH {
        Grade::Inconclusive
    } else if cv.value < WARN {
        Grade::Fail
    } else if cv.value < PASS {
        Grade::Warn
    } else {
        Grade::Pass
    }
}

fn herd_grade(herd: Herd) -> Grade {
    match herd.share() {
        share if share <= SPREAD => Grade::Pass,
        share if share <= CLOSE => Grade::Warn,
        _ => Grade::Fail,
    }
}

fn herd_said(herd: Herd) -> String {
    let share = herd.share();
    format!(
        "{:.0} % came back within 100 ms of each other ({}), {:.0} of any 1,000 that fail at once",
        share * 100.0,
        pulses(herd),
        share * 1e3
    )
}

fn pulses(herd: Herd) -> String {
    let operations = counted(herd.failed, "operation");
    match herd.pulses {
        1 => format!("{operations} that failed at once"),
        pulses => format!("{operations} that failed at once, at {pulses} moments"),
    }
}

fn at_once(text: &str) -> String {
    format!("of those that failed at once, {text}")
}

fn needs() -> String {
    format!("{ENOUGH} waits of the client's own, or 5 to tell none from any")
}

/// Whether the deviation grows with the wait.
fn way(found: &Backoff) -> Option<&'static str> {
    let points: Vec<(f64, f64, f64)> = (found.indices.iter())
        .filter(|index| index.n > LEAST && index.mean >= IMMEDIATE && index.deviation > 0.0)
        .map(|index| (index.mean.ln(), index.deviation.ln(), index.n as f64))
        .collect();
    let weight: f64 = points.iter().map(|(_, _, n)| n).sum();
    let mean = |of: fn(&(f64, f64, f64)) -> f64| {
        points.iter().map(|point| of(point) * point.2).sum::<f64>() / weight
    };
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let (mut along, mut across) = (0.0, 0.0);
    for (wait, deviation, n) in &points {
        along += n * (wait - x) * (deviation - y);
        across += n * (wait - x).powi(2);
    }
    let longest = points.iter().map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
    let shortest = points.iter().map(|point| point.0).fold(f64::INFINITY, f64::min);
    // Waits that hardly grow tell nothing of it.
    let tells = points.len() > 1 && longest - shortest >= 2.0_f64.ln();
    tells.then(|| if along / across < 0.5 { "additive" } else { "proportional" })
}

#[cfg(test)]
mod tests {
    use crate::{
        dice::{Dice, Purpose, Seed},
        verdict::{finding::Grade, fixture::Drill},
    };
    use rand::RngExt;

    /// Operations that wait three times, `wait` of a random number from 0 to 1 and the index.
    fn drill(operations: u32, wait: impl Fn(f64, i32) -> f64) -> Drill {
        let mut rng = Dice::new(Seed(3), "jitter").rng(Purpose::Delay);
        let mut drill = Drill::new(10.0, 400.0, 60.0);
        drill.op(1.0).served();
        for at in 0..operations {
            let mut op = drill.op(11.0 + f64::from(at)).fails(503);
            for index in 0..3 {
                op = op.after(wait(rng.random_range(0.0..1.0), index)).fails(503);
            }
        }
        drill
    }

    #[test]
    fn jitter_is_graded_by_how_much_there_is() {
        let doubling = |index: i32| 0.5 * 2.0_f64.powi(index);
        let full = drill(30, |random, index| random * doubling(index) + 0.051);
        let found = full.finding("jitter");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        assert_eq!(found.figures["kind"], "proportional");
        assert_eq!(full.expect("jitter: 0.1").grade, Grade::Pass);

        let none = drill(5, |random, index| doubling(index) * (1.0 + 0.01 * random));
        assert_eq!(none.finding("jitter").grade, Grade::Fail, "{}", none.finding("jitter").said);
        assert_eq!(none.expect("jitter: 0.1").grade, Grade::Fail);

        let some = drill(30, |random, index| doubling(index) * (1.0 + 0.2 * random));
        assert_eq!(some.finding("jitter").grade, Grade::Warn, "{}", some.finding("jitter").said);

        let added = drill(30, |random, index| 2.0 * doubling(index) + 0.6 * random);
        assert_eq!(added.finding("jitter").figures["kind"], "additive");
    }

    #[test]
    fn retries_at_once_have_no_wait_to_vary() {
        let found = drill(30, |random, _| random * 0.02).finding("jitter");
        assert_eq!(found.grade, Grade::NotApplicable, "{}", found.said);
        let mut silent = Drill::new(10.0, 400.0, 60.0);
        silent.op(11.0).fails(503);
        assert_eq!(silent.expect("jitter: 0.1").grade, Grade::NotApplicable);
    }

    #[test]
    fn few_waits_are_inconclusive() {
        for operations in [1, 2] {
            let few = drill(operations, |random, _| 0.5 + random);
            let found = few.finding("jitter");
            assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
            assert!(found.needs.is_some());
            assert_eq!(few.expect("jitter: 0.1").grade, Grade::Inconclusive);
        }
    }

    /// Clients that are all reset at 20 s and come back after `wait` of a random number.
    fn reset_at_once(clients: u32, wait: impl Fn(f64) -> f64) -> Drill {
        let mut rng = Dice::new(Seed(8), "pulse").rng(Purpose::Delay);
        let mut drill = Drill::new(10.0, 100.0, 60.0);
        for user in 0..clients {
            let begin = 20.0 - f64::from(user) * 0.01;
            let op = drill.op(begin).user(user).taking(20.0 - begin).reset();
            op.taking(0.002).after(wait(rng.random_range(0.0..1.0))).served();
        }
        drill
    }

    /// The expected φ and its spread are those of the literature's table.
    #[test]
    fn a_pulse_tells_a_herd() {
        let herd = reset_at_once(60, |_| 1.0);
        let found = herd.finding("jitter");
        assert_eq!(found.grade, Grade::Fail, "{}", found.said);
        assert_eq!(found.figures["herd_100ms"], 1.0);
        assert_eq!(herd.expect("herd_100ms: 40%").grade, Grade::Fail);

        let full = reset_at_once(200, |random| random);
        let found = full.finding("jitter");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        let share = found.figures["herd_100ms"].as_f64().unwrap();
        assert!((0.1..0.3).contains(&share), "{share}");
        assert_eq!(full.expect("herd_100ms: 40%").grade, Grade::Pass);
    }

    /// axios-retry: a fifth more of 0.2 s has a CV of 0.05 and is still a herd.
    #[test]
    fn jitter_on_a_short_wait_is_still_a_herd() {
        let herd = reset_at_once(100, |random| 0.1 + 0.09 * random);
        let found = herd.finding("jitter");
        assert!(found.figures["cv"].as_f64().unwrap() > 0.1, "{}", found.said);
        assert_eq!(found.grade, Grade::Fail, "{}", found.said);
    }

    #[test]
    fn without_a_pulse_there_is_no_herd_test() {
        let drill = drill(100, |random, _| 0.5 + random);
        assert!(drill.finding("jitter").said.contains("no herd test"));
        assert_eq!(drill.expect("herd_100ms: 40%").grade, Grade::NotApplicable);
        let few = reset_at_once(29, |_| 1.0);
        assert_eq!(few.expect("herd_100ms: 40%").grade, Grade::NotApplicable);
    }

    /// More moments than are kept, and the pulse among them.
    #[test]
    fn the_pulse_is_found_among_many_failures() {
        let mut drill = reset_at_once(60, |_| 1.0);
        for at in 0..3_000 {
            drill.op(30.0 + f64::from(at) * 0.025).fails(503).after(2.0).served();
        }
        let found = drill.finding("jitter");
        assert_eq!(found.figures["failed_at_once"], 60, "{}", found.said);
    }
}
