//! What the upstream is told before anything else.

use crate::{
    config::ProxyVersion,
    proxy::{error::UpstreamError, introduce::Ends},
};
use ppp::{
    v1,
    v2::{self, AddressFamily, Command, Protocol, Version},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// On whose behalf the upstream is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A client, which may have no address.
    Client(Option<Ends>),
    /// Nobody: to see whether it is there.
    Nobody,
}

/// Whether and how the upstream is told who a connection is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Speech(pub(crate) Option<ProxyVersion>);

impl Speech {
    /// Who a connection is of use to, once it was told: with nothing told, everybody.
    pub(crate) fn key(self, who: Who) -> Option<Who> {
        self.0.map(|_| who)
    }

    /// Tells it.
    pub(crate) async fn give<S: AsyncWrite + Unpin>(
        self,
        who: Who,
        io: &mut S,
    ) -> Result<(), UpstreamError> {
        let Some(version) = self.0 else { return Ok(()) };
        let header = header(version, who).map_err(UpstreamError::Connect)?;
        io.write_all(&header).await.map_err(UpstreamError::Connect)?;
        io.flush().await.map_err(UpstreamError::Connect)
    }
}

/// The header.
pub(super) fn header(version: ProxyVersion, who: Who) -> io::Result<Vec<u8>> {
    let ends = match who {
        Who::Client(ends) => ends.map(alike),
        Who::Nobody => None,
    };
    match version {
        ProxyVersion::V1 => {
            let addresses = ends.map_or(v1::Addresses::Unknown, v1::Addresses::from);
            Ok(addresses.to_string().into_bytes())
        }
        ProxyVersion::V2 => {
            let command = if who == Who::Nobody { Command::Local } else { Command::Proxy };
            let command = Version::Two | command;
            let nothing = AddressFamily::Unspecified | Protocol::Unspecified;
            let with = |ends: (SocketAddr, SocketAddr)| {
                v2::Builder::with_addresses(command, Protocol::Stream, v2::Addresses::from(ends))
            };
            ends.map_or_else(|| v2::Builder::new(command, nothing), with).build()
        }
    }
}

/// Both ends in one family, which is all that a header can say; IPv4 where both are.
fn alike(Ends { client, server }: Ends) -> (SocketAddr, SocketAddr) {
    let plain = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    let (client, server) = (plain(client), plain(server));
    if client.is_ipv4() == server.is_ipv4() {
        return (client, server);
    }
    let wide = |end: SocketAddr| match end.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), end.port()),
        IpAddr::V6(_) => end,
    };
    (wide(client), wide(server))
}
