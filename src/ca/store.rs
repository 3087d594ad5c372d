//! Where the authority is kept: one file with its key and its certificate, for its owner's eyes
//! alone, and one with the certificate, for everybody.
//!
//! A folder may be somebody else's, with files of the same names: those are never touched.
//!
//! The first file is put into place as a whole or not at all, so that of two processes that make an
//! authority at the same time the second takes the first one's.

use crate::ca::{
    CaError, NAME, der,
    files::{self, FileError},
};
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

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Nobodys,
    Ours,
    /// It holds the certificate of somebody else.
    Others,
    /// It holds no certificate.
    Unknown,
}

/// Whether a folder can be ours.
pub(super) fn look(folder: &Path) -> Result<(), CaError> {
    let kept = folder.join(KEPT);
    // One without a certificate is told of when it is read.
    if whose(&kept)? == Whose::Others {
        return Err(CaError::Taken(kept));
    }
    may_be_ours(&folder.join(PUBLIC))
}

/// Whether a file for everybody may be written.
fn may_be_ours(path: &Path) -> Result<(), CaError> {
    match whose(path)? {
        Whose::Nobodys | Whose::Ours => Ok(()),
        Whose::Others | Whose::Unknown => Err(CaError::Taken(path.to_owned())),
    }
}

/// In all files of ours our own certificate comes first.
fn whose(path: &Path) -> Result<Whose, CaError> {
    match files::certificates(path) {
        Ok(all) if der::not_after(&all[0]).is_none() => Ok(Whose::Unknown),
        Ok(all) => {
            let is_ours = all[0].windows(NAME.len()).any(|part| part == NAME.as_bytes());
            Ok(if is_ours { Whose::Ours } else { Whose::Others })
        }
        Err(FileError::Missing(_)) => Ok(Whose::Nobodys),
        Err(FileError::Unread { path, source }) => Err(CaError::File { path, source }),
        Err(_) => Ok(Whose::Unknown),
    }
}

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

/// Sees to it that a file for everybody holds this, if it is ours.
pub(super) fn publish(path: &Path, certificates: &str) -> Result<(), CaError> {
    may_be_ours(path)?;
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
