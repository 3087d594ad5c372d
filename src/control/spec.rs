//! What a proxy is to be, and what is to change about one.

use super::RegistryError;
use crate::{
    config::{
        Allow, Forwarded, Ground, HostHeader, ProxyEntry, ProxyProtocol, Terminate, UpstreamHttp,
        UpstreamTls,
    },
    fault::catalog::Protocol,
    proxy::{Connector, Terminator, TlsClient, TlsRoots, TlsSettings},
    select::Users,
    units::{Place, UpstreamAddr, UpstreamUrlError, unix_path},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

/// What a proxy is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Where it listens; port 0 takes a free one, and keeps it.
    pub listen: Place,
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
    /// Upstreams for TLS that is passed on, by the name that clients ask for.
    pub sni: Vec<(String, String)>,
    /// How TLS is spoken with clients, if it is.
    pub terminate: Option<Terminate>,
    /// Whether TLS inside the tunnels of a forward proxy is ended here, and requests in it read.
    pub intercept: bool,
    /// Who says, and who is told, whom a connection is from.
    pub proxy_protocol: ProxyProtocol,
    /// Which header fields tell the upstream who the client is.
    pub forwarded: Forwarded,
}

impl Spec {
    /// A proxy that passes bytes on.
    pub fn tcp(name: &str, listen: impl Into<Place>, upstream: &str) -> Self {
        let listen = listen.into();
        Self {
            name: name.to_owned(),
            written: listen.to_string(),
            listen,
            upstream: upstream.to_owned(),
            protocol: Protocol::Tcp,
            enabled: true,
            users: None,
            host: HostHeader::Keep,
            http: UpstreamHttp::Same,
            mark: true,
            tls: None,
            sni: Vec::new(),
            terminate: None,
            intercept: false,
            proxy_protocol: ProxyProtocol::default(),
            forwarded: Forwarded::None,
        }
    }

    /// A proxy as a config file writes it.
    pub fn of(entry: &ProxyEntry) -> Self {
        Self {
            name: entry.name.clone(),
            listen: entry.listen.clone(),
            written: entry.listen.to_string(),
            upstream: entry.upstream.clone(),
            protocol: entry.protocol,
            enabled: entry.enabled,
            users: entry.users.clone().map(Arc::new),
            host: entry.host,
            http: entry.http,
            mark: entry.mark,
            tls: entry.tls.clone(),
            sni: entry.sni.clone(),
            terminate: entry.terminate.clone(),
            intercept: entry.intercept,
            proxy_protocol: entry.proxy_protocol.clone(),
            forwarded: entry.forwarded,
        }
    }

    /// Whether a proxy of the one kind need not be changed to be of the other.
    pub(super) fn is_like(&self, wanted: &Self) -> bool {
        let port_is_free = match (&wanted.listen, &self.listen) {
            (Place::Tcp(wanted), Place::Tcp(own)) => wanted.port() == 0 && wanted.ip() == own.ip(),
            _ => false,
        };
        let (listen, written) = (wanted.listen.clone(), wanted.written.clone());
        let same = |own: Self| Self { listen, written, ..own } == *wanted;
        (self.listen == wanted.listen || port_is_free) && same(self.clone())
    }

    /// As far as faults have to fit it.
    pub fn ground(&self) -> Ground<'_> {
        Ground {
            name: &self.name,
            protocol: self.protocol,
            terminates: self.terminate.is_some(),
            intercepts: self.intercept,
        }
    }

    /// Whether it shows clients certificates that our own authority signs.
    pub fn makes_certificates_up(&self) -> bool {
        let by = self.terminate.as_ref();
        self.intercept || by.is_some_and(|terminate| terminate.identity.is_none())
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
        self.url_at(&self.reached_at())
    }

    /// Where it listens, as a URL.
    pub fn shown(&self) -> String {
        self.url_at(&self.listen)
    }

    /// There is no one URL of a Unix socket that all clients know: it is written as configs have it.
    fn url_at(&self, place: &Place) -> String {
        match place {
            Place::Tcp(address) => format!("{}://{address}", self.scheme()),
            Place::Unix(_) => place.to_string(),
        }
    }

    /// Where to connect to reach it, once it listens: all addresses are none.
    pub fn reached_at(&self) -> Place {
        match self.listen {
            Place::Tcp(address) if address.ip().is_unspecified() => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())).into()
            }
            _ => self.listen.clone(),
        }
    }

    /// Whether it could be: its upstream and how TLS is spoken with it.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`].
    pub fn check(&self) -> Result<(), RegistryError> {
        if self.protocol == Protocol::Forward && matches!(self.listen, Place::Unix(_)) {
            return Err(RegistryError::Untold);
        }
        self.ways().map(drop)
    }

    /// The way to its upstream, and what speaks TLS for it.
    pub(super) fn ways(&self) -> Result<(Connector, Speakers), RegistryError> {
        let connector = self.connector()?;
        let speaker = |terminate: Option<&Terminate>| {
            let terminator = terminate.map(Terminator::new).transpose()?;
            Ok::<_, RegistryError>(terminator.map(Arc::new))
        };
        let made_up = Terminate::default();
        let speakers = Speakers {
            terminator: speaker(self.terminate.as_ref())?,
            intercept: speaker(self.intercept.then_some(&made_up))?,
            client: connector.tls().cloned(),
        };
        Ok((connector, speakers))
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

    /// The ways to its upstreams by name.
    pub(super) fn routes(&self) -> Vec<(String, Arc<Connector>)> {
        let route = |(name, to): &(String, String)| {
            let connector = Connector::tcp(to).introducing(self.proxy_protocol.send);
            (name.clone(), Arc::new(connector))
        };
        self.sni.iter().map(route).collect()
    }

    /// The way to its upstream.
    fn connector(&self) -> Result<Connector, RegistryError> {
        if let Some(path) = unix_path(&self.upstream) {
            let path = path.map_err(UpstreamUrlError::Unix)?;
            return Ok(Connector::unix(path).introducing(self.proxy_protocol.send));
        }
        if self.protocol == Protocol::Tcp {
            return Ok(Connector::tcp(&self.upstream).introducing(self.proxy_protocol.send));
        }
        let roots = match &self.tls {
            Some(UpstreamTls { ca: Some(file), .. }) => TlsRoots::File(file.clone()),
            Some(UpstreamTls { verify: false, .. }) => TlsRoots::Anybody,
            _ => TlsRoots::System,
        };
        let tls = self.tls.as_ref();
        let identity = tls.and_then(|tls| tls.identity.clone());
        let identity = identity.map(|identity| (identity.cert, identity.key));
        let name = tls.and_then(|tls| tls.sni.clone());
        let tls = TlsSettings { roots, identity, name };
        if self.protocol == Protocol::Forward {
            return Ok(Connector::asked(self.upstream.parse::<Allow>()?, &tls)?);
        }
        let upstream: UpstreamAddr = self.upstream.parse()?;
        let connector = Connector::new(&upstream, &tls)?;
        Ok(connector.introducing(self.proxy_protocol.send))
    }
}

/// What speaks TLS for a proxy, on its sides that speak it.
#[derive(Clone, Debug, Default)]
pub(super) struct Speakers {
    /// With its clients.
    pub terminator: Option<Arc<Terminator>>,
    /// Inside its tunnels.
    pub intercept: Option<Arc<Terminator>>,
    /// With its upstreams.
    pub client: Option<TlsClient>,
}

impl Speakers {
    /// Has them speak as those of the same proxy that were made from its files just now, if they are
    /// told apart by their certificates; says whether any is.
    pub(super) fn renew(&self, fresh: &Self) -> bool {
        let with = |own: &Option<Arc<Terminator>>, fresh: &Option<Arc<Terminator>>| {
            own.as_ref().zip(fresh.as_ref()).is_some_and(|(own, fresh)| own.renew(fresh))
        };
        let clients = self.client.as_ref().zip(fresh.client.as_ref());
        let renewed = [
            with(&self.terminator, &fresh.terminator),
            with(&self.intercept, &fresh.intercept),
            clients.is_some_and(|(own, fresh)| own.renew(fresh)),
        ];
        renewed.contains(&true)
    }
}

/// What is to change about a proxy; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it listens, and how that was written.
    pub listen: Option<(Place, String)>,
    /// The service behind it.
    pub upstream: Option<String>,
    /// Whether it listens.
    pub enabled: Option<bool>,
}
