//! What was played, from a record's first line.

use crate::{
    diag::{Problems, Severity, Source},
    dice::{self, Seed},
    drill::{
        again::{error::AgainError, name},
        bind,
    },
    engine::Play,
    fault::catalog::Protocol,
    observe::Preface,
    scenario::{OpenConnections, Phase, Scenario, Target},
    select::{UserSource, Users},
    timeline::Speed,
};
use std::{path::Path, sync::Arc, time::Duration};

/// What was played, and how.
#[derive(Debug)]
pub(super) struct Recalled {
    pub(super) scenario: Arc<Scenario>,
    pub(super) play: Play,
    /// Where, if the record has the scenario's text: without it nothing can be judged.
    pub(super) place: Option<Place>,
}

/// Where it was played.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) users: Users,
    /// None of several records: what would have happened follows from the seed of each.
    pub(super) proxies: Vec<(String, Protocol)>,
}

/// What the first of so many records was made from.
pub(super) fn recall(
    path: &Path,
    preface: &Preface,
    records: usize,
) -> Result<Recalled, AgainError> {
    let wrong = |why: String| AgainError::Scenario { file: name(path), why };
    let speed = Speed::new(preface.speed)
        .ok_or_else(|| wrong(format!("its speed is {}", preface.speed)))?;
    let play = Play {
        seed: Seed(preface.seed),
        speed,
        start_at: Duration::from_millis(preface.start_at_ms),
        longest_phase: preface.longest_phase_ms.map(Duration::from_millis),
        wait_for_traffic: false,
    };
    if preface.scenario_text.is_empty() {
        return Ok(Recalled { scenario: Arc::new(outline(preface)), play, place: None });
    }
    let scenario = read(preface).map_err(wrong)?;
    let place = Place {
        users: users(preface).map_err(wrong)?,
        proxies: if records > 1 { Vec::new() } else { proxies(preface) },
    };
    Ok(Recalled { scenario: Arc::new(scenario), play, place: Some(place) })
}

fn read(preface: &Preface) -> Result<Scenario, String> {
    let text = &preface.scenario_text;
    if format!("{:016x}", dice::key(text.as_bytes())) != preface.scenario_hash {
        return Err("the scenario's text was changed, its hash is another".to_owned());
    }
    let mut problems = Problems::default();
    let source = Source::new(&preface.scenario, text);
    let Some(mut scenario) = Scenario::read_again(&source, &mut problems) else {
        let errors = problems.sorted().into_iter().filter(|p| p.severity() == Severity::Error);
        let first = errors.map(|problem| problem.title.clone()).next().unwrap_or_default();
        return Err(format!(
            "version {} could read its scenario, and this one cannot: {first}",
            preface.firedrill
        ));
    };
    for binding in &preface.bindings {
        let (name, route) = binding
            .split_once('=')
            .ok_or_else(|| format!("it has a target bound to nothing: `{binding}`"))?;
        bind(&mut scenario, name, route).map_err(|error| error.to_string())?;
    }
    let is_same = |(phase, (name, _)): (&Phase, &(String, u64))| phase.name == *name;
    if scenario.phases.len() != preface.phases.len()
        || !scenario.phases.iter().zip(&preface.phases).all(is_same)
    {
        return Err("its phases are not those of its scenario".to_owned());
    }
    let targets = scenario.targets.iter().map(|target| &target.name);
    if !targets.eq(&preface.targets) {
        return Err("its targets are not those of its scenario".to_owned());
    }
    Ok(scenario)
}

fn users(preface: &Preface) -> Result<Users, String> {
    // The last is what is left when nothing tells, and no source of its own.
    let listed = preface.users.split_last().map_or(&[][..], |(_, listed)| listed);
    let source = |text: &String| {
        UserSource::shown(text).ok_or_else(|| format!("nobody can be told from `{text}`"))
    };
    Ok(Users { sources: listed.iter().map(source).collect::<Result<_, _>>()? })
}

fn proxies(preface: &Preface) -> Vec<(String, Protocol)> {
    let known = |(name, protocol): &(String, String)| {
        let protocol = Protocol::ALL.iter().find(|known| known.name() == protocol)?;
        Some((name.clone(), *protocol))
    };
    preface.proxies.iter().filter_map(known).collect()
}

/// A scenario of which no more than names and lengths are known.
fn outline(preface: &Preface) -> Scenario {
    let phase = |(name, millis): &(String, u64)| Phase {
        name: name.clone(),
        about: None,
        length: Duration::from_millis(*millis),
        compress: true,
        connections: OpenConnections::Keep,
        faults: Vec::new(),
    };
    let target = |name: &String| Target { name: name.clone(), matchers: Vec::new() };
    Scenario {
        name: if preface.scenario.is_empty() {
            "(no scenario)".to_owned()
        } else {
            preface.scenario.clone()
        },
        phases: preface.phases.iter().map(phase).collect(),
        targets: preface.targets.iter().map(target).collect(),
        ..Scenario::empty()
    }
}
