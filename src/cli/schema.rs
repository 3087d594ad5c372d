//! `firedrill schema`: the JSON Schema of scenario and config files, and of reports.

use crate::{
    cli::{Exit, print},
    config,
    report::summary,
};
use clap::{Args as ClapArgs, ValueEnum};

/// Print the JSON Schema of scenario and config files, for editors, or of JSON reports
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// Of what
    #[arg(default_value = "scenario", value_name = "WHAT")]
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// Scenario and config files.
    Scenario,
    /// What `--json` writes.
    Report,
}

/// Prints it.
pub(super) fn run(args: &Args) -> Exit {
    let schema = match args.of {
        Of::Scenario => config::json_schema(),
        Of::Report => summary::json_schema(),
    };
    print(&format!("{schema:#}\n"))
}
