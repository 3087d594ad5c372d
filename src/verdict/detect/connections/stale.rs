//! What a client does with a connection that was closed while it was idle.
//!
//! Where a phase has `connections: drain`, the proxy sends a FIN on idle connections and goes on
//! reading. A request that comes even so is *late*: the client used a connection that it could know to
//! be closed, and gets a RST for it, as from any server that is gone.
//!
//! **Stale reuse** is the late requests over all requests from the first close on. **Idle-close
//! survival**: whether each late request that is idempotent was asked again on another connection. A
//! POST or PATCH need not be: only a key would make that safe.

use crate::verdict::{
    attempt::Attempt,
    finding::{Finding, Grade, Measured, Sighting, Sightings},
    operation::Operation,
    phases::Phases,
    stats::wilson_at,
};
use crate::{event::EndedBy, verdict::detect::Cx};

/// The largest share of late requests that a good client has.
const FEW: f64 = 0.01;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Stale {
    phases: Phases<Counts>,
    surfaced: Sightings,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    late: u64,
    /// Late ones that may be asked again, and were.
    again: u64,
    /// Late ones that may be asked again, and were not.
    given_up: u64,
}

impl Stale {
    pub(super) fn attempt(&mut self, attempt: &Attempt) {
        let counts = self.phases.at(attempt.phase);
        counts.requests += 1;
        counts.late += u64::from(is_late(attempt));
    }

    pub(super) fn operation(&mut self, operation: &Operation) {
        let attempts = operation.attempts();
        for late in attempts.iter().filter(|attempt| is_late(attempt) && !attempt.is_unsafe) {
            let elsewhere =
                attempts.iter().any(|other| other.conn.0 != late.conn.0 && other.end >= late.end);
            let counts = self.phases.at(late.phase);
            if elsewhere {
                counts.again += 1;
            } else {
                counts.given_up += 1;
                self.surfaced.note(|| {
                    Sighting::of(late, "came on a connection that was closed; never asked again")
                });
            }
        }
    }

    pub(super) fn reuse(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let counts = match self.asked(phase, cx) {
            Ok(counts) => counts,
            Err(why) => return why,
        };
        let Counts { requests, late, .. } = counts;
        let sample = format!("{late} of {requests} requests; {}", closed(cx));
        match wilson_at(late, requests, cx.level) {
            Some(interval) => Measured::interval(interval, sample),
            None => Measured::NotExercised("no request came".to_owned()),
        }
    }

    pub(super) fn survives(&self, phase: Option<usize>, cx: &Cx<'_>) -> Measured {
        let Counts { again, given_up, late, .. } = match self.asked(phase, cx) {
            Ok(counts) => counts,
            Err(why) => return why,
        };
        let sample = match (again, given_up) {
            (0, 0) if late == 0 => format!("{}, and none was used again", closed(cx)),
            (0, 0) => {
                let why = "only requests that must not be sent twice came too late";
                return Measured::NotExercised(why.to_owned());
            }
            _ => format!(
                "{again} of {} requests that came too late were asked again; {}",
                again + given_up,
                closed(cx)
            ),
        };
        Measured::Flag { is: given_up == 0, sample }
    }

    /// Adds what is known of it to what the detector found.
    pub(super) fn told(&self, mut finding: Finding, cx: &Cx<'_>) -> Finding {
        let Ok(counts) = self.asked(None, cx) else { return finding };
        let Counts { requests, late, given_up, .. } = counts;
        if requests == 0 {
            return finding;
        }
        finding = finding.figure("stale_requests", late).figure("stale_requests_lost", given_up);
        if late == 0 {
            return finding;
        }
        finding.said = format!(
            "{}; {late} of {requests} requests came on connections already closed, and {given_up} of \
             them were never asked again",
            finding.said
        );
        let is_much = wilson_at(late, requests, cx.level).is_some_and(|share| share.low > FEW);
        if !is_much && given_up == 0 {
            return finding;
        }
        finding.grade = finding.grade.max(Grade::Warn);
        let advice = "look whether a pooled connection was closed before using it, and ask again on a \
                      new one when it was: at least what is idempotent";
        finding.advice = match &*finding.advice {
            "" => advice.to_owned(),
            other => format!("{other}; {advice}"),
        };
        finding.seen(self.surfaced.all())
    }

    fn asked(&self, phase: Option<usize>, cx: &Cx<'_>) -> Result<Counts, Measured> {
        if drained(cx) == 0 {
            return Err(Measured::NotExercised(
                "no idle connection was closed: give a phase `connections: drain`".to_owned(),
            ));
        }
        let add = |mut sum: Counts, counts: &Counts| {
            sum.requests += counts.requests;
            sum.late += counts.late;
            sum.again += counts.again;
            sum.given_up += counts.given_up;
            sum
        };
        Ok(match phase {
            // Connections are drained where it pleases the scenario, often when the faults are over.
            None => self.phases.iter().fold(Counts::default(), add),
            phase => self.phases.asked(cx.course, phase).fold(Counts::default(), add),
        })
    }
}

fn is_late(attempt: &Attempt) -> bool {
    attempt.ended_by == EndedBy::Stale
}

fn closed(cx: &Cx<'_>) -> String {
    match drained(cx) {
        1 => "one idle connection was closed".to_owned(),
        count => format!("{count} idle connections were closed"),
    }
}

fn drained(cx: &Cx<'_>) -> u64 {
    cx.course.drained().iter().copied().map(u64::from).sum()
}
