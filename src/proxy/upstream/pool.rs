//! Idle connections to the upstream.

use crate::proxy::{ask::Ask, ctl::lock, patience::Patience, upstream::UpstreamIo};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep},
};

/// How long a connection may be idle and still be used again. Servers close idle connections after
/// 2 s (gunicorn), 5 s (Node, uvicorn, Apache) or more; one that closes just as we send would be a
/// failure of our own making, blamed on somebody else.
const IDLE_LIMIT: Duration = Duration::from_millis(1500);
/// Idle connections kept.
const MAX_IDLE: usize = 1024;

/// A connection to the upstream; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(crate) sender: SendRequest<Ask>,
    pub(crate) patience: Patience,
    task: TaskGuard,
}

/// Ends a connection's task, and so the connection, with whoever holds it. This also ends uploads
/// whose answer came early, which hyper 1.12 would leave open for ever (hyper issue 4176).
#[derive(Debug)]
struct TaskGuard(AbortHandle);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pooled {
    pub(crate) async fn new(io: UpstreamIo) -> Result<Self, hyper::Error> {
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .max_headers(256)
            .handshake(TokioIo::new(io))
            .await?;
        let task = tokio::spawn(async move {
            // Its failure reaches whoever waits for the answer.
            let _told = connection.with_upgrades().await;
        });
        Ok(Self { sender, patience: Patience::new(), task: TaskGuard(task.abort_handle()) })
    }

    /// Lets the connection live on without us, as a tunnel does.
    pub(crate) fn into_tunnel(self) -> Tunnelled {
        Tunnelled(self.task)
    }
}

/// Keeps a connection that became a tunnel alive; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Tunnelled(#[expect(dead_code, reason = "held for its drop")] TaskGuard);

/// Idle connections, the one used last at the back.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: Mutex<VecDeque<(Pooled, Instant)>>,
    /// Whether somebody comes by to close those that were idle for too long.
    swept: AtomicBool,
}

impl Pool {
    /// A connection that is open and ready, as far as can be known without sending.
    pub(crate) fn take(&self) -> Option<Pooled> {
        let mut idle = lock(&self.idle);
        if idle.is_empty() {
            return None;
        }
        // From both ends, and no further than to the first that is of use: going through a
        // thousand of them for every request would cost more than the request.
        while idle.front().is_some_and(|oldest| !is_good(oldest)) {
            idle.pop_front();
        }
        while idle.back().is_some_and(|(connection, _)| connection.sender.is_closed()) {
            idle.pop_back();
        }
        let at = idle.iter().rposition(|(connection, _)| connection.sender.is_ready())?;
        idle.remove(at).map(|(connection, _)| connection)
    }

    /// Takes back a connection whose exchange is over.
    pub(crate) fn put(self: &Arc<Self>, connection: Pooled) {
        let mut idle = lock(&self.idle);
        if idle.len() < MAX_IDLE && !connection.sender.is_closed() {
            idle.push_back((connection, Instant::now()));
            if !self.swept.swap(true, Ordering::Relaxed) {
                // Ends with the pool, or when there is nothing left to sweep.
                tokio::spawn(sweep(Arc::downgrade(self)));
            }
        }
    }
}

fn is_good((connection, since): &(Pooled, Instant)) -> bool {
    !connection.sender.is_closed() && since.elapsed() < IDLE_LIMIT
}

/// Closes connections that were idle for too long, until none is left.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(IDLE_LIMIT).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut idle = lock(&pool.idle);
        idle.retain(is_good);
        if idle.is_empty() {
            pool.swept.store(false, Ordering::Relaxed);
            return;
        }
    }
}
