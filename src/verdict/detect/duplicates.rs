//! D11, duplicate side effects: the one that costs money.
//!
//! For operations whose method may change something each time (POST, PATCH), with *acc* the number
//! of attempts that the upstream answered with a 2xx:
//!
//! - **realised duplicate**: *acc* ≥ 2 and no key that all attempts share, or a shared key and answers
//!   that tell of different things made (the key was ignored). Its cost is *acc* − 1 effects too many.
//! - **near miss**: sent again without a shared key after a failure that leaves open whether it was
//!   processed (reset or silence after it was read, 500, 502, 504: class A), or that says it was (a
//!   2xx cut short: class P). After a plain 503 it is a warning: usually a rejection, but nothing in
//!   HTTP says so; one that we put in the place of a 2xx (`lose_response`) was none. Whether the second one landed does not matter: the next one will.
//! - **key churn**: attempts of one operation with different keys. **Key reuse**: one key on
//!   different bodies.
//!
//! Of gRPC calls, which are all POSTs, those whose method is named as one that only reads are left out,
//! and a call that the upstream never heard of is no near miss: a client cannot tell such a status from
//! what its library makes of a broken connection, and its service's owner has allowed it both.
//!
//! A sighting of any of these is a fact and needs no statistics; a near miss after a plain 503 warns.
//! A clean result is a universal claim: with *n* cut purchases and none duplicated, the rate is below
//! 1 − (1 − level)^(1/n) at that level: 45 % for 5, 9.5 % for 30, and less than five clear nobody. Nor
//! does a client pass for having sent nothing again that sent again after a plain 503. Behaviour is fixed per class of
//! failure far more often than per request, so the classes that were met are told with it.
//!
//! Sources: RFC 9110 §9.2.2; draft-ietf-httpapi-idempotency-key-header; Twilio's post-mortem of
//! 18 July 2013 for what it costs.

use crate::{
    event::Upstream,
    verdict::{
        attempt::{Attempt, Class, Wrong},
        detect::{Cx, Detector, Now},
        finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
        operation::{Link, Operation},
        phases::Phases,
    },
};
use std::collections::BTreeMap;

/// Requests that were cut without which nobody is cleared.
const LEAST: u64 = 5;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Duplicates {
    seen: Phases<Seen>,
    realised: Sightings,
    resends: Sightings,
    churned: Sightings,
    reused: Sightings,
    /// Unsafe requests, in calm as well, that the upstream accepted.
    accepted: u64,
    /// Operations, in calm as well, whose key belonged to something else before.
    used_keys: u64,
}

/// What was seen in one phase.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Unsafe operations.
    operations: u64,
    /// Those with a key on every attempt.
    keyed: u64,
    /// Those with more than one attempt.
    repeated: u64,
    /// Realised duplicates.
    duplicated: u64,
    /// Effects too many.
    extra: u64,
    /// Near misses.
    resent: u64,
    /// Near misses after a plain 503 and nothing worse.
    resent_503: u64,
    churned: u64,
    reused: u64,
    /// Failures after which an unsafe request must not be sent again without a key, by what went
    /// wrong.
    cuts: BTreeMap<String, u64>,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.keyed += other.keyed;
        self.repeated += other.repeated;
        self.duplicated += other.duplicated;
        self.extra += other.extra;
        self.resent += other.resent;
        self.resent_503 += other.resent_503;
        self.churned += other.churned;
        self.reused += other.reused;
        for (what, count) in &other.cuts {
            *self.cuts.entry(what.clone()).or_default() += count;
        }
    }

    fn cut(&self) -> u64 {
        self.cuts.values().sum()
    }

    fn classes(&self) -> String {
        let all: Vec<String> = self.cuts.iter().map(|(what, n)| format!("{what} {n}")).collect();
        all.join(", ")
    }
}

impl Detector for Duplicates {
    fn name(&self) -> &'static str {
        "duplicates"
    }

    fn code(&self) -> &'static str {
        "D11"
    }

    fn weight(&self) -> Weight {
        Weight::Critical
    }

    fn operation(&mut self, operation: &Operation, _now: Now<'_>) {
        let first = operation.first();
        if !first.is_unsafe {
            return;
        }
        self.accepted += operation.accepted();
        let seen = self.seen.at(first.phase);
        let attempts = operation.attempts();
        seen.operations += 1;
        seen.keyed += u64::from(attempts.iter().all(|attempt| attempt.key.is_some()));
        for attempt in attempts.iter().filter(|attempt| is_open(attempt)) {
            *seen.cuts.entry(what(attempt)).or_default() += 1;
        }
        if operation.has_used_key() {
            self.used_keys += 1;
            self.reused.note(|| Sighting::of(first, "a key that belonged to something else"));
        }
        if operation.count() < 2 {
            return;
        }
        seen.repeated += 1;
        let stable = operation.stable_key();
        let accepted = operation.accepted();
        if is_realised(operation) {
            seen.duplicated += 1;
            seen.extra += accepted - 1;
            let why = if stable.is_none() { "without a shared key" } else { "its key was ignored" };
            self.realised.note(|| {
                Sighting::of(first, format!("accepted {accepted} times by the upstream, {why}"))
            });
        }
        let keys = attempts.iter().filter_map(|attempt| attempt.key);
        let churns = keys.clone().count() == attempts.len() && stable.is_none();
        if churns {
            seen.churned += 1;
            self.churned.note(|| Sighting::of(first, "a new key for each attempt"));
        }
        if stable.is_some() && attempts.iter().any(|attempt| attempt.body != first.body) {
            seen.reused += 1;
            self.reused.note(|| Sighting::of(first, "one key, and different bodies"));
        }
        // What only looks alike may be two purchases; that it changed its key or body is all it shows.
        if stable.is_some() || operation.link() == Link::Near && !churns {
            return;
        }
        let before = &attempts[..attempts.len() - 1];
        let worst = before.iter().filter(|a| is_open(a)).max_by_key(|a| !is_plain_503(a));
        if let Some(worst) = worst {
            if is_plain_503(worst) {
                seen.resent_503 += 1;
            } else {
                seen.resent += 1;
            }
            self.resends.note(|| Sighting::of(worst, format!("sent again after {}", what(worst))));
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let seen = self.total(cx, None);
        let finding = self.graded(&seen, cx);
        finding
            .figure("unsafe_operations", seen.operations)
            .figure("duplicated", seen.duplicated)
            .figure("extra_effects", seen.extra)
            .figure("unsafe_resends", seen.resent)
            .figure("unsafe_resends_after_503", seen.resent_503)
            .figure("key_churn", seen.churned)
            .figure("key_reuse", seen.reused)
            .figure("cut", seen.cut())
            .figure("cut_by", serde_json::json!(seen.cuts))
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        let seen = self.total(cx, phase);
        let is_asked = matches!(term, "duplicate_side_effects" | "unsafe_resends");
        if is_asked && seen.operations > 0 && seen.resent == 0 && self.accepted == 0 {
            let why = "the service accepted no POST or PATCH at all";
            return Some(Measured::NotExercised(why.to_owned()));
        }
        Some(match term {
            "duplicate_side_effects" => counted(&seen, seen.extra, cx),
            "unsafe_resends" if seen.resent == 0 && seen.resent_503 > 0 => after_503(&seen),
            "unsafe_resends" => counted(&seen, seen.resent, cx),
            "idempotency_key" => {
                let sample = format!("{} unsafe operations", seen.operations);
                if seen.operations == 0 {
                    Measured::NotExercised("no POST or PATCH came by".to_owned())
                } else if seen.keyed < seen.operations {
                    Measured::Word { word: "optional", sample }
                } else if seen.churned + seen.reused > 0 {
                    Measured::Word { word: "required", sample }
                } else {
                    Measured::Word { word: "stable", sample }
                }
            }
            _ => return None,
        })
    }
}

impl Duplicates {
    fn total(&self, cx: &Cx<'_>, phase: Option<usize>) -> Seen {
        let mut total = Seen::default();
        for seen in self.seen.asked(cx.course, phase) {
            total.add(seen);
        }
        if phase.is_none() {
            // In whatever phase: it takes no fault for a client to do so.
            total.reused += self.used_keys;
        }
        total
    }

    fn graded(&self, seen: &Seen, cx: &Cx<'_>) -> Finding {
        if seen.duplicated > 0 {
            let said = format!(
                "{} of {} unsafe operations took effect more than once: {} effects too many",
                seen.duplicated, seen.operations, seen.extra
            );
            return Finding::new(Grade::Fail, Claim::Existential, said)
                .advice(
                    "send one Idempotency-Key per operation, the same on each attempt, and have the \
                     service honour it; until then send nothing again after a failure that leaves \
                     open whether it was processed",
                )
                .seen(self.realised.all());
        }
        if seen.churned > 0 || seen.reused > 0 {
            let (said, advice, sightings) = if seen.churned > 0 {
                let said =
                    format!("{} operations changed their key between attempts", seen.churned);
                let advice = "make the key once per operation, outside of the retry loop";
                (said, advice, &self.churned)
            } else {
                let said = format!("{} operations used one key for different bodies", seen.reused);
                (said, "make a new key for each operation", &self.reused)
            };
            let finding = Finding::new(Grade::Fail, Claim::Existential, said);
            return finding.advice(advice).seen(sightings.all());
        }
        if seen.resent > 0 || seen.resent_503 > 0 {
            let worse = seen.resent > 0;
            let grade = if worse { Grade::Fail } else { Grade::Warn };
            let what = if worse {
                "a failure that leaves open whether they"
            } else {
                "a plain 503, though they may"
            };
            let count = if worse { seen.resent } else { seen.resent_503 };
            let had = if worse { "had taken effect" } else { "have taken effect" };
            let also = match seen.resent_503 {
                more if worse && more > 0 => format!(", and {more} after a plain 503"),
                _ => String::new(),
            };
            let said = format!(
                "{count} unsafe operations were sent again without a key after {what} {had}{also}"
            );
            return Finding::new(grade, Claim::Existential, said)
                .advice("send an Idempotency-Key, or ask the service what became of it before sending again")
                .seen(self.resends.all());
        }
        if self.accepted == 0 && seen.operations > 0 {
            return Finding::not_applicable("the service accepted no POST or PATCH at all");
        }
        match counted(seen, 0, cx) {
            Measured::Number { sample, .. } => Finding::new(
                Grade::Pass,
                Claim::Universal,
                format!("no unsafe operation took effect twice: {sample}"),
            ),
            Measured::TooFew { said, needs } => Finding::inconclusive(said, needs),
            Measured::NotExercised(why) => Finding::not_applicable(why),
            _ => Finding::not_applicable(""),
        }
    }
}

/// Whether the upstream did an unsafe operation more than once, for want of a key that it honours.
pub(in crate::verdict) fn is_realised(operation: &Operation) -> bool {
    operation.first().is_unsafe
        && operation.accepted() >= 2
        && (operation.stable_key().is_none() || made_different(operation))
}

/// A count of sightings; none of them is only worth something if there was an occasion.
fn counted(seen: &Seen, count: u64, cx: &Cx<'_>) -> Measured {
    if count > 0 {
        return Measured::count(count, format!("{} unsafe operations", seen.operations));
    }
    let cut = seen.cut();
    if seen.operations == 0 {
        return Measured::NotExercised("no POST or PATCH came by".to_owned());
    }
    if cut == 0 {
        let why = "no POST or PATCH failed in a way that leaves open whether it was processed";
        return Measured::NotExercised(why.to_owned());
    }
    let bound = 1.0 - (1.0 - cx.level).powf(1.0 / cut as f64);
    let sample = format!(
        "0 of {cut} cut requests (rate below {:.1} % at {:.0} %; {})",
        bound * 100.0,
        cx.level * 100.0,
        seen.classes()
    );
    if cut < LEAST {
        let needs = format!("{LEAST} requests that are cut: fewer leave too much open");
        return Measured::too_few(sample, needs);
    }
    Measured::count(0, sample)
}

/// Nothing worse than a plain 503 was followed by the same again.
fn after_503(seen: &Seen) -> Measured {
    let said = format!(
        "{} of {} unsafe operations were sent again without a key after a plain 503, which leaves open \
         whether they had taken effect; none after another of {} cut requests ({})",
        seen.resent_503,
        seen.operations,
        seen.cut(),
        seen.classes()
    );
    Measured::too_few(said, "requests that are surely taken before they fail: `lose_response`")
}

/// Whether a failure leaves open whether the request was processed, or says that it was. A gRPC call
/// that the upstream never heard of was not: see `call.rs`.
fn is_open(attempt: &Attempt) -> bool {
    let is_told = attempt.call.is_some() && attempt.upstream == Upstream::NotSent;
    !is_told && matches!(attempt.class, Some(Class::Ambiguous | Class::Processed))
}

/// Whether it was refused with a 503, as far as anybody knows: the upstream had not done the work.
fn is_plain_503(attempt: &Attempt) -> bool {
    attempt.wrong == Some(Wrong::Status(503)) && !attempt.is_accepted()
}

/// In a word, what went wrong.
fn what(attempt: &Attempt) -> String {
    match attempt.wrong {
        Some(Wrong::Status(status)) => status.to_string(),
        Some(Wrong::Grpc(code)) => code.to_string(),
        Some(Wrong::Reset) => "reset".to_owned(),
        Some(Wrong::Closed) => "close".to_owned(),
        Some(Wrong::Cut) => "cut".to_owned(),
        Some(Wrong::Left) => "timeout".to_owned(),
        None => "success".to_owned(),
    }
}

/// Whether accepted attempts tell of different things made.
fn made_different(operation: &Operation) -> bool {
    let mut made = operation.attempts().iter().filter(|a| a.is_accepted()).filter_map(|a| a.made);
    let Some(first) = made.next() else { return false };
    made.any(|other| other != first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::traffic::{BEGINS, OVER, Traffic, Try, beat, graded, judged_as, ok};

    /// Purchases in calm, and so many in the outage that go wrong like this; each is sent again once.
    fn purchases(expect: &str, count: u32, wrong: fn(Try) -> Try) -> Traffic {
        let mut traffic = Traffic::expecting(expect);
        traffic.extend(beat(1.0, 0.0, OVER).map(|at| ok(1, at)));
        traffic.extend(beat(1.0, 0.0, 50.0).map(|at| ok(1, at).of(&format!("POST /buy/{at}"))));
        for n in 0..count {
            let (at, what) = (BEGINS + f64::from(n) * 5.0, format!("POST /buy/again/{n}"));
            traffic.add(wrong(ok(1, at).of(&what)));
            traffic.add(wrong(ok(1, at + 1.0).of(&what)));
        }
        traffic
    }

    /// The same, but nothing is sent again.
    fn given_up(expect: &str, count: u32) -> Traffic {
        let mut traffic = Traffic::expecting(expect);
        traffic.extend(beat(1.0, 0.0, 50.0).map(|at| ok(1, at).of(&format!("POST /buy/{at}"))));
        let cut = (0..count).map(|n| BEGINS + f64::from(n));
        traffic.extend(cut.map(|at| ok(1, at).of(&format!("POST /buy/{at}")).left(1.0)));
        traffic
    }

    #[test]
    fn a_503_in_place_of_what_was_done_is_no_plain_one() {
        let lost = |this: Try| this.lost(503);
        let judged = purchases("unsafe_resends: 0", 10, lost).expectation();
        judged_as(&judged, Grade::Fail, "10 (");
    }

    #[test]
    fn what_was_sent_again_after_a_plain_503_is_told_and_is_no_pass() {
        let plain = |this: Try| this.status(503);
        let judged = purchases("unsafe_resends: 0", 10, plain).expectation();
        judged_as(&judged, Grade::Inconclusive, "10 of 10 unsafe operations were sent again");
        let finding = purchases("unsafe_resends: 0", 10, plain).finding("duplicates");
        graded(&finding, Grade::Warn, "10 unsafe operations were sent again without a key");
    }

    #[test]
    fn fewer_than_five_cut_requests_clear_nobody() {
        for expect in ["unsafe_resends: 0", "duplicate_side_effects: 0"] {
            judged_as(&given_up(expect, 4).expectation(), Grade::Inconclusive, "0 of 4 cut");
            judged_as(&given_up(expect, 5).expectation(), Grade::Pass, "0 of 5 cut");
        }
    }
}
