//! What a request's body was, kept while it streams by.

use crate::event::Dealt;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

/// What is kept of a body. A larger one is not sent again.
const LIMIT: usize = 256 * 1024;
/// What a request takes beside its body, about.
const HEAD: usize = 2 * 1024;
/// The bytes that copies may take together while they wait to be sent and answered: a copy may be
/// due minutes later, and memory stays bounded.
static ROOM: Semaphore = Semaphore::const_new(128 * 1024 * 1024);

/// Keeps a body for a second request like its own.
#[derive(Debug)]
pub(crate) struct Tee {
    kept: Kept,
    /// What is noted of it once all of the body is kept.
    dealt: Dealt,
    word: oneshot::Sender<Kept>,
}

/// A whole body.
#[derive(Debug)]
pub(crate) struct Kept {
    data: BytesMut,
    trailers: Option<HeaderMap>,
    /// There is a body, though it may be empty.
    framed: bool,
    room: Option<SemaphorePermit<'static>>,
}

impl Tee {
    /// A tee for a body, unless there is `none`, and the word that all of it is kept. The word never
    /// comes for a body that is too large, or of which not all was sent, or if there is no room.
    pub(super) fn new(dealt: Dealt, none: bool) -> (Self, oneshot::Receiver<Kept>) {
        let (word, all) = oneshot::channel();
        let kept = Kept { data: BytesMut::new(), trailers: None, framed: !none, room: None };
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

    /// That was all of it. Notes what was dealt, if there is room for it.
    pub(super) fn finish(mut self, note: impl FnOnce(Dealt)) {
        let size = u32::try_from(self.kept.data.len() + HEAD).unwrap_or(u32::MAX);
        self.kept.room = ROOM.try_acquire_many(size).ok();
        if self.kept.room.is_none() {
            return;
        }
        note(self.dealt);
        // Fails only if the proxy is ending.
        let _nobody = self.word.send(self.kept);
    }
}

impl Kept {
    /// The room it takes, to be given back when the copy is done with.
    pub(super) fn take_room(&mut self) -> Option<SemaphorePermit<'static>> {
        self.room.take()
    }

    /// Its frames. One that is empty says that there is a body without a byte: it has chunks or a
    /// length as the first one had.
    pub(super) fn into_frames(self) -> impl Iterator<Item = Frame<Bytes>> {
        let data = self.framed.then(|| Frame::data(self.data.freeze()));
        data.into_iter().chain(self.trailers.map(Frame::trailers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Did;

    fn tee() -> (Tee, oneshot::Receiver<Kept>) {
        Tee::new(Dealt { fault: "twice".into(), kind: "duplicate", did: Did::Duplicated }, false)
    }

    #[test]
    fn there_is_room_for_so_many_copies_and_no_more_until_one_is_done_with() {
        let mut waiting = Vec::new();
        let mut noted = 0;
        loop {
            let (mut tee, mut word) = tee();
            assert!(tee.keep(&Frame::data(Bytes::from(vec![0; LIMIT]))));
            tee.finish(|_| noted += 1);
            let Ok(mut kept) = word.try_recv() else { break };
            waiting.push(kept.take_room().expect("it takes room"));
        }
        assert_eq!((waiting.len(), noted), (128 * 1024 / 258, 128 * 1024 / 258));

        waiting.pop();
        let (mut tee, mut word) = tee();
        assert!(tee.keep(&Frame::data(Bytes::from(vec![0; LIMIT]))));
        tee.finish(|_| noted += 1);
        assert!(word.try_recv().is_ok());
    }

    #[test]
    fn a_body_beyond_the_limit_is_too_much() {
        let (mut tee, _word) = tee();
        assert!(tee.keep(&Frame::data(Bytes::from(vec![0; LIMIT]))));
        assert!(!tee.keep(&Frame::data(Bytes::from_static(b"x"))));
    }
}
