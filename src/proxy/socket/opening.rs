//! What a connection opens with tells whether HTTP/1 or HTTP/2 is spoken on it.
//!
//! It is looked at as it is read: a client of HTTP/1 costs one comparison.

use crate::proxy::{
    http2::PREFACE,
    socket::{Socket, stream::Stream},
};
use std::{
    io,
    task::{Context, Poll, ready},
};
use tokio::io::ReadBuf;

/// How far that is known.
#[derive(Debug, Default)]
pub(super) enum Opening {
    /// All that came so far, which is not enough to tell.
    Unknown(Vec<u8>),
    /// HTTP/2: whoever reads as HTTP/1 is to hand the connection over.
    Two,
    /// It is known, and whoever reads knows it.
    #[default]
    Known,
}

impl<S: Stream> Socket<S> {
    /// Looks at what comes first.
    pub(crate) fn open(mut self) -> Self {
        self.opening = Opening::Unknown(Vec::new());
        self
    }

    /// See [`Front::turns_to_http2`](crate::proxy::socket::Front::turns_to_http2).
    pub(super) fn turns(&mut self) -> bool {
        let turns = matches!(self.opening, Opening::Two);
        if turns {
            self.opening = Opening::Known;
        }
        turns
    }

    pub(super) const fn is_turning(&self) -> bool {
        matches!(self.opening, Opening::Two)
    }

    /// Reads; of the preface of HTTP/2 nothing, but an error.
    pub(super) fn poll_opening(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            ready!(self.poll_input(cx, buf))?;
            let Opening::Unknown(held) = &mut self.opening else {
                return Poll::Ready(Ok(()));
            };
            let new = &buf.filled()[before..];
            let all = if held.is_empty() {
                new
            } else {
                held.extend(new);
                &held[..]
            };
            let is_two = all.starts_with(PREFACE);
            let may_be = !new.is_empty() && PREFACE.starts_with(all);
            if !is_two && !may_be && held.is_empty() {
                self.opening = Opening::Known;
                return Poll::Ready(Ok(()));
            }
            if held.is_empty() {
                held.extend(new);
            }
            buf.set_filled(before);
            if may_be && !is_two {
                continue;
            }
            held.extend_from_slice(&self.incoming);
            self.incoming = std::mem::take(held).into();
            self.opening = if is_two { Opening::Two } else { Opening::Known };
            if is_two {
                return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
            }
        }
    }
}
