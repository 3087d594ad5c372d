//! The `firedrill` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    firedrill::cli::main().into()
}
