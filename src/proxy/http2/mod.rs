//! HTTP/2 towards the client: one connection, many exchanges.
//!
//! On the `h2` crate itself. Each stream goes through the services that a request over HTTP/1 goes
//! through, with a control block of its own; all of a connection are served in its task, so that what
//! several have to say leaves in one write.

mod announce;
mod duplex;
mod head;
mod lent;
mod send;
mod stream;

pub(crate) use duplex::Duplex;
pub(crate) use head::is_of_a_hop;
pub(crate) use send::{Outcome, Parcel, Sending};
pub(crate) use stream::Switch;

use crate::{
    event::Dealt,
    proxy::{
        conn::{Call, Calls, Shared},
        ctl::ConnCtl,
        http::Forward,
    },
};
use announce::{Limit, NO_NEWS};
use futures_util::{
    FutureExt as _,
    stream::{FuturesUnordered, StreamExt as _},
};
use h2::{
    Reason,
    server::{Builder, Connection},
};
use lent::Lent;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep},
};

/// What a client opens a connection with on which it speaks HTTP/2 (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams that a client may have open at a time. More are refused with `REFUSED_STREAM`.
pub(crate) const MAX_STREAMS: u32 = 200;
/// What a client may send on a stream before somebody reads it.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same on a connection: as much as all its streams may, so that one that is held holds no other.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// What waits to be written of a stream.
const SEND_BUFFER: usize = 64 * 1024;
/// A decoded head larger than this is refused with 431, and one four times as large ends the
/// connection; so it bounds what a small one can be blown up to.
const MAX_HEAD: u32 = 64 * 1024;
/// Streams that a client may open and reset before they were looked at. Resets of streams that are
/// under way are not counted: a client that gives up is what drills are about.
const MAX_RESETS: usize = 2048;
/// Streams that the client may have us reset by breaking the rules.
const MAX_ERRORS: usize = 1024;
/// A connection without a stream is told to go after so long; browsers and pools come again.
const IDLE: Duration = Duration::from_secs(70);

/// Serves a connection on which HTTP/2 is spoken to its end, and gives back what it was spoken on: a
/// [`Socket`](crate::proxy::socket::Socket), or TLS over one.
pub(crate) async fn serve<Io>(
    io: Io,
    ctl: &Arc<ConnCtl>,
    forward: &Forward,
    shared: &Arc<Shared>,
) -> Option<Io>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // A client that was told to go may have said more by then.
    ctl.expects_more();
    let limit = Arc::<Limit>::default();
    announced(ctl, &limit);
    let (lent, back) = Lent::new(io, Arc::clone(&limit));
    {
        let mut calls = pin!(FuturesUnordered::new());
        calls.push(Calls::new(ctl, &shared.ending).next());
        let mut handshake = pin!(settings().handshake(lent));
        let connection = loop {
            tokio::select! {
                biased;
                connection = &mut handshake => break connection.ok(),
                Some((call, more)) = calls.next() => {
                    if call != Call::Look {
                        break None;
                    }
                    calls.push(more.next());
                }
            }
        };
        if let Some(connection) = connection {
            run(connection, ctl, forward, shared, &limit).await;
        }
    }
    back.await.ok()
}

/// Finds out how many streams the client may have open; says whether that is news.
fn announced(ctl: &ConnCtl, limit: &Limit) -> bool {
    limit.set(ctl.injector().max_streams().map_or(MAX_STREAMS, |limit| limit.most))
}

/// There are streams: counts the connection for what says how many there may be, if anything does. Says what
/// is dealt to one that is one too many.
fn meets(ctl: &ConnCtl, limit: &Limit) -> Option<Dealt> {
    let most = ctl.injector().max_streams()?;
    let counted = &ctl.welcome.counted;
    most.meets(counted, limit.says(most.most));
    most.refuses(counted, ctl.active_streams())
}

fn settings() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(MAX_HEAD)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(Some(MAX_ERRORS))
        .enable_connect_protocol();
    builder
}

async fn run<Io: AsyncRead + AsyncWrite + Unpin>(
    mut connection: Connection<Lent<Io>, Parcel>,
    ctl: &Arc<ConnCtl>,
    forward: &Forward,
    shared: &Arc<Shared>,
    limit: &Limit,
) {
    let mut streams = FuturesUnordered::new();
    let mut calls = FuturesUnordered::new();
    calls.push(Calls::new(ctl, &shared.ending).next());
    let mut idle = pin!(sleep(IDLE));
    loop {
        tokio::select! {
            biased;
            Some(()) = streams.next() => {
                if streams.is_empty() {
                    idle.as_mut().reset(Instant::now() + IDLE);
                }
            }
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    let stream = ctl.stream();
                    if let Some(dealt) = meets(ctl, limit) {
                        stream.refuse(dealt);
                    }
                    streams.push(stream::serve(request, respond, stream, forward, shared));
                }
                Some(Err(error)) => {
                    tracing::debug!(peer = %ctl.peer, %error, "a connection ended early");
                    break;
                }
                None => break,
            },
            Some((call, more)) = calls.next() => {
                match call {
                    // It is polled again, and sees to what else there is.
                    Call::Look if announced(ctl, limit) => {
                        // Fails while the last one was not acknowledged: the next call sees to it.
                        if connection.set_initial_window_size(NO_NEWS).is_err() {
                            limit.forget();
                        } else if !streams.is_empty() {
                            // Those that are under way stay.
                            let _untouched = meets(ctl, limit);
                        }
                    }
                    Call::Look => match ctl.take_away() {
                        None => {}
                        Some(Reason::NO_ERROR) => connection.graceful_shutdown(),
                        Some(reason) => {
                            ctl.set_over();
                            connection.abrupt_shutdown(reason);
                        }
                    },
                    Call::Drain => connection.graceful_shutdown(),
                    Call::End => break,
                }
                calls.push(more.next());
            }
            () = &mut idle, if streams.is_empty() => {
                connection.graceful_shutdown();
                idle.as_mut().reset(Instant::now() + IDLE);
            }
        }
    }
    ctl.set_over();
    // Some may have had their last byte sent by what ended the connection, and not know it yet.
    while let Some(Some(())) = streams.next().now_or_never() {}
}
