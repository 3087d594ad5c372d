//! Faults that an earlier one leaves nothing for.

use crate::{
    diag::{Code, Diagnostic},
    dice::{Dice, Seed, key},
    fault::{Cx, Effect, Stage},
    read::Reader,
    scenario::draft::{DraftEntry, DraftPhase},
    timeline::Moment,
};
use std::{sync::Arc, time::Duration};

pub(super) fn check(phase: &DraftPhase, reader: &mut Reader<'_>) {
    let length = phase.length.as_ref().map_or(Duration::from_secs(1), |length| length.value);
    let ends: Vec<(usize, &DraftEntry, Stage)> = phase
        .entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| !entry.keys.broken)
        .filter_map(|(at, entry)| Some((at, entry, ends_everything(entry, length)?)))
        .collect();
    for (place, entry) in phase.entries.iter().enumerate() {
        if entry.keys.broken {
            continue;
        }
        let hides = |(at, other, stage): &&(usize, &DraftEntry, Stage)| {
            *at != place && covers(other, entry) && comes_first(*stage, *at < place, entry)
        };
        let Some((_, other, _)) = ends.iter().find(hides) else { continue };
        let name = entry.kind.name;
        let first = if other.kind.name == name { "another " } else { "" }.to_owned();
        let first = first + &format!("`{}`", other.kind.name);
        let title = format!("`{name}` never happens, since {first} ends every such exchange");
        let problem =
            Diagnostic::new(Code::W0401, title, entry.span).label(other.span, "this ends it");
        reader.problem(problem.help(format!("give that one a `share`, or remove `{name}`")));
    }
}

/// The stage at which an entry ends every exchange it is meant for. Asked of the fault itself,
/// for several users and times: a fault that ever lets one through (a rate limit, a full queue)
/// is none.
fn ends_everything(entry: &DraftEntry, length: Duration) -> Option<Stage> {
    let keys = &entry.keys;
    let always = entry.share().is_all() && keys.pattern.is_none() && keys.times.is_none();
    if !always || entry.group.is_some() {
        return None;
    }
    let stages = entry.fault.stages();
    let stage = [Stage::Connect, Stage::End].into_iter().find(|stage| stages.contains(stage))?;
    let fault = entry.fault.armed().unwrap_or_else(|| Arc::clone(&entry.fault));
    let dice = Dice::new(Seed(0), "check");
    let ends = (0..8).all(|nth| {
        let moment = Moment { elapsed: length * nth / 8, length, run: Duration::ZERO };
        let drawn = dice.of(key(&nth.to_le_bytes()), nth.into());
        let cx = Cx {
            moment,
            message: drawn,
            connection: drawn,
            shared: dice,
            user: 0,
            now: moment.run,
            // What meets calls alone leaves the others.
            grpc: false,
        };
        matches!(
            fault.decide(stage, &cx),
            Effect::Respond(_) | Effect::Hang { .. } | Effect::Close(_) | Effect::Say(_)
        )
    });
    ends.then_some(stage)
}

/// Whether whatever `entry` is meant for, `other` is too.
fn covers(other: &DraftEntry, entry: &DraftEntry) -> bool {
    let (outer, inner) = (other.places(), entry.places());
    let targets =
        outer.is_empty() || (!inner.is_empty() && inner.iter().all(|t| outer.contains(t)));
    let proxy = |entry: &DraftEntry| entry.keys.proxy.as_ref().map(|proxy| proxy.value.clone());
    let proxies = proxy(other).is_none_or(|other| proxy(entry) == Some(other));
    targets && proxies
}

/// Whether an exchange that ends at `stage` is over before `entry` has its say: by stage, and
/// within one by the order of the file.
fn comes_first(stage: Stage, earlier: bool, entry: &DraftEntry) -> bool {
    let stages = entry.fault.stages();
    !stages.is_empty() && stages.iter().all(|at| *at > stage || (*at == stage && earlier))
}
