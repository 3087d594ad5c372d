//! D6, timeouts, inferred from when a client leaves while it is held.
//!
//! *Dᵢ* = when the client left − when its request was read (or begun, if it never was), over
//! attempts that a fault held. τ̂ = median of *Dᵢ*, its spread the MAD, the median of |*Dᵢ* − τ̂|. A
//! MAD below 5 % of τ̂ is a fixed timeout; a larger one may be several, or people who cancel. If
//! nobody leaves, the longest *H* that three attempts were held is all there is to say: "no timeout
//! up to *H*", never "no timeout". Attempts that are held longer than τ̂ and stay are told, too.
//!
//! Delays of five seconds and more are holds, too. A `hang` that stops reading in the middle of a call is one
//! of silence, from the call's beginning, unless its answer begins even so.
//!
//! A hold before the answer's head finds a timeout of silence; a hold after it one between two reads;
//! a request that is never read one of writing; a **drip** tells a deadline for the whole from a
//! timeout that begins anew with every byte: if holds are cut at τ̂ and drips of 1.5 τ̂ are not, the
//! timeout is one of idleness only.
//!
//! A handshake of TLS that stalls is a hold of its own, from when the connection was accepted: few clients
//! have their timeout for answers begin that early.
//!
//! Whoever leaves within the last second of the drill may have been killed with its harness: such an
//! attempt counts as held, unless the others left after as long (to 10 %).
//!
//! Pass: p99.9 of calm ≤ τ̂ ≤ 10 s, and drips are cut. Warn: up to 60 s, or idleness only, or no
//! timeout up to some 10 to 60 s. Fail: above 60 s, no timeout up to *H* > 60 s, three attempts or
//! more that outlast the others' τ̂ that far, or τ̂ below p99 of calm: the share of calm answers that
//! take longer is how often it would strike falsely. Least sample: three holds.
//!
//! Measured so on real clients, a timeout of 5 s comes out as 4.97 to 5.03 s.
//!
//! Sources: Amazon Builders' Library, timeouts, retries and backoff with jitter (a timeout on every
//! remote call, from a percentile of the latency and an accepted rate of false timeouts, 0.1 % say);
//! defaults of 43 client configurations, 32 of which wait for two minutes and more.

mod hands;
mod holds;
#[cfg(test)]
mod tests;

use crate::{
    event::Connection,
    verdict::{
        attempt::Attempt,
        course::Course,
        detect::{Cx, Detector, Now},
        finding::{Claim, Finding, Grade, Measured, Sighting, Sightings, Weight},
        phases::Phases,
    },
};
use holds::{Found, Hold, Holds, LEAST, median, spread};

/// A spread below this share of the timeout is that of a clock.
const FIXED: f64 = 0.05;
/// A good timeout, in seconds.
const GOOD: f64 = 10.0;
/// The longest that is not a failure.
const LONG: f64 = 60.0;
/// By how much a timeout comes out too long, as a share of it: a default of 60 s was measured as 60.06.
const SLACK: f64 = 0.01;

/// What to do about it.
const SET: &str = "set a timeout for each attempt, somewhat above the slowest answer that is normal \
                   and not above 10 s";

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Timeout {
    seen: Phases<Seen>,
    sightings: Sightings,
}

/// What was held in one phase.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Before the answer's head.
    silent: Holds,
    /// In the middle of an answer.
    amid: Holds,
    /// Before the request was read.
    unread: Holds,
    /// While the answer dripped.
    dripped: Holds,
    /// Before hands were shaken.
    hands: Holds,
}

impl Detector for Timeout {
    fn name(&self) -> &'static str {
        "timeout"
    }

    fn code(&self) -> &'static str {
        "D6"
    }

    fn weight(&self) -> Weight {
        Weight::Major
    }

    fn leans_on_links(&self) -> bool {
        false
    }

    fn connection(&mut self, connection: &Connection, _course: &Course) {
        if let Some(hold) = hands::of_connection(connection) {
            let phase = connection.phase.and_then(|phase| u16::try_from(phase).ok());
            self.seen.at(phase).hands.push(hold);
        }
    }

    fn attempt(&mut self, attempt: &Attempt, _now: Now<'_>) {
        if let Some(hold) = hands::of_attempt(attempt) {
            self.seen.at(attempt.phase).hands.push(hold);
        }
        if !attempt.held && !attempt.dripped {
            return;
        }
        // One that stopped reading in the middle of a call is over before it reads on, or reads all later.
        let stops = attempt.held && attempt.is_cut;
        let from = if attempt.received > 0 && !stops { attempt.received } else { attempt.start };
        let until = if attempt.left > 0 { attempt.left } else { attempt.end };
        // An answer that was complete before the client went was not given up.
        let is_told = attempt.call.is_some_and(|call| call.status.is_some());
        let is_answered = attempt.is_served() || attempt.status >= 400 || is_told;
        let gone = if is_answered { 0 } else { attempt.left };
        // Held before the head, which did come in the end.
        let head = attempt.told.saturating_sub(from);
        let outstayed = attempt.told > 0 && head * 2 >= until.saturating_sub(from);
        let (held, left) = if outstayed { (head, 0) } else { (until.saturating_sub(from), gone) };
        let seen = self.seen.at(attempt.phase);
        let holds = match () {
            () if !attempt.held => &mut seen.dripped,
            () if attempt.told > 0 && !outstayed => &mut seen.amid,
            () if attempt.received == 0 && !stops => &mut seen.unread,
            () => &mut seen.silent,
        };
        let lasted = held as f64 / 1e6;
        holds.push(Hold { lasted, left });
        self.sightings.note(|| {
            let what = if left > 0 { "the client left" } else { "the client stayed" };
            Sighting::of(attempt, format!("held for {lasted:.2} s: {what}"))
        });
    }

    fn timeout(&self) -> Option<f64> {
        let of = |kind: fn(&Seen) -> &Holds| -> Vec<f64> {
            self.seen.iter().flat_map(|seen| &kind(seen).left).map(|hold| hold.lasted).collect()
        };
        let mut all = of(|seen| &seen.silent);
        if all.is_empty() {
            all = of(|seen| &seen.unread);
        }
        all.sort_by(f64::total_cmp);
        let middle = median(&all)?;
        (all.len() >= LEAST && spread(&all, middle) < FIXED * middle).then_some(middle)
    }

    fn finding(&self, cx: &Cx<'_>) -> Finding {
        let found = self.timeout_of(None, cx);
        let drip = self.of(None, cx, |seen| &seen.dripped);
        let mut finding = judge(&found, &drip, cx);
        if let Some(middle) = median(&found.left) {
            finding = finding
                .figure("timeout", middle)
                .figure("spread", spread(&found.left, middle))
                .figure("false_timeouts", cx.base.longer_than(middle));
        }
        if let Some(longest) = found.longest() {
            finding = finding.figure("no_timeout_up_to", longest);
        }
        if let Some(middle) = median(&drip.left) {
            finding = finding.figure("deadline", middle);
        }
        let amid = self.of(None, cx, |seen| &seen.amid);
        if let Some(middle) = median(&amid.left) {
            finding = finding.figure("timeout_amid_answer", middle);
        }
        finding = finding
            .figure("left", found.left.len())
            .figure("stayed", found.stayed.len())
            .figure("drips_cut", drip.left.len())
            .figure("drips_endured", drip.stayed.len());
        let hands = self.of(None, cx, |seen| &seen.hands);
        hands::told(finding.seen(self.sightings.all()), &hands)
    }

    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured> {
        match term {
            "request_timeout" => Some(self.timeout_of(phase, cx).measured(
                cx,
                "no attempt was held without an answer",
                "attempts that are held for 65 s",
            )),
            "total_deadline" => Some(self.of(phase, cx, |seen| &seen.dripped).measured(
                cx,
                "no answer dripped",
                "answers that drip for a minute",
            )),
            "handshake_timeout" => Some(self.of(phase, cx, |seen| &seen.hands).measured(
                cx,
                "no handshake stalled: `tls: stall`",
                "handshakes that stall for 65 s",
            )),
            _ => None,
        }
    }
}

impl Timeout {
    /// What is known of the timeout: of silence if anything was silent, else of what else was held.
    fn timeout_of(&self, phase: Option<usize>, cx: &Cx<'_>) -> Found {
        let kinds: [fn(&Seen) -> &Holds; 3] = [|s| &s.silent, |s| &s.unread, |s| &s.amid];
        let mut all = kinds.map(|kind| self.of(phase, cx, kind)).into_iter();
        let best = all.next().unwrap_or_default();
        all.fold(best, |best, other| if best.count() < LEAST { other.or(best) } else { best })
    }

    fn of(&self, phase: Option<usize>, cx: &Cx<'_>, kind: fn(&Seen) -> &Holds) -> Found {
        let asked = self.seen.asked(cx.course, phase).map(kind);
        let holds: Vec<Hold> =
            asked.flat_map(|h| h.left.iter().chain(&h.stayed)).copied().collect();
        Found::of(&holds, cx.course)
    }
}

/// Nobody was seen to leave, or next to nobody.
fn unlimited(found: &Found, drip: &Found) -> Finding {
    let needs = format!("{LEAST} attempts that are held for 65 s");
    let Some(longest) = found.longest() else {
        let (held, dripped) = (found.count(), drip.count());
        let said = format!("{held} attempts were held and {dripped} answers dripped");
        return Finding::inconclusive(said, needs);
    };
    let said = format!(
        "no timeout up to {longest:.1} s: {} of {} attempts stayed for as long as they were held",
        found.stayed.len(),
        found.count()
    );
    if longest <= GOOD {
        return Finding::inconclusive(said, needs);
    }
    let grade = if longest > LONG { Grade::Fail } else { Grade::Warn };
    Finding::new(grade, Claim::Universal, said).advice(SET)
}

fn judge(found: &Found, drip: &Found, cx: &Cx<'_>) -> Finding {
    if found.count() == 0 && drip.count() == 0 {
        return Finding::not_applicable("no attempt was held without an answer");
    }
    let Some(middle) = median(&found.left).filter(|_| found.left.len() >= LEAST) else {
        return unlimited(found, drip);
    };
    let mad = spread(&found.left, middle);
    let (count, all) = (found.left.len(), found.count());
    let said = if mad < FIXED * middle {
        format!(
            "gives an attempt up after {middle:.2} s ({count} of {all} holds, spread {mad:.2} s)"
        )
    } else {
        let (least, most) = (found.left[0], found.left[count - 1]);
        format!(
            "gives attempts up after {least:.2} to {most:.2} s, {middle:.2} in the middle ({count} of \
             {all} holds): several timeouts, or somebody who cancels"
        )
    };
    let fail = |said: String| Finding::new(Grade::Fail, Claim::Quantitative, said).advice(SET);
    let warn = |said: String| Finding::new(Grade::Warn, Claim::Quantitative, said);
    let outlasted = found.outlasted(middle);
    if outlasted >= LEAST {
        let said =
            format!("{said}; but {outlasted} stayed for longer, so not all attempts have it");
        let longest = found.longest().unwrap_or_default();
        return if longest > LONG { fail(said) } else { warn(said).advice(SET) };
    }
    let longest = if mad < FIXED * middle { middle } else { found.left[count * 95 / 100] };
    if longest > LONG * (1.0 + SLACK) {
        return fail(said);
    }
    let early = cx.base.longer_than(middle);
    let (usual, rare) = (cx.base.latency(0.99), cx.base.latency(0.999));
    let falsely = format!("{said}; {:.2} % of answers in calm take longer", early * 100.0);
    if usual.is_some_and(|usual| middle < usual) {
        return Finding::new(Grade::Fail, Claim::Quantitative, falsely).advice(
            "the timeout strikes while nothing is wrong: raise it above p99.9 of the latency",
        );
    }
    if rare.is_some_and(|rare| middle < rare) {
        return warn(falsely).advice("raise the timeout above p99.9 of the latency in calm");
    }
    let endured = drip.stayed.iter().filter(|lasted| **lasted >= middle * 1.5 + 0.5).count();
    if endured >= LEAST && drip.left.is_empty() {
        let longest = drip.longest().unwrap_or_default();
        let said = format!("{said}, but lets an answer drip for {longest:.1} s: idle timeout only");
        return warn(said).advice(
            "set a deadline for the whole answer as well: a byte per second defeats this one",
        );
    }
    if longest > GOOD * (1.0 + SLACK) {
        return warn(said).advice(SET);
    }
    let dripped = match median(&drip.left) {
        Some(deadline) if drip.left.len() >= LEAST => {
            format!(", and cuts an answer that drips after {deadline:.2} s")
        }
        _ => String::new(),
    };
    Finding::new(Grade::Pass, Claim::Quantitative, format!("{said}{dripped}"))
}
