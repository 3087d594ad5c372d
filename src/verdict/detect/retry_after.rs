//! D9, whether a client waits as long as `Retry-After` asks.
//!
//! Over answers with a `Retry-After` of *R* that were followed by another attempt after a wait *d*:
//! a violation is *d* < *R* − ε, with ε the longer of 50 ms and 1 % of *R*, and one second for dates,
//! which are in whole seconds. Of gRPC it is `grpc-retry-pushback-ms`, or the `RetryInfo` of a status. *d* is counted from the answer's head, which says it. Not asking again complies. 429 and 503, seconds and dates are told
//! apart.
//!
//! Fail: three violations or more, and the lower bound of their share of the answers above ρ + 1
//! percentage point, since a link by chance looks like one. Pass: the upper bound of the share of
//! violations is 10 % or less (29 of 29), or five of five, which is enough for a client that always
//! does the same. It may be luck if *R* is less than three times the longest wait seen without it (95 of
//! 100 of them), or if none was seen, when waits are not about as long as *R*: then it is inconclusive.
//!
//! Warn, "respects, but in step": a deviation of *d* − *R* of less than 3 % of *R* over 30 waits, where
//! 30 such answers fell within 100 ms. Whoever obeys to the millisecond comes back as one.
//!
//! Sources: RFC 9110 §10.2.3; draft-ietf-httpapi-ratelimit-headers (on jitter); half of 26
//! configurations of real clients did not wait.

use crate::verdict::{
    attempt::{Answer, Attempt, Wrong},
    detect::{Cx, Detector, Now},
    finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
    operation::{Gap, Link, Operation},
    phases::Phases,
    stats::wilson_at,
    waits::surely_retried,
    words::{counted, time},
};
use std::collections::BTreeMap;

/// The share of violations that a client passes with.
const PASS: f64 = 0.1;
/// So many are enough if all comply.
const ALL: u64 = 5;
/// The least number of violations.
const VIOLATIONS: u64 = 3;
/// By how much violations must be more than chance.
const ABOVE_CHANCE: f64 = 0.01;
/// *R* must be so many times as long as other waits.
const LUCK: f64 = 3.0;
/// How far from *R* a wait is about as long, in its own length and in seconds.
const ABOUT: f64 = 0.25;
const ABOUT_SECONDS: f64 = 1.0;
/// Waits and answers within [`WINDOW`] from which on a herd can be told, and how close is in step.
const HERD: u64 = 30;
const STEP: f64 = 0.03;
/// Microseconds.
const WINDOW: u64 = 100_000;
/// Own waits that are remembered, by quarters of an octave from a millisecond.
const BINS: usize = 72;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct RetryAfter {
    seen: Phases<Seen>,
    violations: Sightings,
    pulse: Pulse,
}

/// How many answers with `Retry-After` fell within one window.
#[derive(Debug, Default)]
struct Pulse {
    window: u64,
    here: u64,
    most: u64,
}

/// Which answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    status: Answer,
    is_date: bool,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Answers.
    told: u64,
    /// Those followed by another attempt.
    followed: u64,
    /// Those followed too soon.
    violated: u64,
}

#[derive(Clone, Debug)]
struct Seen {
    ways: BTreeMap<Way, Tally>,
    /// Waits that are about as long as they were asked to be.
    about: u64,
    /// The shortest *R* that was obeyed, in seconds.
    shortest: f64,
    /// Σ and Σ² of (*d* − *R*)/*R* of those that were obeyed.
    late: f64,
    late_square: f64,
    /// Waits that nobody asked for.
    own: [u32; BINS],
}

impl Default for Seen {
    fn default() -> Self {
        let (late, late_square) = (0.0, 0.0);
        let (ways, shortest) = (BTreeMap::new(), f64::INFINITY);
        Self { ways, about: 0, shortest, late, late_square, own: [0; BINS] }
    }
}

impl Seen {
    fn add(&mut self, other: &Self) {
        for (way, tally) in &other.ways {
            self.ways.entry(*way).or_default().add(*tally);
        }
        self.about += other.about;
        self.shortest = self.shortest.min(other.shortest);
        self.late += other.late;
        self.late_square += other.late_square;
        for (sum, count) in self.own.iter_mut().zip(other.own) {
            *sum = sum.saturating_add(count);
        }
    }

    fn all(&self) -> Tally {
        let mut all = Tally::default();
        self.ways.values().for_each(|tally| all.add(*tally));
        all
    }

    /// The wait that 95 of 100 of its own keep to, in seconds.
    fn own_wait(&self) -> Option<f64> {
        let all: u64 = self.own.iter().map(|count| u64::from(*count)).sum();
        let mut seen = 0;
        let at = self.own.iter().position(|count| {
            seen += u64::from(*count);
            all > 0 && seen * 100 >= all * 95
        })?;
        // Its upper end, but for the first, which is at once.
        Some(if at == 0 { 0.0 } else { ((at + 1) as f64 / 4.0).exp2() / 1e3 })
    }

    /// Whether waiting so long may be luck.
    fn may_be_luck(&self) -> bool {
        let kept = self.all().kept();
        match self.own_wait() {
            Some(own) => self.shortest < LUCK * own,
            None => self.about * 10 < kept * 8,
        }
    }

    /// The deviation of *d* − *R*, over *R*.
    fn step(&self) -> Option<f64> {
        let kept = self.all().kept();
        let n = kept as f64;
        let square = (self.late_square - self.late * self.late / n).max(0.0) / (n - 1.0);
        (kept >= HERD).then(|| square.sqrt())
    }

    /// What became of each kind of answer, in words.
    fn ways(&self) -> String {
        let ways = self.ways.iter().filter(|(_, tally)| tally.followed > 0).map(|(way, tally)| {
            let unit = if way.is_date { "date" } else { "seconds" };
            format!("{} in {unit} {} of {}", way.status, tally.kept(), tally.followed)
        });
        ways.collect::<Vec<_>>().join(", ")
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.told += other.told;
        self.followed += other.followed;
        self.violated += other.violated;
    }

    fn kept(self) -> u64 {
        self.followed - self.violated
    }
}

impl Detector for RetryAfter {
    fn name(&self) -> &'static str {
        "retry_after"
    }

    fn code(&self) -> &'static str {
        "D9"
    }

    fn weight(&self) -> Weight {
        Weight::Major
    }

    fn attempt(&mut self, attempt: &Attempt, _now: Now<'_>) {
        if asked(attempt).is_some() {
            // Attempts come in the order in which they end.
            let window = attempt.end / WINDOW;
            self.pulse.here = if window == self.pulse.window { self.pulse.here + 1 } else { 1 };
            self.pulse.window = window;
            self.pulse.most = self.pulse.most.max(self.pulse.here);
        }
    }

    fn operation(&mut self, operation: &Operation, _now: Now<'_>) {
        let seen = self.seen.at(operation.first().phase);
        for attempt in operation.attempts() {
            if let Some((way, _)) = asked(attempt) {
                seen.ways.entry(way).or_default().told += 1;
            }
        }
        // What only looks alike may be something else.
        if operation.link() == Link::Near {
            return;
        }
        for gap in operation.gaps() {
            let Some((way, wanted)) = asked(gap.before) else {
                note_own(seen, &gap);
                continue;
            };
            let wait = since_told(&gap);
            let slack = if way.is_date { 1.0 } else { (wanted / 100.0).max(0.05) };
            let tally = seen.ways.entry(way).or_default();
            tally.followed += 1;
            if wait < wanted - slack {
                tally.violated += 1;
                self.violations.note(|| {
                    let what =
                        format!("{} after an answer that asked for {}", time(wait), time(wanted));
                    Sighting::of(gap.after, what)
                });
            } else {
                let late = wait - wanted;
                seen.about += u64::from(late.abs() <= (wanted * ABOUT).max(ABOUT_SECONDS));
                seen.shortest = seen.shortest.min(wanted);
                seen.late += late / wanted;
                seen.late_square += (late / wanted).powi(2);
            }
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let seen = self.total(None, cx);
        let all = seen.all();
        let finding = match self.respects(None, cx) {
            Measured::NotExercised(why) => Finding::not_applicable(why),
            Measured::TooFew { said, needs } => Finding::inconclusive(said, needs),
            Measured::Flag { is: false, sample } => {
                let said = format!(
                    "it does not wait as long as `Retry-After` asks: {} of {} came too soon ({sample})",
                    all.violated,
                    counted(all.followed, "attempt"),
                );
                Finding::new(Grade::Fail, Claim::Quantitative, said)
                    .advice("wait for as long as `Retry-After` says, and a random bit longer")
                    .seen(self.violations.all())
            }
            Measured::Flag { sample, .. } => {
                let in_step = seen.step().filter(|step| *step < STEP && self.pulse.most >= HERD);
                obeys(in_step, &sample)
            }
            _ => Finding::not_applicable(""),
        };
        let ways = seen.ways.iter().map(|(way, tally)| {
            serde_json::json!({
                "status": way.status.json(),
                "date": way.is_date,
                "answers": tally.told,
                "followed": tally.followed,
                "violations": tally.violated,
            })
        });
        finding
            .figure("answers", all.told)
            .figure("followed", all.followed)
            .figure("violations", all.violated)
            .figure("by", ways.collect::<serde_json::Value>())
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        (term == "respects_retry_after").then(|| self.respects(phase, cx))
    }
}

impl RetryAfter {
    fn total(&self, phase: Option<usize>, cx: &Cx<'_>) -> Seen {
        let mut total = Seen::default();
        for seen in self.seen.asked(cx.course, phase) {
            total.add(seen);
        }
        total
    }

    fn respects(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let seen = self.total(phase, cx);
        let Tally { told, followed, violated } = seen.all();
        if told == 0 {
            return Measured::NotExercised("no answer had a `Retry-After`".to_owned());
        }
        if followed == 0 {
            let own = seen.own_wait().is_some();
            return if own && told >= ALL {
                let sample = format!("{told} such answers, and it asked again after none");
                Measured::Flag { is: true, sample }
            } else {
                let why = "nothing was tried again after an answer with `Retry-After`";
                Measured::NotExercised(why.to_owned())
            };
        }
        let share = |of: u64| wilson_at(violated, of, cx.level);
        let chance = cx.rho + ABOVE_CHANCE;
        let said = seen.ways();
        if violated >= VIOLATIONS && share(told).is_some_and(|share| share.low > chance) {
            return Measured::Flag { is: false, sample: format!("waited: {said}") };
        }
        let is_rare = share(followed).is_some_and(|share| share.high <= PASS);
        if !surely_retried(followed, told, cx.rho) {
            let why = "nothing shows that it asks again after an answer with `Retry-After`";
            return Measured::NotExercised(why.to_owned());
        }
        if !is_rare && (violated > 0 || followed < ALL) {
            let needs = if violated > 0 { "29 retries" } else { "5 retries" };
            let needs = format!("{needs} after an answer with `Retry-After`");
            return Measured::too_few(format!("waited: {said}"), needs);
        }
        if seen.may_be_luck() {
            let said = format!("waited, which may be luck: {said}");
            let own = seen.own_wait().unwrap_or(seen.shortest);
            let needs = format!("a `Retry-After` of {} or more", time((LUCK * own).max(2.0)));
            return Measured::too_few(said, needs);
        }
        Measured::Flag { is: true, sample: format!("waited: {said}") }
    }
}

/// It waits; `in_step` if all who were told the same come back as one.
fn obeys(in_step: Option<f64>, sample: &str) -> Finding {
    let Some(step) = in_step else {
        let said = format!("it waits as long as `Retry-After` asks ({sample})");
        return Finding::new(Grade::Pass, Claim::Universal, said);
    };
    let said = format!(
        "it waits as long as `Retry-After` asks, but in step: waits vary by {:.1} % of it ({sample})",
        step * 100.0
    );
    Finding::new(Grade::Warn, Claim::Quantitative, said).advice(
        "wait a random bit longer than `Retry-After` says, or all who were told the same come back \
         at once",
    )
}

/// What an answer asks for, in seconds; less than a moment asks for nothing.
fn asked(attempt: &Attempt) -> Option<(Way, f64)> {
    let status = match attempt.wrong? {
        Wrong::Status(status) => Answer::Http(status),
        Wrong::Grpc(code) => Answer::Grpc(code),
        _ => return None,
    };
    let wanted = attempt.retry_after?.as_secs_f64();
    (wanted >= 0.1).then_some((Way { status, is_date: attempt.retry_date }, wanted))
}

/// Notes a wait that nobody asked for.
/// How long it waited since it was told to, in seconds: the head of an answer says so, and on a busy
/// machine the answer's end is noted when the client has long read it.
fn since_told(gap: &Gap<'_>) -> f64 {
    let told = gap.before.told;
    let since = if told > 0 { told.min(gap.before.end) } else { gap.before.end };
    gap.after.start.saturating_sub(since) as f64 / 1e6
}

fn note_own(seen: &mut Seen, gap: &Gap<'_>) {
    if gap.before.wrong.is_none() {
        return;
    }
    let millis = (gap.wait.as_secs_f64() * 1e3).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to BINS")]
    let bin = (millis.log2() * 4.0).clamp(0.0, (BINS - 1) as f64) as usize;
    seen.own[bin] = seen.own[bin].saturating_add(1);
}

#[cfg(test)]
mod tests {
    use crate::verdict::{finding::Grade, fixture::Drill};

    /// Operations that are told to wait 15 s and wait as long as this.
    fn drill(operations: u32, status: u16, wait: f64) -> Drill {
        let mut drill = Drill::new(10.0, 400.0, 60.0);
        for at in 0..operations {
            let op = drill.op(11.0 + f64::from(at)).user(at).told(status, 15);
            op.after(wait + 0.1 * f64::from(at % 7)).served();
        }
        drill
    }

    /// As `curl --retry` was seen to on a busy machine, in 7 of 120 answers.
    #[test]
    fn the_wait_begins_with_the_head_and_not_when_the_end_is_noted() {
        let mut drill = Drill::new(10.0, 400.0, 60.0);
        for at in 0..40 {
            let op = drill.op(11.0 + f64::from(at)).user(at).told(503, 3).noted_late(0.2);
            op.after(3.01 + 0.1 * f64::from(at % 7)).served();
        }
        let found = drill.finding("retry_after");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        assert_eq!(found.figures["violations"], 0);
    }

    #[test]
    fn who_waits_passes_and_who_does_not_fails() {
        let waits = drill(12, 503, 15.0);
        let found = waits.finding("retry_after");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
        assert!(found.said.contains("503 in seconds 12 of 12"), "{}", found.said);
        assert_eq!(waits.expect("respects_retry_after: true").grade, Grade::Pass);

        let hasty = drill(12, 429, 1.0);
        let found = hasty.finding("retry_after");
        assert_eq!(found.grade, Grade::Fail, "{}", found.said);
        assert_eq!(found.figures["violations"], 12);
        assert_eq!(found.sightings.len(), 5);
        assert_eq!(hasty.expect("respects_retry_after: true").grade, Grade::Fail);
    }

    #[test]
    fn both_statuses_are_told_apart() {
        let mut drill = drill(10, 429, 15.0);
        for at in 0..10 {
            drill.op(101.0 + f64::from(at)).told(503, 15).after(2.0).served();
        }
        let found = drill.finding("retry_after");
        assert_eq!(found.grade, Grade::Fail);
        let told = "429 in seconds 10 of 10, 503 in seconds 0 of 10";
        assert!(found.said.contains(told), "{}", found.said);
    }

    /// A date is in whole seconds, and so may ask for up to one less than was meant.
    #[test]
    fn a_date_has_a_second_of_slack() {
        let early = |by: f64, date: bool| {
            let mut drill = Drill::new(10.0, 400.0, 60.0);
            for at in 0..10 {
                let op = drill.op(11.0 + f64::from(at)).user(at);
                let op = if date { op.told_date(503, 15) } else { op.told(503, 15) };
                op.after(15.0 - by).served();
            }
            drill.finding("retry_after").grade
        };
        assert_eq!(early(0.9, true), Grade::Pass);
        assert_eq!(early(0.9, false), Grade::Fail);
        assert_eq!(early(0.1, false), Grade::Pass);
        assert_eq!(early(1.5, true), Grade::Fail);
    }

    /// It waits 10 s after any failure, and so after one that asks for 5.
    #[test]
    fn waiting_as_long_anyway_may_be_luck() {
        let mut drill = Drill::new(10.0, 400.0, 60.0);
        for at in 0..10 {
            let at = f64::from(at);
            drill.op(11.0 + at).fails(500).after(10.0).served();
            drill.op(31.0 + at).told(503, 5).after(10.0).served();
        }
        let found = drill.finding("retry_after");
        assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
        assert!(found.needs.unwrap().contains("or more"));
        assert_eq!(drill.expect("respects_retry_after: true").grade, Grade::Inconclusive);
        // Nothing to compare with, and yet it is not the length that was asked for.
        assert_eq!(self::drill(10, 503, 30.0).finding("retry_after").grade, Grade::Inconclusive);
    }

    #[test]
    fn a_herd_that_obeys_to_the_millisecond_is_in_step() {
        let herd = |spread: f64| {
            let mut drill = Drill::new(10.0, 100.0, 60.0);
            for user in 0..40 {
                let op = drill.op(20.0 + 0.001 * f64::from(user)).user(user).told(503, 15);
                op.after(15.0 + spread * f64::from(user * 17 % 40) / 40.0).served();
            }
            drill
        };
        let found = herd(0.1).finding("retry_after");
        assert_eq!(found.grade, Grade::Warn, "{}", found.said);
        assert_eq!(herd(0.1).expect("respects_retry_after: true").grade, Grade::Pass);
        let found = herd(3.0).finding("retry_after");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);
    }

    #[test]
    fn giving_up_complies_and_never_retrying_is_not_applicable() {
        let mut silent = Drill::new(10.0, 400.0, 60.0);
        for at in 0..10 {
            silent.op(11.0 + f64::from(at)).told(503, 15);
        }
        assert_eq!(silent.finding("retry_after").grade, Grade::NotApplicable);
        for at in 0..10 {
            silent.op(31.0 + f64::from(at)).fails(500).after(0.2).served();
        }
        let found = silent.finding("retry_after");
        assert_eq!(found.grade, Grade::Pass, "{}", found.said);

        let mut plain = Drill::new(10.0, 400.0, 60.0);
        plain.op(11.0).fails(503).after(1.0).served();
        assert_eq!(plain.finding("retry_after").grade, Grade::NotApplicable);
    }

    /// One of 300 was asked for again after a second, by whoever wanted it next.
    #[test]
    fn what_chance_explains_is_no_retry() {
        let mut drill = Drill::new(10.0, 600.0, 60.0);
        for at in 0..300 {
            drill.op(11.0 + f64::from(at)).told(503, 15);
        }
        drill.op(311.0).path("/items/300").told(503, 15);
        let found = drill.finding("retry_after");
        assert_eq!(found.grade, Grade::NotApplicable, "{}", found.said);
        assert_eq!(found.figures["followed"], 1);
    }

    #[test]
    fn few_are_too_few() {
        let found = drill(4, 503, 15.0).finding("retry_after");
        assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
        assert!(found.needs.unwrap().starts_with("5 retries"));
        let found = drill(2, 503, 1.0).finding("retry_after");
        assert_eq!(found.grade, Grade::Inconclusive, "{}", found.said);
    }
}
