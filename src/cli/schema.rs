//! `firedrill schema`: the JSON Schema of scenario files.

use crate::{
    cli::{Exit, print},
    scenario::json_schema,
};

/// Prints it.
pub(super) fn run() -> Exit {
    print(&format!("{:#}\n", json_schema()))
}
