//! `firedrill serve`: proxies that are there until they are told to go, with faults by hand.

mod reload;

use reload::Reloaded;

use crate::{
    cli::{
        exit::Exit,
        place::{self, AdminArgs},
        run::{LogForm, Refusal, block_on},
    },
    config::Config,
    control::{App, Registry, Server, Spec, toxiproxy_config},
    dice::Seed,
    engine::Run,
    event::Recorder,
    observe::{Collector, End, Ending, Journal, Preface},
    select::Users,
};
use clap::Args as ClapArgs;
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Events kept between two visits of the collector; more are dropped and counted.
const EVENT_LIMIT: usize = 1 << 18;
/// How long exchanges under way may take to finish when it ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// Run proxies until told to stop, with faults put on them by hand, by `firedrill ctl` or by any
/// Toxiproxy client. SIGHUP reads the config again.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// A file with proxies, and perhaps an admin address
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// A Toxiproxy config file, toxics in it included
    #[arg(long, value_name = "FILE")]
    pub toxiproxy_config: Option<PathBuf>,

    #[command(flatten)]
    pub admin: AdminArgs,

    /// What all random choices follow from; a fresh one unless given
    #[arg(long, value_name = "N")]
    pub seed: Option<Seed>,

    /// Write what happens to a file, one JSON line per exchange or connection
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Say nothing but what is wrong
    #[arg(long, short)]
    pub quiet: bool,

    /// How to write log events
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub log: LogForm,
}

/// Serves until it is told to stop.
pub(super) fn run(args: &Args) -> Exit {
    let config = match &args.config {
        Some(path) => match place::read_config(path) {
            Ok(config) => Some(config),
            Err(refusal) => return refusal.say(),
        },
        None => None,
    };
    block_on(async {
        match Serving::start(args, config).await {
            Ok(serving) => serving.until_told().await,
            Err(refusal) => refusal.say(),
        }
    })
}

/// What is served.
struct Serving<'a> {
    args: &'a Args,
    run: Run,
    registry: Arc<Registry>,
    server: Server,
    collector: Collector<()>,
    /// The proxies of the config as it was read last.
    configured: Vec<Spec>,
    signals: Signals,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl<'a> Serving<'a> {
    async fn start(args: &'a Args, config: Option<Config>) -> Result<Self, Refusal> {
        let signals = Signals::new();
        let signals =
            signals.map_err(|error| Refusal::environment("cannot listen to signals", &error))?;
        let seed = args.seed.unwrap_or_else(Seed::fresh);
        let recorder = Arc::new(Recorder::new(EVENT_LIMIT, args.record.is_some()));
        let run = Run::idle(seed, Arc::clone(&recorder));
        let users = config.as_ref().and_then(|config| config.users.clone()).unwrap_or_default();
        let registry = Arc::new(Registry::new(&run, Arc::clone(&recorder), users.clone()));
        let specs = config.as_ref().map(place::specs).unwrap_or_default();
        for spec in &specs {
            let added = registry.add(spec.clone()).await;
            added.map_err(|error| place::refusal(&spec.name, &error))?;
        }
        let app = App {
            registry: Arc::clone(&registry),
            controls: run.controls(),
            scenario: None,
            run: run.id().to_owned(),
        };
        if let Some(path) = &args.toxiproxy_config {
            let what = format!("`{}`", path.display());
            let text = fs::read(path)
                .map_err(|error| Refusal::usage(format!("cannot read {what}: {error}")))?;
            let put = toxiproxy_config(&app, &text).await;
            put.map_err(|error| {
                let why = format!("{what}: {error}");
                if error.is_the_files() { Refusal::usage(why) } else { Refusal::place(why) }
            })?;
        }
        // Only now: what does not come to serve takes nothing away from an older record.
        let journal = match &args.record {
            Some(path) => {
                let what = format!("cannot write the record `{}`", path.display());
                let journal = Journal::create(path, &preface(&run, seed, &users));
                Some(journal.map_err(|error| Refusal::environment(&what, &error))?)
            }
            None => None,
        };
        let admin = config.as_ref().and_then(|config| config.admin.as_ref());
        let server = place::admin(&args.admin, admin, app).await?;
        let collector = Collector::start(recorder, journal, ())
            .map_err(|error| Refusal::environment("cannot start a thread", &error))?;
        let serving = Self { args, run, registry, server, collector, configured: specs, signals };
        serving.say(&format!("admin: http://{}", serving.server.address()));
        serving.say(&format!("seed: {seed}"));
        for line in place::lines(&serving.registry) {
            serving.say(&line);
        }
        Ok(serving)
    }

    fn say(&self, line: &str) {
        if !self.args.quiet {
            crate::cli::say(line);
        }
    }

    async fn until_told(mut self) -> Exit {
        let mut failed = self.collector.failed();
        let end = loop {
            tokio::select! {
                _ = self.signals.interrupt.recv() => break End::Interrupted,
                _ = self.signals.terminate.recv() => break End::Interrupted,
                _ = self.signals.hangup.recv() => self.reload().await,
                Ok(()) = failed.changed() => {
                    let why = failed.borrow_and_update().clone().unwrap_or_default();
                    crate::cli::error(&format!("cannot write the record: {why}"));
                    break End::Failed;
                }
            }
        };
        // Nothing is injected from here on, and whatever was held goes its way.
        self.run.controls().stop();
        drop(self.server);
        let again = async {
            tokio::select! {
                _ = self.signals.interrupt.recv() => {}
                _ = self.signals.terminate.recv() => {}
            }
        };
        tokio::select! {
            _cut = self.registry.drain(PATIENCE) => {}
            () = again => {
                self.registry.drain(Duration::ZERO).await;
            }
        }
        let collected = self.collector.finish(Ending::of(end));
        match collected.record {
            Ok(()) if end != End::Failed => Exit::Passed,
            Ok(()) => Exit::Environment,
            Err(error) => {
                if end != End::Failed {
                    crate::cli::error(&format!("cannot write the record: {error}"));
                }
                Exit::Environment
            }
        }
    }

    /// Goes over to what the config file says now; if anything is wrong with it, nothing changes.
    async fn reload(&mut self) {
        let Some(path) = &self.args.config else {
            self.say("there is no config file to read again");
            return;
        };
        match reload::reload(&self.registry, path, &self.configured).await {
            Ok(Reloaded { specs, made, gone, renewed }) => {
                self.configured = specs;
                let mut said = format!("read `{}` again", path.display());
                for (what, names) in [
                    ("made anew", &made),
                    ("taken away", &gone),
                    ("with other certificates", &renewed),
                ] {
                    if !names.is_empty() {
                        said.push_str(&format!("; {what}: {}", names.join(", ")));
                    }
                }
                if made.is_empty() && gone.is_empty() && renewed.is_empty() {
                    said.push_str("; its proxies are as before");
                }
                self.say(&said);
                for line in place::lines(&self.registry) {
                    self.say(&line);
                }
            }
            Err(refusal) => {
                let _exit = refusal.say();
                crate::cli::error("nothing was changed: the old config stays in force");
            }
        }
    }
}

fn preface(run: &Run, seed: Seed, users: &Users) -> Preface {
    Preface {
        run: run.id().to_owned(),
        firedrill: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: String::new(),
        scenario_hash: String::new(),
        seed: seed.0,
        speed: 1.0,
        started: jiff::Timestamp::now().to_string(),
        phases: Vec::new(),
        targets: Vec::new(),
        users: crate::cli::run::user_sources(users),
        scenario_text: String::new(),
        bindings: Vec::new(),
        start_at_ms: 0,
        longest_phase_ms: None,
        proxies: Vec::new(),
    }
}
