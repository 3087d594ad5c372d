//! A drill, told again from its record alone.
//!
//! What `firedrill run` says of a drill follows from its events, and its record has them all: the same
//! observations are folded and the same judge is asked, so that the summary is the same. Of several
//! records (replicas of one drill, or one drill played several times) the summary is of all of them.

mod check;
mod error;
mod scenario;

pub use error::AgainError;

use crate::{
    drill::{Report, judge},
    engine::FaultTally,
    event::Event,
    fault::catalog,
    observe::{
        End, Ending, Observations, Preface, Tally,
        read::{Merged, ReadRecord, Reader, ending, merge, time_of},
    },
    report::summary::{Origin, RecordOf},
    verdict::{Judge, Taken, Verdict},
};
use check::{Heads, doubts};
use scenario::Recalled;
use std::{
    fs::File,
    io::{BufReader, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Records are read in pieces of so many bytes.
const BUFFER: usize = 256 * 1024;
/// How sure a claim has to be where nothing can be claimed.
const LEVEL: f64 = 0.95;

/// What records say of a drill.
#[derive(Debug)]
pub struct Again {
    /// What it came to.
    pub report: Report,
    /// The command beside it failed.
    pub command_failed: bool,
    /// Somebody aborted it.
    pub aborted: bool,
    /// A hash of the scenario's text.
    pub scenario_hash: String,
    /// Nothing can be judged without a scenario.
    judge: Option<Judge>,
}

impl Again {
    /// Reads records, of one scenario and played in one way. They may be larger than memory.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read or is no record, and if they do not belong together.
    pub fn read(paths: &[PathBuf]) -> Result<Self, AgainError> {
        let opened = paths.iter().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
        let (readers, took): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        let prefaces: Vec<Preface> =
            readers.iter().map(|reader| reader.preface().clone()).collect();
        let heads = Heads::of(paths, &prefaces, &took)?;
        let recalled = scenario::recall(&paths[0], heads.first, paths.len())?;
        let at_fault = |(at, error): (usize, _)| AgainError::Read { file: name(&paths[at]), error };
        let mut merged = merge(readers, heads.users_apart).map_err(at_fault)?;
        let mut seen = Seen::new(&recalled);
        seen.take(&mut merged).map_err(at_fault)?;
        let records = merged.finish();
        Ok(Self::of(paths, &heads, recalled, seen, &records))
    }

    fn of(
        paths: &[PathBuf],
        heads: &Heads<'_>,
        recalled: Recalled,
        seen: Seen,
        records: &[ReadRecord],
    ) -> Self {
        let Recalled { scenario, play, place } = recalled;
        let Seen { mut observations, mut judge, latest } = seen;
        let endings: Vec<&Ending> =
            records.iter().filter_map(|record| record.ending.as_ref()).collect();
        observations.dropped = endings.iter().map(|ending| ending.dropped).sum();
        let doubts = doubts(paths, heads, records, place.is_some());
        let mut verdict = Verdict::default();
        if let Some(judge) = &mut judge {
            judge.close();
            verdict = judge.verdict(observations.dropped);
            if let Some(why) = doubts.first() {
                verdict.doubt(why);
            }
        }
        let took = endings.iter().filter_map(|ending| ending.took_us).max().unwrap_or(latest);
        let ends = records.iter().map(|record| record.ending.as_ref().map_or(End::Lost, |e| e.end));
        let report = Report {
            timeline: scenario.timeline(play.longest_phase),
            run: heads.first.run.clone(),
            end: ends.max_by_key(|end| badness(*end)).unwrap_or(End::Lost),
            took: Duration::from_micros(took),
            verdict,
            observations,
            tallies: tallies(&endings),
            scenario,
            play,
            origin: Origin { records: origin(paths, heads, records), doubts },
        };
        Self {
            report,
            command_failed: endings.iter().any(|ending| ending.command_failed),
            aborted: endings.iter().any(|ending| ending.aborted),
            scenario_hash: heads.first.scenario_hash.clone(),
            judge,
        }
    }

    /// How sure a claim has to be.
    pub fn level(&self) -> f64 {
        self.judge.as_ref().map_or(LEVEL, Judge::level)
    }

    /// What is known of each term of the vocabulary, each claim at this level; nothing without a
    /// scenario.
    pub fn measures(&self, level: f64) -> Vec<Taken> {
        let dropped = self.report.observations.dropped;
        self.judge.as_ref().map(|judge| judge.measures(dropped, level)).unwrap_or_default()
    }
}

/// What is folded while records go by.
struct Seen {
    observations: Observations,
    judge: Option<Judge>,
    latest: u64,
}

impl Seen {
    fn new(recalled: &Recalled) -> Self {
        let Recalled { scenario, play, .. } = recalled;
        let judge = recalled
            .place
            .as_ref()
            .map(|place| judge(scenario, play, &place.users, &place.proxies));
        Self { observations: Observations::default(), judge, latest: 0 }
    }

    fn take(
        &mut self,
        merged: &mut Merged<BufReader<File>>,
    ) -> Result<(), (usize, crate::observe::read::ReadError)> {
        while let Some(event) = merged.next_event()? {
            self.event(&event);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        self.latest = self.latest.max(time_of(event));
        self.observations.fold(event);
        if let Some(judge) = &mut self.judge {
            judge.fold(event);
        }
    }
}

/// A record, and how long its drill took, in microseconds.
type Opened = (Reader<BufReader<File>>, Option<u64>);

fn open(path: &Path) -> Result<Opened, AgainError> {
    let cannot = |error| AgainError::Open { file: name(path), error };
    let mut file = File::open(path).map_err(cannot)?;
    let ending = match ending(&mut file) {
        // A pipe has no end to look at before it comes.
        Err(error) if error.kind() == ErrorKind::NotSeekable => None,
        ending => ending.map_err(cannot)?,
    };
    let reader = Reader::new(BufReader::with_capacity(BUFFER, file))
        .map_err(|error| AgainError::Read { file: name(path), error })?;
    Ok((reader, ending.and_then(|ending| ending.took_us)))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Of several ends the worst is told.
const fn badness(end: End) -> u8 {
    match end {
        End::Finished => 0,
        End::CommandEnded => 1,
        End::Interrupted => 2,
        End::Aborted => 3,
        End::Failed => 4,
        End::Lost => 5,
    }
}

fn origin(paths: &[PathBuf], heads: &Heads<'_>, records: &[ReadRecord]) -> Vec<RecordOf> {
    let one = |(at, (path, record)): (usize, (&PathBuf, &ReadRecord))| RecordOf {
        file: name(path),
        run: record.preface.run.clone(),
        seed: record.preface.seed,
        exchanges: record.exchanges,
        users_apart: heads.users_apart && at > 0,
    };
    paths.iter().zip(records).enumerate().map(one).collect()
}

/// What faults were asked and did, in all records, in the order of the first.
fn tallies(endings: &[&Ending]) -> Vec<FaultTally> {
    let mut all: Vec<FaultTally> = Vec::new();
    for tally in endings.iter().flat_map(|ending| &ending.faults) {
        let tally = tally_of(tally);
        if let Some(known) = all.iter_mut().find(|known| known.name == tally.name) {
            known.considered = known.considered.saturating_add(tally.considered);
            known.hit = known.hit.saturating_add(tally.hit);
            known.held = known.held.saturating_add(tally.held);
        } else {
            all.push(tally);
        }
    }
    all
}

fn tally_of(tally: &Tally) -> FaultTally {
    FaultTally {
        name: Arc::from(tally.name.as_str()),
        kind: catalog::find(&tally.kind).map_or("fault", |entry| entry.name),
        describe: tally.describe.clone(),
        considered: tally.considered,
        hit: tally.hit,
        held: Duration::from_micros(tally.held_us),
        gate: tally.gate,
    }
}
