//! Where a drill takes place: the proxies and the admin listener, from a config file and flags.

use crate::{
    ca::Authority,
    cli::{
        run::Refusal,
        scenario_file::{self, Beside},
    },
    config::{Admin, Config},
    control::{App, Guard, Registry, RegistryError, Server, Spec},
    engine::Site,
    fault::catalog::Protocol,
    units,
};
use clap::Args as ClapArgs;
use std::{
    collections::BTreeMap, error::Error, net::SocketAddr, path::Path, sync::Arc, time::Duration,
};
use tokio::time::timeout;

/// How long an upstream may take to be noticed at the start.
const PROBE: Duration = Duration::from_secs(1);
/// The variable that holds the token of commands.
pub(super) const TOKEN: &str = "FIREDRILL_TOKEN";
/// The variable in which a command finds whom to trust.
const AUTHORITY: &str = "FIREDRILL_CA";

/// The flags of the admin listener.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct AdminArgs {
    /// Where commands are taken: an address and a port, or a port on loopback. Off loopback the
    /// token in FIREDRILL_TOKEN is needed
    #[arg(long, value_name = "ADDR", value_parser = units::listen)]
    pub admin: Option<SocketAddr>,

    /// Take commands from anybody who can connect, off loopback too
    #[arg(long)]
    pub admin_open: bool,
}

/// Reads a config file and says what is wrong with it, if anything is.
pub(super) fn read_config(path: &Path) -> Result<Config, Refusal> {
    let Beside { loaded, config, .. } = Beside::load(path).map_err(Refusal::usage)?;
    scenario_file::tell(&loaded);
    config.ok_or_else(Refusal::told)
}

/// The proxies of a config; those that do not say who is one user take what it says for all.
pub(super) fn specs(config: &Config) -> Vec<Spec> {
    let users = config.users.clone().map(Arc::new);
    let spec = |entry| {
        let spec = Spec::of(entry);
        Spec { users: spec.users.clone().or_else(|| users.clone()), ..spec }
    };
    config.proxies.iter().map(spec).collect()
}

/// Listens for commands, as the flags and the config say.
pub(super) async fn admin(
    args: &AdminArgs,
    config: Option<&Admin>,
    app: App,
) -> Result<Server, Refusal> {
    let (address, guard) = rules(args, config)?;
    Server::start(address, guard, app).await.map_err(|error| {
        let what =
            format!("cannot listen for commands on {address} (choose another with `--admin`)");
        Refusal::environment(&what, &error)
    })
}

fn rules(args: &AdminArgs, config: Option<&Admin>) -> Result<(SocketAddr, Guard), Refusal> {
    let admin = config.cloned().unwrap_or_default();
    let address = args.admin.unwrap_or(admin.listen);
    let token = match &admin.token {
        Some(token) => Some(token.fetch().map_err(|error| Refusal::usage(causes(&error)))?),
        None => match std::env::var(TOKEN) {
            Ok(text) if !text.is_empty() => {
                Some(crate::config::Secret::new(&text).ok_or_else(|| {
                    Refusal::usage(format!(
                        "`{TOKEN}` holds no token: it is one word of visible ASCII characters"
                    ))
                })?)
            }
            _ => None,
        },
    };
    let open = args.admin_open || admin.open;
    if !address.ip().to_canonical().is_loopback() && token.is_none() && !open {
        return Err(Refusal::usage(format!(
            "anybody who reaches {address} could command the drill; set `{TOKEN}`, listen on \
             loopback, or say `--admin-open` if it really is for everybody"
        )));
    }
    let token = if args.admin_open { None } else { token };
    Ok((address, Guard { token, hosts: admin.hosts }))
}

/// Where proxies can be reached, for people: `db: tcp://127.0.0.1:15432 -> 127.0.0.1:5432`.
pub(super) fn lines(registry: &Registry) -> Vec<String> {
    let line = |spec: Spec| {
        let off = if spec.enabled { "" } else { "  (switched off)" };
        format!("{}: {} -> {}{off}", spec.name, spec.shown(), spec.upstream)
    };
    let lines = registry.list();
    lines.iter().map(|proxied| line(proxied.spec())).chain(trust(registry)).collect()
}

/// Whom clients have to trust, for people, if there are proxies that make certificates up.
pub(super) fn trust(registry: &Registry) -> Option<String> {
    let path = authority(registry)?;
    Some(format!("trust: {path} signs for https (how: `firedrill ca --help`)"))
}

/// The certificate of the authority that signs for proxies, if there are such.
fn authority(registry: &Registry) -> Option<String> {
    let makes_up = registry.list().iter().any(|proxied| proxied.spec().makes_certificates_up());
    makes_up.then_some(())?;
    // Those who need it have made it by now.
    Some(Authority::own().ok()?.path().display().to_string())
}

/// Why upstreams take no connections at this moment, those that do not.
pub(super) async fn troubles(specs: &[Spec]) -> Vec<String> {
    let tries = specs.iter().filter(|spec| spec.enabled).map(async |spec| {
        let why = match timeout(PROBE, spec.probe()).await {
            Ok(outcome) => outcome.err()?,
            Err(_) => format!("the upstream {} does not answer", spec.upstream),
        };
        let is_only = spec.name == Site::ONLY;
        Some(if is_only { why } else { format!("proxy `{}`: {why}", spec.name) })
    });
    futures_util::future::join_all(tries).await.into_iter().flatten().collect()
}

/// The variables in which a command finds the proxies.
pub(super) fn variables(registry: &Registry) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    // A command may go to another folder before it looks.
    let spec = |spec: Spec| Spec { listen: spec.listen.clone().absolute(), ..spec };
    let all: Vec<Spec> = registry.list().iter().map(|proxied| spec(proxied.spec())).collect();
    // The one that is meant if there is one to mean.
    let first = all.iter().find(|spec| spec.protocol == Protocol::Http).or(all.first());
    if let Some(first) = first {
        variables.insert("FIREDRILL_URL".to_owned(), first.url());
    }
    for spec in &all {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name: String = spec.name.chars().map(plain).collect();
        variables.insert(format!("FIREDRILL_URL_{name}"), spec.url());
        variables.insert(format!("FIREDRILL_ADDR_{name}"), spec.reached_at().to_string());
    }
    if let Some(path) = authority(registry) {
        variables.insert(AUTHORITY.to_owned(), path);
    }
    variables
}

/// Why a proxy cannot be there, for the command line.
pub(super) fn refusal(name: &str, error: &RegistryError) -> Refusal {
    match error {
        RegistryError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
            let what = format!("proxy `{name}`: {error} (choose another address)");
            Refusal::environment(&what, source)
        }
        RegistryError::Listen { source, .. } => {
            Refusal::environment(&format!("proxy `{name}`: {error}"), source)
        }
        _ => Refusal::usage(format!("proxy `{name}`: {}", causes(error))),
    }
}

/// An error with its causes.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
