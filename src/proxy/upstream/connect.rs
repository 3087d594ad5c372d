//! Dialling the upstream: name, TCP, TLS.

use crate::{
    config::{Allow, ProxyVersion},
    proxy::{
        error::UpstreamError,
        introduce::{Speech, Who},
        socket::{Presence, Sent, Stream},
        upstream::{
            asked::Routes,
            tls::{TlsClient, TlsError, TlsSettings},
        },
    },
    units::{HostPort, UpstreamAddr},
};
use http::HeaderValue;
use rustls::pki_types::ServerName;
use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// A way to the upstream that is not a URL: for programs that embed the proxy, and for tests in
/// virtual time over in-memory streams.
pub trait Dial: fmt::Debug + Send + Sync {
    /// Opens a connection.
    fn dial(&self) -> Pin<Box<dyn Future<Output = io::Result<UpstreamIo>> + Send>>;
}

/// Opens connections to one upstream.
#[derive(Debug)]
pub struct Connector {
    way: Way,
    authority: HeaderValue,
    /// An address that it does not go to: our own.
    not: Option<SocketAddr>,
    speech: Speech,
}

#[derive(Debug)]
enum Way {
    Tcp {
        host: String,
        port: u16,
        tls: Option<(TlsClient, ServerName<'static>)>,
    },
    #[cfg(unix)]
    Unix(PathBuf),
    Custom(Arc<dyn Dial>),
    /// Each request says.
    Asked(Routes),
    /// The address has no port, or one that is no number.
    Nowhere,
}

/// Which versions of HTTP are offered in the handshake of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
    /// Both, HTTP/2 rather.
    Both,
}

impl Offer {
    fn protocols(self) -> Vec<Vec<u8>> {
        let (one, two) = (b"http/1.1".to_vec(), b"h2".to_vec());
        match self {
            Self::One => vec![one],
            Self::Two => vec![two],
            Self::Both => vec![two, one],
        }
    }
}

impl Connector {
    /// A connector to an address.
    ///
    /// # Errors
    ///
    /// Fails if TLS is needed and its settings cannot be honoured.
    pub fn new(upstream: &UpstreamAddr, tls: &TlsSettings) -> Result<Self, TlsError> {
        let authority = HeaderValue::from_str(&upstream.authority())
            .unwrap_or(HeaderValue::from_static("upstream"));
        let host = upstream.host().to_owned();
        let tls = if upstream.is_tls() {
            let name = tls.name.clone().unwrap_or_else(|| host.clone());
            let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name))?;
            Some((TlsClient::new(tls)?, name))
        } else {
            None
        };
        let way = Way::Tcp { host, port: upstream.port(), tls };
        Ok(Self::plain(way, authority))
    }

    /// A connector to a place, over TLS if there is who speaks it.
    pub(super) fn to(
        place: &HostPort,
        tls: Option<&TlsClient>,
        not: Option<SocketAddr>,
    ) -> Result<Self, TlsError> {
        let host = place.host.bare();
        let tls = match tls {
            Some(client) => {
                let name = ServerName::try_from(host.clone());
                let name = name.map_err(|_| TlsError::Name(host.clone()))?;
                Some((client.clone(), name))
            }
            None => None,
        };
        let authority = HeaderValue::from_str(&place.to_string())
            .unwrap_or(HeaderValue::from_static("upstream"));
        let way = Way::Tcp { host, port: place.port, tls };
        Ok(Self { not, ..Self::plain(way, authority) })
    }

    /// A connector to whatever each request names, as far as it is allowed.
    ///
    /// # Errors
    ///
    /// Fails if the settings of TLS cannot be honoured.
    pub fn asked(allow: Allow, tls: &TlsSettings) -> Result<Self, TlsError> {
        Routes::new(allow, tls, None).map(Self::by)
    }

    /// The same, but whatever is asked for is dialled so.
    ///
    /// # Errors
    ///
    /// As [`asked`](Self::asked).
    pub fn asked_through(allow: Allow, dial: Arc<dyn Dial>) -> Result<Self, TlsError> {
        Routes::new(allow, &TlsSettings::default(), Some(dial)).map(Self::by)
    }

    fn by(routes: Routes) -> Self {
        Self::plain(Way::Asked(routes), HeaderValue::from_static("upstream"))
    }

    /// Where requests may go, if it is they who say.
    pub(crate) fn routes(&self) -> Option<&Routes> {
        match &self.way {
            Way::Asked(routes) => Some(routes),
            _ => None,
        }
    }

    /// A connector to `host:port`, whose bytes are not looked into. What is not such an address is
    /// found out when it is dialled.
    pub fn tcp(upstream: &str) -> Self {
        let way = match upstream.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) => {
                let host =
                    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
                Way::Tcp { host: host.to_owned(), port, tls: None }
            }
            _ => Way::Nowhere,
        };
        Self::plain(way, HeaderValue::from_static("upstream"))
    }

    /// A connector to a Unix socket. Its name, where one is asked for, is `localhost`.
    pub fn unix(path: PathBuf) -> Self {
        #[cfg(unix)]
        let way = Way::Unix(path);
        #[cfg(not(unix))]
        let way = {
            drop(path);
            Way::Nowhere
        };
        Self::plain(way, HeaderValue::from_static("localhost"))
    }

    /// A connector of one's own.
    pub fn custom(dial: Arc<dyn Dial>) -> Self {
        Self::plain(Way::Custom(dial), HeaderValue::from_static("upstream"))
    }

    fn plain(way: Way, authority: HeaderValue) -> Self {
        Self { way, authority, not: None, speech: Speech::default() }
    }

    /// Begins every connection with a PROXY header of this version, if there is one.
    #[must_use]
    pub fn introducing(self, version: Option<ProxyVersion>) -> Self {
        Self { speech: Speech(version), ..self }
    }

    /// Tries whether the upstream takes connections, and says why not.
    ///
    /// # Errors
    ///
    /// Fails as a request would.
    pub async fn probe(&self) -> Result<(), String> {
        if self.routes().is_some() {
            return Ok(());
        }
        self.connect(Who::Nobody).await.map(drop).map_err(|error| error.with_causes())
    }

    pub(super) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Who a connection is of use to, once it is there: with nothing told, everybody.
    pub(super) fn key(&self, who: Who) -> Option<Who> {
        self.speech.key(who)
    }

    /// What speaks TLS with the upstream, or with those that are asked for.
    pub fn tls(&self) -> Option<&TlsClient> {
        match &self.way {
            Way::Tcp { tls, .. } => tls.as_ref().map(|(client, _)| client),
            Way::Asked(routes) => Some(routes.tls()),
            #[cfg(unix)]
            Way::Unix(_) => None,
            Way::Custom(_) | Way::Nowhere => None,
        }
    }

    /// Whether it is spoken to over TLS.
    pub(super) const fn is_tls(&self) -> bool {
        matches!(self.way, Way::Tcp { tls: Some(_), .. })
    }

    /// A connection, and whether HTTP/2 is to be spoken on it.
    pub(super) async fn connect_as(
        &self,
        offer: Offer,
        who: Who,
    ) -> Result<(UpstreamIo, bool), UpstreamError> {
        let io = self.connect_offering(offer, who).await?;
        let two = match (&io, offer) {
            (_, Offer::One) => false,
            (UpstreamIo::Tls(io), _) => io.get_ref().1.alpn_protocol() == Some(b"h2"),
            // Where nobody can choose it is known beforehand.
            _ => true,
        };
        if !two && offer == Offer::Two {
            let error = io::Error::other("it does not speak HTTP/2");
            return Err(UpstreamError::Tls(error));
        }
        Ok((io, two))
    }

    pub(crate) async fn connect(&self, who: Who) -> Result<UpstreamIo, UpstreamError> {
        self.connect_offering(Offer::One, who).await
    }

    async fn connect_offering(&self, offer: Offer, who: Who) -> Result<UpstreamIo, UpstreamError> {
        let (host, port, tls) = match &self.way {
            Way::Tcp { host, port, tls } => (host, *port, tls),
            Way::Nowhere | Way::Asked(_) => {
                let error = io::Error::new(io::ErrorKind::InvalidInput, "the address has no port");
                return Err(UpstreamError::Resolve(error));
            }
            #[cfg(unix)]
            Way::Unix(path) => {
                let mut io = UnixStream::connect(path).await.map_err(UpstreamError::Connect)?;
                self.speech.give(who, &mut io).await?;
                return Ok(UpstreamIo::Unix(io));
            }
            Way::Custom(dial) => {
                let mut io = dial.dial().await.map_err(UpstreamError::Connect)?;
                self.speech.give(who, &mut io).await?;
                return Ok(io);
            }
        };
        let addresses =
            tokio::net::lookup_host((host.as_str(), port)).await.map_err(UpstreamError::Resolve)?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            if self.not.is_some_and(|own| is_same(own, address)) {
                return Err(UpstreamError::Circle);
            }
            match TcpStream::connect(address).await {
                Ok(mut stream) => {
                    // Nagle and delayed ACKs together would add 40 ms that nobody asked for.
                    let _best_effort = stream.set_nodelay(true);
                    // Below TLS: whoever takes it off has to know first.
                    self.speech.give(who, &mut stream).await?;
                    let Some((client, name)) = tls else {
                        return Ok(UpstreamIo::Tcp(stream));
                    };
                    let connector = client.offering(offer.protocols());
                    let stream = connector.connect(name.clone(), stream);
                    return stream
                        .await
                        .map(|stream| UpstreamIo::Tls(Box::new(stream)))
                        .map_err(UpstreamError::Tls);
                }
                Err(error) => last = error,
            }
        }
        Err(UpstreamError::Connect(last))
    }
}

/// Whether whoever dials an address reaches what listens on `own`, as far as the address tells. Of all
/// addresses, those of other interfaces would take a look at each.
fn is_same(own: SocketAddr, address: SocketAddr) -> bool {
    let (listens, asked) = (own.ip().to_canonical(), address.ip().to_canonical());
    // Nobody's address is one's own, when it is dialled.
    let is_own = asked.is_loopback() || asked.is_unspecified();
    own.port() == address.port() && (listens == asked || (listens.is_unspecified() && is_own))
}

/// A connection to the upstream.
#[derive(Debug)]
pub enum UpstreamIo {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// In memory.
    Memory(DuplexStream),
}

impl Stream for UpstreamIo {
    fn reset_on_close(&self) {
        match self {
            Self::Tcp(io) => Stream::reset_on_close(io),
            Self::Tls(io) => Stream::reset_on_close(io.get_ref().0),
            #[cfg(unix)]
            Self::Unix(io) => Stream::reset_on_close(io),
            Self::Memory(_) => {}
        }
    }

    fn presence(&self) -> Presence {
        match self {
            Self::Tcp(io) => io.presence(),
            Self::Tls(io) => io.get_ref().0.presence(),
            #[cfg(unix)]
            Self::Unix(io) => io.presence(),
            Self::Memory(_) => Presence::There,
        }
    }

    fn all_sent(&self) -> Sent {
        match self {
            Self::Tcp(io) => io.all_sent(),
            Self::Tls(io) => io.get_ref().0.all_sent(),
            #[cfg(unix)]
            Self::Unix(io) => io.all_sent(),
            Self::Memory(io) => io.all_sent(),
        }
    }

    fn poll_has_input(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(io) => io.poll_has_input(cx),
            Self::Tls(io) => io.get_ref().0.poll_has_input(cx),
            #[cfg(unix)]
            Self::Unix(io) => io.poll_has_input(cx),
            Self::Memory(_) => Poll::Ready(()),
        }
    }
}

macro_rules! each {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Tcp($io) => $call,
            Self::Tls($io) => $call,
            #[cfg(unix)]
            Self::Unix($io) => $call,
            Self::Memory($io) => $call,
        }
    };
}

impl AsyncRead for UpstreamIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(io) => io.is_write_vectored(),
            Self::Memory(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
