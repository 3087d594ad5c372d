//! Everything that can be wrong before a drill starts.

use crate::{
    cli::{
        exit::Exit,
        place::{self, causes},
        run::args::Args,
        scenario_file, terminal,
    },
    config::{self, Admin, Allow, Ground, HostHeader, Terminate, UpstreamTls},
    control::Spec,
    diag::{Problems, Source, closest, list_of, render},
    dice::Seed,
    drill::{BindError, bind},
    engine::{Play, Site},
    fault::catalog::Protocol,
    scenario::Scenario,
    select::Users,
    timeline::Speed,
    units::{Quantity, http_upstream},
};
use std::{error::Error, sync::Arc, time::Duration};

/// What the proxy of a drill is called that has only one.
pub(super) const DEFAULT_PROXY: &str = Site::ONLY;

/// What a drill starts from.
#[derive(Debug)]
pub(in crate::cli) struct Loaded {
    pub(in crate::cli) scenario: Arc<Scenario>,
    /// The text that it was read from.
    pub(in crate::cli) text: String,
    /// The targets that were bound to other routes.
    pub(in crate::cli) bindings: Vec<String>,
    pub(in crate::cli) play: Play,
    /// The proxies; at least one.
    pub(in crate::cli) specs: Vec<Spec>,
    /// Who is one user, unless a proxy says otherwise.
    pub(in crate::cli) users: Users,
    /// Who may command, if the config says so.
    pub(in crate::cli) admin: Option<Admin>,
}

impl Loaded {
    /// What all choices follow from.
    pub(in crate::cli) fn seed(&self) -> Seed {
        self.play.seed
    }

    /// What it stands in front of, for a line.
    pub(in crate::cli) fn upstreams(&self) -> String {
        let all: Vec<&str> = self.specs.iter().map(|spec| &*spec.upstream).collect();
        all.join(", ")
    }

    /// The proxies, by name and by what they understand of their traffic.
    pub(in crate::cli) fn proxies(&self) -> Vec<(String, Protocol)> {
        self.specs.iter().map(|spec| (spec.name.clone(), spec.protocol)).collect()
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
    let (mut scenario, config, source) =
        scenario_file::read(&args.scenario, args.config.as_deref())
            .map_err(|exit| Refusal { exit, message: None })?;
    bind_targets(&mut scenario, &args.targets)?;
    let (specs, users, admin) = match config {
        Some(_) if upstream(args).is_some() || !args.forward.is_empty() => {
            let why =
                "`--upstream` makes one proxy, and the file has proxies of its own; leave one out";
            return Err(Refusal::usage(why));
        }
        Some(config) => {
            let specs = place::specs(&config);
            let commanded = config.admin.is_some() || args.admin.admin.is_some();
            if specs.is_empty() && !commanded {
                return Err(Refusal::usage("the config has no proxies, and none could be made"));
            }
            (specs, config.users.unwrap_or_else(|| scenario.users.clone()), config.admin)
        }
        None => {
            let only = only(args)?;
            fits(&scenario, &source, only.ground())?;
            (vec![only], scenario.users.clone(), None)
        }
    };
    let play = play(args, &scenario)?;
    Ok(Loaded {
        scenario: Arc::new(scenario),
        text: source.text,
        bindings: args.targets.clone(),
        play,
        specs,
        users,
        admin,
    })
}

/// The upstream by the flags; a variable that is set to nothing is not set.
fn upstream(args: &Args) -> Option<&str> {
    args.upstream.as_deref().filter(|upstream| !upstream.is_empty())
}

/// The one proxy that the flags make.
fn only(args: &Args) -> Result<Spec, Refusal> {
    let spec = |protocol, behind: &str| Spec {
        protocol,
        host: if args.rewrite_host { HostHeader::Rewrite } else { HostHeader::Keep },
        mark: !args.no_mark,
        tls: Some(UpstreamTls {
            ca: args.upstream_ca.clone(),
            verify: !args.upstream_insecure,
            ..UpstreamTls::default()
        }),
        ..Spec::tcp(DEFAULT_PROXY, args.listen.clone(), behind)
    };
    if !args.forward.is_empty() {
        if upstream(args).is_some() {
            return Err(Refusal::usage(
                "`--forward` goes where each request says, `--upstream` to one service; leave one out",
            ));
        }
        let allow: Allow = args
            .forward
            .join(",")
            .parse()
            .map_err(|why| Refusal::usage(format!("`--forward`: {why}")))?;
        let spec = Spec {
            intercept: args.intercept,
            terminate: args.terminate.then(Terminate::default),
            ..spec(Protocol::Forward, &allow.to_string())
        };
        if let Some(why) = spec.ground().unread() {
            let why = format!("{why}; leave `--terminate` or `--intercept` out");
            return Err(Refusal::usage(why));
        }
        spec.check().map_err(|error| Refusal::usage(causes(&error)))?;
        return Ok(spec);
    }
    let Some(upstream) = upstream(args) else {
        return Err(Refusal::usage(
            "no upstream: say where the service is, with `--upstream http://127.0.0.1:3000`, or which \
             hosts its client asks by itself, with `--forward api.example.com`",
        ));
    };
    let upstream = http_upstream(upstream).map_err(|error| Refusal::usage(format!("{error}")))?;
    let spec = Spec {
        terminate: args.terminate.then(Terminate::default),
        http: args.upstream_http,
        ..spec(Protocol::Http, &upstream)
    };
    spec.check().map_err(|error| Refusal::usage(causes(&error)))?;
    Ok(spec)
}

/// Refuses a scenario that cannot be played on the one proxy that the flags make.
fn fits(scenario: &Scenario, source: &Source, only: Ground<'_>) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    config::fit(scenario, &[only], &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    crate::cli::say(render(source, &problems, terminal::look_err()).trim_end());
    if problems.has_errors() { Err(Refusal::told()) } else { Ok(()) }
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
        bind(scenario, name, route).map_err(|error| {
            Refusal::usage(match error {
                BindError::Route(why) => format!(
                    "`--target {binding}`: {why}; write `--target {name}='POST /api/checkout'`"
                ),
                BindError::Unknown(_) => error.to_string(),
            })
        })?;
    }
    Ok(())
}
