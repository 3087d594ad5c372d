//! Requests that outlived the phase in which they began: event streams, long polls, calls that stream.
//!
//! Whoever had one open when the faults began has an operation of the outage from when it broke: what
//! comes of that is asked about by the phase in which it broke, and the calm in which it began had
//! nothing that failed. However long it lived before is no latency, as it is none of a tunnel.

use crate::{
    event::EndedBy,
    verdict::{
        attempt::Attempt,
        course::{Course, Stage},
    },
};

/// What is linked in place of an attempt: one that began when it broke, if a fault or the edge of a phase
/// broke it off in another phase than the one without faults in which it began.
pub(super) fn linked(attempt: Attempt, course: &Course) -> Attempt {
    match broke_in(&attempt, course) {
        phase @ Some(_) => attempt.as_it_broke(phase),
        None => attempt,
    }
}

/// Whether that is so of an attempt.
pub(super) fn is_outlived(attempt: &Attempt, course: &Course) -> bool {
    broke_in(attempt, course).is_some()
}

fn broke_in(attempt: &Attempt, course: &Course) -> Option<u16> {
    let is_edge = attempt.ended_by == EndedBy::PhaseEdge;
    if !is_edge && !attempt.is_cut
        || attempt.is_served()
        || course.stage(attempt.phase) == Stage::Fault
    {
        return None;
    }
    let legs = course.legs();
    let at = legs.iter().position(|leg| {
        leg.begun.is_some_and(|begun| begun <= attempt.end)
            && leg.ended.is_none_or(|ended| attempt.end < ended)
    })?;
    // What an edge breaks off may be over before the edge is.
    let is_before = is_edge && attempt.phase.map(usize::from) == Some(at);
    let at = if is_before { at + 1 } else { at };
    let phase = u16::try_from(at).ok().filter(|_| at < legs.len())?;
    (attempt.phase != Some(phase)).then_some(phase)
}

#[cfg(test)]
mod tests {
    use crate::verdict::{
        Grade,
        tests::traffic::{BEGINS, Traffic, beat, graded, judged_as, ok},
    };

    /// Eight event streams that are open from calm on, and what comes of them when the outage breaks them.
    fn streams(expect: &str, wait: f64) -> Traffic {
        let mut traffic = Traffic::expecting(expect);
        for user in 1..=8 {
            traffic.extend(beat(1.0, 0.0, BEGINS).map(|at| ok(user, at)));
            let stream = ok(user, 5.0).of("GET /events").broken_by_edge(BEGINS - 0.0001);
            traffic.add(stream);
            let again = beat(1.0 / wait, BEGINS + wait, BEGINS + 40.0 * wait);
            traffic.extend(again.map(|at| ok(user, at).took(0.001).of("GET /events").status(503)));
        }
        traffic
    }

    #[test]
    fn a_storm_of_streams_that_the_outage_broke_is_seen() {
        let eager = streams("first_retry_immediate: false", 0.01).expectation();
        judged_as(&eager, Grade::Fail, "8 operations after cut");
        let finding = streams("retry_amplification: 3x", 0.01).finding("amplification");
        graded(&finding, Grade::Fail, "40.00 attempts per operation under faults");
    }

    #[test]
    fn who_waits_before_it_opens_its_stream_again_is_not_hasty() {
        let patient = streams("first_retry_immediate: false", 2.0).expectation();
        assert_eq!(patient.grade, Grade::Pass, "{patient:?}");
    }

    /// How long a stream lived is no latency, and no time to give up.
    #[test]
    fn a_stream_that_broke_began_when_it_broke() {
        let longest = streams("time_to_give_up: 120s", 2.0).expectation();
        assert_ne!(longest.grade, Grade::Fail, "{longest:?}");
    }

    #[test]
    fn a_calm_whose_streams_the_outage_broke_failed_in_nothing() {
        let verdict = streams("goodput_ratio: 0.1", 2.0).judged();
        let gates = &verdict.parts[0].gates.0;
        let gate = gates.iter().find(|gate| gate.name == "calm_success").unwrap();
        assert_eq!(gate.said, "100.0 % of attempts served in calm");
    }
}
