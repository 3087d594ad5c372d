//! Upstreams that requests name themselves: as many as are allowed, each with a pool of its own.

use crate::{
    config::{Allow, UpstreamHttp},
    proxy::{
        ctl::lock,
        error::UpstreamError,
        introduce::Who,
        meters::Meters,
        upstream::{
            CONNECT_TIMEOUT, Dial, Upstream, UpstreamIo,
            connect::Connector,
            tls::{TlsClient, TlsError, TlsSettings},
        },
    },
    units::HostPort,
};
use std::{
    collections::{HashSet, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::time::timeout;

/// Upstreams whose connections are kept; the one that was not asked for the longest goes first.
const MAX_KNOWN: usize = 64;
/// Idle connections kept to each.
const MAX_IDLE: usize = 64;
/// Hosts that were turned away and are told of, each once. Beyond them the log is silent.
const MAX_TOLD: usize = 256;

/// Where a forward proxy may go, and how it gets there.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    allow: Allow,
    tls: TlsClient,
    /// Whatever is asked for is dialled so.
    dial: Option<Arc<dyn Dial>>,
}

impl Routes {
    pub(super) fn new(
        allow: Allow,
        tls: &TlsSettings,
        dial: Option<Arc<dyn Dial>>,
    ) -> Result<Self, TlsError> {
        Ok(Self { allow, tls: TlsClient::new(tls)?, dial })
    }

    pub(super) fn tls(&self) -> &TlsClient {
        &self.tls
    }
}

/// The upstreams of a forward proxy.
#[derive(Debug)]
pub(crate) struct Asked {
    routes: Routes,
    /// Where the proxy itself listens, which would be a circle.
    own: Option<SocketAddr>,
    http: UpstreamHttp,
    /// Whether what is inside of tunnels is read.
    reads: bool,
    meters: Arc<Meters>,
    /// The one asked for last at the back.
    known: Mutex<VecDeque<(HostPort, bool, Upstream)>>,
    told: Mutex<HashSet<HostPort>>,
}

impl Asked {
    pub(crate) fn new(
        routes: Routes,
        own: Option<SocketAddr>,
        (http, reads): (UpstreamHttp, bool),
        meters: Arc<Meters>,
    ) -> Self {
        Self { routes, own, http, reads, meters, known: Mutex::default(), told: Mutex::default() }
    }

    /// The upstream at a place.
    ///
    /// # Errors
    ///
    /// Fails if it is not allowed, or cannot be spoken TLS with.
    pub(crate) fn at(&self, place: &HostPort, tls: bool) -> Result<Upstream, UpstreamError> {
        self.check(place)?;
        let mut known = lock(&self.known);
        let at = known.iter().position(|(known, over, _)| known == place && *over == tls);
        let entry = if let Some(entry) = at.and_then(|at| known.remove(at)) {
            entry
        } else {
            let connector = self.connector(place, tls)?;
            // What a client speaks with its proxy says nothing of what a host in clear does.
            let http = match self.http {
                UpstreamHttp::Same if !tls => UpstreamHttp::Http1,
                http => http,
            };
            let upstream = Upstream::new(connector, http, Arc::clone(&self.meters));
            let upstream = upstream.keeping(MAX_IDLE);
            (place.clone(), tls, upstream)
        };
        let upstream = entry.2.clone();
        known.push_back(entry);
        if known.len() > MAX_KNOWN {
            known.pop_front();
        }
        Ok(upstream)
    }

    /// A connection for a tunnel to a place.
    ///
    /// # Errors
    ///
    /// Fails if it is not allowed, or cannot be reached.
    pub(crate) async fn dial(&self, place: &HostPort) -> Result<UpstreamIo, UpstreamError> {
        self.check(place)?;
        let connector = self.connector(place, false)?;
        let dialled = timeout(CONNECT_TIMEOUT, connector.connect(Who::Nobody)).await;
        dialled.unwrap_or(Err(UpstreamError::ConnectTimeout(CONNECT_TIMEOUT)))
    }

    /// Whether what is inside of tunnels is read, as far as it can be.
    pub(crate) fn is_read(&self) -> bool {
        self.reads
    }

    /// Whether this is the first time that there is something to say of a place.
    pub(crate) fn tells(&self, place: &HostPort) -> bool {
        let mut told = lock(&self.told);
        told.len() < MAX_TOLD && told.insert(place.clone())
    }

    /// Says once of each place that is not allowed that it is not.
    ///
    /// # Errors
    ///
    /// Fails if it is not allowed.
    pub(crate) fn check(&self, place: &HostPort) -> Result<(), UpstreamError> {
        if self.routes.allow.allows(place) {
            return Ok(());
        }
        if self.tells(place) {
            tracing::warn!(%place, "turned away: not among the hosts of `allow`");
        }
        Err(UpstreamError::NotAllowed { place: place.clone() })
    }

    fn connector(&self, place: &HostPort, tls: bool) -> Result<Connector, UpstreamError> {
        if let Some(dial) = &self.routes.dial {
            return Ok(Connector::custom(Arc::clone(dial)));
        }
        let tls = tls.then_some(&self.routes.tls);
        let connector = Connector::to(place, tls, self.own);
        connector.map_err(|error| UpstreamError::bad_request(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_no_more_is_kept_than_so_much() {
        let allow = "*:*".parse().expect("hosts");
        let roots = crate::proxy::TlsRoots::Anybody;
        let routes = Routes::new(allow, &TlsSettings { roots, ..TlsSettings::default() }, None)
            .expect("routes");
        let asked = Asked::new(routes, None, (UpstreamHttp::Same, false), Arc::default());
        let place = |n: usize| HostPort::parse(&format!("host-{n}:80"), None).expect("a place");
        for n in 0..1_000 {
            asked.at(&place(n), false).expect("it is allowed");
            // The first is asked for all the time, and stays.
            asked.at(&place(0), false).expect("it is allowed");
            asked.tells(&place(n));
        }
        let known = lock(&asked.known);
        assert_eq!((known.len(), lock(&asked.told).len()), (MAX_KNOWN, MAX_TOLD));
        assert!(known.iter().any(|(known, ..)| *known == place(0)));
    }
}
