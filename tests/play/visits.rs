//! Visitors at intervals, from the start of a drill to its end.

use crate::{
    drill::Drill,
    support::client::{Ask, Met, PATIENCE},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// One visit.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// The how-manieth it was.
    pub(crate) nth: usize,
    /// The phase in which it asked.
    pub(crate) asked_in: Option<String>,
    /// The phase in which it asked and was answered, if that was one and the same.
    pub(crate) phase: Option<String>,
    pub(crate) met: Met,
}

/// Sends a visitor every so often, whatever became of those before, until the drill is over.
pub(crate) fn visits(
    drill: &Drill,
    every: Duration,
    ask: impl Fn(usize) -> Ask + Sync,
) -> Vec<Visit> {
    let start = Instant::now();
    let visit = |nth: usize| {
        let asked_in = drill.phase().map(str::to_owned);
        let met = ask(nth).at(drill.address, PATIENCE);
        let phase = asked_in.clone().filter(|phase| drill.phase() == Some(phase));
        Visit { nth, asked_in, phase, met }
    };
    thread::scope(|scope| {
        let mut sent = Vec::new();
        while !drill.controls.status().over {
            let (visit, nth) = (&visit, sent.len());
            sent.push(scope.spawn(move || visit(nth)));
            let next = start + every * u32::try_from(sent.len()).expect("few");
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        sent.into_iter().map(|visit| visit.join().expect("no panic")).collect()
    })
}

/// Those that fell into a phase; some have to.
pub(crate) fn within<'v>(visits: &'v [Visit], phase: &str) -> Vec<&'v Visit> {
    let within: Vec<&Visit> =
        visits.iter().filter(|visit| visit.phase.as_deref() == Some(phase)).collect();
    assert!(!within.is_empty(), "nobody came in `{phase}`");
    within
}
