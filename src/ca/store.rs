//! Where the authority is kept: one file with its key and its certificate, for its owner's eyes
//! alone, and one with the certificate, for everybody.
//!
//! The first file is put into place as a whole or not at all, so that of two processes that make an
//! authority at the same time the second takes the first one's.

use crate::ca::CaError;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// The file with the key.
pub(super) const KEPT: &str = "authority.pem";
/// The file for everybody.
pub(super) const PUBLIC: &str = "ca.pem";
/// A file that is larger is none of ours.
const MOST: u64 = 64 * 1024;

/// What is kept in a folder; made, if nothing is.
pub(super) fn open(
    folder: &Path,
    make: impl FnOnce() -> Result<String, CaError>,
) -> Result<String, CaError> {
    let path = folder.join(KEPT);
    match read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        kept => return kept.map_err(|source| CaError::File { path, source }),
    }
    let kept = make()?;
    put(folder, KEPT, &kept, 0o600, |new, path| match fs::hard_link(new, path) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    })?;
    read(&path).map_err(|source| CaError::File { path, source })
}

/// Keeps another one in a folder.
pub(super) fn replace(folder: &Path, kept: &str) -> Result<(), CaError> {
    put(folder, KEPT, kept, 0o600, |new, path| fs::rename(new, path))
}

/// Sees to it that a file for everybody holds this.
pub(super) fn publish(path: &Path, certificates: &str) -> Result<(), CaError> {
    if fs::read_to_string(path).is_ok_and(|there| there == certificates) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(PUBLIC);
    put(folder, name, certificates, 0o644, |new, path| fs::rename(new, path))
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MOST {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is too large"));
    }
    fs::read_to_string(path)
}

/// Writes a file beside its place and moves it there.
fn put(
    folder: &Path,
    name: &str,
    text: &str,
    mode: u32,
    place: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<(), CaError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(name);
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| CaError::File { path, source }
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(file(folder))?;
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    let new: PathBuf = folder.join(format!(".{name}.{}.{nth}", process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    // One that a process of the same number left behind when it was killed.
    let _none = fs::remove_file(&new);
    let done = write().and_then(|()| place(&new, &path)).map_err(file(&path));
    // Its place holds it, or nothing does.
    let _moved = fs::remove_file(&new);
    done
}
