//! The response's body, counted on its way out.

use crate::{
    grpc::Messages,
    proxy::{
        ctl::lock,
        error::BodyError,
        record::{Draft, Teller, call, counter},
        reply::Reply,
    },
};
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A response's body that is counted, and whose end is the end of the exchange.
#[derive(Debug)]
pub(crate) struct Recorded {
    body: Reply,
    draft: Draft,
    sent: u64,
    /// The messages of a gRPC call.
    messages: Option<Messages>,
    /// How many bytes of it are all, if that is known. hyper takes no more, and drops what says
    /// its end later.
    whole: Option<u64>,
    ended: bool,
    /// The length that the head announces, though no body follows: an answer to `HEAD`, a 304, a
    /// length of zero. hyper would leave such a field out, or move it, if it knew.
    announced: Option<u64>,
    // Last, so that what the other fields' drops note is in what it tells.
    teller: Option<Teller>,
}

impl Recorded {
    pub(super) fn new(body: Reply, headers: &HeaderMap, draft: Draft, teller: Teller) -> Self {
        let whole = if has_no_body(&draft) { Some(0) } else { body.size_hint().exact() };
        let teller = Some(teller);
        let messages = counter(headers);
        let mut this =
            Self { body, draft, sent: 0, messages, whole, ended: false, announced: None, teller };
        if this.body.is_end_stream() {
            let length = headers.get(header::CONTENT_LENGTH);
            this.announced = length.and_then(|length| length.to_str().ok()?.parse().ok());
            this.done(true);
        }
        this
    }

    fn passes(&mut self, frame: &Frame<Bytes>) {
        if let Some(data) = frame.data_ref() {
            self.sent += data.len() as u64;
            if let Some(messages) = &mut self.messages {
                messages.feed(data);
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            call::told(&mut lock(&self.draft.exchange), trailers);
        }
    }

    /// Whether nothing follows the head, whatever length that announces.
    pub(crate) const fn is_over(&self) -> bool {
        self.ended
    }

    fn done(&mut self, complete: bool) {
        if !self.ended {
            self.ended = true;
            let mut exchange = lock(&self.draft.exchange);
            exchange.complete = complete;
            exchange.sent = self.sent;
            if let (Some(call), Some(messages)) = (&mut exchange.grpc, &self.messages) {
                call.down = messages.ended();
            }
            drop(exchange);
            if complete {
                self.teller = None;
            }
        }
    }
}

impl Body for Recorded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.passes(frame),
            Some(Err(_)) => self.done(false),
            None => self.done(true),
        }
        if self.body.is_end_stream() {
            self.done(true);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.announced.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(|| self.body.size_hint(), SizeHint::with_exact)
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.done(self.whole == Some(self.sent));
    }
}

/// Whether an answer has no body, whatever it announces (RFC 9110 §6.4.1).
fn has_no_body(draft: &Draft) -> bool {
    let exchange = lock(&draft.exchange);
    exchange.method == Method::HEAD || matches!(exchange.status, 204 | 304)
}
