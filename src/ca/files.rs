//! Certificates and keys in PEM files, as others give them to us.

use rustls::{
    CertificateError, InconsistentKeys, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer, TrustAnchor,
        pem::{self, PemObject as _},
    },
    sign::CertifiedKey,
};
use std::{
    fs::File,
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
};

/// A file that is larger holds something else. That of all authorities of a system has 250 KB.
const MOST: u64 = 16 * 1024 * 1024;

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no file `{0}`")]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read `{path}`")]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is PEM, and what it holds is nothing that could be read.
    #[error("`{0}` is cut off or garbled")]
    Broken(PathBuf),
    /// It has no certificate.
    #[error("`{0}` holds no certificate; give a PEM file with `BEGIN CERTIFICATE` in it")]
    NoCertificate(PathBuf),
    /// It has no key.
    #[error("`{0}` holds no key; give a PEM file with `BEGIN PRIVATE KEY` in it, not encrypted")]
    NoKey(PathBuf),
    /// What it has as a certificate is none.
    #[error("the certificate in `{path}` cannot be used")]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// What it has as a key is none, or one of a kind that TLS does not sign with.
    #[error("the key in `{path}` cannot be used")]
    BadKey {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// They are not for each other.
    #[error("the key in `{key}` is not the one of the certificate in `{certificate}`")]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}

/// All certificates of a file; at least one.
///
/// # Errors
///
/// See [`FileError`].
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let text = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|_| FileError::Broken(path.to_owned()))?;
    if all.is_empty() { Err(FileError::NoCertificate(path.to_owned())) } else { Ok(all) }
}

/// The first key of a file.
///
/// # Errors
///
/// See [`FileError`].
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => FileError::NoKey(path.to_owned()),
        _ => FileError::Broken(path.to_owned()),
    })
}

/// A certificate, those that lead from it to an authority, and its key.
///
/// # Errors
///
/// See [`FileError`].
pub fn identity(certificate: &Path, key_at: &Path) -> Result<CertifiedKey, FileError> {
    let (chain, key) = (certificates(certificate)?, key(key_at)?);
    let key = ring::default_provider().key_provider.load_private_key(key);
    let key = key.map_err(|source| FileError::BadKey { path: key_at.to_owned(), source })?;
    let whole = CertifiedKey::new(chain, key);
    match whole.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(whole),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(FileError::Mismatch { certificate: certificate.to_owned(), key: key_at.to_owned() })
        }
        Err(source) => Err(bad_certificate(certificate, source)),
    }
}

/// The authorities of a file, which sign for others; at least one.
///
/// # Errors
///
/// See [`FileError`].
pub fn authorities(path: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| bad_certificate(path, source))?;
    }
    Ok(roots)
}

/// What authorities are told from others by: their names and keys.
pub fn marks(roots: &RootCertStore) -> impl Iterator<Item = Vec<u8>> {
    let mark = |root: &TrustAnchor<'_>| {
        [root.subject.as_ref(), root.subject_public_key_info.as_ref()].concat()
    };
    roots.roots.iter().map(mark)
}

fn bad_certificate(path: &Path, source: rustls::Error) -> FileError {
    let path = path.to_owned();
    match source {
        rustls::Error::InvalidCertificate(CertificateError::BadEncoding) => FileError::Broken(path),
        source => FileError::BadCertificate { path, source },
    }
}

/// What is in a file. A device or a pipe might never end.
fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let unread = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => FileError::Missing(path.to_owned()),
        _ => FileError::Unread { path: path.to_owned(), source },
    };
    let is = path.metadata().map_err(unread)?;
    if !is.is_file() || is.len() > MOST {
        let why =
            if is.is_file() { "it is larger than 16 MiB" } else { "it is not a regular file" };
        return Err(unread(io::Error::other(why)));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes)).map_err(unread)?;
    Ok(bytes)
}
