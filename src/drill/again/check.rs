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
    pub(super) fn of(paths: &[PathBuf], prefaces: &'p [Preface]) -> Result<Self, AgainError> {
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
        let is_apart = |other: &Preface| started_off(first, other).is_none_or(|off| off > TOGETHER);
        Ok(Self { first, users_apart: others.iter().any(is_apart) })
    }
}

/// How far apart two drills started, in microseconds by the wall clock, if both tell.
fn started_off(one: &Preface, other: &Preface) -> Option<u64> {
    let at = |preface: &Preface| preface.started.parse::<jiff::Timestamp>().ok();
    Some(at(one)?.as_microsecond().abs_diff(at(other)?.as_microsecond()))
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
    for (path, record) in paths.iter().zip(records) {
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
        let took = record.ending.as_ref().and_then(|ending| ending.took_us);
        let started = started_off(heads.first, &record.preface);
        if heads.users_apart
            && let (Some(off), Some(took)) = (started, took)
            && off > 0
            && off < took
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
