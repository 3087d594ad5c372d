//! What is left of a request's body when its answer is over.
//!
//! A service may answer before it has read all that it is sent. Its client sends the rest all the same,
//! and then the next request: over HTTP/1 it can only have that answered on a connection on which the
//! rest was read. So it is, within bounds, as servers do.

use crate::proxy::{ctl::lock, inbound::Inbound, record::Draft};
use http_body_util::BodyExt as _;
use std::{future::Future, pin::pin, time::Duration};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

/// How long it may take.
const TIME: Duration = Duration::from_secs(30);
/// How long nothing of it may come. A client that was told not to bother stops, and waits for the end.
const SILENCE: Duration = Duration::from_secs(5);
/// How much of it is read that goes nowhere.
const LIMIT: usize = 16 * 1024 * 1024;

/// Reads on what nobody wants, so that the client can go on; beyond the bounds its connection ends.
pub(super) fn read_out(body: Inbound, draft: Draft) {
    // Without a runtime there is no connection either.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        let read = read(body, &draft);
        seen_through(&draft, read).await;
    });
}

/// Whether all of a body was read.
async fn read(mut body: Inbound, draft: &Draft) {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return };
        let data = frame.data_ref().map_or(0, |data| data.len());
        bytes += data;
        if bytes > LIMIT {
            return;
        }
        lock(&draft.exchange).received += data as u64;
    }
    draft.body_done();
}

/// Waits for what is to be over when the rest was read, as long as more of that comes. Says whether it
/// is.
pub(super) async fn seen_through(draft: &Draft, over: impl Future<Output = ()>) -> bool {
    let until = Instant::now() + TIME;
    let received = || lock(&draft.exchange).received;
    let mut over = pin!(over);
    loop {
        let before = received();
        let left = until.saturating_duration_since(Instant::now());
        if timeout(SILENCE.min(left), &mut over).await.is_ok() {
            return true;
        }
        // The silence may be a fault's, not the client's.
        let is_silent = received() == before && !draft.ctl.upload_held();
        if is_silent || Instant::now() >= until {
            draft.body_broken();
            return false;
        }
    }
}
