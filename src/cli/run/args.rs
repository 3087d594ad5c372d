//! The flags of `firedrill run`.

use crate::{
    cli::{formats::Formats, place::AdminArgs},
    config::UpstreamHttp,
    dice::Seed,
    timeline::Speed,
    units::{Place, Quantity},
};
use clap::Args as ClapArgs;
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// Play a scenario in front of a service.
#[derive(Clone, Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(in crate::cli) struct Args {
    /// A scenario: the path of a file, or the name of a bundled one (see `firedrill list`)
    pub scenario: String,

    /// The service to stand in front of, such as http://127.0.0.1:3000
    #[arg(long, value_name = "URL", env = "FIREDRILL_UPSTREAM")]
    pub upstream: Option<String>,

    /// Be a forward proxy to these hosts, for a client that is told of it by HTTP_PROXY and HTTPS_PROXY,
    /// which are set for CMD: api.example.com, *.example.org, 127.0.0.1:8080
    #[arg(long, value_name = "HOST", value_delimiter = ',', conflicts_with = "config")]
    pub forward: Vec<String>,

    /// Read the requests inside TLS as well, with certificates of Firedrill's own authority, which CMD is
    /// told to trust
    #[arg(long, requires = "forward")]
    pub intercept: bool,

    /// A file with proxies, instead of `--upstream`, and perhaps an admin address
    #[arg(long, value_name = "FILE", conflicts_with_all = ["upstream", "listen", "terminate"])]
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub admin: AdminArgs,

    /// Where clients connect: an address and a port, or a port on loopback; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = Place::parse)]
    pub listen: Place,

    #[command(flatten)]
    pub play: PlayArgs,

    /// Bind a target of the scenario to a route of one's own: NAME='POST /api/checkout'
    #[arg(long = "target", value_name = "NAME=ROUTE")]
    pub targets: Vec<String>,

    /// Write what happened to a file, one JSON line per exchange
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    #[command(flatten)]
    pub formats: Formats,

    /// Say nothing but the summary and what is wrong
    #[arg(long, short)]
    pub quiet: bool,

    /// How to write log events
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub log: LogForm,

    /// Trust the certificates of this PEM file, and no others, for an https upstream
    #[arg(long, value_name = "FILE", conflicts_with = "upstream_insecure")]
    pub upstream_ca: Option<PathBuf>,

    /// Trust any certificate of an https upstream
    #[arg(long)]
    pub upstream_insecure: bool,

    /// The version of HTTP that the upstream is spoken to in, whatever clients speak: `http1`, `http2`, or
    /// the `same`
    #[arg(long, value_name = "VERSION", default_value = "same", conflicts_with_all = ["config", "forward"])]
    pub upstream_http: UpstreamHttp,

    /// Speak TLS with clients, with certificates that `firedrill ca` signs
    #[arg(long)]
    pub terminate: bool,

    /// Send the upstream its own name as `host` instead of the client's
    #[arg(long)]
    pub rewrite_host: bool,

    /// Leave out the header that tells an injected answer from a genuine one
    #[arg(long)]
    pub no_mark: bool,

    /// A command to run beside the drill, with FIREDRILL_URL set; the drill ends when it does
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// How a scenario is played.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct PlayArgs {
    /// How many times faster than life the phases go by; injected latencies stay real
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    pub speed: Speed,

    /// What all random choices follow from; the scenario's own unless given
    #[arg(long, value_name = "N", value_parser = seed)]
    pub seed: Option<Seed>,

    /// Where to start: a scenario time such as 2m30s, or the name of a phase
    #[arg(long, value_name = "TIME")]
    pub start_at: Option<String>,

    /// Cut plateaus (phases in which nothing moves) down to this
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub longest_phase: Option<Duration>,

    /// Stand still until the first request
    #[arg(long)]
    pub wait_for_traffic: bool,
}

/// How log events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum LogForm {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

/// A duration with its unit.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text).map_err(|error| format!("{error}; write {}", Duration::FORMS))
}

/// A seed.
fn seed(text: &str) -> Result<Seed, String> {
    text.parse().map_err(|_| "write a whole number, such as 20141102".to_owned())
}
