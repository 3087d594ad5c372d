//! Where scenarios come from: a path, a bundled name, or standard input.

use crate::{
    cli::{Exit, terminal},
    config,
    diag::{Source, render},
    drill::source,
    scenario::Scenario,
};
use std::io;

pub(super) use source::{Loaded, load_file};

/// Reads a scenario, and the config that stands beside it if one does; says what is wrong if anything
/// is.
pub(super) fn read(name: &str) -> Result<(Scenario, Option<config::Config>, Source), Exit> {
    let mut loaded = load(name).map_err(|why| {
        crate::cli::error(&why);
        Exit::Usage
    })?;
    let file = loaded.read_all();
    if !loaded.problems.is_empty() {
        let text = render(&loaded.source, &loaded.problems, terminal::look_err());
        crate::cli::say(text.trim_end());
    }
    let file = file.ok_or(Exit::Usage)?;
    let Some(scenario) = file.scenario else {
        crate::cli::error(&format!("`{name}` is a config, and no scenario; give it to `--config`"));
        return Err(Exit::Usage);
    };
    Ok((scenario, file.config, loaded.source))
}

/// The text that a name on the command line stands for.
pub(super) fn load(name: &str) -> Result<Loaded, String> {
    if name == "-" {
        let loaded = Loaded::stream("<stdin>", io::stdin().lock());
        return loaded.map_err(|error| format!("cannot read stdin: {error}"));
    }
    source::load(name)
}
