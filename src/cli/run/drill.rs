//! The composition root of a drill: the only place that wires everything.

use crate::{
    cli::{
        exit::Exit,
        run::{
            args::Args,
            child::Beside,
            load::{Loaded, Refusal},
            view::{FRAME, View},
        },
        terminal,
    },
    engine::{Change, Run},
    event::Recorder,
    observe::{Collector, End, Journal, Preface},
    proxy::{HostHeader, Proxy, Settings},
    report::summary::Summary,
    scenario::Scenario,
    select::{UserSource, Users},
};
use std::{
    fs, future::Future, io, net::SocketAddr, path::Path, process::ExitStatus, sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// Events kept between two visits of the collector; more are dropped and counted.
const EVENT_LIMIT: usize = 1 << 18;
/// Columns of a summary that no terminal shows.
const WIDTH: usize = 100;
/// How long exchanges under way may take to finish when a drill is over.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is said to the first Ctrl-C.
const STOPPING: &str =
    "stopping: nothing is injected any more; Ctrl-C again cuts off what is under way";

/// A drill that was started.
#[derive(Debug)]
pub(in crate::cli) struct Drill {
    scenario: Arc<Scenario>,
    loaded: Facts,
    run: Run,
    proxy: Proxy,
    collector: Collector,
    beside: Option<Beside>,
    view: View,
    json: Option<std::path::PathBuf>,
    interrupt: Signal,
    terminate: Signal,
}

/// What the summary says of how it was played.
#[derive(Debug)]
struct Facts {
    play: crate::engine::Play,
    upstream: String,
}

/// Why a drill ended.
#[derive(Debug)]
enum Cause {
    Timeline,
    Command(io::Result<ExitStatus>),
    Interrupt,
    Record,
}

impl Drill {
    pub(in crate::cli) fn start(args: &Args, loaded: Loaded) -> Result<Self, Refusal> {
        let handlers = signal(SignalKind::interrupt()).and_then(|interrupt| {
            signal(SignalKind::terminate()).map(|terminate| (interrupt, terminate))
        });
        let (interrupt, terminate) =
            handlers.map_err(|e| Refusal::environment("cannot listen to signals", &e))?;
        let recorder = Arc::new(Recorder::new(EVENT_LIMIT, args.record.is_some()));
        let scenario = Arc::clone(&loaded.scenario);
        let run = Run::start(Arc::clone(&scenario), &loaded.play, Arc::clone(&recorder));
        let journal = match &args.record {
            Some(path) => {
                let preface = preface(&run, &loaded);
                let journal = Journal::create(path, &preface);
                let what = format!("cannot write the record `{}`", path.display());
                Some(journal.map_err(|error| Refusal::environment(&what, &error))?)
            }
            None => None,
        };
        if let Some(path) = args.json.as_deref().filter(|path| *path != Path::new("-")) {
            // Better now than after an hour.
            let made = fs::File::create(path);
            let what = format!("cannot write the summary `{}`", path.display());
            made.map_err(|error| Refusal::environment(&what, &error))?;
        }
        let host = if args.rewrite_host { HostHeader::Rewrite } else { HostHeader::Keep };
        let settings = Settings { mark: !args.no_mark, host };
        let injector = run.injector();
        let proxy =
            Proxy::listen(args.listen, loaded.connector, settings, injector, Arc::clone(&recorder))
                .map_err(|error| {
                    let mut what = format!("cannot listen on {}", args.listen);
                    if error.kind() == io::ErrorKind::AddrInUse {
                        what.push_str(" (choose another address with `--listen`)");
                    }
                    Refusal::environment(&what, &error)
                })?;
        let collector = Collector::start(recorder, journal)
            .map_err(|error| Refusal::environment("cannot start a thread", &error))?;
        let view = View::new(Arc::clone(&scenario), args.quiet);
        let address = proxy.address().unwrap_or(args.listen);
        view.say(&format!(
            "http://{address} -> {}  ({}, seed {}, run {})",
            loaded.upstream,
            scenario.name,
            loaded.play.seed,
            run.id()
        ));
        if !scenario.stop_when.is_empty() {
            view.say("note: `stop_when` is not watched by this version");
        }
        if loaded.play.wait_for_traffic {
            view.say("waiting for the first request");
        }
        if let Some(phase) = run.injector().phase() {
            view.phase(Some(phase), Duration::ZERO);
        }
        let beside = Beside::start(&args.command, address).map_err(|error| {
            let program = args.command.first().map(|p| p.to_string_lossy().into_owned());
            let what = format!("cannot run `{}`", program.unwrap_or_default());
            Refusal::environment(&what, &error)
        })?;
        let facts = Facts { play: loaded.play, upstream: loaded.upstream.to_string() };
        let json = args.json.clone();
        Ok(Self {
            scenario,
            loaded: facts,
            run,
            proxy,
            collector,
            beside,
            view,
            json,
            interrupt,
            terminate,
        })
    }

    /// Says something beside the live view.
    pub(in crate::cli) fn say(&self, line: &str) {
        self.view.say(line);
    }

    /// Where clients connect.
    pub(in crate::cli) fn address(&self) -> Option<SocketAddr> {
        self.proxy.address()
    }

    /// Plays it to its end, whatever that is, and reports. `goodbye` is waited for between the end
    /// of the drill and the end of the proxy.
    pub(in crate::cli) async fn play(mut self, goodbye: impl Future<Output = ()>) -> Exit {
        let cause = self.until_over().await;
        let took = self.run.injector().tick();
        // Nothing is injected from here on, and whatever was held goes its way.
        self.run.controls().stop();
        self.view.clear();
        if matches!(cause, Cause::Interrupt) {
            self.view.say(STOPPING);
        }
        goodbye.await;
        let again = async {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        };
        let drained = tokio::select! {
            cut = self.proxy.drain(PATIENCE) => {
                if cut > 0 {
                    tracing::warn!(connections = cut, "did not finish in time and were closed");
                }
                true
            }
            () = again => false,
        };
        if !drained {
            // What was seen up to here is still told and kept.
            self.proxy.drain(Duration::ZERO).await;
        }
        let end = match &cause {
            Cause::Timeline => End::Finished,
            Cause::Command(_) => End::CommandEnded,
            Cause::Interrupt => End::Interrupted,
            Cause::Record => End::Failed,
        };
        let collected = self.collector.finish(end);
        let tallies = self.run.tallies();
        let summary = Summary {
            scenario: &self.scenario,
            timeline: self.run.timeline(),
            run: self.run.id(),
            seed: self.loaded.play.seed,
            speed: self.loaded.play.speed,
            longest_phase: self.loaded.play.longest_phase,
            end,
            took,
            observations: &collected.observations,
            tallies: &tallies,
        };
        let reported = report(&summary, self.json.as_deref());
        let upstream = &self.loaded.upstream;
        let exit = verdict(&summary, &cause, collected.record, reported, upstream);
        if drained { exit } else { Exit::Interrupted }
    }

    async fn until_over(&mut self) -> Cause {
        let mut changes = self.run.injector().changes();
        let mut failed = self.collector.failed();
        let controls = self.run.controls();
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut played_out = false;
        loop {
            tokio::select! {
                // A command has the last word: a drill that is over lets its traffic pass until then.
                () = self.run.finished(), if !played_out => {
                    self.view.phase(None, self.run.injector().tick());
                    played_out = true;
                    if self.beside.is_none() {
                        return Cause::Timeline;
                    }
                }
                status = ended(&mut self.beside) => return Cause::Command(status),
                _ = self.interrupt.recv() => return Cause::Interrupt,
                _ = self.terminate.recv() => return Cause::Interrupt,
                Ok(()) = failed.changed() => return Cause::Record,
                Ok(()) = changes.changed() => announce(&mut changes, &self.view, &self.run),
                _ = frames.tick() => {
                    let took = self.run.injector().tick();
                    self.view.frame(&controls, &self.collector, took);
                }
            }
        }
    }
}

fn announce(changes: &mut watch::Receiver<Change>, view: &View, run: &Run) {
    let change = *changes.borrow_and_update();
    if change.phase.is_some() {
        view.phase(change.phase, run.injector().tick());
    }
}

async fn ended(beside: &mut Option<Beside>) -> io::Result<ExitStatus> {
    match beside {
        Some(beside) => beside.wait().await,
        None => std::future::pending().await,
    }
}

fn preface(run: &Run, loaded: &Loaded) -> Preface {
    let scenario = &loaded.scenario;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Preface {
        run: run.id().to_owned(),
        firedrill: env!("CARGO_PKG_VERSION"),
        scenario: scenario.name.clone(),
        scenario_hash: format!("{:016x}", loaded.text_hash),
        seed: loaded.play.seed.0,
        speed: loaded.play.speed.factor(),
        started: jiff::Timestamp::now().to_string(),
        phases: scenario.phases.iter().map(|p| (p.name.clone(), millis(p.length))).collect(),
        targets: scenario.targets.iter().map(|target| target.name.clone()).collect(),
        users: user_sources(&scenario.users),
    }
}

/// Where users are told from, the peer's address last, which is what is left when nothing tells.
fn user_sources(users: &Users) -> Vec<String> {
    users.sources.iter().chain([&UserSource::Peer]).map(UserSource::show).collect()
}

/// Writes the summary: text to standard output, unless the JSON goes there.
fn report(summary: &Summary<'_>, json: Option<&Path>) -> io::Result<()> {
    let text = summary.text(terminal::look_out(), terminal::columns().unwrap_or(WIDTH));
    let Some(path) = json else {
        return terminal::out(&text);
    };
    let json = format!("{:#}\n", summary.json());
    if path == Path::new("-") {
        crate::cli::say(text.trim_end());
        return terminal::out(&json);
    }
    fs::write(path, json)?;
    terminal::out(&text)
}

/// Worst first: the environment, then the command, then a drill that shows too little.
fn verdict(
    summary: &Summary<'_>,
    cause: &Cause,
    record: io::Result<()>,
    reported: io::Result<()>,
    upstream: &str,
) -> Exit {
    let mut environment = false;
    for (what, outcome) in [("the record", record), ("the summary", reported)] {
        if let Err(error) = outcome {
            crate::cli::error(&format!("cannot write {what}: {error}"));
            environment = true;
        }
    }
    if summary.upstream_never_answered() {
        crate::cli::error(&format!("the upstream {upstream} never answered"));
        environment = true;
    }
    match cause {
        Cause::Interrupt => Exit::Interrupted,
        _ if environment => Exit::Environment,
        Cause::Command(Err(error)) => {
            crate::cli::error(&format!("lost the command: {error}"));
            Exit::Environment
        }
        Cause::Command(Ok(status)) if !status.success() => {
            crate::cli::error(&format!("the command failed: {status}"));
            Exit::Failed
        }
        _ if !summary.silences().is_empty() => Exit::Inconclusive,
        _ => Exit::Passed,
    }
}
