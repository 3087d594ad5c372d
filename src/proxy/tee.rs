//! What a request's body was, kept while it streams by.

use crate::event::Dealt;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::oneshot;

/// What is kept of a body. A larger one is not sent again.
const LIMIT: usize = 256 * 1024;

/// Keeps a body for a second request like its own.
#[derive(Debug)]
pub(crate) struct Tee {
    kept: Kept,
    /// What is noted of it once all of the body is kept.
    pub(super) dealt: Dealt,
    word: oneshot::Sender<Kept>,
}

/// A whole body.
#[derive(Debug)]
pub(crate) struct Kept {
    data: BytesMut,
    trailers: Option<HeaderMap>,
    /// There is a body, though it may be empty.
    framed: bool,
}

impl Tee {
    /// A tee for a body, unless there is `none`, and the word that all of it is kept. The word never
    /// comes for a body that is too large, or of which not all was sent.
    pub(super) fn new(dealt: Dealt, none: bool) -> (Self, oneshot::Receiver<Kept>) {
        let (word, all) = oneshot::channel();
        let kept = Kept { data: BytesMut::new(), trailers: None, framed: !none };
        (Self { kept, dealt, word }, all)
    }

    /// Keeps a frame; false if it is too much.
    pub(super) fn keep(&mut self, frame: &Frame<Bytes>) -> bool {
        if let Some(data) = frame.data_ref() {
            if self.kept.data.len() + data.len() > LIMIT {
                return false;
            }
            self.kept.data.extend_from_slice(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            self.kept.trailers = Some(trailers.clone());
        }
        true
    }

    /// That was all of it.
    pub(super) fn finish(self) {
        // Fails only if the proxy is ending.
        let _nobody = self.word.send(self.kept);
    }
}

impl Kept {
    /// Its frames. One that is empty says that there is a body without a byte: it has chunks or a
    /// length as the first one had.
    pub(super) fn into_frames(self) -> impl Iterator<Item = Frame<Bytes>> {
        let data = self.framed.then(|| Frame::data(self.data.freeze()));
        data.into_iter().chain(self.trailers.map(Frame::trailers))
    }
}
