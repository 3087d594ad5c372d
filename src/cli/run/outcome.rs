//! What a drill came to: the summary, where it was asked for, and the exit code.

use crate::{
    cli::{exit::Exit, run::files::Files, terminal},
    observe::End,
    report::summary::Summary,
};
use rustix::process::Signal;
use std::{fs, io, path::Path, process::ExitStatus};

/// How wide a summary is where nothing tells, in columns.
const WIDTH: usize = 100;

/// Why a drill ended.
#[derive(Debug)]
pub(super) enum Cause {
    /// The timeline was played to its end.
    Timeline,
    /// The command beside it ended.
    Command(io::Result<ExitStatus>),
    /// A signal, which the command beside it is told of.
    Interrupt {
        /// Which.
        signal: Signal,
    },
    /// The record could not be written any further.
    Record,
    /// Somebody ended it by a command to the admin listener.
    Aborted,
}

impl Cause {
    /// As the record has it.
    pub(super) fn end(&self) -> End {
        match self {
            Self::Timeline => End::Finished,
            Self::Command(_) => End::CommandEnded,
            Self::Interrupt { .. } => End::Interrupted,
            Self::Record => End::Failed,
            Self::Aborted => End::Aborted,
        }
    }
}

/// What could not be written.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// Whether the record broke off; whoever watched was told when it did.
    pub(super) record: bool,
    /// Whether a report could not be written.
    pub(super) report: bool,
}

/// Writes the summary: text to standard output, unless the JSON goes there.
pub(super) fn report(summary: &Summary<'_>, json: Option<&Path>, files: &Files) -> io::Result<()> {
    // All are tried: what cannot be written to the one place is still read at the other.
    let told = told(summary, json);
    let written = files.write(summary);
    told.and(written)
}

fn told(summary: &Summary<'_>, json: Option<&Path>) -> io::Result<()> {
    let text = summary.text(terminal::look_out(), terminal::columns().unwrap_or(WIDTH));
    let Some(path) = json else {
        return terminal::out(&text);
    };
    let json = format!("{:#}\n", summary.json());
    if path == Path::new("-") {
        crate::cli::say(text.trim_end());
        return terminal::out(&json);
    }
    terminal::out(&text).and(fs::write(path, json))
}

/// Worst first: the environment, then the command, then a drill that shows too little.
pub(super) fn verdict(
    summary: &Summary<'_>,
    cause: &Cause,
    unwritten: &Unwritten,
    upstream: &str,
    aborted: bool,
) -> Exit {
    let exit = found(summary, cause, unwritten, upstream);
    // Also of a drill that a command outlived.
    if aborted { exit.worst(Exit::Aborted) } else { exit }
}

fn found(summary: &Summary<'_>, cause: &Cause, unwritten: &Unwritten, upstream: &str) -> Exit {
    let mut environment = unwritten.record || unwritten.report;
    if summary.upstream_never_answered() {
        crate::cli::error(&format!("the upstream {upstream} never answered"));
        environment = true;
    }
    match cause {
        Cause::Interrupt { .. } => Exit::Interrupted,
        _ if environment => Exit::Environment,
        Cause::Command(Err(error)) => {
            crate::cli::error(&format!("lost the command: {error}"));
            Exit::Environment
        }
        Cause::Command(Ok(status)) if !status.success() => {
            crate::cli::error(&format!("the command failed: {status}"));
            Exit::Failed
        }
        _ if summary.verdict.has_failed(false) => Exit::Failed,
        _ if !summary.silences().is_empty() => Exit::Inconclusive,
        _ => Exit::Passed,
    }
}
