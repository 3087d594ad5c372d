//! A response's body on its way to the client.

use crate::{
    engine::{Dealing, Hold},
    fault::{ByteFilter, Close},
    proxy::{
        ctl::ConnCtl,
        cut::{Cut, Cutting},
        error::BodyError,
        record::Draft,
        shaper::{Broken, Shaper},
        upstream,
    },
};
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::sleep;

/// What is read of an upstream's answer that nobody will see, so that the upstream is done with it.
const LOST_LIMIT: usize = 16 * 1024 * 1024;
/// How long that may take.
const LOST_TIME: Duration = Duration::from_secs(30);
/// What is kept of it, so that the drill's end can let it go after all.
const KEPT_LIMIT: usize = 256 * 1024;
/// A response's body.
#[derive(Debug)]
pub(crate) enum Reply {
    /// All of it, if anything.
    Whole(Option<Bytes>),
    /// The upstream's, as it comes.
    Upstream(upstream::Body),
    /// Read in part by somebody who then let it go.
    Resumed(Box<Resumed>),
    /// Shorter than announced.
    Short(Box<Short>),
    /// Broken off early.
    Cut(Box<Cut>),
    /// Shaped.
    Shaped(Box<Shaped>),
}

/// A body whose beginning was read before.
#[derive(Debug)]
pub(crate) struct Resumed {
    ahead: VecDeque<Frame<Bytes>>,
    /// How the rest broke off, if that was found out.
    broken: Option<Broken>,
    body: Reply,
}

/// A body that is whole, and shorter than its head says: the connection ends after it.
#[derive(Debug)]
pub(crate) struct Short {
    body: Reply,
    announced: u64,
    ctl: Arc<ConnCtl>,
}

/// A body whose bytes go through a filter.
#[derive(Debug)]
pub(crate) struct Shaped {
    body: Reply,
    shaper: Shaper,
}

impl Reply {
    /// No body.
    pub(crate) const fn empty() -> Self {
        Self::Whole(None)
    }

    /// This body, after the frames that were read of it.
    pub(crate) fn after(self, ahead: VecDeque<Frame<Bytes>>) -> Self {
        Self::Resumed(Box::new(Resumed { ahead, broken: None, body: self }))
    }

    /// This body, which is shorter than `announced`.
    pub(crate) fn short(self, announced: u64, ctl: Arc<ConnCtl>) -> Self {
        Self::Short(Box::new(Short { body: self, announced, ctl }))
    }

    /// This body, broken off somewhere if it is longer.
    pub(crate) fn cut(self, how: Cutting, by: Dealing, draft: Draft) -> Self {
        Self::Cut(Box::new(Cut::new(self, how, by, draft)))
    }

    /// This body through a filter.
    pub(crate) fn shaped(
        self,
        filter: Box<dyn ByteFilter>,
        hold: Hold,
        by: Dealing,
        draft: Draft,
    ) -> Self {
        let left = self.size_hint().exact();
        let shaper = Shaper::new(filter, hold, by, draft, left);
        Self::Shaped(Box::new(Shaped { body: self, shaper }))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
            Self::Resumed(resumed) => match resumed.ahead.pop_front() {
                Some(frame) => Poll::Ready(Some(Ok(frame))),
                None => resumed.poll_rest(cx),
            },
            Self::Short(short) => short.poll(cx),
            Self::Cut(cut) => cut.poll(cx),
            Self::Shaped(shaped) => {
                let Shaped { body, shaper } = &mut **shaped;
                shaper.poll(cx, &mut |cx| Pin::new(&mut *body).poll_frame(cx))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Upstream(body) => body.is_end_stream(),
            Self::Resumed(resumed) => {
                resumed.ahead.is_empty() && resumed.broken.is_none() && resumed.body.is_end_stream()
            }
            Self::Short(_) => false,
            Self::Cut(cut) => cut.is_end_stream(),
            Self::Shaped(shaped) => shaped.shaper.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Upstream(body) => body.size_hint(),
            Self::Resumed(resumed) => resumed.size_hint(),
            Self::Short(short) => SizeHint::with_exact(short.announced),
            Self::Cut(cut) => cut.size_hint(),
            Self::Shaped(shaped) => shaped.body.size_hint(),
        }
    }
}

impl Resumed {
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.broken {
            Some(broken) => broken.poll(cx).map(|error| Some(Err(error))),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: usize = self.ahead.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        let rest = self.body.size_hint().exact().filter(|_| self.broken.is_none());
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + ahead as u64))
    }
}

impl Short {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_some() {
            return Poll::Ready(frame);
        }
        // What was written leaves first; then the connection ends, and with it this body.
        self.ctl.kill_after_flush(Close::Fin);
        Poll::Pending
    }
}

/// A body that was read to its end.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Its data.
    pub(crate) data: Bytes,
    /// Its trailers, if it has any.
    pub(crate) trailers: Option<Frame<Bytes>>,
}

/// Reads all of a body and gives both: all of it, and the body as if nobody had read it. There is
/// no former if the body is longer than `limit` bytes, or breaks off, or `over` comes first.
pub(crate) async fn read_whole(
    mut body: Reply,
    limit: u64,
    over: impl Future<Output = ()>,
) -> (Option<Whole>, Reply) {
    let (mut ahead, mut bytes, mut broken) = (VecDeque::new(), 0, None);
    let read = async {
        while bytes <= limit {
            match body.frame().await {
                Some(Ok(frame)) => {
                    bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                    ahead.push_back(frame);
                }
                Some(Err(error)) => {
                    broken = Some(Broken::new(error));
                    return false;
                }
                None => return true,
            }
        }
        false
    };
    let is_whole = tokio::select! {
        biased;
        is_whole = read => is_whole,
        () = over => false,
    };
    let whole = (is_whole && bytes <= limit).then(|| Whole::of(&ahead));
    (whole, Reply::Resumed(Box::new(Resumed { ahead, broken, body })))
}

impl Whole {
    fn of(frames: &VecDeque<Frame<Bytes>>) -> Self {
        let mut chunks = frames.iter().filter_map(Frame::data_ref);
        let data = match (chunks.next(), chunks.next()) {
            (None, _) => Bytes::new(),
            (Some(only), None) => only.clone(),
            _ => frames.iter().filter_map(Frame::data_ref).flatten().copied().collect(),
        };
        let trailers = frames.iter().find_map(Frame::trailers_ref).cloned().map(Frame::trailers);
        Self { data, trailers }
    }
}

/// Reads an answer that nobody will see, within bounds. Gives it back if the drill is over first,
/// unless more of it came than is kept.
pub(crate) async fn read_out(
    response: Response<Reply>,
    over: impl Future<Output = ()>,
) -> Option<Response<Reply>> {
    let (parts, mut body) = response.into_parts();
    let mut ahead = VecDeque::new();
    let mut bytes = 0;
    let read = async {
        while bytes < LOST_LIMIT {
            let Some(Ok(frame)) = body.frame().await else {
                return;
            };
            bytes += frame.data_ref().map_or(1, Bytes::len);
            if bytes <= KEPT_LIMIT {
                ahead.push_back(frame);
            } else {
                ahead.clear();
            }
        }
    };
    let is_over = tokio::select! {
        biased;
        () = over => true,
        () = read => false,
        // An answer that takes longer is lost with its end unread.
        () = sleep(LOST_TIME) => false,
    };
    (is_over && bytes <= KEPT_LIMIT).then(|| Response::from_parts(parts, body.after(ahead)))
}
