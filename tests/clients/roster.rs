//! Which clients there are, where they are from, and how each is started.

use crate::class::Class;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Debian,
    PyPi,
    Npm,
    CratesIo,
    /// Part of Node.js.
    Node,
}

/// A client, as its drivers know it.
#[derive(Debug)]
pub(crate) struct Client {
    /// The package, and the options it is given.
    pub(crate) name: &'static str,
    /// The package whose version counts.
    package: &'static str,
    pub(crate) from: From,
    /// It gives up by itself after a time worth waiting for, in seconds.
    patience: Option<f64>,
    /// It has a quota of retries, which more operations of each method at once would use up.
    quota: Option<usize>,
}

pub(crate) const ROSTER: &[Client] = &[
    client(From::Debian, "curl", "curl"),
    client(From::Debian, "curl", "curl --retry 5"),
    client(From::Debian, "curl", "curl --retry 4 --retry-all-errors"),
    client(From::Debian, "curl", "curl --fail --retry 4 --retry-all-errors"),
    client(From::Debian, "curl", "curl --max-time 5"),
    client(From::Debian, "wget", "wget --tries 5"),
    client(From::PyPi, "requests", "requests"),
    client(From::PyPi, "requests", "requests max_retries=3"),
    client(From::PyPi, "requests", "requests timeout=5"),
    client(From::PyPi, "urllib3", "urllib3"),
    client(From::PyPi, "httpx", "httpx"),
    client(From::PyPi, "aiohttp", "aiohttp"),
    client(From::PyPi, "tenacity", "tenacity"),
    client(From::PyPi, "backoff", "backoff"),
    client(From::PyPi, "stamina", "stamina"),
    // Its quota is 500, and a retry takes 14 of it.
    Client { patience: Some(60.0), quota: Some(8), ..client(From::PyPi, "boto3", "boto3") },
    client(From::PyPi, "openai", "openai"),
    Client { patience: Some(80.0), ..client(From::PyPi, "stripe", "stripe") },
    Client { patience: Some(80.0), ..client(From::PyPi, "stripe", "stripe max_network_retries=2") },
    client(From::PyPi, "azure-core", "azure-core"),
    client(From::Node, "node", "fetch"),
    client(From::Node, "node", "fetch AbortSignal.timeout(5000)"),
    client(From::Npm, "axios", "axios"),
    client(From::Npm, "axios", "axios timeout=5000"),
    client(From::Npm, "axios-retry", "axios-retry"),
    client(From::Npm, "axios-retry", "axios-retry exponentialDelay"),
    Client { patience: Some(10.0), ..client(From::Npm, "ky", "ky") },
    client(From::Npm, "got", "got"),
    client(From::Npm, "got", "got timeout.request=5000"),
    client(From::Npm, "p-retry", "p-retry"),
    client(From::CratesIo, "reqwest", "reqwest"),
    client(From::CratesIo, "reqwest-retry", "reqwest-retry"),
    client(From::CratesIo, "ureq", "ureq"),
];

const fn client(from: From, package: &'static str, name: &'static str) -> Client {
    Client { name, package, from, patience: None, quota: None }
}

impl From {
    /// Whether its version is ours to say, and not the machine's.
    pub(crate) fn is_pinned(self) -> bool {
        matches!(self, Self::PyPi | Self::Npm | Self::CratesIo)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debian => "Debian",
            Self::PyPi => "PyPI",
            Self::Npm => "npm",
            Self::CratesIo => "crates.io",
            Self::Node => "Node.js",
        }
    }

    /// What its driver is started with.
    fn driver(self) -> Vec<PathBuf> {
        let drivers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/drivers");
        // Where `.ci/run` puts what it installs.
        let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients");
        match self {
            Self::Debian => vec!["python3".into(), drivers.join("programs.py")],
            Self::PyPi => vec![installed.join("python/bin/python"), drivers.join("clients.py")],
            Self::Npm | Self::Node => vec!["node".into(), installed.join("node/clients.mjs")],
            Self::CratesIo => vec![installed.join("rust/debug/rust-clients")],
        }
    }
}

/// Puts the drivers for Node beside the packages that `.ci/run` installed: it looks for them from there.
pub(crate) fn prepare() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let into = root.join("target/clients/node");
    for driver in ["clients.mjs", "drive.mjs"] {
        fs::copy(root.join("tests/clients/drivers").join(driver), into.join(driver))
            .expect("a folder target/clients/node, which .ci/run makes and fills");
    }
}

impl Client {
    /// For how long an answer is held from it, in seconds.
    pub(crate) fn hold(&self) -> f64 {
        self.patience.map_or(crate::class::HOLD, |patience| patience + 3.0)
    }

    /// How many operations of each method it sends into a fault.
    pub(crate) fn operations(&self, class: &Class) -> usize {
        self.quota.map_or(class.operations, |quota| quota.min(class.operations))
    }

    /// The words that start its driver.
    pub(crate) fn command(&self) -> Vec<PathBuf> {
        let mut command = self.from.driver();
        match self.from {
            From::Debian => command.extend(self.name.split(' ').map(PathBuf::from)),
            _ => command.push(self.name.into()),
        }
        command
    }

    /// The version that is installed.
    pub(crate) fn version(&self) -> String {
        let mut words = self.from.driver();
        words.extend([self.package, "version"].map(PathBuf::from));
        let output = Command::new(&words[0]).args(&words[1..]).output();
        let output = output.unwrap_or_else(|error| panic!("{words:?}: {error}"));
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    }
}
