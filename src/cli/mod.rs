//! The command line: one file per command.

mod demo;
mod exit;
mod plan;
mod run;
mod scenario_file;
mod terminal;

pub use exit::Exit;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Replay an outage in front of a service, and see how its clients cope.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Demo(demo::Args),
    Plan(plan::Args),
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
            log(args.log);
            run::run(&args)
        }
        Command::Demo(args) => {
            log(run::LogForm::Text);
            demo::run(&args)
        }
        Command::Plan(args) => plan::run(&args),
    }
}

fn log(form: run::LogForm) {
    let filter =
        EnvFilter::try_from_env("FIREDRILL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal::is_coloured_err())
        .with_writer(std::io::stderr);
    match form {
        run::LogForm::Text => builder.with_target(false).init(),
        run::LogForm::Json => builder.json().init(),
    }
}

/// Says something on standard error.
fn say(line: &str) {
    anstream::eprintln!("{line}");
}

/// Says what is wrong.
fn error(message: &str) {
    let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
    anstream::eprintln!("{style}error{style:#}: {message}");
}
