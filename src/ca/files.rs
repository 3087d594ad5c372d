//! Certificates and keys in PEM files, as others give them to us.

use rustls::{
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    sign::CertifiedKey,
};
use std::path::{Path, PathBuf};

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read `{path}`")]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// It has no certificate.
    #[error("`{0}` holds no certificate; give a PEM file with `BEGIN CERTIFICATE` in it")]
    NoCertificate(PathBuf),
    /// It has no key.
    #[error("`{0}` holds no key; give a PEM file with `BEGIN PRIVATE KEY` in it, not encrypted")]
    NoKey(PathBuf),
    /// They are not for each other.
    #[error("the key in `{key}` is not the one of the certificate in `{certificate}`")]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        #[source]
        source: Box<rustls::Error>,
    },
}

/// All certificates of a file; at least one.
///
/// # Errors
///
/// See [`FileError`].
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let unread = |source| FileError::Unread { path: path.to_owned(), source };
    let all = CertificateDer::pem_file_iter(path).map_err(unread)?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(unread)?;
    if all.is_empty() { Err(FileError::NoCertificate(path.to_owned())) } else { Ok(all) }
}

/// The first key of a file.
///
/// # Errors
///
/// See [`FileError`].
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => FileError::NoKey(path.to_owned()),
        source => FileError::Unread { path: path.to_owned(), source },
    })
}

/// A certificate, those that lead from it to an authority, and its key.
///
/// # Errors
///
/// See [`FileError`].
pub fn identity(certificate: &Path, key_at: &Path) -> Result<CertifiedKey, FileError> {
    let (chain, key) = (certificates(certificate)?, key(key_at)?);
    let whole = CertifiedKey::from_der(chain, key, &ring::default_provider());
    whole.map_err(|source| FileError::Mismatch {
        certificate: certificate.to_owned(),
        key: key_at.to_owned(),
        source: Box::new(source),
    })
}
