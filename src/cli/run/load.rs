//! Everything that can be wrong before a drill starts.

use crate::{
    cli::{exit::Exit, place::causes, run::args::Args, scenario_file},
    diag::{closest, list_of},
    dice::Seed,
    engine::Play,
    proxy::{Connector, TlsRoots, TlsSettings},
    scenario::Scenario,
    select::Matcher,
    timeline::Speed,
    units::{Quantity, UpstreamAddr},
};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long the upstream may take to be noticed before a drill starts.
const PROBE: Duration = Duration::from_secs(1);

/// What a drill starts from.
#[derive(Debug)]
pub(in crate::cli) struct Loaded {
    pub(in crate::cli) scenario: Arc<Scenario>,
    pub(in crate::cli) text_hash: u64,
    pub(in crate::cli) play: Play,
    pub(in crate::cli) upstream: UpstreamAddr,
    pub(in crate::cli) connector: Connector,
}

impl Loaded {
    /// What all choices follow from.
    pub(in crate::cli) fn seed(&self) -> Seed {
        self.play.seed
    }

    /// Why the upstream takes no connections at this moment, if it does not.
    pub(in crate::cli) async fn try_upstream(&self) -> Option<String> {
        match timeout(PROBE, self.connector.probe()).await {
            Ok(outcome) => outcome.err(),
            Err(_) => Some(format!("the upstream {} does not answer", self.upstream)),
        }
    }

    /// How long the scenario is, at life's own pace.
    pub(in crate::cli) fn scenario_length(&self) -> Duration {
        self.scenario.timeline(self.play.longest_phase).length()
    }

    /// Plays it at another speed.
    pub(in crate::cli) fn set_speed(&mut self, speed: Speed) {
        self.play.speed = speed;
    }
}

/// Why a drill does not start.
#[derive(Debug)]
pub(in crate::cli) struct Refusal {
    exit: Exit,
    message: Option<String>,
}

impl Refusal {
    pub(in crate::cli) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: Some(message.into()) }
    }

    /// The place does not allow it.
    pub(in crate::cli) fn place(message: impl Into<String>) -> Self {
        Self { exit: Exit::Environment, message: Some(message.into()) }
    }

    /// What is wrong with a file was said already.
    pub(in crate::cli) fn told() -> Self {
        Self { exit: Exit::Usage, message: None }
    }

    pub(in crate::cli) fn environment(what: &str, error: &dyn Error) -> Self {
        Self { exit: Exit::Environment, message: Some(format!("{what}: {}", causes(error))) }
    }

    /// Says why, and with what code to exit.
    pub(in crate::cli) fn say(self) -> Exit {
        if let Some(message) = self.message {
            crate::cli::error(&message);
        }
        self.exit
    }
}

pub(in crate::cli) fn load(args: &Args) -> Result<Loaded, Refusal> {
    let (mut scenario, source) =
        scenario_file::read(&args.scenario).map_err(|exit| Refusal { exit, message: None })?;
    bind_targets(&mut scenario, &args.targets)?;
    let Some(upstream) = &args.upstream else {
        return Err(Refusal::usage(
            "no upstream: say where the service is, with `--upstream http://127.0.0.1:3000`",
        ));
    };
    let upstream: UpstreamAddr =
        upstream.parse().map_err(|error| Refusal::usage(format!("{error}")))?;
    let roots = match &args.upstream_ca {
        Some(file) => TlsRoots::File(file.clone()),
        None if args.upstream_insecure => TlsRoots::Anybody,
        None => TlsRoots::System,
    };
    let connector = Connector::new(&upstream, &TlsSettings { roots })
        .map_err(|error| Refusal::usage(causes(&error)))?;
    let play = play(args, &scenario)?;
    Ok(Loaded {
        scenario: Arc::new(scenario),
        text_hash: crate::dice::key(source.text.as_bytes()),
        play,
        upstream,
        connector,
    })
}

fn play(args: &Args, scenario: &Scenario) -> Result<Play, Refusal> {
    let flags = &args.play;
    let mut play = Play {
        seed: flags.seed.or(scenario.seed).unwrap_or_else(Seed::fresh),
        speed: flags.speed,
        start_at: Duration::ZERO,
        longest_phase: flags.longest_phase,
        wait_for_traffic: flags.wait_for_traffic,
    };
    if let Some(text) = &flags.start_at {
        let timeline = scenario.timeline(play.longest_phase);
        let phase = scenario.phases.iter().position(|phase| phase.name == *text);
        play.start_at = match phase {
            Some(phase) => timeline.start_of(phase),
            None => Duration::parse(text).map_err(|_| {
                let names = || scenario.phases.iter().map(|phase| phase.name.as_str());
                let hint = closest(text, names()).map_or_else(
                    || format!("write a time such as 2m30s, or {}", list_of(names())),
                    |name| format!("did you mean `{name}`?"),
                );
                Refusal::usage(format!(
                    "`--start-at {text}` is neither a duration nor a phase; {hint}"
                ))
            })?,
        };
        if play.start_at >= timeline.length() {
            return Err(Refusal::usage(format!(
                "`--start-at {text}` lies at or beyond the end of the scenario, which is {} long",
                timeline.length().show()
            )));
        }
    }
    Ok(play)
}

fn bind_targets(scenario: &mut Scenario, bindings: &[String]) -> Result<(), Refusal> {
    for binding in bindings {
        let Some((name, route)) = binding.split_once('=') else {
            return Err(Refusal::usage(format!(
                "`--target {binding}` binds nothing; write `--target NAME='POST /api/checkout'`"
            )));
        };
        let matcher = Matcher::route(route).map_err(|why| {
            Refusal::usage(format!(
                "`--target {binding}`: {why}; write `--target {name}='POST /api/checkout'`"
            ))
        })?;
        let names: Vec<String> = scenario.targets.iter().map(|t| t.name.clone()).collect();
        let Some(target) = scenario.targets.iter_mut().find(|target| target.name == name) else {
            let known = || names.iter().map(String::as_str);
            let hint = match closest(name, known()) {
                Some(close) => format!("did you mean `{close}`?"),
                None if names.is_empty() => "it has none".to_owned(),
                None => format!("it has {}", list_of(known())),
            };
            return Err(Refusal::usage(format!("the scenario has no target `{name}`; {hint}")));
        };
        target.matchers = vec![matcher];
    }
    Ok(())
}
