//! A request's body on its way to the upstream: counted, kept while its request is held, never
//! buffered whole.

use crate::{
    event::{Capture, Dealt},
    grpc::{Messages, is_grpc},
    proxy::{
        ctl::lock,
        error::BodyError,
        inbound::Inbound,
        record::{Draft, counter},
        rest,
        shaper::Next,
        tee::{Kept, Tee},
        upload::{Upload, Word},
    },
};
use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, header};
use http_body::{Body, Frame, SizeHint};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep, timeout},
};

/// What is read ahead while a request is held. Beyond it the client feels the back-pressure.
const HELD_LIMIT: usize = 256 * 1024;
/// A client that sends no byte of a body for so long holds no slot any longer.
const STALL: Duration = Duration::from_secs(60);
/// How long an answer that doesn't depend on a request over HTTP/2 waits for its end. Most come at
/// once; of a conversation there is none before the answer.
const TAKE_IN: Duration = Duration::from_millis(50);
/// How long a client that expects `100 Continue` waits for the upstream's word on it. RFC 9110
/// §10.1.1 has clients not wait for ever; curl waits a second.
const EXPECT_WAIT: Duration = Duration::from_secs(1);

/// A request's body.
#[derive(Debug)]
pub(crate) struct Ask {
    /// None for one that was sent before.
    body: Option<Inbound>,
    /// Read ahead while the request was held.
    ahead: VecDeque<Frame<Bytes>>,
    ahead_bytes: usize,
    /// The client has sent all of it.
    ended: bool,
    /// The client will not send all of it. Told after what was read ahead, and then for ever, so
    /// that such a body is never taken for a shorter one that came to its end.
    broken: Option<BodyError>,
    draft: Draft,
    capture: Option<Box<Capture>>,
    /// The messages of a gRPC call.
    messages: Option<Messages>,
    stall: Option<Pin<Box<Sleep>>>,
    /// The client sends the body only when it is told to, and that is for the upstream to say.
    waits_for_word: bool,
    /// How long nothing of it may come; `None` for a conversation, in which either side may be silent
    /// for as long as it likes.
    patience: Option<Duration>,
    gate: Option<Gate>,
    /// The upstream answered without asking for the body: it stays where it is.
    unwanted: bool,
    /// Those who keep what is passed on.
    tees: Vec<Tee>,
    /// What is done to it on its way, if anything is.
    upload: Option<Box<Upload>>,
}

/// Holds a body back until the upstream asks for it, as its `Expect` header says.
#[derive(Debug)]
struct Gate {
    open: oneshot::Receiver<()>,
    patience: Pin<Box<Sleep>>,
}

impl Ask {
    /// The body of a request with these header fields.
    pub(crate) fn new(
        body: Inbound,
        headers: &HeaderMap,
        draft: Draft,
        capture: Option<Capture>,
    ) -> Self {
        let expects = headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let ended = body.is_end_stream();
        let patience = (!converses(headers, &draft)).then_some(STALL);
        let mut ask = Self {
            body: Some(body),
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            ended,
            broken: None,
            draft,
            capture: capture.map(Box::new),
            messages: counter(headers),
            stall: None,
            waits_for_word: expects && !ended,
            patience,
            gate: None,
            unwanted: false,
            tees: Vec::new(),
            upload: None,
        };
        if ended {
            ask.done();
        } else if expects {
            ask.draft.ctl.set_body_withheld(true);
        }
        ask
    }

    /// The body of a request that is sent again. Its client does not wait to be told to send it.
    pub(crate) fn again(kept: Kept, draft: Draft) -> Self {
        let ahead: VecDeque<Frame<Bytes>> = kept.into_frames().collect();
        let data = ahead.iter().filter_map(Frame::data_ref);
        Self {
            body: None,
            ahead_bytes: data.map(Buf::remaining).sum(),
            ahead,
            ended: true,
            broken: None,
            draft,
            capture: None,
            messages: None,
            stall: None,
            waits_for_word: false,
            patience: None,
            gate: None,
            unwanted: false,
            tees: Vec::new(),
            upload: None,
        }
    }

    /// Keeps what is passed on; gives the word, and notes what was dealt, when that is all of it.
    pub(crate) fn tee(&mut self, dealt: Dealt) -> oneshot::Receiver<Kept> {
        let none = self.is_passed();
        let (tee, all) = Tee::new(dealt, none);
        self.tees.push(tee);
        if none {
            self.finish_tees();
        }
        all
    }

    /// All of it was passed on: as long as the drill goes on, it is sent again.
    fn finish_tees(&mut self) {
        let over = self.draft.ctl.injector().is_over();
        for tee in self.tees.drain(..).filter(|_| !over) {
            tee.finish(|dealt| self.draft.dealt(dealt));
        }
    }

    /// Has this done to it on its way.
    pub(crate) fn put_through(&mut self, upload: Upload) {
        self.upload = Some(Box::new(upload));
    }

    /// The word that it stopped for good and all before that has left, for whoever sends it.
    pub(crate) fn word(&self) -> Option<Word> {
        self.upload.as_ref()?.word()
    }

    /// The exchange it is a part of.
    pub(crate) const fn draft(&self) -> &Draft {
        &self.draft
    }

    /// If the client waits to be told to send the body: holds it back until the sender says so, or
    /// a second has passed without an answer.
    pub(crate) fn wait_for_word(&mut self) -> Option<oneshot::Sender<()>> {
        if !self.waits_for_word {
            return None;
        }
        let (word, open) = oneshot::channel();
        self.gate = Some(Gate { open, patience: Box::pin(sleep(EXPECT_WAIT)) });
        Some(word)
    }

    /// Whether more could be read ahead.
    fn has_room(&self) -> bool {
        self.has_room_below(HELD_LIMIT)
    }

    fn has_room_below(&self, limit: usize) -> bool {
        !self.ended && self.broken.is_none() && self.ahead_bytes < limit
    }

    /// Reads a small body to its end, or the beginning of a larger one.
    pub(crate) async fn fill(&mut self) {
        self.fill_up_to(HELD_LIMIT).await;
    }

    /// Reads a body to its end, or so many bytes of a larger one.
    pub(crate) async fn fill_up_to(&mut self, limit: usize) {
        while self.has_room_below(limit) && self.read_ahead().await.is_ok() {}
    }

    /// Puts other data in the place of all that was read ahead, which has to be
    /// [all of it](Self::whole). Trailers stay; says whether there are any.
    pub(crate) fn put(&mut self, data: Bytes) -> bool {
        self.ahead.retain(Frame::is_trailers);
        let has_trailers = !self.ahead.is_empty();
        self.ahead_bytes = data.len();
        if !data.is_empty() {
            self.ahead.push_front(Frame::data(data));
        }
        has_trailers
    }

    /// Reads one more frame ahead. To be called only if there is room.
    async fn read_ahead(&mut self) -> Result<(), BodyError> {
        if let Some(frame) = poll_fn(|cx| self.poll_source(cx)).await.transpose()? {
            self.ahead_bytes += frame.data_ref().map_or(0, Buf::remaining);
            self.ahead.push_back(frame);
        }
        Ok(())
    }

    /// Reads ahead while something else is waited for.
    pub(crate) async fn held_until<T>(&mut self, until: impl Future<Output = T>) -> T {
        tokio::pin!(until);
        // Reading would have the client told to go on, which is not for us to say.
        let reads = !self.waits_for_word;
        loop {
            tokio::select! {
                biased;
                out = &mut until => return out,
                // A body that breaks off while it is held is found out when it is passed on.
                _broken = self.read_ahead(), if reads && self.has_room() => {}
            }
        }
    }

    /// Takes the body in for an answer that doesn't depend on it, and keeps it: the request may
    /// still go on. Gives up at the limit: such a client gets its answer early.
    pub(crate) async fn take_in(&mut self) {
        // A client that waits to be told to send it is not asked for what nobody needs.
        if self.waits_for_word {
            return;
        }
        if self.draft.ctl.is_stream() {
            // Over HTTP/2 an answer may come before the end, and a client may wait for it.
            let _enough = timeout(TAKE_IN, self.fill()).await;
        } else {
            self.fill().await;
        }
    }

    /// The data that was read ahead, if that is all of it.
    pub(crate) fn whole(&self) -> Option<Vec<u8>> {
        if !self.ended {
            return None;
        }
        let data = self.ahead.iter().filter_map(Frame::data_ref);
        Some(data.flat_map(|bytes| bytes.iter().copied()).collect())
    }

    /// The next frame to pass on.
    fn poll_passed(&mut self, cx: &mut Context<'_>) -> Next {
        if let Some(gate) = &mut self.gate {
            match Pin::new(&mut gate.open).poll(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => self.unwanted = true,
                Poll::Pending => ready!(gate.patience.as_mut().poll(cx)),
            }
            if !self.unwanted {
                self.draft.ctl.set_body_withheld(false);
            }
            self.gate = None;
        }
        if self.unwanted {
            return Poll::Pending;
        }
        if let Some(frame) = self.ahead.pop_front() {
            self.ahead_bytes -= frame.data_ref().map_or(0, Buf::remaining);
            return Poll::Ready(Some(Ok(frame)));
        }
        self.poll_source(cx)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Next {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(error) = self.broken {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else {
            let Some(patience) = self.patience else {
                return Poll::Pending;
            };
            let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(patience)));
            ready!(stall.as_mut().poll(cx));
            while self.draft.ctl.upload_held() {
                // The time is the fault's, not the client's.
                stall.as_mut().reset(Instant::now() + STALL);
                ready!(stall.as_mut().poll(cx));
            }
            return Poll::Ready(Some(Err(self.breaks(BodyError::Stalled(STALL)))));
        };
        if let Some(stall) = &mut self.stall {
            stall.as_mut().reset(Instant::now() + STALL);
        }
        let frame = match frame {
            None => {
                self.done();
                return Poll::Ready(None);
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a client's upload broke off");
                return Poll::Ready(Some(Err(self.breaks(BodyError::Broken))));
            }
            Some(Ok(frame)) => frame,
        };
        self.waits_for_word = false;
        if let Some(data) = frame.data_ref() {
            if let Some(capture) = &mut self.capture {
                capture.feed(data);
            }
            let mut exchange = lock(&self.draft.exchange);
            exchange.received += data.len() as u64;
            if let (Some(messages), Some(call)) = (&mut self.messages, &mut exchange.grpc) {
                messages.feed(data);
                call.up = messages.ended();
            }
        }
        // Nothing follows trailers, and hyper does not ask for more after them.
        if frame.is_trailers() || self.body.as_ref().is_none_or(Body::is_end_stream) {
            self.done();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    /// The next frame to pass on, which others may keep.
    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Next {
        let frame = ready!(self.poll_passed(cx));
        if !self.tees.is_empty() {
            match &frame {
                Some(Ok(frame)) => self.tees.retain_mut(|tee| tee.keep(frame)),
                Some(Err(_)) => self.tees.clear(),
                None => {}
            }
            if self.is_passed() {
                self.finish_tees();
            }
        }
        Poll::Ready(frame)
    }

    /// Whether all that the client sent was passed on.
    fn is_passed(&self) -> bool {
        self.ended && self.ahead.is_empty()
    }

    /// The client has broken it off.
    fn breaks(&mut self, error: BodyError) -> BodyError {
        self.stall = None;
        self.draft.body_broken();
        *self.broken.insert(error)
    }

    /// The client has sent all of it.
    fn done(&mut self) {
        self.ended = true;
        self.stall = None;
        let now = self.draft.ctl.injector().micros();
        let mut exchange = lock(&self.draft.exchange);
        exchange.t_received = now;
        if let (Some(capture), Some(detail)) = (self.capture.take(), &mut exchange.detail) {
            detail.body_hash = capture.hash();
            (detail.shape_hash, detail.masked_hash) = capture.shape().unzip();
        }
        drop(exchange);
        self.draft.body_done();
    }
}

impl Drop for Ask {
    /// Whoever took it wants no more of it, and its client may still go on with another request.
    fn drop(&mut self) {
        let is_over = self.ended || self.broken.is_some() || self.waits_for_word;
        if is_over || self.draft.ctl.body_broken() || self.draft.ctl.killed().is_some() {
            return;
        }
        // A stream of HTTP/2 ends by itself.
        if let Some(body @ Inbound::One(_)) = self.body.take() {
            rest::read_out(body, self.draft.clone());
        }
    }
}

/// Whether a request is one half of a conversation: a tunnel of HTTP/2, or a call of gRPC.
fn converses(headers: &HeaderMap, draft: &Draft) -> bool {
    draft.ctl.is_stream() && (lock(&draft.exchange).method == Method::CONNECT || is_grpc(headers))
}

impl Body for Ask {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Next {
        let Some(mut upload) = self.upload.take() else {
            return self.poll_kept(cx);
        };
        let next = upload.poll(cx, &mut |cx| self.poll_kept(cx));
        self.upload = Some(upload);
        next
    }

    fn is_end_stream(&self) -> bool {
        self.upload.as_ref().map_or_else(|| self.is_passed(), |upload| upload.is_over())
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead_bytes as u64;
        let rest = self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint);
        match rest.exact() {
            Some(exact) => SizeHint::with_exact(exact + ahead),
            None if self.ended && self.ahead.iter().all(Frame::is_data) => {
                SizeHint::with_exact(ahead)
            }
            None => SizeHint::default(),
        }
    }
}
