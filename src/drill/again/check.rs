//! Whether records belong together, and what is doubtful about them.

use crate::{
    drill::again::{error::AgainError, name},
    observe::{Preface, read::ReadRecord},
};
use std::path::PathBuf;

/// Replicas of a drill start within this, in microseconds, and so do their phases.
const TOGETHER: u64 = 1_000_000;

/// The first lines of records that belong together.
#[derive(Debug)]
pub(super) struct Heads<'p> {
    pub(super) first: &'p Preface,
    /// Whether they were played at different times, so that a user of one is nobody's of another.
    pub(super) users_apart: bool,
}

impl<'p> Heads<'p> {
    /// With how long each took, as far as its end tells.
    pub(super) fn of(
        paths: &[PathBuf],
        prefaces: &'p [Preface],
        took: &[Option<u64>],
    ) -> Result<Self, AgainError> {
        let [first, others @ ..] = prefaces else {
            return Err(AgainError::Scenario {
                file: String::new(),
                why: "there is no record".to_owned(),
            });
        };
        for (other, path) in others.iter().zip(&paths[1..]) {
            if let Some(why) = difference(first, other) {
                return Err(AgainError::Apart { one: name(&paths[0]), other: name(path), why });
            }
        }
        let is_apart = |(other, its): (&Preface, &Option<u64>)| {
            let started = Started::of(first, other);
            let took = started.map(|started| if started.is_later { took[0] } else { *its });
            match (started, took.flatten()) {
                (Some(Started { off, .. }), took) => {
                    off > TOGETHER || took.is_some_and(|took| off >= took)
                }
                (None, _) => true,
            }
        };
        let users_apart = others.iter().zip(took.iter().skip(1)).any(is_apart);
        Ok(Self { first, users_apart })
    }
}

/// When one drill started, seen from another.
#[derive(Clone, Copy, Debug)]
struct Started {
    /// How far off, in microseconds by the wall clock.
    off: u64,
    is_later: bool,
}

impl Started {
    /// When the other started, seen from the one; `None` if one does not tell.
    fn of(one: &Preface, other: &Preface) -> Option<Self> {
        let at = |preface: &Preface| preface.started.parse::<jiff::Timestamp>().ok();
        let (one, other) = (at(one)?.as_microsecond(), at(other)?.as_microsecond());
        Some(Self { off: one.abs_diff(other), is_later: other >= one })
    }
}

/// Why two records are not of one scenario, played in one way.
fn difference(one: &Preface, other: &Preface) -> Option<String> {
    if one.scenario_hash != other.scenario_hash {
        return Some(if one.scenario == other.scenario {
            format!("they are records of two different scenarios, both called `{}`", one.scenario)
        } else {
            format!(
                "they are records of two different scenarios, `{}` and `{}`",
                one.scenario, other.scenario
            )
        });
    }
    let is_same_run = one.run == other.run && one.started == other.started;
    if is_same_run {
        return Some(format!("both are of run {}: nothing is to be counted twice", one.run));
    }
    let ways = [
        ("`--speed`", (one.speed - other.speed).abs() > f64::EPSILON),
        ("`--start-at`", one.start_at_ms != other.start_at_ms),
        ("`--longest-phase`", one.longest_phase_ms != other.longest_phase_ms),
        ("`--target`", one.bindings != other.bindings),
        ("`users`", one.users != other.users),
    ];
    let way = ways.iter().find(|(_, differs)| *differs);
    way.map(|(way, _)| format!("they were played with different {way}"))
}

/// Why a verdict on these records is doubtful.
pub(super) fn doubts(
    paths: &[PathBuf],
    heads: &Heads<'_>,
    records: &[ReadRecord],
    can_be_judged: bool,
) -> Vec<String> {
    let mut doubts = Vec::new();
    for (at, (path, record)) in paths.iter().zip(records).enumerate() {
        let whose = if paths.len() > 1 { format!("`{}`: ", name(path)) } else { String::new() };
        let sound = record.soundness.doubts();
        doubts.extend(sound.into_iter().map(|doubt| format!("{whose}{doubt}")));
        if record.edges_off > TOGETHER {
            let off = record.edges_off as f64 / 1e6;
            doubts.push(format!(
                "{whose}its phases began up to {off:.1} s from those of the first record, which \
                 stand for all"
            ));
        }
        let took = |record: &ReadRecord| record.ending.as_ref().and_then(|end| end.took_us);
        let started = Started::of(heads.first, &record.preface);
        if heads.users_apart
            && at > 0
            && let Some(Started { off, is_later }) = started
            && took(if is_later { &records[0] } else { record }).is_some_and(|took| off < took)
        {
            let off = off as f64 / 1e6;
            doubts.push(format!(
                "{whose}it was played at the same time as the first, {off:.1} s apart: what a \
                 client did across the two cannot be linked"
            ));
        }
    }
    if !can_be_judged {
        doubts.push(if heads.first.phases.is_empty() {
            "no scenario was played: there is nothing to judge".to_owned()
        } else {
            format!(
                "the record is of version {} and lacks the text of the scenario: its expectations \
                 cannot be judged",
                heads.first.firedrill
            )
        });
    }
    doubts
}
