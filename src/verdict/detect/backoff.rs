//! D7, how the waits between attempts develop.
//!
//! Per index *k* the median *m*ₖ of the waits over operations, to which constant, linear and
//! exponential growth are fitted: see [`classify`] for the formula
//! and what it takes to tell them apart. Waits are [pooled](crate::verdict::waits) per client program
//! and kind of failure and never across; those that a `Retry-After` asked for are left out, and the
//! first operation of each client is where there are others. Each pool is judged, and the worst is
//! told: a client that backs off after a 503 and hammers after a reset hammers.
//!
//! What is graded is the property, not the name. Pass: growing waits, or constant ones of a second or
//! more with jitter (CV ≥ 0.1), or a single retry that waits. Warn: constant without jitter or
//! shorter, or one immediate retry and no other. Fail: two immediate retries or more. An immediate
//! first retry before others that wait is told, and `first_retry_immediate` can forbid it.
//!
//! Immediate is a median below 50 ms. That is 3 × round trip and the 95th percentile of connection
//! set-up for a client within some 15 ms of the proxy; put it no further away. Medians that are all below
//! 100 ms and not all immediate clear nobody. `max_backoff` is the
//! longest wait in the sample; no wait longer than the window in which attempts are linked, a minute
//! or what is known to happen, can be seen.
//!
//! Least sample: three waits. A shape takes one operation of three waits without jitter, 20 to 30 of
//! three with some, 20 of five with full jitter (100 if capped); two waits show that they grow and no
//! more. A pool counts if operations are surely tried again, more than links by chance explain.
//!
//! Sources: Amazon Builders' Library, timeouts, retries and backoff with jitter; Google SRE, chapter
//! 22; simulations and 31 libraries for the classifier.

use crate::verdict::{
    attempt::{Attempt, Wrong},
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Weight},
    operation::Operation,
    stats::{Backoff as Found, IMMEDIATE, Shape, classify},
    waits::{Kind, Waits},
    words::{counted, time, wrong},
};

/// The least number of waits.
const LEAST: u64 = 3;
/// Jitter that keeps constant waits apart, and how long they must be, in seconds.
const JITTER: f64 = 0.1;
const LONG: f64 = 1.0;
/// Waits that are all shorter than this, in seconds, are not told from none with any confidence: on a
/// busy machine, retries at once come after 30 to 60 ms.
const BARELY: f64 = 2.0 * IMMEDIATE;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Backoff {
    waits: Waits,
}

/// A pool, and what its waits say.
#[derive(Debug)]
struct Judged {
    kind: Kind,
    found: Found,
    grade: Grade,
}

impl Judged {
    fn of(kind: Kind, found: Found) -> Self {
        let grade = grade(&found);
        Self { kind, found, grade }
    }

    fn wrong(&self) -> Wrong {
        self.kind.1
    }

    fn waits(&self) -> u64 {
        self.found.indices.iter().map(|index| index.n).sum()
    }

    fn longest(&self) -> f64 {
        self.found.indices.iter().map(|index| index.longest).fold(0.0, f64::max)
    }

    /// How its waits develop, as `expect` names it; `None` if they do not tell.
    fn word(&self) -> Option<&'static str> {
        match self.found.shape {
            _ if self.waits() < LEAST => None,
            Shape::Immediate => Some("immediate"),
            Shape::Constant => Some("constant"),
            Shape::Linear | Shape::Growing => Some("growing"),
            Shape::Exponential => Some("exponential"),
            Shape::Single | Shape::Ambiguous => None,
        }
    }

    fn sample(&self) -> String {
        let operations = self.found.operations as u64;
        format!("{} after {}", counted(operations, "operation"), wrong(self.wrong()))
    }
}

impl Detector for Backoff {
    fn name(&self) -> &'static str {
        "backoff"
    }

    fn code(&self) -> &'static str {
        "D7"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn attempt(&mut self, attempt: &Attempt, now: Now<'_>) {
        self.waits.attempt(attempt, now.client);
    }

    fn operation(&mut self, operation: &Operation, now: Now<'_>) {
        self.waits.operation(operation, now.client);
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let judged = match self.judged(None, cx) {
            Ok(judged) => judged,
            Err(why) => return Finding::not_applicable(why),
        };
        // Of those that tell something, the worst.
        let sure = judged.iter().filter(|pool| pool.grade != Grade::Inconclusive);
        let Some(worst) = sure.max_by_key(|pool| (pool.grade, pool.found.operations)) else {
            let most = judged.iter().max_by_key(|pool| pool.waits());
            let said = most.map_or_else(String::new, said);
            return Finding::inconclusive(said, needs(most)).figure("pools", pools(&judged));
        };
        let finding = Finding::new(worst.grade, Claim::Quantitative, said(worst))
            .figure("pools", pools(&judged))
            .figure("shape", name(worst.found.shape))
            .figure("medians", worst.found.medians.clone())
            .figure("growth", worst.found.growth)
            .figure("first_immediate", worst.found.first_immediate)
            .figure("longest", worst.longest());
        if worst.grade < Grade::Warn {
            return finding;
        }
        finding.advice(
            "wait before each retry, longer each time up to a cap, and a random part of it: \
             min(cap, base × 2^attempt) × a random number from 0 to 1",
        )
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        if !["backoff", "first_retry_immediate", "max_backoff"].contains(&term) {
            return None;
        }
        let judged = match self.judged(phase, cx) {
            Ok(judged) => judged,
            Err(why) => return Some(Measured::NotExercised(why)),
        };
        let most = judged.iter().max_by_key(|pool| pool.waits());
        let said = most.map_or_else(String::new, said);
        let too_few = Measured::too_few(said, needs(most));
        Some(match term {
            "backoff" => {
                let worst = judged.iter().filter_map(|pool| Some((rank(pool.word()?), pool)));
                let worst = worst.min_by_key(|(rank, _)| *rank).map(|(_, pool)| pool);
                match worst.and_then(|pool| Some((pool.word()?, pool.sample()))) {
                    Some((word, sample)) => Measured::Word { word, sample },
                    None => too_few,
                }
            }
            "first_retry_immediate" => {
                let mut sure = judged.iter().filter(|pool| pool.waits() >= LEAST);
                let is_immediate = |pool: &&Judged| {
                    pool.found.medians.first().is_some_and(|first| *first < IMMEDIATE)
                };
                let first = sure.clone().find(is_immediate);
                match first.or_else(|| sure.next()) {
                    Some(pool) => Measured::Flag { is: is_immediate(&pool), sample: pool.sample() },
                    None => too_few,
                }
            }
            _ => {
                let longest = judged.iter().filter(|pool| pool.waits() >= LEAST);
                match longest.max_by(|a, b| a.longest().total_cmp(&b.longest())) {
                    Some(pool) => Measured::exact(pool.longest(), pool.sample()),
                    None => too_few,
                }
            }
        })
    }
}

impl Backoff {
    /// What each pool says; or why none says anything.
    fn judged(&self, phase: Option<usize>, cx: &Cx<'_>) -> Result<Vec<Judged>, String> {
        let pools = self.waits.asked(cx.course, phase);
        if pools.values().all(|pool| pool.retried == 0) {
            return Err("nothing was tried again".to_owned());
        }
        let judged =
            pools.iter().filter(|(_, pool)| pool.is_retried(cx.rho)).filter_map(|(kind, pool)| {
                Some(Judged::of(*kind, classify(&pool.sequences(cx.rho), IMMEDIATE)?))
            });
        let judged: Vec<Judged> = judged.collect();
        if !judged.is_empty() {
            return Ok(judged);
        }
        let retries = pools.values().any(|pool| pool.is_retried(cx.rho));
        Err(if retries {
            "every wait was one that a `Retry-After` asked for".to_owned()
        } else {
            "nothing shows that it retries".to_owned()
        })
    }
}

/// How good the property is that matters.
fn grade(found: &Found) -> Grade {
    let waits: u64 = found.indices.iter().map(|index| index.n).sum();
    if waits < LEAST {
        return Grade::Inconclusive;
    }
    let means = || found.indices.iter().map(|index| index.mean);
    let mean = means().sum::<f64>() / found.indices.len() as f64;
    match found.shape {
        Shape::Immediate if found.indices.len() > 1 => Grade::Fail,
        Shape::Constant if mean >= LONG && found.cv.is_some_and(|cv| cv >= JITTER) => Grade::Pass,
        Shape::Immediate | Shape::Constant => Grade::Warn,
        _ if is_barely(found) => Grade::Inconclusive,
        Shape::Single | Shape::Linear | Shape::Exponential | Shape::Growing => Grade::Pass,
        Shape::Ambiguous => Grade::Inconclusive,
    }
}

/// Whether there may be no waits at all.
fn is_barely(found: &Found) -> bool {
    let is_short = found.medians.iter().all(|median| *median < BARELY);
    is_short && !matches!(found.shape, Shape::Immediate | Shape::Constant)
}

/// The worse, the lower.
fn rank(word: &str) -> usize {
    let words = ["immediate", "constant", "growing", "exponential"];
    words.iter().position(|known| *known == word).unwrap_or(words.len())
}

const fn name(shape: Shape) -> &'static str {
    match shape {
        Shape::Immediate => "immediate",
        Shape::Single => "single",
        Shape::Constant => "constant",
        Shape::Linear => "linear",
        Shape::Exponential => "exponential",
        Shape::Growing => "growing",
        Shape::Ambiguous => "ambiguous",
    }
}

fn said(pool: &Judged) -> String {
    let found = &pool.found;
    let medians = found.medians.iter().map(|median| time(*median)).collect::<Vec<_>>().join(", ");
    let what = match found.shape {
        _ if is_barely(found) => "whether retries wait at all cannot be told".to_owned(),
        Shape::Immediate if found.medians.len() > 1 => "retries come at once".to_owned(),
        Shape::Immediate => "the only retry comes at once".to_owned(),
        Shape::Single if found.first_immediate => {
            "the first retry comes at once and the second waits".to_owned()
        }
        Shape::Single => "it waits before its only retry".to_owned(),
        Shape::Constant => "waits are constant".to_owned(),
        Shape::Linear => "waits grow linearly".to_owned(),
        Shape::Exponential => match found.growth {
            Some(growth) => format!("waits grow exponentially, by {growth:.1} each time"),
            None => "waits grow exponentially".to_owned(),
        },
        Shape::Growing => "waits grow".to_owned(),
        Shape::Ambiguous => "how waits develop cannot be told".to_owned(),
    };
    let first = match found.shape {
        Shape::Immediate | Shape::Single => "",
        _ if found.first_immediate => ", but for the first, which comes at once",
        _ => "",
    };
    let cap = match found.capped_from {
        Some(index) => format!(", capped from the {index}. on"),
        None => String::new(),
    };
    format!("{what}{first}{cap}: medians {medians} ({})", pool.sample())
}

/// What would tell more.
fn needs(most: Option<&Judged>) -> String {
    match most.map(|pool| pool.found.shape) {
        _ if most.is_some_and(|pool| is_barely(&pool.found)) => {
            "a client that is less busy, and closer to the proxy".to_owned()
        }
        Some(Shape::Single) => "operations that are tried again more than once".to_owned(),
        _ => "20 to 30 operations that are tried again three times each, after the same failure"
            .to_owned(),
    }
}

fn pools(judged: &[Judged]) -> serde_json::Value {
    let pools = judged.iter().map(|pool| {
        serde_json::json!({
            "program": pool.kind.0,
            "after": wrong(pool.wrong()),
            "shape": name(pool.found.shape),
            "operations": pool.found.operations,
            "medians": pool.found.medians,
            "cv": pool.found.cv,
        })
    });
    pools.collect()
}

#[cfg(test)]
mod tests {
    use crate::verdict::{finding::Grade, fixture::Drill};

    /// Operations with these waits, after a calm in which every client was seen.
    fn drill(operations: u32, waits: &[f64]) -> Drill {
        let mut drill = Drill::new(10.0, 200.0, 60.0);
        drill.op(1.0).served();
        for at in 0..operations {
            let mut op = drill.op(11.0 + f64::from(at)).fails(503);
            for wait in waits {
                op = op.after(*wait).fails(503);
            }
        }
        drill
    }

    #[test]
    fn the_property_is_graded() {
        for (waits, grade, shape) in [
            (&[0.5, 1.0, 2.0, 4.0][..], Grade::Pass, "exponential"),
            (&[1.0, 2.0, 3.0, 4.0], Grade::Pass, "linear"),
            (&[1.0, 1.0, 1.0], Grade::Warn, "constant"),
            (&[0.0, 0.0, 0.0], Grade::Fail, "immediate"),
            (&[0.001], Grade::Warn, "immediate"),
            (&[0.7], Grade::Pass, "single"),
            (&[0.5, 1.0], Grade::Pass, "growing"),
            (&[0.0, 1.0, 2.0, 4.0], Grade::Pass, "exponential"),
        ] {
            let found = drill(6, waits).finding("backoff");
            assert_eq!(found.grade, grade, "{waits:?}: {}", found.said);
            assert_eq!(found.figures["shape"], shape, "{waits:?}: {}", found.said);
        }
    }

    /// As `azure-core` was seen to try again at once three times, on a busy machine.
    #[test]
    fn hardly_more_than_at_once_is_no_back_off() {
        for waits in [&[0.033, 0.046, 0.054][..], &[0.041, 0.062], &[0.07]] {
            let found = drill(15, waits).finding("backoff");
            assert_eq!(found.grade, Grade::Inconclusive, "{waits:?}: {}", found.said);
            assert!(found.said.starts_with("whether retries wait at all"), "{}", found.said);
        }
        assert_eq!(drill(15, &[0.041, 0.3]).finding("backoff").grade, Grade::Pass);
    }

    #[test]
    fn expectations_are_measured() {
        let curl = drill(6, &[1.0, 2.0, 4.0, 8.0]);
        assert_eq!(curl.expect("backoff: growing").grade, Grade::Pass);
        assert_eq!(curl.expect("backoff: exponential").grade, Grade::Pass);
        assert_eq!(curl.expect("backoff: constant").grade, Grade::Fail);
        assert_eq!(curl.expect("first_retry_immediate: false").grade, Grade::Pass);
        assert_eq!(curl.expect("max_backoff: 8100ms").grade, Grade::Pass);
        assert_eq!(curl.expect("max_backoff: 7s").grade, Grade::Fail);
        let urllib3 = drill(6, &[0.0, 1.0, 2.0, 4.0]);
        assert_eq!(urllib3.expect("first_retry_immediate: false").grade, Grade::Fail);
        assert_eq!(drill(6, &[0.0, 0.0]).expect("backoff: growing").grade, Grade::Fail);
    }

    /// Constant waits with jitter, of a second or more.
    #[test]
    fn jitter_makes_up_for_constant_waits() {
        let mut drill = Drill::new(10.0, 400.0, 60.0);
        drill.op(1.0).served();
        for at in 0..30_u32 {
            let wait = |k: u32| 1.0 + f64::from((at * 7 + k * 5) % 10) / 10.0;
            let op = drill.op(11.0 + f64::from(at)).fails(503).after(wait(0)).fails(503);
            op.after(wait(1)).fails(503).after(wait(2)).fails(503);
        }
        let found = drill.finding("backoff");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        assert_eq!(found.figures["shape"], "constant");
    }

    /// Backs off after a 503, and hammers after a reset: pooled, it would seem to wait.
    #[test]
    fn kinds_of_failure_are_never_pooled() {
        let mut drill = drill(20, &[0.5, 1.0, 2.0, 4.0]);
        for at in 0..6 {
            drill.op(101.0 + f64::from(at)).reset().after(0.0).reset().after(0.0).reset();
        }
        let found = drill.finding("backoff");
        assert_eq!(found.grade, Grade::Fail, "{}", found.said);
        assert!(found.said.contains("6 operations after reset"), "{}", found.said);
        assert_eq!(drill.expect("backoff: growing").grade, Grade::Fail);
    }

    /// One program backs off and the other hammers: in the traffic of both, neither hides.
    #[test]
    fn programs_are_never_pooled() {
        let mut drill = drill(20, &[0.5, 1.0, 2.0, 4.0]);
        for at in 0..6 {
            let op = drill.op(101.0 + f64::from(at)).program("hasty").user(2).fails(503);
            op.after(0.0).fails(503).after(0.0).fails(503);
        }
        let verdict = drill.verdict();
        let grades = verdict.parts.iter().map(|part| {
            let found = part.findings.iter().find(|found| found.detector == "backoff");
            (part.client.as_deref(), found.unwrap().grade)
        });
        let want = [(None, Grade::Fail), (Some("test"), Grade::Pass), (Some("hasty"), Grade::Fail)];
        assert_eq!(grades.collect::<Vec<_>>(), want);
    }

    /// Two of 400 operations were linked with the next one, half a minute later.
    #[test]
    fn links_by_chance_are_no_waits() {
        let mut drill = Drill::new(10.0, 600.0, 60.0);
        drill.op(1.0).served();
        for at in 0..400 {
            let mut op = drill.op(11.0 + f64::from(at)).fails(503);
            for wait in [0.5, 1.0, 2.0] {
                op = op.after(wait).fails(503);
            }
            if at % 200 == 0 {
                op.after(29.0).fails(503).after(0.5).fails(503).after(1.0).fails(503);
            }
        }
        let found = drill.finding("backoff");
        assert_eq!(found.figures["medians"].as_array().map(Vec::len), Some(3), "{}", found.said);
        assert!(drill.expect("max_backoff: 3s").grade == Grade::Pass);
    }

    #[test]
    fn waits_that_were_asked_for_are_left_out() {
        let mut drill = Drill::new(10.0, 400.0, 60.0);
        drill.op(1.0).served();
        for at in 0..8 {
            drill.op(11.0 + f64::from(at)).told(503, 5).after(5.0).told(503, 5).after(5.0).served();
        }
        let found = drill.finding("backoff");
        assert_eq!(found.grade, Grade::NotApplicable, "{}", found.said);
        assert!(found.said.contains("Retry-After"), "{}", found.said);
    }

    /// A cold start makes the first wait of each client long.
    #[test]
    fn the_first_operation_of_each_client_is_left_out_where_there_are_others() {
        let mut drill = Drill::new(10.0, 400.0, 60.0);
        for user in 0..4 {
            let begin = 11.0 + 20.0 * f64::from(user);
            drill.op(begin).user(user).fails(503).after(3.0).fails(503);
            for nth in 1..4 {
                let op = drill.op(begin + 4.0 * f64::from(nth)).user(user).fails(503);
                op.after(0.0).fails(503);
            }
        }
        let found = drill.finding("backoff");
        assert!(found.said.contains("12 operations"), "{}", found.said);
    }

    #[test]
    fn too_few_waits_are_inconclusive_and_none_is_not_applicable() {
        let found = drill(2, &[1.0]).finding("backoff");
        assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
        assert!(found.needs.is_some());
        assert_eq!(drill(2, &[1.0, 2.0]).expect("backoff: growing").grade, Grade::Inconclusive);
        assert_eq!(drill(9, &[]).finding("backoff").grade, Grade::NotApplicable);
        assert_eq!(drill(9, &[]).expect("backoff: growing").grade, Grade::NotApplicable);
    }
}
