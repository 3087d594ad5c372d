//! Reads a PROXY header, and no byte after it.
//!
//! What follows the header stays in the socket, so that whatever reads it next (TLS, byte faults,
//! HTTP) finds a connection as if it had come from the client itself.

use crate::proxy::introduce::Ends;
use ppp::{v1, v2};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

/// How long a header may take from the connection's acceptance on. A proxy sends it at once, mostly
/// with the first bytes of its client.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The longest header taken: addresses take 36 bytes of it, what else is told is passed over. HAProxy
/// and nginx have bounds of this order, too; the protocol would allow 64 KiB.
pub(super) const LONGEST: usize = 4096;
/// The shortest header there is.
const SHORTEST: usize = b"PROXY UNKNOWN\r\n".len();
/// The longest of version 1, by its specification.
const LONGEST_LINE: usize = 107;
/// How a line begins.
const LINE: &[u8] = b"PROXY ";
/// What comes before the addresses in version 2.
const FIXED: usize = 16;

/// Why nothing was heard.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    /// Something else came.
    #[error("its first bytes are no PROXY header")]
    Other,
    /// It began like one, and is none.
    #[error("its PROXY header cannot be read: {0}")]
    Malformed(String),
    /// It has no end where there should be one.
    #[error("its PROXY header is longer than {0} bytes")]
    TooLong(usize),
    /// It ended before the header did.
    #[error("it ended before its PROXY header did")]
    Ended,
    /// The header took too long.
    #[error("its PROXY header did not come within {0:?}")]
    Late(Duration),
    /// The connection broke.
    #[error("it broke before its PROXY header had come: {0}")]
    Io(#[from] io::Error),
}

/// Reads a header: whom the connection is from, or `None` if the proxy speaks for itself (`LOCAL`) or
/// does not say (`UNKNOWN`, another family, datagrams): then it is from the proxy.
pub(crate) async fn hear<S: AsyncRead + Unpin>(io: &mut S) -> Result<Option<Ends>, Unheard> {
    timeout(PATIENCE, read(io)).await.unwrap_or(Err(Unheard::Late(PATIENCE)))
}

async fn read<S: AsyncRead + Unpin>(io: &mut S) -> Result<Option<Ends>, Unheard> {
    let mut header = Vec::with_capacity(FIXED);
    while header.len() < SHORTEST {
        more(io, &mut header, SHORTEST).await?;
        let begins = |how: &[u8]| header.iter().zip(how).all(|(byte, expected)| byte == expected);
        // Told as early as it shows: who speaks something else may never send so many bytes.
        if !begins(LINE) && !begins(v2::PROTOCOL_PREFIX) {
            return Err(Unheard::Other);
        }
    }
    if header.starts_with(LINE) {
        // Byte by byte: where it ends is not known before.
        while !header.ends_with(b"\n") {
            if header.len() == LONGEST_LINE {
                return Err(Unheard::TooLong(LONGEST_LINE));
            }
            let next = header.len() + 1;
            more(io, &mut header, next).await?;
        }
        return line(&header);
    }
    more(io, &mut header, FIXED).await?;
    let length = header.len() + usize::from(u16::from_be_bytes([header[14], header[15]]));
    if length > LONGEST {
        return Err(Unheard::TooLong(LONGEST));
    }
    while header.len() < length {
        more(io, &mut header, length).await?;
    }
    binary(&header)
}

/// Reads what is there, up to a length.
async fn more<S: AsyncRead + Unpin>(
    io: &mut S,
    header: &mut Vec<u8>,
    up_to: usize,
) -> Result<(), Unheard> {
    let room = up_to.saturating_sub(header.len()) as u64;
    match io.take(room).read_buf(header).await? {
        0 => Err(Unheard::Ended),
        _ => Ok(()),
    }
}

fn line(header: &[u8]) -> Result<Option<Ends>, Unheard> {
    let read = v1::Header::try_from(header);
    let read = read.map_err(|error| Unheard::Malformed(error.to_string()))?;
    // It stops at the first carriage return.
    if read.header.len() != header.len() {
        return Err(Unheard::Malformed("its line has two ends".to_owned()));
    }
    Ok(match read.addresses {
        v1::Addresses::Tcp4(ends) => Some(Ends {
            client: SocketAddr::from((ends.source_address, ends.source_port)),
            server: SocketAddr::from((ends.destination_address, ends.destination_port)),
        }),
        v1::Addresses::Tcp6(ends) => Some(Ends {
            client: SocketAddr::from((ends.source_address, ends.source_port)),
            server: SocketAddr::from((ends.destination_address, ends.destination_port)),
        }),
        v1::Addresses::Unknown => None,
    })
}

fn binary(header: &[u8]) -> Result<Option<Ends>, Unheard> {
    let read = v2::Header::try_from(header);
    let read = read.map_err(|error| Unheard::Malformed(error.to_string()))?;
    if read.command == v2::Command::Local || read.protocol != v2::Protocol::Stream {
        return Ok(None);
    }
    Ok(match read.addresses {
        v2::Addresses::IPv4(ends) => Some(Ends {
            client: SocketAddr::from((ends.source_address, ends.source_port)),
            server: SocketAddr::from((ends.destination_address, ends.destination_port)),
        }),
        v2::Addresses::IPv6(ends) => Some(Ends {
            client: SocketAddr::from((ends.source_address, ends.source_port)),
            server: SocketAddr::from((ends.destination_address, ends.destination_port)),
        }),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    })
}
