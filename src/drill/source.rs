//! Where scenarios come from: a path, a bundled name, or the text itself.

use crate::{
    config,
    diag::{Problems, Source, closest},
    scenario::{
        MAX_BYTES,
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
pub struct Loaded {
    /// The text.
    pub source: Source,
    /// Where the files are that it may name.
    folder: Option<PathBuf>,
    /// What is wrong.
    pub problems: Problems,
}

/// The text that a name stands for. A bundled name wins over a file of the
/// same name, so that scripts do not depend on where they run; `./NAME` is always a file.
///
/// # Errors
///
/// Fails with what to do if there is nothing of that name, or it cannot be read.
pub fn load(name: &str) -> Result<Loaded, String> {
    if let Some(bundled) = bundled::find(name) {
        let source = bundled.source();
        return Ok(Loaded { source, folder: None, problems: Problems::default() });
    }
    load_file(name)
}

/// The text of a file.
///
/// # Errors
///
/// Fails with what to do if there is none, or it cannot be read.
pub fn load_file(name: &str) -> Result<Loaded, String> {
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
    /// A text that stands in no file.
    pub fn text(name: &str, text: &str) -> Self {
        Self::decode(name, text.as_bytes(), None)
    }

    /// A text that comes from somewhere else.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn stream(name: &str, from: impl Read) -> io::Result<Self> {
        Ok(Self::decode(name, &bytes(from)?, None))
    }

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
    pub fn read_all(&mut self) -> Option<config::File> {
        if self.problems.has_errors() {
            return None;
        }
        config::File::read(&self.source, self.folder.clone(), &mut self.problems)
    }

    /// Reads the config, unless the text is none.
    pub fn read_config(&mut self) -> Option<config::Config> {
        if self.problems.has_errors() {
            return None;
        }
        config::Config::read(&self.source, self.folder.clone(), &mut self.problems)
    }
}
