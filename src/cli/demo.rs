//! `firedrill demo`: an embedded shop and its embedded clients go through a scenario.

use crate::{
    cli::{
        error,
        exit::Exit,
        formats::Formats,
        place::AdminArgs,
        run::{self, Drill, Loaded, PlayArgs, Refusal},
        terminal,
    },
    config::UpstreamHttp,
    demo::{self, Policy, Shop},
    diag::closest,
    timeline::Speed,
};
use clap::Args as ClapArgs;
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;

/// A demonstration is over by then, whatever the length of its scenario.
const LENGTH: Duration = Duration::from_secs(24);

/// See an outage and what two clients make of it, with nothing else installed.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// A scenario: the path of a file, or the name of a bundled one; longer ones are compressed
    #[arg(default_value = "demo")]
    pub scenario: String,

    /// How many times faster than life the phases go by; by default what fits 24 seconds
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<Speed>,

    /// Bind a target of the scenario to a route of the shop: NAME='POST /purchase'
    #[arg(long = "target", value_name = "NAME=ROUTE")]
    pub targets: Vec<String>,

    /// The clients to compare, by name; by default `hasty` and `careful`
    #[arg(long = "client", value_name = "NAME", value_delimiter = ',')]
    pub clients: Vec<String>,

    /// List the clients there are
    #[arg(long, exclusive = true)]
    pub list_clients: bool,

    /// Write what happened to a file, one JSON line per exchange
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    #[command(flatten)]
    pub formats: Formats,

    /// Say nothing but the summary and what is wrong
    #[arg(long, short)]
    pub quiet: bool,
}

/// Shows it.
pub(super) fn run(args: &Args) -> Exit {
    if args.list_clients {
        return crate::cli::print(&list());
    }
    let clients = match chosen(&args.clients) {
        Ok(clients) => clients,
        Err(why) => {
            error(&why);
            return Exit::Usage;
        }
    };
    run::block_on(async {
        let shop = match Shop::start().await {
            Ok(shop) => shop,
            Err(error) => return Refusal::environment("cannot open the shop", &error).say(),
        };
        let exit = with(args, &clients, &shop).await;
        shop.stop().await;
        exit
    })
}

async fn with(args: &Args, clients: &[Policy], shop: &Shop) -> Exit {
    let mut args = run_args(args, shop.address());
    let mut loaded = match run::load(&args) {
        Ok(loaded) => loaded,
        Err(refusal) => return refusal.say(),
    };
    fit(&mut args, &mut loaded);
    let seed = loaded.seed();
    let drill = match Drill::start(&args, loaded).await {
        Ok(drill) => drill,
        Err(refusal) => return refusal.say(),
    };
    let Some(proxy) = drill.address() else {
        return Exit::Environment;
    };
    let stop = CancellationToken::new();
    let mut outcome = None;
    let playing = demo::play(clients, proxy, shop, stop.clone(), seed);
    tokio::pin!(playing);
    let exit = {
        let (stopper, outcome) = (stop.clone(), &mut outcome);
        let (told, over) = tokio::sync::oneshot::channel();
        let drill = drill.play(async move {
            stopper.cancel();
            // The clients are gone when the comparison is there, or when nobody waits for it.
            let _gone = over.await;
        });
        tokio::pin!(drill);
        let mut told = Some(told);
        loop {
            tokio::select! {
                exit = &mut drill => break exit,
                played = &mut playing, if told.is_some() => {
                    *outcome = Some(played);
                    told.take().map(|told| told.send(()));
                }
            }
        }
    };
    if let Some(outcome) = outcome
        && let Err(why) = terminal::out(&format!("\n{}\n", outcome.show().trim_end()))
    {
        error(&format!("cannot write the comparison: {why}"));
        return Exit::Environment;
    }
    // That one of its clients fails is what it shows.
    if exit == Exit::Failed { Exit::Passed } else { exit }
}

/// The clients of these names, each once.
fn chosen(names: &[String]) -> Result<Vec<Policy>, String> {
    if names.is_empty() {
        return Ok(demo::DEFAULT.to_vec());
    }
    let mut chosen: Vec<Policy> = Vec::new();
    for name in names {
        let Some(policy) = demo::find(name) else {
            let known = demo::CATALOGUE.iter().map(|policy| policy.name);
            let advice = closest(name, known).map_or_else(
                || "`firedrill demo --list-clients` lists them".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(format!("there is no client `{name}`: {advice}"));
        };
        if chosen.iter().all(|other| other.name != policy.name) {
            chosen.push(policy);
        }
    }
    Ok(chosen)
}

/// All clients, one line each.
fn list() -> String {
    let width = demo::CATALOGUE.iter().map(|policy| policy.name.len()).max().unwrap_or_default();
    let line = |policy: &Policy| format!("{:width$}  {}\n", policy.name, policy.about);
    demo::CATALOGUE.iter().map(line).collect()
}

/// The same drill as `firedrill run` would play, in front of the shop.
fn run_args(args: &Args, shop: SocketAddr) -> run::Args {
    run::Args {
        forward: Vec::new(),
        intercept: false,
        scenario: args.scenario.clone(),
        upstream: Some(format!("http://{shop}")),
        config: None,
        admin: AdminArgs::default(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        play: PlayArgs {
            speed: args.speed.unwrap_or(Speed::REAL),
            seed: None,
            start_at: None,
            longest_phase: None,
            wait_for_traffic: false,
        },
        targets: args.targets.clone(),
        record: args.record.clone(),
        formats: args.formats.clone(),
        quiet: args.quiet,
        log: run::LogForm::Text,
        upstream_ca: None,
        upstream_insecure: false,
        upstream_http: UpstreamHttp::default(),
        terminate: false,
        rewrite_host: false,
        no_mark: false,
        command: Vec::new(),
    }
}

/// Compresses a long scenario, unless the command line says how fast it is to be.
fn fit(args: &mut run::Args, loaded: &mut Loaded) {
    let length = loaded.scenario_length();
    if args.play.speed == Speed::REAL && length > LENGTH {
        let factor = (length.as_secs_f64() / LENGTH.as_secs_f64()).ceil();
        if let Some(speed) = Speed::new(factor) {
            args.play.speed = speed;
            loaded.set_speed(speed);
        }
    }
}
