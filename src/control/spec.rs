//! What a proxy is to be, and what is to change about one.

use super::RegistryError;
use crate::{
    config::{Allow, HostHeader, ProxyEntry, Terminate, UpstreamHttp, UpstreamTls},
    fault::catalog::Protocol,
    proxy::{Connector, Terminator, TlsRoots, TlsSettings},
    select::Users,
    units::UpstreamAddr,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

/// What a proxy is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Where it listens; port 0 takes a free one, and keeps it.
    pub listen: SocketAddr,
    /// The same as it was written, until it listens.
    pub written: String,
    /// The service behind it: a URL without a path for HTTP, `host:port` for bytes, and the hosts that a
    /// forward proxy reaches, as [`Allow`] writes them.
    pub upstream: String,
    /// What it understands of its traffic.
    pub protocol: Protocol,
    /// Whether it listens.
    pub enabled: bool,
    /// Who is one user of it; the run says if it does not.
    pub users: Option<Arc<Users>>,
    /// What becomes of a request's `host`.
    pub host: HostHeader,
    /// Which version of HTTP its upstream is spoken to in.
    pub http: UpstreamHttp,
    /// Whether injected answers say that they are.
    pub mark: bool,
    /// How TLS is spoken with the upstream, if not as usual.
    pub tls: Option<UpstreamTls>,
    /// How TLS is spoken with clients, if it is.
    pub terminate: Option<Terminate>,
    /// Whether TLS inside the tunnels of a forward proxy is ended here, and requests in it read.
    pub intercept: bool,
}

impl Spec {
    /// A proxy that passes bytes on.
    pub fn tcp(name: &str, listen: SocketAddr, upstream: &str) -> Self {
        Self {
            name: name.to_owned(),
            listen,
            written: listen.to_string(),
            upstream: upstream.to_owned(),
            protocol: Protocol::Tcp,
            enabled: true,
            users: None,
            host: HostHeader::Keep,
            http: UpstreamHttp::Same,
            mark: true,
            tls: None,
            terminate: None,
            intercept: false,
        }
    }

    /// A proxy as a config file writes it.
    pub fn of(entry: &ProxyEntry) -> Self {
        Self {
            name: entry.name.clone(),
            listen: entry.listen,
            written: entry.listen.to_string(),
            upstream: entry.upstream.clone(),
            protocol: entry.protocol,
            enabled: entry.enabled,
            users: entry.users.clone().map(Arc::new),
            host: entry.host,
            http: entry.http,
            mark: entry.mark,
            tls: entry.tls.clone(),
            terminate: entry.terminate.clone(),
            intercept: entry.intercept,
        }
    }

    /// Whether a proxy of the one kind need not be changed to be of the other.
    pub(super) fn is_like(&self, wanted: &Self) -> bool {
        let port_is_free = wanted.listen.port() == 0 && wanted.listen.ip() == self.listen.ip();
        let (listen, written) = (wanted.listen, wanted.written.clone());
        let same = |own: Self| Self { listen, written, ..own } == *wanted;
        (self.listen == listen || port_is_free) && same(self.clone())
    }

    /// How URLs of it begin.
    pub const fn scheme(&self) -> &'static str {
        match self.protocol {
            Protocol::Http | Protocol::Forward if self.terminate.is_some() => "https",
            Protocol::Http | Protocol::Forward => "http",
            Protocol::Tcp => "tcp",
        }
    }

    /// Where it can be reached, once it listens.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme(), self.reached_at())
    }

    /// Where to connect to reach it, once it listens: all addresses are none.
    pub fn reached_at(&self) -> SocketAddr {
        let ip = match self.listen.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.listen.port())
    }

    /// Whether it could be: its upstream and how TLS is spoken with it.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub fn check(&self) -> Result<(), RegistryError> {
        self.connector()?;
        self.terminator()?;
        self.interceptor().map(drop)
    }

    /// Tries whether the upstream takes connections, and says why not.
    ///
    /// # Errors
    ///
    /// Fails as a request would.
    pub async fn probe(&self) -> Result<(), String> {
        let connector = self.connector().map_err(|error| error.to_string())?;
        connector.probe().await
    }

    /// What speaks TLS with its clients.
    pub(super) fn terminator(&self) -> Result<Option<Arc<Terminator>>, RegistryError> {
        let terminator = self.terminate.as_ref().map(Terminator::new).transpose()?;
        Ok(terminator.map(Arc::new))
    }

    /// What speaks TLS inside its tunnels.
    pub(super) fn interceptor(&self) -> Result<Option<Arc<Terminator>>, RegistryError> {
        let made_up = Terminate::default();
        let terminator = self.intercept.then(|| Terminator::new(&made_up)).transpose()?;
        Ok(terminator.map(Arc::new))
    }

    /// The way to its upstream.
    pub(super) fn connector(&self) -> Result<Connector, RegistryError> {
        if self.protocol == Protocol::Tcp {
            return Ok(Connector::tcp(&self.upstream));
        }
        let roots = match &self.tls {
            Some(UpstreamTls { ca: Some(file), .. }) => TlsRoots::File(file.clone()),
            Some(UpstreamTls { verify: false, .. }) => TlsRoots::Anybody,
            _ => TlsRoots::System,
        };
        let tls = TlsSettings { roots };
        if self.protocol == Protocol::Forward {
            return Ok(Connector::asked(self.upstream.parse::<Allow>()?, &tls)?);
        }
        let upstream: UpstreamAddr = self.upstream.parse()?;
        Ok(Connector::new(&upstream, &tls)?)
    }
}

/// What is to change about a proxy; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it listens, and how that was written.
    pub listen: Option<(SocketAddr, String)>,
    /// The service behind it.
    pub upstream: Option<String>,
    /// Whether it listens.
    pub enabled: Option<bool>,
}
