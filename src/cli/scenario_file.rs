//! Where scenarios and configs come from: a path, a bundled name, or standard input.

use crate::{
    cli::{Exit, terminal},
    config::{Config, File, fit_beside},
    diag::{Source, render},
    drill::source,
    scenario::Scenario,
};
use std::{io, path::Path, sync::Arc};

pub(super) use source::Loaded;

/// The config of a file that a flag names.
#[derive(Debug)]
pub(super) struct Beside {
    /// What it was read from, and what is wrong with it.
    pub loaded: Loaded,
    /// What it says, if nothing is wrong.
    pub config: Option<Config>,
    /// Its text, for what points into it.
    source: Arc<Source>,
}

impl Beside {
    /// Reads it; what is wrong with it is noted, and not told yet.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let name = path.to_string_lossy();
        if !path.is_file() {
            return Err(format!("there is no config file `{name}`"));
        }
        let mut loaded = source::load_file(&name)?;
        let config = loaded.read_config();
        let source = Arc::new(loaded.source.clone());
        Ok(Self { loaded, config, source })
    }

    /// Notes among what is wrong with a scenario's file which of its faults cannot be played here.
    ///
    /// # Errors
    ///
    /// Fails if that file has proxies of its own.
    pub(super) fn fit(&self, file: &File, loaded: &mut Loaded) -> Result<(), &'static str> {
        match (&file.scenario, &file.config, &self.config) {
            (Some(_), Some(_), _) => {
                Err("the scenario's file has proxies of its own; leave `--config` out")
            }
            (Some(scenario), None, Some(config)) => {
                fit_beside(scenario, config, &self.source, &mut loaded.problems);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Reads a scenario, and the config that stands with it or in a file of its own, if there is one; says
/// what is wrong with both of them if anything is.
pub(super) fn read(
    name: &str,
    config: Option<&Path>,
) -> Result<(Scenario, Option<Config>, Source), Exit> {
    let refuse = |why: &str| {
        crate::cli::error(why);
        Exit::Usage
    };
    let mut loaded = load(name).map_err(|why| refuse(&why))?;
    let file = loaded.read_all();
    let beside = config.map(Beside::load).transpose().map_err(|why| refuse(&why))?;
    let fitted = match (&beside, &file) {
        (Some(beside), Some(file)) => beside.fit(file, &mut loaded),
        _ => Ok(()),
    };
    tell(&loaded);
    if let Some(beside) = &beside {
        tell(&beside.loaded);
    }
    fitted.map_err(refuse)?;
    let file = file.filter(|_| !loaded.problems.has_errors()).ok_or(Exit::Usage)?;
    let Some(scenario) = file.scenario else {
        return Err(refuse(&format!(
            "`{name}` is a config, and no scenario; give it to `--config`"
        )));
    };
    let config = match beside {
        Some(beside) => Some(beside.config.ok_or(Exit::Usage)?),
        None => file.config,
    };
    Ok((scenario, config, loaded.source))
}

/// Says what is wrong with a file, if anything is.
pub(super) fn tell(loaded: &Loaded) {
    if !loaded.problems.is_empty() {
        let text = render(&loaded.source, &loaded.problems, terminal::look_err());
        crate::cli::say(text.trim_end());
    }
}

/// The text that a name on the command line stands for.
pub(super) fn load(name: &str) -> Result<Loaded, String> {
    if name == "-" {
        let loaded = Loaded::stream("<stdin>", io::stdin().lock());
        return loaded.map_err(|error| format!("cannot read stdin: {error}"));
    }
    source::load(name)
}
