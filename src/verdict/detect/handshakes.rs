//! D21, handshakes of TLS: whether a client looks at certificates, and how it knocks while none is shaken.
//!
//! **Certificates.** Of the connections that were shown a flawed one (`tls: expired`, `not_yet_valid`,
//! `wrong_name`, `untrusted`): it was *taken* if a request came even so, and *refused* if the client
//! left before hands were shaken, or within a second after it without a request, since some clients look
//! at names only then. Whatever else became of a connection says nothing. Fail: one that was taken.
//! Pass: three that were refused and none taken; a universal claim, with an upper bound of
//! 1 − (1 − level)^(1/n) on the rate. Handshakes come before all that tells clients apart, so what was
//! refused is known of all clients together.
//!
//! **Load.** Handshakes that failed per second, in the phases with faults in which some did, over
//! attempts per second in calm: one for a client that asks once and opens a connection for it. As in D2
//! it passes up to 1.2, warns up to 3 and fails above, with the exact conditional binomial of two Poisson
//! counts. Least sample: 30 of each.
//!
//! Sources: RFC 9525, §6 and RFC 5280, §6.1 (what a client has to look at); CWE-295.

use crate::{
    event::{Connection, Did, EndedBy},
    verdict::{
        attempt::Attempt,
        course::{Course, Stage},
        detect::{Cx, Detector, Now},
        finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
        phases::Phases,
        stats::{Observed, rate_ratio, unseen_upper},
        words::counted,
    },
};
use std::collections::BTreeMap;

/// Up to here a client has a budget.
const PASS: f64 = 1.2;
/// Up to here it has a limit.
const WARN: f64 = 3.0;
/// The least number of refusals that clear a client.
const REFUSALS: u64 = 3;
/// The least number of failed handshakes, and of attempts in calm.
const LEAST: u64 = 30;
/// How long after hands were shaken a client may still find that it does not like a name, in
/// microseconds.
const SECOND_THOUGHT: u64 = 1_000_000;
/// The flaws that a client sees if it looks at a certificate, and how they are told.
const CERTIFICATES: &[(&str, &str)] = &[
    ("expired", "had expired"),
    ("not_yet_valid", "was not valid yet"),
    ("wrong_name", "was for somebody else"),
    ("untrusted", "was signed by nobody it knows"),
];

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Handshakes {
    seen: Phases<Seen>,
    /// Attempts in calm.
    base_attempts: u64,
    sightings: Sightings,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// By flaw: certificates that were taken, and those that were refused.
    certificates: BTreeMap<&'static str, (u64, u64)>,
    /// Handshakes that failed.
    failed: u64,
}

/// The certificates of some phases.
#[derive(Default)]
struct Total {
    taken: u64,
    refused: u64,
    by_flaw: BTreeMap<&'static str, (u64, u64)>,
}

impl Detector for Handshakes {
    fn name(&self) -> &'static str {
        "handshakes"
    }

    fn code(&self) -> &'static str {
        "D21"
    }

    fn weight(&self) -> Weight {
        Weight::Minor
    }

    fn leans_on_links(&self) -> bool {
        false
    }

    fn leans_on_calm(&self, term: Option<&str>) -> bool {
        let of_load = || self.seen.iter().all(|seen| seen.certificates.is_empty());
        term.map_or_else(of_load, |term| term == "handshake_load")
    }

    fn attempt(&mut self, attempt: &Attempt, now: Now<'_>) {
        self.base_attempts += u64::from(now.stage == Stage::Base);
        let Some((flaw, told)) = attempt.flaw.and_then(|(flaw, _)| of_certificates(flaw)) else {
            return;
        };
        self.seen.at(attempt.phase).certificates.entry(flaw).or_default().0 += 1;
        self.sightings.note(|| {
            Sighting::of(attempt, format!("a request on a connection whose certificate {told}"))
        });
    }

    fn connection(&mut self, connection: &Connection, _course: &Course) {
        let flaw = connection.dealt.iter().find_map(|dealt| match dealt.did {
            Did::Handshake(flaw) => of_certificates(flaw),
            _ => None,
        });
        let is_refused = flaw.is_some() && is_refused(connection);
        if !is_refused && connection.tls_error.is_none() {
            return;
        }
        let phase = connection.phase.and_then(|phase| u16::try_from(phase).ok());
        let seen = self.seen.at(phase);
        seen.failed += 1;
        if let Some((flaw, _)) = flaw.filter(|_| is_refused) {
            seen.certificates.entry(flaw).or_default().1 += 1;
        }
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let total = self.certificates(None, cx);
        let finding = match total.measured(cx) {
            Measured::Number { value, sample, .. } if value > 0.0 => {
                let said = format!("it takes certificates that it should not: {sample}");
                Finding::new(Grade::Fail, Claim::Existential, said)
                    .weighing(Weight::Critical)
                    .advice(
                        "have the client check certificates, names included: whoever is between it \
                         and the service reads and writes what they send each other",
                    )
                    .seen(self.sightings.all())
            }
            Measured::Number { sample, .. } => {
                let said = format!("no flawed certificate was taken: {sample}");
                Finding::new(Grade::Pass, Claim::Universal, said)
            }
            Measured::TooFew { said, needs } => Finding::inconclusive(said, needs),
            Measured::NotExercised(why) => Finding::not_applicable(why),
            _ => Finding::not_applicable(""),
        };
        let finding = finding.figure("taken", total.taken).figure("refused", total.refused);
        self.with_load(finding, cx)
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        match term {
            "bad_certificates_taken" => Some(self.certificates(phase, cx).measured(cx)),
            "handshake_load" => Some(self.load(phase, cx)),
            _ => None,
        }
    }
}

impl Handshakes {
    fn certificates(&self, phase: Option<usize>, cx: &Cx<'_>) -> Total {
        let mut total = Total::default();
        let seen = self.seen.asked(cx.course, phase);
        for (flaw, (taken, refused)) in seen.flat_map(|seen| &seen.certificates) {
            let of = total.by_flaw.entry(flaw).or_default();
            of.0 += taken;
            of.1 += refused;
            total.taken += taken;
            total.refused += refused;
        }
        total
    }

    fn load(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let phases = (0..cx.course.legs().len())
            .filter(|at| cx.course.is_asked(phase, u16::try_from(*at).ok()));
        let (mut failed, mut during) = (0, 0.0);
        for at in phases {
            let here: u64 = self.seen.asked(cx.course, Some(at)).map(|seen| seen.failed).sum();
            if here > 0 {
                failed += here;
                during += cx.course.seconds_of(at);
            }
        }
        if failed == 0 {
            return Measured::NotExercised("no handshake failed".to_owned());
        }
        let (before, calm) = (self.base_attempts, cx.course.seconds(Stage::Base));
        let sample = format!(
            "{} that failed in {during:.0} s, {} in {calm:.0} s of calm",
            counted(failed, "handshake"),
            counted(before, "attempt")
        );
        if failed < LEAST || before < LEAST || calm <= 0.0 || during <= 0.0 {
            return Measured::too_few(sample, format!("{LEAST} of each"));
        }
        let this = Observed { events: failed, exposure: during };
        match rate_ratio(this, Observed { events: before, exposure: calm }, cx.level) {
            Some(interval) => Measured::interval(interval, sample),
            None => Measured::too_few(sample, format!("{LEAST} of each")),
        }
    }

    /// Adds what is known of the load.
    fn with_load(&self, finding: Finding, cx: &Cx<'_>) -> Finding {
        let Measured::Number { low, value, high, sample } = self.load(None, cx) else {
            return finding;
        };
        let grade = match value {
            _ if high <= PASS || value <= PASS => Grade::Pass,
            _ if low > WARN => Grade::Fail,
            _ => Grade::Warn,
        };
        let load = format!("it knocks at {value:.2}x of calm while no hands are shaken ({sample})");
        let said = match finding.grade {
            Grade::NotApplicable => load,
            _ => format!("{}; {load}", finding.said),
        };
        let claim = match finding.grade {
            Grade::NotApplicable => Claim::Quantitative,
            _ => finding.claim,
        };
        let grade = grade.max(finding.grade);
        let finding = Finding { grade, claim, said, ..finding }.figure("load", value);
        if grade < Grade::Warn || !finding.advice.is_empty() {
            return finding;
        }
        finding.advice(
            "wait between attempts to connect as between attempts to ask, and give them a budget: a \
             handshake costs a server more than most requests",
        )
    }
}

impl Total {
    fn measured(&self, cx: &Cx<'_>) -> Measured {
        let Self { taken, refused, .. } = *self;
        let all = taken + refused;
        if all == 0 {
            let why =
                "no certificate was flawed, or nobody came to see it: `tls: expired` and its kin";
            return Measured::NotExercised(why.to_owned());
        }
        let ways = self.by_flaw.iter().map(|(flaw, (taken, refused))| {
            let told = of_certificates(flaw).map_or("", |(_, told)| told);
            format!("{taken} of {} that {told}", taken + refused)
        });
        let ways = ways.collect::<Vec<_>>().join(", ");
        if taken > 0 {
            return Measured::count(taken, ways);
        }
        if refused < REFUSALS {
            return Measured::too_few(
                ways,
                format!("{REFUSALS} connections with such a certificate"),
            );
        }
        let bound = unseen_upper(all, cx.level) * 100.0;
        let level = cx.level * 100.0;
        Measured::count(0, format!("{ways} (rate below {bound:.1} % at {level:.0} %)"))
    }
}

fn of_certificates(flaw: &str) -> Option<(&'static str, &'static str)> {
    CERTIFICATES.iter().copied().find(|(name, _)| *name == flaw)
}

/// Whether the client ended a connection because of what it was shown.
fn is_refused(connection: &Connection) -> bool {
    if let Some(word) = connection.tls_error {
        return word == "left" || word.starts_with("alert");
    }
    let soon = connection.ended <= connection.secured.saturating_add(SECOND_THOUGHT);
    let left = matches!(connection.ended_by, EndedBy::ClientFin | EndedBy::ClientRst);
    connection.secured > 0 && soon && left
}

#[cfg(test)]
mod tests {
    use crate::verdict::{
        finding::Grade,
        tests::traffic::{BEGINS, ENDS, Shaken, Traffic, beat, graded, judged_as, ok},
    };

    /// Ten attempts per second in calm.
    fn calm(expect: &str) -> Traffic {
        let mut traffic = Traffic::expecting(expect);
        traffic.extend(beat(10.0, 0.0, BEGINS).map(|at| ok(1, at)));
        traffic
    }

    #[test]
    fn one_that_is_taken_decides() {
        let mut traffic = calm("bad_certificates_taken: 0");
        for at in beat(1.0, BEGINS, BEGINS + 20.0) {
            traffic.shaken(Shaken::refused("expired", at));
        }
        traffic.add(ok(2, 150.0).fresh().shown("wrong_name"));
        judged_as(&traffic.clone().expectation(), Grade::Fail, "1 of 1 that was for somebody else");
        let found = traffic.finding("handshakes");
        graded(&found, Grade::Fail, "0 of 20 that had expired, 1 of 1 that was for somebody else");
        assert_eq!(found.sightings[0].at, 150_000_000);
    }

    #[test]
    fn all_that_are_refused_clear_a_client_and_two_do_not() {
        let refused = |count: u32| {
            let mut traffic = calm("bad_certificates_taken: 0");
            for at in 0..count {
                traffic.shaken(Shaken::refused("untrusted", BEGINS + f64::from(at)));
            }
            traffic.expectation()
        };
        judged_as(&refused(3), Grade::Pass, "0 of 3 that was signed by nobody it knows");
        judged_as(&refused(2), Grade::Inconclusive, "0 of 2");
        judged_as(&refused(0), Grade::NotApplicable, "tls: expired");
    }

    #[test]
    fn a_client_that_thinks_again_at_once_refuses_and_one_that_waits_says_nothing() {
        let left = |after: f64| {
            let mut traffic = calm("bad_certificates_taken: 0");
            for at in 0..5 {
                traffic.shaken(Shaken::left("wrong_name", BEGINS + f64::from(at), after));
            }
            traffic.expectation().grade
        };
        assert_eq!(left(0.2), Grade::Pass);
        assert_eq!(left(5.0), Grade::NotApplicable);
    }

    #[test]
    fn flaws_that_no_certificate_has_clear_nobody() {
        let mut traffic = calm("bad_certificates_taken: 0");
        for at in beat(1.0, BEGINS, ENDS) {
            traffic.shaken(Shaken::refused("no_common_version", at));
        }
        traffic.add(ok(2, 150.0).fresh().shown("stall"));
        judged_as(&traffic.expectation(), Grade::NotApplicable, "no certificate was flawed");
    }

    #[test]
    fn who_knocks_faster_than_it_asked_in_calm_is_a_storm() {
        for (rate, grade) in [(10.0, Grade::Pass), (20.0, Grade::Warn), (100.0, Grade::Fail)] {
            let mut traffic = calm("handshake_load: 1.2x");
            for at in beat(rate, BEGINS, ENDS) {
                traffic.shaken(Shaken::refused("expired", at));
            }
            let wanted = if grade == Grade::Pass { Grade::Pass } else { Grade::Fail };
            assert_eq!(traffic.clone().expectation().grade, wanted, "{rate}");
            let found = traffic.finding("handshakes");
            graded(&found, grade, &format!("it knocks at {:.2}x of calm", rate / 10.0));
        }
    }

    #[test]
    fn a_handshake_that_failed_without_a_fault_is_no_refusal_of_a_flaw() {
        let mut traffic = calm("bad_certificates_taken: 0");
        for at in beat(1.0, BEGINS, ENDS) {
            traffic.shaken(Shaken::failed("alert_unknown_ca", at));
        }
        judged_as(&traffic.clone().expectation(), Grade::NotApplicable, "no certificate");
        graded(&traffic.finding("handshakes"), Grade::Pass, "it knocks at 0.10x");
    }
}
