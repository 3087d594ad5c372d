//! The composition root of a drill: the only place that wires everything.

use crate::{
    cli::{
        exit::Exit,
        formats::Formats,
        place,
        run::{
            args::Args,
            child::Beside,
            load::{DEFAULT_PROXY, Loaded, Refusal},
            outcome::{Cause, Unwritten, verdict},
            proxied,
            view::{FRAME, View},
        },
    },
    control::{App, Registry, RegistryError, Server, Spec},
    dice::{self, Seed},
    drill,
    engine::{FaultTally, Run},
    event::{Recorder, in_micros},
    observe::{Collector, End, Ending, Journal, Preface, Tally},
    report::summary::{Origin, Summary},
    scenario::Scenario,
    select::{UserSource, Users},
    verdict::Judge,
};
use rustix::process::Signal as Told;
use std::{
    future::Future, io, iter, net::SocketAddr, process::ExitStatus, sync::Arc, time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

/// Events kept between two visits of the collector; more are dropped and counted.
const EVENT_LIMIT: usize = 1 << 18;
/// How long exchanges under way may take to finish when a drill is over.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is said to the first Ctrl-C.
const STOPPING: &str =
    "stopping: nothing is injected any more; Ctrl-C again cuts off what is under way";

/// What is said of a command that does not go on.
const STOPPED: &str = "note: the command was stopped, as one is that asks the terminal for input: it has \
                       none here";

/// A drill that was started.
#[derive(Debug)]
pub(in crate::cli) struct Drill {
    scenario: Arc<Scenario>,
    loaded: Facts,
    run: Run,
    registry: Arc<Registry>,
    /// Takes commands, if any are wanted.
    server: Option<Server>,
    collector: Collector<Judge>,
    beside: Option<Beside>,
    view: View,
    formats: Formats,
    /// The record broke off, and it was said.
    lost_record: bool,
    interrupt: Signal,
    terminate: Signal,
    /// Its terminal is gone.
    hangup: Signal,
}

/// What the summary says of how it was played.
#[derive(Debug)]
struct Facts {
    play: crate::engine::Play,
    upstream: String,
}

impl Drill {
    pub(in crate::cli) async fn start(args: &Args, loaded: Loaded) -> Result<Self, Refusal> {
        let handlers = || {
            let terminate = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
            Ok((signal(SignalKind::interrupt())?, terminate))
        };
        let (interrupt, (terminate, hangup)) = handlers()
            .map_err(|e: io::Error| Refusal::environment("cannot listen to signals", &e))?;
        let recorder = Arc::new(Recorder::new(EVENT_LIMIT, true));
        let scenario = Arc::clone(&loaded.scenario);
        let run = Run::start(Arc::clone(&scenario), &loaded.play, Arc::clone(&recorder));
        let preface = preface(&run, &loaded);
        let users = loaded.users.clone();
        let registry = Arc::new(Registry::new(&run, Arc::clone(&recorder), users));
        for spec in &loaded.specs {
            let added = registry.add(spec.clone()).await;
            added.map_err(|error| cannot_listen(spec, &error))?;
        }
        let server = admin(args, &loaded, &registry, &run).await?;
        // Only now: a drill that does not take place takes nothing away from the last one's files.
        let journal = journal(args, &preface)?;
        args.formats.prepare()?;
        let judge = drill::judge(&scenario, &loaded.play, &loaded.users, &loaded.proxies());
        let collector = Collector::start(recorder, journal, judge)
            .map_err(|error| Refusal::environment("cannot start a thread", &error))?;
        let view = View::new(Arc::clone(&scenario), args.quiet);
        if let Some(server) = &server {
            view.say(&format!("admin: http://{}", server.address()));
        }
        for line in lines(&registry, &scenario, loaded.play.seed) {
            view.say(&line);
        }
        if !scenario.stop_when.is_empty() {
            view.say("note: `stop_when` is not watched by this version");
        }
        if loaded.play.wait_for_traffic {
            view.say("waiting for the first request");
        }
        let data_alone = args.formats.is_data_alone();
        let mut variables = place::variables(&registry);
        let told = proxied::variables(&registry)?;
        if args.command.is_empty() {
            for (name, value) in &told {
                view.say(&proxied::export(name, value));
            }
        }
        variables.extend(told);
        let beside = match Beside::start(&args.command, variables, data_alone) {
            Ok(beside) => beside,
            Err(error) => {
                // The record is to say that it ended, and how.
                collector.finish(Ending::of(End::Failed));
                let program = args.command.first().map(|p| p.to_string_lossy().into_owned());
                let what = format!("cannot run `{}`", program.unwrap_or_default());
                return Err(Refusal::environment(&what, &error));
            }
        };
        let facts = Facts { upstream: loaded.upstreams(), play: loaded.play };
        let formats = args.formats.clone();
        Ok(Self {
            scenario,
            loaded: facts,
            run,
            registry,
            server,
            collector,
            beside,
            view,
            formats,
            lost_record: false,
            interrupt,
            terminate,
            hangup,
        })
    }

    /// Says something beside the live view.
    pub(in crate::cli) fn say(&self, line: &str) {
        self.view.say(line);
    }

    /// Where clients connect.
    pub(in crate::cli) fn address(&self) -> Option<SocketAddr> {
        self.registry.list().first().and_then(|proxied| proxied.spec().listen.tcp())
    }

    /// Plays it to its end, whatever that is, and reports. `goodbye` is waited for between the end
    /// of the drill and the end of the proxy.
    pub(in crate::cli) async fn play(mut self, goodbye: impl Future<Output = ()>) -> Exit {
        let cause = self.until_over().await;
        let took = in_micros(self.run.controls().tick());
        // Nothing is injected from here on, and whatever was held goes its way.
        self.run.controls().stop();
        self.view.clear();
        if matches!(cause, Cause::Interrupt { .. }) {
            self.view.say(STOPPING);
        }
        goodbye.await;
        drop(self.server.take());
        let again = async {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        };
        let beside = async {
            match (&mut self.beside, &cause) {
                (None, _) => {}
                (Some(beside), Cause::Command(_)) => beside.clear_up(PATIENCE).await,
                (Some(beside), Cause::Interrupt { signal }) => {
                    beside.see_out(*signal, PATIENCE).await;
                }
                (Some(beside), _) => beside.see_out(Told::TERM, PATIENCE).await,
            }
        };
        let drained = tokio::select! {
            (cut, ()) = async { tokio::join!(self.registry.drain(PATIENCE), beside) } => {
                if cut > 0 {
                    tracing::warn!(connections = cut, "did not finish in time and were closed");
                }
                true
            }
            () = again => false,
        };
        // Killed, if it has not gone by now.
        drop(self.beside.take());
        if !drained {
            // What was seen up to here is still told and kept.
            self.registry.drain(Duration::ZERO).await;
        }
        let exit = self.tell(&cause, took);
        if drained { exit } else { Exit::Interrupted }
    }

    /// Closes the record, and says what the drill came to.
    fn tell(self, cause: &Cause, took: Duration) -> Exit {
        let end = if self.lost_record { End::Failed } else { cause.end() };
        let tallies = self.run.tallies();
        let aborted = self.run.controls().status().aborted;
        let collected = self.collector.finish(Ending {
            took_us: u64::try_from(took.as_micros()).ok(),
            command_failed: matches!(cause, Cause::Command(Ok(status)) if !status.success()),
            aborted,
            faults: tallies.iter().map(tally).collect(),
            ..Ending::of(end)
        });
        if let Err(error) = &collected.record
            && !self.lost_record
        {
            crate::cli::error(&format!("cannot write the record: {error}"));
        }
        let judged = collected
            .listener
            .map(|judge| judge.finish(collected.observations.dropped))
            .unwrap_or_default();
        let summary = Summary {
            scenario: &self.scenario,
            timeline: self.run.timeline(),
            run: self.run.id(),
            seed: self.loaded.play.seed,
            speed: self.loaded.play.speed,
            start_at: self.loaded.play.start_at,
            longest_phase: self.loaded.play.longest_phase,
            end,
            took,
            observations: &collected.observations,
            tallies: &tallies,
            verdict: &judged,
            origin: &Origin::default(),
        };
        let reported = self.formats.write(&summary);
        if let Err(error) = &reported {
            crate::cli::error(&format!("cannot write the report: {error}"));
        }
        let unwritten = Unwritten { record: collected.record.is_err(), report: reported.is_err() };
        self.formats.say_strict(&summary);
        let flags = (aborted, self.formats.strict);
        verdict(&summary, cause, &unwritten, &self.loaded.upstream, flags)
    }

    async fn until_over(&mut self) -> Cause {
        let mut changes = self.run.controls().changes();
        // The phase that began before anybody looked is announced as well, and each once: commands
        // make for changes too.
        changes.mark_changed();
        let mut announced = None;
        let mut failed = self.collector.failed();
        let controls = self.run.controls();
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut played_out = false;
        loop {
            // A command has the last word: a drill that is over lets its traffic pass until then.
            tokio::select! {
                biased;
                // First, or a phase might end unannounced with a drill that ends just then.
                Ok(()) = changes.changed() => {
                    let phase = changes.borrow_and_update().phase;
                    if phase.is_some() && phase != announced {
                        self.view.phase(phase, self.run.controls().tick());
                        announced = phase;
                    }
                }
                () = self.run.finished(), if !played_out => {
                    self.view.phase(None, self.run.controls().tick());
                    played_out = true;
                    match (self.lost_record, controls.status().aborted) {
                        // Whoever ends a drill ends what was started for it.
                        (false, true) => return Cause::Aborted,
                        _ if self.beside.is_some() => {}
                        (true, _) => return Cause::Record,
                        (false, false) => return Cause::Timeline,
                    }
                }
                status = ended(&mut self.beside) => return Cause::Command(status),
                _ = self.interrupt.recv() => return Cause::Interrupt { signal: Told::INT },
                _ = self.terminate.recv() => return Cause::Interrupt { signal: Told::TERM },
                _ = self.hangup.recv() => return Cause::Interrupt { signal: Told::HUP },
                Ok(()) = failed.changed() => {
                    let why = failed.borrow_and_update().clone().unwrap_or_default();
                    self.view.error(&format!("cannot write the record: {why}"));
                    self.lost_record = true;
                    // Nobody is hurt on the strength of a record that does not exist.
                    controls.stop();
                }
                _ = frames.tick() => {
                    let took = self.run.controls().tick();
                    self.view.frame(&controls, &self.collector, took);
                    if self.beside.as_ref().is_some_and(Beside::was_stopped) {
                        self.view.say(STOPPED);
                    }
                }
            }
        }
    }
}

/// Why a proxy is not there.
fn cannot_listen(spec: &Spec, error: &RegistryError) -> Refusal {
    match error {
        RegistryError::Listen { address, source } if spec.name == DEFAULT_PROXY => {
            let mut what = format!("cannot listen on {address}");
            if source.kind() == io::ErrorKind::AddrInUse {
                what.push_str(" (choose another address with `--listen`)");
            }
            Refusal::environment(&what, source)
        }
        _ => place::refusal(&spec.name, error),
    }
}

/// Listens for commands if the flags or the config say so.
async fn admin(
    args: &Args,
    loaded: &Loaded,
    registry: &Arc<Registry>,
    run: &Run,
) -> Result<Option<Server>, Refusal> {
    if args.admin.admin.is_none() && !args.admin.admin_open && loaded.admin.is_none() {
        return Ok(None);
    }
    let app = App {
        registry: Arc::clone(registry),
        controls: run.controls(),
        scenario: Some(Arc::clone(&loaded.scenario)),
        run: run.id().to_owned(),
    };
    place::admin(&args.admin, loaded.admin.as_ref(), app).await.map(Some)
}

/// What is said first: where clients connect, and what is played.
fn lines(registry: &Registry, scenario: &Scenario, seed: Seed) -> Vec<String> {
    let what = format!("({}, seed {seed})", scenario.name);
    let all = registry.list();
    if let [only] = &all[..]
        && only.name == DEFAULT_PROXY
    {
        let spec = only.spec();
        let line = format!("{} -> {}  {what}", spec.shown(), spec.upstream);
        return iter::once(line).chain(place::trust(registry)).collect();
    }
    place::lines(registry).into_iter().chain([what]).collect()
}

async fn ended(beside: &mut Option<Beside>) -> io::Result<ExitStatus> {
    match beside {
        Some(beside) => beside.wait().await,
        None => std::future::pending().await,
    }
}

/// The record, begun, if one was asked for.
fn journal(args: &Args, preface: &Preface) -> Result<Option<Journal>, Refusal> {
    let Some(path) = &args.record else {
        return Ok(None);
    };
    let what = format!("cannot write the record `{}`", path.display());
    let journal = Journal::create(path, preface);
    journal.map(Some).map_err(|error| Refusal::environment(&what, &error))
}

fn preface(run: &Run, loaded: &Loaded) -> Preface {
    let scenario = &loaded.scenario;
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Preface {
        run: run.id().to_owned(),
        firedrill: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        scenario_hash: format!("{:016x}", dice::key(loaded.text.as_bytes())),
        seed: loaded.play.seed.0,
        speed: loaded.play.speed.factor(),
        started: jiff::Timestamp::now().to_string(),
        phases: scenario.phases.iter().map(|p| (p.name.clone(), millis(p.length))).collect(),
        targets: scenario.targets.iter().map(|target| target.name.clone()).collect(),
        users: user_sources(&loaded.users),
        scenario_text: loaded.text.clone(),
        bindings: loaded.bindings.clone(),
        start_at_ms: millis(loaded.play.start_at),
        longest_phase_ms: loaded.play.longest_phase.map(millis),
        proxies: loaded
            .proxies()
            .into_iter()
            .map(|(name, protocol)| (name, protocol.name().to_owned()))
            .collect(),
    }
}

/// What a fault was asked and did, as the record's last line has it.
fn tally(tally: &FaultTally) -> Tally {
    Tally {
        name: tally.name.to_string(),
        kind: tally.kind.to_owned(),
        describe: tally.describe.clone(),
        considered: tally.considered,
        hit: tally.hit,
        held_us: u64::try_from(tally.held.as_micros()).unwrap_or(u64::MAX),
        gate: tally.gate,
    }
}

/// Where users are told from, the peer's address last, which is what is left when nothing tells.
pub(in crate::cli) fn user_sources(users: &Users) -> Vec<String> {
    users.sources.iter().chain([&UserSource::Peer]).map(UserSource::show).collect()
}
