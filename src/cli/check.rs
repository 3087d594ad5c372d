//! `firedrill check`: every problem of the files, and of a good one its effective rates and its
//! proxies.

use crate::{
    cli::{
        Exit, error, print, say,
        scenario_file::{self, Beside, Loaded},
        terminal,
    },
    config::File,
    diag::{Problems, Source, json, render, summary},
    report,
    units::show_duration,
};
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// Check scenarios and configs: every problem with line and caret, and what they amount to
///
/// Certificates and keys that a config names are looked at as well. Several FILEs are checked each by
/// itself; whether a scenario can be played on the proxies of a config in another file is checked with
/// `--config`, as `run` takes it.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// Paths of files, names of bundled scenarios, or `-` for standard input
    #[arg(required_unless_present = "config", value_name = "FILE")]
    pub files: Vec<String>,

    /// A file with the proxies that the scenarios are to be played on, which is checked too
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How problems are told: as text on standard error, or as JSON lines on standard output
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub format: Format,
}

/// How problems are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For editors and CI, one object a line.
    Json,
}

/// Checks them all, whatever is wrong with the first.
pub(super) fn run(args: &Args) -> Exit {
    let refuse = |why: &str| {
        error(why);
        Exit::Usage
    };
    let mut exit = Exit::Passed;
    let beside = match args.config.as_deref().map(Beside::load).transpose() {
        Ok(beside) => beside,
        // The others are checked even so.
        Err(why) => {
            exit = refuse(&why);
            None
        }
    };
    for name in &args.files {
        let checked = match scenario_file::load(name) {
            Ok(loaded) => one(loaded, beside.as_ref(), args.format).unwrap_or_else(refuse),
            Err(why) => refuse(&why),
        };
        exit = exit.worst(checked);
    }
    if let Some(Beside { loaded, config, .. }) = beside {
        let file = config.map(|config| File { scenario: None, config: Some(config) });
        exit = exit.worst(say_of(&loaded, file.as_ref(), args.format));
    }
    exit
}

fn one(mut loaded: Loaded, beside: Option<&Beside>, format: Format) -> Result<Exit, &'static str> {
    let file = loaded.read_all();
    if let (Some(beside), Some(file)) = (beside, &file) {
        beside.fit(file, &mut loaded)?;
    }
    let file = file.filter(|_| !loaded.problems.has_errors());
    Ok(say_of(&loaded, file.as_ref(), format))
}

/// Says what is wrong with a file, and what there is to say of it if nothing is.
fn say_of(loaded: &Loaded, file: Option<&File>, format: Format) -> Exit {
    let (source, problems) = (&loaded.source, &loaded.problems);
    let told = match format {
        Format::Json => print(&json(source, problems)),
        Format::Text => {
            tell(source, problems);
            file.map_or(Exit::Passed, |file| print(&good(source, file)))
        }
    };
    if file.is_some() { told } else { Exit::Usage }
}

fn tell(source: &Source, problems: &Problems) {
    if problems.is_empty() {
        return;
    }
    say(render(source, problems, terminal::look_err()).trim_end());
    say("");
    say(&summary(source, problems));
}

/// What there is to say about a file that is in order.
fn good(source: &Source, file: &File) -> String {
    let scenario = file.scenario.as_ref().map(|scenario| {
        let length = show_duration(scenario.timeline(None).length());
        format!("a scenario of {}, {length}", count(scenario.phases.len(), "phase", "phases"))
    });
    let config = file.config.as_ref();
    let config =
        config.map(|c| format!("a config of {}", count(c.proxies.len(), "proxy", "proxies")));
    let both: Vec<String> = scenario.into_iter().chain(config).collect();
    let mut text = format!("ok: {}: {}\n", source.name, both.join("; "));
    if let Some(scenario) = &file.scenario {
        for (at, phase) in scenario.phases.iter().enumerate() {
            for (whose, rate) in report::rates(&scenario.touched(at), |_| true, scenario) {
                text.push_str(&format!("  {}: {whose}: {rate}\n", phase.name));
            }
        }
    }
    for proxy in file.config.iter().flat_map(|config| &config.proxies) {
        let (protocol, off) =
            (proxy.protocol.name(), if proxy.enabled { "" } else { ", not enabled" });
        let line =
            format!("{}: {protocol}, {} -> {}{off}", proxy.name, proxy.listen, proxy.upstream);
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn count(many: usize, one: &str, more: &str) -> String {
    format!("{many} {}", if many == 1 { one } else { more })
}
