//! What a drill came to: the exit code.

use crate::{cli::exit::Exit, observe::End, report::summary::Summary};
use rustix::process::Signal;
use std::{io, process::ExitStatus};

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

/// Worst first: the environment, then the command, then a drill that shows too little.
pub(super) fn verdict(
    summary: &Summary<'_>,
    cause: &Cause,
    unwritten: &Unwritten,
    upstream: &str,
    (aborted, strict): (bool, bool),
) -> Exit {
    let exit = ended(summary, cause, unwritten, upstream, strict);
    // Also of a drill that a command outlived.
    if aborted { exit.worst(Exit::Aborted) } else { exit }
}

/// What was found out, however the drill ended.
pub(in crate::cli) fn found(summary: &Summary<'_>, strict: bool) -> Exit {
    if summary.verdict.has_failed(strict) {
        Exit::Failed
    } else if !summary.silences().is_empty() {
        Exit::Inconclusive
    } else {
        Exit::Passed
    }
}

fn ended(
    summary: &Summary<'_>,
    cause: &Cause,
    unwritten: &Unwritten,
    upstream: &str,
    strict: bool,
) -> Exit {
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
        _ => found(summary, strict),
    }
}
