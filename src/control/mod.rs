//! The control plane: the proxies of a run by name, and the doors through which they are commanded.
//!
//! Everything here commands through the faces that the floors below give it; a command publishes
//! what it changes and waits for nobody's traffic.
//!
//! | path | what |
//! |---|---|
//! | `/api/v1/…` | our own API: `api` |
//! | `/proxies`, `/populate`, `/reset`, `/version` | Toxiproxy's: `toxiproxy` |
//! | `/metrics` | what Prometheus reads: `metrics` |
//! | `/healthz` | whether anybody is there |

mod api;
mod client;
mod guard;
mod metrics;
mod registry;
mod server;
mod spec;
mod toxiproxy;

pub use client::{Answer, Client, ClientError};
pub use guard::Guard;
pub use registry::{Proxied, Registry, RegistryError};
pub use server::Server;
pub use spec::{Change, Spec};
pub use toxiproxy::{ConfigError, config as toxiproxy_config};

use crate::{
    engine::{ByHand, Controls},
    scenario::Scenario,
};
use std::sync::Arc;

/// Through which door a fault by hand came. Toxiproxy's notes how its toxics were written.
fn origin(fault: &ByHand) -> &'static str {
    if fault.fault.memo.is_some() { "toxiproxy" } else { "api" }
}

/// What is commanded.
#[derive(Clone, Debug)]
pub struct App {
    /// The proxies.
    pub registry: Arc<Registry>,
    /// The drill.
    pub controls: Controls,
    /// What is played; nothing but faults by hand if there is none.
    pub scenario: Option<Arc<Scenario>>,
    /// The name of the run.
    pub run: String,
}
