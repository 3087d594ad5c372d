//! TLS inside a tunnel: the certificate is made up for the host that the tunnel was to lead to.

use crate::{
    proxy::{
        ctl::ConnCtl,
        drain::Ending,
        socket::{Front as _, Socket, Stream},
        tls::{
            Alpn, Terminator,
            handshake::{heeding, shake},
        },
    },
    units::{Host, HostPort},
};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio_rustls::server::TlsStream;

/// What every TLS connection begins with.
const HANDSHAKE: u8 = 22;

/// What was found inside a tunnel.
pub(crate) enum Inside<S: Stream> {
    /// TLS, which is spoken now.
    Tls(Box<TlsStream<Socket<S>>>, Alpn),
    /// Something else, of which nothing was read.
    Other(Box<Socket<S>>),
    /// Nobody any more.
    Nobody,
}

/// Looks at what a client begins a tunnel with, `ahead` being what was read of it; shakes hands if it
/// is TLS. `tell` is whether the host's troubles are still to be told of.
pub(crate) async fn look<S: Stream>(
    mut socket: Socket<S>,
    ahead: &[u8],
    (ctl, place): (&Arc<ConnCtl>, &HostPort),
    terminator: &Terminator,
    ending: &Ending,
    tell: impl FnOnce() -> bool,
) -> Inside<S> {
    socket.turn_to_tls(ahead);
    // In boxes of their own: they are big, and gone once hands are shaken.
    let first = heeding(ctl, ending, Box::pin(socket.read_u8())).await;
    let Some(Ok(first)) = first else {
        return Inside::Nobody;
    };
    socket.put_back(&[first]);
    if first != HANDSHAKE {
        return Inside::Other(Box::new(socket));
    }
    let local = match place.host {
        Host::Address(address) => Some(address),
        Host::Name(_) => None,
    };
    ctl.shakes_inside();
    let (error, mut socket) =
        match heeding(ctl, ending, Box::pin(shake(socket, ctl, terminator, local))).await {
            Some(Ok((stream, alpn))) => return Inside::Tls(Box::new(stream), alpn),
            Some(Err(failed)) => failed,
            None => return Inside::Nobody,
        };
    error.note(ctl);
    if ctl.flaw().is_none() && tell() {
        if error.is_distrust() {
            tracing::warn!(
                %place,
                "the client does not trust Firedrill's own certificate authority: have it trust the \
                 file that `firedrill ca --path` names, and nobody else"
            );
        } else {
            tracing::warn!(
                %place, %error, cause = ?error,
                "no TLS with the client inside its tunnel; perhaps it does not trust the file that \
                 `firedrill ca --path` names, or pins a certificate: then leave `intercept` out"
            );
        }
    }
    tokio::select! {
        () = socket.linger() => {}
        () = ending.stopping.cancelled() => {}
    }
    Inside::Nobody
}
