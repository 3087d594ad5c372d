//! A message's body as it comes, over whichever version of HTTP.

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A body.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// By hyper, over HTTP/1.
    One(Incoming),
    /// One stream of many, over HTTP/2.
    Two(Received),
    /// None: what comes is another protocol's.
    Nothing,
}

/// A body that broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InboundError {
    /// As HTTP/1 tells it.
    #[error(transparent)]
    One(hyper::Error),
    /// As HTTP/2 tells it.
    #[error(transparent)]
    Two(h2::Error),
}

impl InboundError {
    /// The code with which the other side reset the stream, if that is what it did.
    pub(crate) fn reset(&self) -> Option<Reason> {
        match self {
            Self::Two(error) if error.is_reset() && error.is_remote() => error.reason(),
            _ => None,
        }
    }
}

/// A body that comes on a stream.
#[derive(Debug)]
pub(crate) struct Received {
    stream: RecvStream,
    /// How much of the announced length is left.
    left: Option<u64>,
    stands: Stands,
}

/// Where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Data,
    Trailers,
    End,
}

impl Received {
    /// The body of a message with these fields.
    pub(crate) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let ended = stream.is_end_stream();
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let stands = if ended { Stands::End } else { Stands::Data };
        Self { stream, left: if ended { Some(0) } else { length }, stands }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.stands == Stands::Data {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Whoever asked has it now. Fails only if the stream is gone.
                    let _gone = self.stream.flow_control().release_capacity(data.len());
                    if let Some(left) = &mut self.left {
                        *left = left.saturating_sub(data.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                // That is how a server says that it needs no more of an upload, and no failure.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => {
                    self.stands = Stands::End;
                }
                Some(Err(error)) => {
                    self.stands = Stands::End;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.stands = Stands::Trailers,
            }
        }
        if self.stands == Stands::End {
            return Poll::Ready(None);
        }
        let trailers = ready!(self.stream.poll_trailers(cx));
        self.stands = Stands::End;
        Poll::Ready(match trailers {
            Ok(Some(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

impl From<Incoming> for Inbound {
    fn from(body: Incoming) -> Self {
        Self::One(body)
    }
}

impl From<Received> for Inbound {
    fn from(body: Received) -> Self {
        Self::Two(body)
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        match &mut *self {
            Self::One(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| Some(frame?.map_err(InboundError::One)))
            }
            Self::Two(body) => body.poll(cx).map(|frame| Some(frame?.map_err(InboundError::Two))),
            Self::Nothing => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::One(body) => body.is_end_stream(),
            Self::Two(body) => body.stands == Stands::End || body.stream.is_end_stream(),
            Self::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::One(body) => body.size_hint(),
            Self::Two(body) => body.left.map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Nothing => SizeHint::with_exact(0),
        }
    }
}
