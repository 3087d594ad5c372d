//! Where scenarios come from: a path, or a bundled name.

use crate::{
    cli::{Exit, terminal},
    diag::{Problems, Source, render},
    scenario::Scenario,
};
use std::path::{Path, PathBuf};

/// Reads a scenario; says what is wrong with it if anything is.
pub(super) fn read(name: &str) -> Result<(Scenario, Source), Exit> {
    let (source, folder) = load(name)?;
    let mut problems = Problems::default();
    let scenario = Scenario::read(&source, folder, &mut problems);
    if !problems.is_empty() {
        crate::cli::say(render(&source, &problems, terminal::look_err()).trim_end());
    }
    match scenario {
        Some(scenario) if !problems.has_errors() => Ok((scenario, source)),
        _ => Err(Exit::Usage),
    }
}

fn load(name: &str) -> Result<(Source, Option<PathBuf>), Exit> {
    match std::fs::read_to_string(name) {
        Ok(text) => {
            let folder = Path::new(name).parent().map(Path::to_path_buf);
            Ok((Source::new(name, text), folder))
        }
        Err(error) => {
            crate::cli::error(&format!("cannot read `{name}`: {error}"));
            Err(Exit::Usage)
        }
    }
}
