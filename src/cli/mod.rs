//! The command line: one file per command.

mod bundled;
mod ca;
mod check;
mod compare;
mod completions;
mod ctl;
mod demo;
mod exit;
mod explain;
mod faults;
mod formats;
mod place;
mod plan;
mod report;
mod run;
mod scenario_file;
mod schema;
mod serve;
mod terminal;
mod voice;

pub use exit::Exit;

use clap::{CommandFactory, Parser, Subcommand};
use voice::{error, say};

/// What to do first.
const FIRST: &str = "Start with `firedrill demo`: it needs nothing else. Then `firedrill list`, and
`firedrill run NAME --upstream URL` in front of a service of your own.";

/// Replay an outage in front of a service, and see how its clients cope.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, about, after_help = FIRST, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Demo(demo::Args),
    Serve(serve::Args),
    Ctl(ctl::Args),
    Check(check::Args),
    Plan(plan::Args),
    Report(report::Args),
    Compare(compare::Args),
    /// List the scenarios that come with the program
    List,
    Show(bundled::Args),
    Faults(faults::Args),
    Explain(explain::Args),
    Ca(ca::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

/// Does what the command line says.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap, but not to us.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Passed };
            let _told = error.print();
            return exit;
        }
    };
    match cli.command {
        Command::Run(args) => {
            voice::log(args.log);
            run::run(&args)
        }
        Command::Demo(args) => {
            voice::log(run::LogForm::Text);
            demo::run(&args)
        }
        Command::Serve(args) => {
            voice::log(args.log);
            serve::run(&args)
        }
        Command::Ctl(args) => ctl::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::List => bundled::list(),
        Command::Show(args) => bundled::show(&args),
        Command::Faults(args) => faults::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Ca(args) => ca::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
    }
}

/// Prints data on standard output.
fn print(text: &str) -> Exit {
    match terminal::out(text) {
        Ok(()) => Exit::Passed,
        Err(why) => {
            error(&format!("cannot write to standard output: {why}"));
            Exit::Environment
        }
    }
}
