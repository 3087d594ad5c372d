//! `firedrill completions`: what a shell needs to complete our commands.

use crate::cli::{Exit, print};
use clap::{Args as ClapArgs, Command};
use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// Which shell
    pub shell: Shell,
}

/// Prints it.
pub(super) fn run(args: &Args, mut command: Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "firedrill", &mut script);
    print(&String::from_utf8_lossy(&script))
}
