//! `firedrill report`: the summary and the verdict once more, from records alone.

use crate::{
    cli::{Exit, error, formats::Formats, run},
    drill::Again,
    observe::End,
};
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// Tell what drills came to, once more, from their records
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// Records that `--record` wrote: one, or several of the same scenario, which are told as one
    #[arg(required = true, value_name = "RECORD")]
    pub records: Vec<PathBuf>,

    #[command(flatten)]
    pub formats: Formats,
}

/// Tells it, and ends as the drill did.
pub(super) fn run(args: &Args) -> Exit {
    let again = match Again::read(&args.records) {
        Ok(again) => again,
        Err(why) => {
            error(&why.to_string());
            return Exit::Usage;
        }
    };
    if let Err(refusal) = args.formats.prepare() {
        return refusal.say();
    }
    let summary = again.report.summary();
    let mut exit = ended(&again, args.formats.strict);
    if let Err(why) = args.formats.write(&summary) {
        error(&format!("cannot write the report: {why}"));
        exit = exit.worst(Exit::Environment);
    }
    args.formats.say_strict(&summary);
    exit
}

/// How the drill ended, as far as its record tells.
fn ended(again: &Again, strict: bool) -> Exit {
    let summary = again.report.summary();
    let mut exit = run::found(&summary, strict);
    if again.command_failed {
        exit = exit.worst(Exit::Failed);
    }
    if summary.upstream_never_answered() {
        error("the upstream never answered");
        exit = exit.worst(Exit::Environment);
    }
    if again.aborted {
        exit = exit.worst(Exit::Aborted);
    }
    match again.report.end {
        End::Interrupted => exit.worst(Exit::Interrupted),
        End::Failed => exit.worst(Exit::Environment),
        // Whatever it shows, it may not be all.
        _ if !summary.origin.doubts.is_empty() => exit.worst(Exit::Inconclusive),
        _ => exit,
    }
}
