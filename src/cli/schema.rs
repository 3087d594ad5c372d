//! `firedrill schema`: the JSON Schema of scenario and config files.

use crate::{
    cli::{Exit, print},
    config::json_schema,
};

/// Prints it.
pub(super) fn run() -> Exit {
    print(&format!("{:#}\n", json_schema()))
}
