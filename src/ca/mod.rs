//! Certificates: Firedrill's own authority, which signs for a proxy that speaks TLS and was given no
//! certificate, and the [files] of those that were.
//!
//! It is made when it is first needed and kept in the user's own folder, so that a client has to be
//! told only once to trust it. Its key never leaves that folder. It may sign for any name, since a
//! proxy may stand in for any service; what keeps it from harm is that only its owner can read its
//! key, that it signs for servers and for nothing else, and that it does not last.

mod bundle;
mod der;
pub mod files;
mod leaf;
mod store;

pub use bundle::{ADDING, REPLACING};
pub use leaf::{Flaw, Leaf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use std::{
    env, io,
    path::{Path, PathBuf},
};

/// How long it lasts. Those who trust it have to be told again after that.
const DAYS: i64 = 825;
/// What it is called, before what tells it from others.
const NAME: &str = "Firedrill CA";
/// The variable that says where it is kept.
pub const FOLDER: &str = "FIREDRILL_CA_DIR";

/// Why there is no authority, or why it signs nothing.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Nothing says where it could be kept.
    #[error("nobody says where to keep a certificate authority: set `{FOLDER}`, or `HOME`")]
    NoFolder,
    /// A file of it cannot be read or written.
    #[error("cannot use `{path}`, where the certificate authority is kept")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of it holds something else.
    #[error("`{0}` holds no certificate authority; `firedrill ca --renew` makes another")]
    Broken(PathBuf),
    /// A file of its folder is somebody else's.
    #[error(
        "`{0}` is none of Firedrill's files and is left as it is: move it elsewhere, or name a folder \
         of Firedrill's own in `{FOLDER}`"
    )]
    Taken(PathBuf),
    /// It has had its time.
    #[error(
        "the certificate authority in `{0}` has expired; `firedrill ca --renew` makes another, \
         which clients have to be told to trust"
    )]
    Expired(PathBuf),
    /// It cannot sign that.
    #[error("cannot make a certificate")]
    Sign(#[from] rcgen::Error),
}

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    path: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Authority {
    /// The user's own, made now if there is none yet.
    ///
    /// # Errors
    ///
    /// See [`CaError`].
    pub fn own() -> Result<Self, CaError> {
        Self::open(&folder()?)
    }

    /// The one of a folder, made now if there is none yet.
    ///
    /// # Errors
    ///
    /// See [`CaError`].
    pub fn open(folder: &Path) -> Result<Self, CaError> {
        store::look(folder)?;
        let kept = store::open(folder, || Ok(fresh()?.kept))?;
        let authority = Self::read(&kept, folder)?;
        store::publish(&authority.path, &authority.certificate)?;
        Ok(authority)
    }

    /// Another one in place of the one of a folder, if there is one.
    ///
    /// # Errors
    ///
    /// See [`CaError`].
    pub fn renew(folder: &Path) -> Result<Self, CaError> {
        store::look(folder)?;
        store::replace(folder, &fresh()?.kept)?;
        Self::open(folder)
    }

    /// One that nobody knows, and that is kept nowhere.
    ///
    /// # Errors
    ///
    /// Fails if no key can be made.
    pub fn unknown() -> Result<Self, CaError> {
        let Fresh { issuer, certificate, .. } = fresh()?;
        Ok(Self { issuer, certificate, path: PathBuf::new() })
    }

    /// Its certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The file that holds its certificate and nothing else.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(kept: &str, folder: &Path) -> Result<Self, CaError> {
        let path = folder.join(store::KEPT);
        let broken = || CaError::Broken(path.clone());
        let key = PrivateKeyDer::from_pem_slice(kept.as_bytes()).map_err(|_| broken())?;
        let certificate = CertificateDer::from_pem_slice(kept.as_bytes()).map_err(|_| broken())?;
        let until = der::not_after(&certificate).ok_or_else(broken)?;
        if until <= leaf::today() {
            return Err(CaError::Expired(path));
        }
        let key = KeyPair::try_from(&key).map_err(|_| broken())?;
        let issuer = Issuer::new(params(&key), key);
        let at = kept.find("-----BEGIN CERTIFICATE-----").ok_or_else(broken)?;
        let certificate = kept[at..].to_owned();
        Ok(Self { issuer, certificate, path: folder.join(store::PUBLIC) })
    }
}

/// Whether a certificate can be for it: a name of the DNS, or an address without brackets.
pub fn is_name(text: &str) -> bool {
    ServerName::try_from(text).is_ok()
}

/// Where the user's own is kept.
///
/// # Errors
///
/// Fails if nothing says so.
pub fn folder() -> Result<PathBuf, CaError> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set(FOLDER) {
        // Its files are told to programs that run elsewhere.
        return Ok(std::path::absolute(&folder).unwrap_or(folder));
    }
    let data = set("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| set("HOME").map(|home| home.join(".local/share")));
    data.map(|data| data.join("firedrill/ca")).ok_or(CaError::NoFolder)
}

/// One that was made just now.
struct Fresh {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    /// Its key and its certificate.
    kept: String,
}

fn fresh() -> Result<Fresh, CaError> {
    let key = KeyPair::generate()?;
    let params = params(&key);
    let certificate = params.self_signed(&key)?.pem();
    let kept = format!("{}{certificate}", key.serialize_pem());
    Ok(Fresh { issuer: Issuer::new(params, key), certificate, kept })
}

/// What it says of itself: the same whenever the key is the same, but for its time.
fn params(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let print = params.key_identifier(key).into_iter().take(4);
    let print = print.fold(0_u32, |print, byte| print << 8 | u32::from(byte));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Firedrill");
    // Two of one name would be taken for each other.
    params.distinguished_name.push(DnType::CommonName, format!("{NAME} {print:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf::set_days(&mut params, -1, DAYS);
    params
}

#[cfg(test)]
mod tests;
