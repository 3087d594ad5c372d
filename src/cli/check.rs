//! `firedrill check`: every problem of the files, and of a good one its effective rates.

use crate::{
    cli::{Exit, error, print, say, scenario_file, terminal},
    diag::{Problems, Source, json, render, summary},
    report,
    scenario::Scenario,
    units::show_duration,
};
use clap::Args as ClapArgs;

/// Check scenarios: every problem with line and caret, and how much traffic each phase touches
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// Paths of files, names of bundled scenarios, or `-` for standard input
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<String>,

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
    let mut exit = Exit::Passed;
    for name in &args.scenarios {
        exit = exit.worst(one(name, args.format));
    }
    exit
}

fn one(name: &str, format: Format) -> Exit {
    let mut loaded = match scenario_file::load(name) {
        Ok(loaded) => loaded,
        Err(why) => {
            error(&why);
            return Exit::Usage;
        }
    };
    let scenario = loaded.read();
    let (source, problems) = (&loaded.source, &loaded.problems);
    let told = match format {
        Format::Json => print(&json(source, problems)),
        Format::Text => {
            tell(source, problems);
            scenario.as_ref().map_or(Exit::Passed, |scenario| print(&good(source, scenario)))
        }
    };
    if scenario.is_some() { told } else { Exit::Usage }
}

fn tell(source: &Source, problems: &Problems) {
    if problems.is_empty() {
        return;
    }
    say(render(source, problems, terminal::look_err()).trim_end());
    say("");
    say(&summary(source, problems));
}

/// What there is to say about a scenario that is in order.
fn good(source: &Source, scenario: &Scenario) -> String {
    let count = match scenario.phases.len() {
        1 => "1 phase".to_owned(),
        many => format!("{many} phases"),
    };
    let length = show_duration(scenario.timeline(None).length());
    let mut text = format!("ok: {}: {count}, {length}\n", source.name);
    for (at, phase) in scenario.phases.iter().enumerate() {
        for (whose, rate) in report::rates(&scenario.touched(at), |_| true, scenario) {
            text.push_str(&format!("  {}: {whose}: {rate}\n", phase.name));
        }
    }
    text
}
