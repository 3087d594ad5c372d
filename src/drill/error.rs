//! What goes wrong with a drill, for whoever reads the output of a test.

use crate::{ca::CaError, control::RegistryError, drill::BindError};
use std::io;

/// Why a drill does not start, or does not go where it is told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// Nothing to play, or nowhere to play it, was said.
    #[error("{0}")]
    Missing(&'static str),
    /// There is no scenario of that name, or it cannot be read.
    #[error("{0}")]
    Source(String),
    /// The scenario has mistakes: all of them, each with its line and what to write instead.
    #[error("the scenario cannot be played:\n{0}")]
    Scenario(String),
    /// What a target is to be bound to.
    #[error("target `{name}`: {source}")]
    Target {
        /// The target.
        name: String,
        /// Why not.
        #[source]
        source: BindError,
    },
    /// A value is none.
    #[error("{what}: {why}")]
    Value {
        /// Of what.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// There is no such phase.
    #[error("{0}")]
    Phase(String),
    /// A proxy cannot be there.
    #[error("proxy `{name}`: {source}")]
    Proxy {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: RegistryError,
    },
    /// There is no certificate authority to sign for it.
    #[error("no certificate can be made up")]
    Authority(#[from] CaError),
    /// The system does not give what a drill needs.
    #[error("{what}")]
    System {
        /// What for.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}
