//! All that a client trusts anyway, and our own authority beside it, in one file; and what it trusts
//! beside the system's, in another.
//!
//! Most programs that can be told of a file with authorities trust nobody else from then on, and what
//! does not go through the proxy would fail.

use crate::ca::{Authority, CaError, files};
use pem::Pem;
use std::{env, fs, path::PathBuf};

/// The file in the place of the system's.
const BUNDLE: &str = "bundle.pem";
/// The file beside the system's.
const EXTRA: &str = "extra.pem";

/// The variables by which programs are told of a file with authorities, each in the place of the system's.
pub const REPLACING: [&str; 8] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];
/// Those by which programs are told of a file with authorities beside the system's.
pub const ADDING: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

impl Authority {
    /// A file with its certificate, those of the system, and those that the variables name already.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn bundle(&self) -> Result<PathBuf, CaError> {
        // Some of a system's certificates may be unreadable; the others still count. `SSL_CERT_FILE` is
        // heeded there.
        let system = rustls_native_certs::load_native_certs().certs;
        let system = system.iter().map(|one| pem::encode(&Pem::new("CERTIFICATE", one.as_ref())));
        let path = self.path.with_file_name(BUNDLE);
        let named = REPLACING[1..].iter().filter_map(env::var_os).map(PathBuf::from);
        // What is our own from a drill around this one is there already.
        let named = named.filter(|named| *named != path);
        let mut files: Vec<PathBuf> = named.collect();
        files.sort();
        files.dedup();
        let named = files.into_iter().filter_map(|file| fs::read_to_string(file).ok());
        let all: Vec<String> =
            [self.certificate.clone()].into_iter().chain(named).chain(system).collect();
        super::store::publish(&path, &all.join("\n"))?;
        Ok(path)
    }

    /// A file with its certificate and those that the variables for a file beside the system's name
    /// already: its own, if they name none.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn extra(&self) -> Result<PathBuf, CaError> {
        let mut all = files::certificates(&self.path).unwrap_or_default();
        for file in ADDING.iter().filter_map(env::var_os).map(PathBuf::from) {
            for certificate in files::certificates(&file).unwrap_or_default() {
                if !all.contains(&certificate) {
                    all.push(certificate);
                }
            }
        }
        if all.len() < 2 {
            return Ok(self.path.clone());
        }
        let path = self.path.with_file_name(EXTRA);
        let all = all.iter().map(|one| pem::encode(&Pem::new("CERTIFICATE", one.as_ref())));
        super::store::publish(&path, &all.collect::<String>())?;
        Ok(path)
    }
}
