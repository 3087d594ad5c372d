//! D21, handshakes of TLS: whether a client looks at certificates, and how it knocks while none is shaken.
//!
//! **Certificates.** Of the connections that were shown a flawed one (`tls: expired`, `not_yet_valid`,
//! `wrong_name`, `untrusted`): it was *taken* if a request came even so, and *refused* if the client
//! left before hands were shaken. Some clients look at names only after that: one that leaves within a
//! second without a request refused, too, unless connections like that came while nothing was wrong (a
//! health check that shakes hands and goes). `unknown_ca` refuses an `untrusted` certificate and no other:
//! who says it did not get as far as the flaw. Whatever else became of a connection says nothing.
//!
//! Fail: one that was taken. Pass: three that were refused and none taken, by clients of which one at least
//! asked something over a certificate that was in order, for else it was never about the flaw; a universal
//! claim, with an upper bound of 1 − (1 − level)^(1/n) on the rate. Handshakes come before all that tells
//! clients apart, so what was refused is known of all clients together.
//!
//! **Load.** Handshakes that failed as was dealt to them per second, in the phases with faults in which some
//! did, over attempts (and handshakes for nothing) per second in calm: one for a client that asks once and
//! opens a connection for it. As in D2 it passes up to 1.2, warns up to 3 and fails above, with the exact
//! conditional binomial of two Poisson counts. Least sample: 30 of each.
//!
//! Sources: RFC 9525, §6 and RFC 5280, §6.1 (what a client has to look at); CWE-295.

use crate::{
    event::Connection,
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
    ("expired", "expired"),
    ("not_yet_valid", "not valid yet"),
    ("wrong_name", "for another name"),
    ("untrusted", "of an unknown authority"),
];

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Handshakes {
    seen: Phases<Seen>,
    /// Attempts in calm, and handshakes for nothing.
    base: u64,
    /// Whether somebody asked something over a certificate that was in order.
    is_trusted: bool,
    /// Connections with such a certificate on which hands were shaken for nothing.
    unasked: u64,
    sightings: Sightings,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    certificates: BTreeMap<&'static str, Counts>,
    /// Handshakes that failed as was dealt to them.
    failed: u64,
    /// Clients that did not get as far as the flaw.
    strangers: u64,
}

/// What became of certificates with one flaw.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    taken: u64,
    refused: u64,
    /// Left after hands were shaken.
    regretted: u64,
}

/// The certificates of some phases.
#[derive(Default)]
struct Total {
    taken: u64,
    refused: u64,
    strangers: u64,
    is_trusted: bool,
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
        self.base += u64::from(now.stage == Stage::Base);
        // On a connection whose certificate was flawed it is only the first that says so.
        let Some((flaw, told)) = attempt.flaw.and_then(|(flaw, _)| of_certificates(flaw)) else {
            self.is_trusted |= attempt.secure && attempt.is_first;
            return;
        };
        self.seen.at(attempt.phase).certificates.entry(flaw).or_default().taken += 1;
        self.sightings.note(|| {
            Sighting::of(attempt, format!("a request on a connection with a certificate {told}"))
        });
    }

    fn connection(&mut self, connection: &Connection, course: &Course) {
        let phase = connection.phase.and_then(|phase| u16::try_from(phase).ok());
        let Some((flaw, _)) = connection.flaw().and_then(of_certificates) else {
            if connection.is_unasked() && connection.flaw().is_none() {
                self.unasked += 1;
                self.base += u64::from(course.stage(phase) == Stage::Base);
            }
            self.seen.at(phase).failed += u64::from(connection.is_handshake_dealt());
            return;
        };
        let seen = self.seen.at(phase);
        let counts = seen.certificates.entry(flaw).or_default();
        match connection.tls_error {
            None if is_regretted(connection) => counts.regretted += 1,
            Some("alert_unknown_ca") if flaw != "untrusted" => seen.strangers += 1,
            Some(word) if word == "left" || word.starts_with("alert") => counts.refused += 1,
            // It proves nothing, whatever it was.
            _ => return,
        }
        seen.failed += 1;
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let total = self.certificates(None, cx);
        let finding = match total.measured(cx) {
            Measured::Number { value, sample, .. } if value > 0.0 => {
                let said = format!("takes certificates that it should not: {sample}");
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
        let mut total = Total { is_trusted: self.is_trusted, ..Total::default() };
        for seen in self.seen.asked(cx.course, phase) {
            total.strangers += seen.strangers;
            for (flaw, counts) in &seen.certificates {
                let regretted = if self.unasked == 0 { counts.regretted } else { 0 };
                let refused = counts.refused + regretted;
                let of = total.by_flaw.entry(flaw).or_default();
                of.0 += counts.taken;
                of.1 += refused;
                total.taken += counts.taken;
                total.refused += refused;
            }
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
        let (before, calm) = (self.base, cx.course.seconds(Stage::Base));
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
        // What is said of certificates stands without a calm, and a comparison with it does not.
        let mut calm = cx.gates.0.iter().filter(|gate| gate.name.starts_with("calm_"));
        let grade = match value {
            _ if !calm.all(|gate| gate.holds) => Grade::Pass,
            _ if high <= PASS || value <= PASS => Grade::Pass,
            _ if low > WARN => Grade::Fail,
            _ => Grade::Warn,
        };
        let load = format!("handshakes failed at {value:.2}x of what is asked in calm ({sample})");
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
        let Self { taken, refused, strangers, .. } = *self;
        let ways = self.by_flaw.iter().filter(|(_, (taken, refused))| taken + refused > 0);
        let ways = ways.map(|(flaw, (taken, refused))| {
            let told = of_certificates(flaw).map_or("", |(_, told)| told);
            format!("{taken} of {} {told}", taken + refused)
        });
        let ways = ways.collect::<Vec<_>>().join(", ");
        if taken > 0 {
            return Measured::count(taken, ways);
        }
        if refused == 0 && strangers == 0 {
            let why = "no client was seen to make up its mind about a flawed certificate (`tls: expired` and \
                       its kin)";
            return Measured::NotExercised(why.to_owned());
        }
        if refused == 0 {
            let said = format!(
                "{} did not get as far as the flaw (`unknown_ca`)",
                counted(strangers, "connection")
            );
            return Measured::too_few(
                said,
                "a client that trusts `firedrill ca`, which signs what is flawed",
            );
        }
        if !self.is_trusted {
            let said = format!("{ways}, but nobody took a certificate that was in order either");
            return Measured::too_few(said, "requests over TLS while nothing is wrong with it");
        }
        if refused < REFUSALS {
            return Measured::too_few(
                ways,
                format!("{REFUSALS} connections with such a certificate"),
            );
        }
        let bound = unseen_upper(refused, cx.level) * 100.0;
        let level = cx.level * 100.0;
        Measured::count(0, format!("{ways} (rate below {bound:.1} % at {level:.0} %)"))
    }
}

fn of_certificates(flaw: &str) -> Option<(&'static str, &'static str)> {
    CERTIFICATES.iter().copied().find(|(name, _)| *name == flaw)
}

/// Whether the client left a connection soon after hands were shaken, without a word.
fn is_regretted(connection: &Connection) -> bool {
    connection.is_unasked() && connection.ended <= connection.secured.saturating_add(SECOND_THOUGHT)
}

#[cfg(test)]
mod tests {
    use crate::verdict::{
        finding::Grade,
        tests::traffic::{BEGINS, ENDS, Shaken, Traffic, beat, graded, judged_as, ok},
    };

    /// Ten attempts per second in calm, over TLS.
    fn calm(expect: &str) -> Traffic {
        let mut traffic = Traffic::expecting(expect);
        traffic.extend(beat(10.0, 0.0, BEGINS).map(|at| ok(1, at).secure()));
        traffic
    }

    /// So many connections, one a second.
    fn met(mut traffic: Traffic, count: u32, one: impl Fn(f64) -> Shaken) -> Traffic {
        (0..count).for_each(|at| traffic.shaken(one(BEGINS + f64::from(at))));
        traffic
    }

    #[test]
    fn one_that_is_taken_decides() {
        let traffic = calm("bad_certificates_taken: 0");
        let mut traffic = met(traffic, 20, |at| Shaken::refused("expired", at));
        traffic.add(ok(2, 150.0).fresh().shown("wrong_name"));
        judged_as(&traffic.clone().expectation(), Grade::Fail, "1 of 1 for another name");
        let found = traffic.finding("handshakes");
        graded(&found, Grade::Fail, "0 of 20 expired, 1 of 1 for another name");
        assert_eq!(found.sightings[0].at, 150_000_000);
    }

    #[test]
    fn all_that_are_refused_clear_a_client_and_two_do_not() {
        let refused = |count: u32| {
            let traffic = calm("bad_certificates_taken: 0");
            met(traffic, count, |at| Shaken::refused("untrusted", at)).expectation()
        };
        judged_as(&refused(3), Grade::Pass, "0 of 3 of an unknown authority");
        judged_as(&refused(2), Grade::Inconclusive, "0 of 2");
        judged_as(&refused(0), Grade::NotApplicable, "tls: expired");
    }

    /// One that never had us refuses whatever it is shown.
    #[test]
    fn who_does_not_take_a_good_certificate_proves_nothing_by_a_bad_one() {
        let mut traffic = Traffic::expecting("bad_certificates_taken: 0");
        // In clear, or over a connection whose certificate was flawed.
        traffic.extend(beat(10.0, 0.0, BEGINS).map(|at| ok(1, at)));
        let traffic = met(traffic, 20, |at| Shaken::refused("wrong_name", at));
        judged_as(&traffic.expectation(), Grade::Inconclusive, "in order either");
    }

    /// A flawed certificate beside one of one's own is signed by an authority that the client has to know.
    #[test]
    fn an_authority_that_it_does_not_know_keeps_a_client_from_the_flaw() {
        let alert = |flaw| {
            let traffic = calm("bad_certificates_taken: 0");
            met(traffic, 20, |at| Shaken::refused(flaw, at).with("alert_unknown_ca")).expectation()
        };
        judged_as(&alert("expired"), Grade::Inconclusive, "20 connections did not get as far");
        judged_as(&alert("untrusted"), Grade::Pass, "0 of 20");
    }

    #[test]
    fn a_client_that_thinks_again_at_once_refuses_and_one_that_waits_says_nothing() {
        let left = |after: f64| {
            let traffic = calm("bad_certificates_taken: 0");
            met(traffic, 5, |at| Shaken::left("wrong_name", at, after)).expectation().grade
        };
        assert_eq!(left(0.2), Grade::Pass);
        assert_eq!(left(5.0), Grade::NotApplicable);
    }

    /// It shakes hands and goes, whatever it is shown.
    #[test]
    fn a_health_check_that_shakes_hands_and_goes_refuses_nothing() {
        let mut traffic = calm("bad_certificates_taken: 0");
        for at in beat(1.0, 10.0, BEGINS) {
            traffic.shaken(Shaken::unasked(at));
        }
        let traffic = met(traffic, 20, |at| Shaken::left("wrong_name", at, 0.01));
        judged_as(&traffic.expectation(), Grade::NotApplicable, "make up its mind");
    }

    #[test]
    fn flaws_that_no_certificate_has_clear_nobody() {
        let traffic = calm("bad_certificates_taken: 0");
        let mut traffic = met(traffic, 100, |at| Shaken::refused("no_common_version", at));
        traffic.add(ok(2, 150.0).fresh().shown("stall"));
        judged_as(&traffic.expectation(), Grade::NotApplicable, "make up its mind");
    }

    /// Neither we without a certificate, nor what broke the connection, nor time.
    #[test]
    fn what_was_not_the_clients_doing_refuses_nothing() {
        for word in ["nothing_to_show", "timeout", "dealt", "no_tls"] {
            let traffic = calm("bad_certificates_taken: 0");
            let traffic = met(traffic, 20, |at| Shaken::refused("expired", at).with(word));
            assert_eq!(traffic.expectation().grade, Grade::NotApplicable, "{word}");
        }
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
            graded(&found, grade, &format!("handshakes failed at {:.2}x of", rate / 10.0));
        }
    }

    /// The service fails in calm, so that there is nothing to compare with; certificates are seen all the same.
    #[test]
    fn no_storm_is_told_of_beside_a_calm_that_is_none() {
        let mut traffic = Traffic::new();
        traffic.extend(beat(5.0, 0.0, BEGINS).map(|at| ok(1, at).secure()));
        traffic.extend(beat(5.0, 0.1, BEGINS).map(|at| ok(1, at).secure().really(500)));
        for at in beat(100.0, BEGINS, ENDS) {
            traffic.shaken(Shaken::refused("expired", at));
        }
        graded(&traffic.finding("handshakes"), Grade::Pass, "handshakes failed at 10.00x");
    }

    /// A prober, a monitor that does not trust us: they did so in calm, and no fault made them.
    #[test]
    fn a_handshake_that_failed_without_a_fault_is_nobodys_storm() {
        for word in ["alert_unknown_ca", "no_tls", "plain_http", "left"] {
            let mut traffic = calm("handshake_load: 1.2x");
            for at in beat(100.0, BEGINS, ENDS) {
                traffic.shaken(Shaken::failed(word, at));
            }
            judged_as(&traffic.clone().expectation(), Grade::NotApplicable, "no handshake failed");
            assert_eq!(traffic.finding("handshakes").grade, Grade::NotApplicable, "{word}");
        }
    }
}
