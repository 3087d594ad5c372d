//! The record of a drill: JSON lines, one per exchange, readable while it grows.

use crate::{
    event::Event,
    observe::write::{Names, event_line},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// The version of the record's format; readers refuse what they do not know.
pub const RECORD_FORMAT: u32 = 1;

/// What the first line says of the drill.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Preface {
    /// The run's name, as injected answers carry it.
    pub run: String,
    /// The version of the program.
    pub firedrill: String,
    /// The scenario's name.
    pub scenario: String,
    /// A hash of the scenario's text.
    pub scenario_hash: String,
    /// What all choices follow from.
    pub seed: u64,
    /// How many times faster than life the phases went by.
    pub speed: f64,
    /// When the drill started, by the wall clock (RFC 3339).
    pub started: String,
    /// Its phases: name, and scenario time in milliseconds.
    pub phases: Vec<(String, u64)>,
    /// Its targets.
    pub targets: Vec<String>,
    /// Where users were told from, in order; the last is the peer's address.
    pub users: Vec<String>,
    /// The scenario's text, so that a report can be made again from the record alone; empty if none
    /// was played, and in records of older versions.
    #[serde(default)]
    pub scenario_text: String,
    /// Targets that were bound to other routes: `purchase=POST /api/checkout`.
    #[serde(default)]
    pub bindings: Vec<String>,
    /// Where it was started, in milliseconds of scenario time.
    #[serde(default)]
    pub start_at_ms: u64,
    /// Plateaus were cut down to this, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub longest_phase_ms: Option<u64>,
    /// The proxies it began with: names, and what each understands of its traffic.
    #[serde(default)]
    pub proxies: Vec<(String, String)>,
}

/// What a fault was asked and did, over all its phases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The fault's name in the scenario.
    pub name: String,
    /// Its kind in the catalogue.
    pub kind: String,
    /// What it does, in a few words.
    pub describe: String,
    /// Messages or connections that it was meant for.
    pub considered: u64,
    /// Those it hit.
    pub hit: u64,
    /// The delays it dealt, added up, in microseconds.
    pub held_us: u64,
    /// Whether it acts on the listener as a whole, where there is nothing to count.
    pub gate: bool,
}

/// How a drill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The timeline was played to its end.
    Finished,
    /// The command that ran beside it ended.
    CommandEnded,
    /// Somebody interrupted it.
    Interrupted,
    /// Somebody ended it by a command.
    Aborted,
    /// The record could not be written, or something else in the environment gave way.
    Failed,
    /// Whoever ran it is gone.
    Lost,
}

/// How a drill ended, and what it came to: the last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How.
    pub end: End,
    /// How long it took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_us: Option<u64>,
    /// Exchanges.
    pub exchanges: u64,
    /// Events that came faster than they could be kept.
    pub dropped: u64,
    /// The command beside it failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub command_failed: bool,
    /// Somebody aborted it, though a command may have outlived that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aborted: bool,
    /// What each fault was asked and did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Tally>,
}

impl Ending {
    /// An end of which nothing more is known.
    pub fn of(end: End) -> Self {
        Self {
            end,
            took_us: None,
            exchanges: 0,
            dropped: 0,
            command_failed: false,
            aborted: false,
            faults: Vec::new(),
        }
    }
}

/// Writes a record.
#[derive(Debug)]
pub struct Journal {
    out: BufWriter<File>,
    names: Names,
}

/// The first line.
#[derive(Serialize)]
struct Head<'p> {
    #[serde(rename = "type")]
    kind: &'static str,
    format: u32,
    #[serde(flatten)]
    preface: &'p Preface,
}

/// The last line.
#[derive(Serialize)]
struct Tail<'t> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    ending: &'t Ending,
}

impl Journal {
    /// Creates a record and writes its first line.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be made or written.
    pub fn create(path: &Path, preface: &Preface) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(256 * 1024, File::create(path)?);
        let head = Head { kind: "run", format: RECORD_FORMAT, preface };
        serde_json::to_writer(&mut out, &head)?;
        out.write_all(b"\n")?;
        out.flush()?;
        let phases = preface.phases.iter().map(|(name, _)| name.clone()).collect();
        let (targets, users) = (preface.targets.clone(), preface.users.clone());
        let names = Names { phases, targets, users, proxies: Vec::new() };
        Ok(Self { out, names })
    }

    /// Writes what happened.
    ///
    /// # Errors
    ///
    /// Fails if the disk does.
    pub fn write(&mut self, events: &[Event]) -> io::Result<()> {
        self.names.learn(events);
        for event in events {
            serde_json::to_writer(&mut self.out, &event_line(event, &self.names))?;
            self.out.write_all(b"\n")?;
        }
        if events.is_empty() { Ok(()) } else { self.out.flush() }
    }

    /// Writes the last line: without it a record was cut off.
    ///
    /// # Errors
    ///
    /// Fails if the disk does.
    pub fn end(&mut self, ending: &Ending) -> io::Result<()> {
        let tail = Tail { kind: "end", ending };
        serde_json::to_writer(&mut self.out, &tail)?;
        self.out.write_all(b"\n")?;
        self.out.flush()?;
        self.out.get_ref().sync_data()
    }
}
