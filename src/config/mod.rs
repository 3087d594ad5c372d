//! Where a drill takes place: the proxies, what they stand in front of, and who may command them.
//!
//! A scenario knows no addresses, so that one scenario serves many places; they are here. Both may
//! stand in one file, and then each reader passes over the keys of the other.

mod admin;
mod allow;
mod change;
mod file;
mod fit;
mod origin;
mod proxy;
mod schema;
mod tls;
mod token;
mod upstream_http;

pub use admin::Admin;
pub use allow::{Allow, AllowError};
pub use change::ProxyChange;
pub use file::File;
pub use fit::{Ground, fit, fit_beside, misfit_of};
pub use origin::{Forwarded, ProxyProtocol, ProxyVersion};
pub use proxy::{HostHeader, Places, ProxyEntry};
pub use schema::json_schema;
pub use tls::{Identity, Terminate, UpstreamTls};
pub use token::{Secret, Token, TokenError};
pub use upstream_http::UpstreamHttp;

use crate::{
    diag::{Code, Diagnostic, Problems, Source, Span},
    read::{Fields, Reader, Shape},
    scenario::KEYS,
    select::Users,
    units::Place,
    yaml::{self, Node, Spanned},
};
use std::{net::SocketAddr, path::PathBuf};

/// A config file.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who may command the drill, and where; if the file says nothing of it, that is up to the
    /// command line.
    pub admin: Option<Admin>,
    /// Who is one user, for proxies that don't say so themselves.
    pub users: Option<Users>,
    /// The proxies, in the order of the file.
    pub proxies: Vec<ProxyEntry>,
}

static CONFIG: Shape = Shape { what: "a config file", fields: KEYS };

impl Config {
    /// Reads a config file, which may hold a scenario too. Files that it names are looked for in
    /// `folder`. All problems are noted at once, and with an error among them there is no config.
    pub fn read(source: &Source, folder: Option<PathBuf>, problems: &mut Problems) -> Option<Self> {
        let tree = yaml::parse(source, problems)?;
        let config = Self::of(&tree, &mut Reader::new(problems, folder));
        config.filter(|_| !problems.has_errors())
    }

    /// The config in a tree. What is wrong is noted, and something may be given out even so.
    fn of(tree: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = reader.keys(tree, &CONFIG)?;
        let users = fields.get("users").map(|node| Users::read(node, reader));
        whole(&fields, users.flatten(), reader)
    }

    /// Its proxies, as far as a scenario has to [`fit`] them.
    pub fn known(&self) -> Vec<Ground<'_>> {
        self.proxies.iter().map(ProxyEntry::ground).collect()
    }
}

/// What a file says of proxies, its keys and its users being read already.
fn whole(fields: &Fields<'_>, users: Option<Users>, reader: &mut Reader<'_>) -> Option<Config> {
    let admin = fields.get("admin").map(|node| admin::read(node, reader));
    let Some(node) = fields.get("proxies") else {
        let problem = Diagnostic::new(Code::E0103, "a config file needs `proxies`", fields.span);
        reader.problem(problem.help("write `proxies: {}` if they are made later"));
        return None;
    };
    let proxies = proxy::read_all(node, reader);
    let admin_at = admin.as_ref().and_then(Option::as_ref).and_then(|a| Some((a.listen, a.place?)));
    one_listener_each(admin_at, &proxies, reader);
    Some(Config { admin: admin.flatten(), users, proxies })
}

/// Notes every listener that another one keeps from listening.
fn one_listener_each(
    admin: Option<(SocketAddr, Span)>,
    proxies: &[ProxyEntry],
    reader: &mut Reader<'_>,
) {
    let mut known: Vec<(Place, Span)> =
        admin.into_iter().map(|(address, span)| (address.into(), span)).collect();
    for proxy in proxies {
        let (address, span) = (&proxy.listen, proxy.places.listen);
        match known.iter().find(|(other, _)| other.collides(address)) {
            None => known.push((address.clone(), span)),
            Some((other, first)) => {
                let (title, help) = if other == address {
                    (format!("`{address}` is listened on twice"), "")
                } else {
                    let title = format!("`{other}` and `{address}` cannot both be listened on");
                    (title, "one of them means every address; ")
                };
                let problem = Diagnostic::new(Code::E0702, title, span);
                let (taken, help) = match address {
                    Place::Tcp(_) => (
                        "the port is taken here",
                        format!("{help}give each its own port; port 0 takes a free one"),
                    ),
                    Place::Unix(_) => {
                        ("the path is taken here", "give each a path of its own".to_owned())
                    }
                };
                let problem = problem.label(*first, taken);
                reader.problem(problem.help(help));
            }
        }
    }
}

#[cfg(test)]
mod tests;
