//! Idle connections to the upstream.

use crate::proxy::{ask::Ask, ctl::lock, upstream::UpstreamIo};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::{sync::Mutex, time::Duration};
use tokio::{task::AbortHandle, time::Instant};

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
        Ok(Self { sender, task: TaskGuard(task.abort_handle()) })
    }

    /// Lets the connection live on without us, as a tunnel does.
    pub(crate) fn into_tunnel(self) -> Tunnelled {
        Tunnelled(self.task)
    }
}

/// Keeps a connection that became a tunnel alive; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Tunnelled(#[expect(dead_code, reason = "held for its drop")] TaskGuard);

/// Idle connections, the one used last on top.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<(Pooled, Instant)>>,
}

impl Pool {
    /// A connection that is open and ready, as far as can be known without sending.
    pub(crate) fn take(&self) -> Option<Pooled> {
        let mut idle = lock(&self.idle);
        if idle.is_empty() {
            return None;
        }
        let now = Instant::now();
        idle.retain(|(connection, since)| {
            !connection.sender.is_closed() && now.duration_since(*since) < IDLE_LIMIT
        });
        let at = idle.iter().rposition(|(connection, _)| connection.sender.is_ready())?;
        Some(idle.remove(at).0)
    }

    /// Takes back a connection whose exchange is over.
    pub(crate) fn put(&self, connection: Pooled) {
        let mut idle = lock(&self.idle);
        if idle.len() < MAX_IDLE && !connection.sender.is_closed() {
            idle.push((connection, Instant::now()));
        }
    }
}
