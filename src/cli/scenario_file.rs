//! Where scenarios come from: a path, a bundled name, or standard input.

use crate::{
    cli::{Exit, terminal},
    config,
    diag::{Problems, Source, closest, render},
    scenario::{
        MAX_BYTES, Scenario,
        bundled::{self, BUNDLED},
    },
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// A scenario's text, and what is wrong with it so far.
#[derive(Debug)]
pub(super) struct Loaded {
    pub source: Source,
    /// Where the files are that it may name.
    folder: Option<PathBuf>,
    pub problems: Problems,
}

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

/// The text that a name on the command line stands for. A bundled name wins over a file of the
/// same name, so that scripts do not depend on where they run; `./NAME` is always a file.
pub(super) fn load(name: &str) -> Result<Loaded, String> {
    if name == "-" {
        let bytes = bytes(io::stdin().lock()).map_err(|e| format!("cannot read stdin: {e}"))?;
        return Ok(Loaded::decode("<stdin>", &bytes, None));
    }
    if let Some(bundled) = bundled::find(name) {
        let source = bundled.source();
        return Ok(Loaded { source, folder: None, problems: Problems::default() });
    }
    load_file(name)
}

/// The text of a file.
pub(super) fn load_file(name: &str) -> Result<Loaded, String> {
    let path = Path::new(name);
    if path.is_dir() {
        return Err(format!("`{name}` is a directory; name a scenario file in it"));
    }
    match File::open(path).and_then(bytes) {
        Ok(bytes) => Ok(Loaded::decode(name, &bytes, path.parent().map(Path::to_path_buf))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(not_found(name)),
        Err(error) => Err(format!("cannot read `{name}`: {error}")),
    }
}

fn not_found(name: &str) -> String {
    let hint = match closest(name, BUNDLED.iter().map(|bundled| bundled.name)) {
        Some(near) => format!("did you mean the bundled `{near}`?"),
        None => "`firedrill list` shows the bundled ones".to_owned(),
    };
    format!("there is no file `{name}` and no bundled scenario of that name; {hint}")
}

/// All bytes, up to one more than a scenario may have: a device may never end.
fn bytes(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Loaded {
    fn decode(name: &str, bytes: &[u8], folder: Option<PathBuf>) -> Self {
        let mut problems = Problems::default();
        if bytes.len() > MAX_BYTES {
            // It will be refused for its size, and its end may have cut a character in two.
            let source = Source::new(name, String::from_utf8_lossy(bytes));
            return Self { source, folder, problems };
        }
        let source = Source::decode(name, bytes, &mut problems);
        Self { source, folder, problems }
    }

    /// Reads whatever the file holds, unless it is no text.
    pub(super) fn read_all(&mut self) -> Option<config::File> {
        if self.problems.has_errors() {
            return None;
        }
        config::File::read(&self.source, self.folder.clone(), &mut self.problems)
    }

    /// Reads the config, unless the text is none.
    pub(super) fn read_config(&mut self) -> Option<config::Config> {
        if self.problems.has_errors() {
            return None;
        }
        config::Config::read(&self.source, self.folder.clone(), &mut self.problems)
    }
}
