//! Idle connections to the upstream.

use crate::proxy::{ask::Ask, ctl::lock, introduce::Who, upstream::metered::Metered};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, Sleep, sleep, sleep_until},
};

/// How long a connection may be idle and still be used again. Servers close idle connections after
/// 2 s (gunicorn), 5 s (Node, uvicorn, Apache) or more; one that closes just as we send would be a
/// failure of our own making, blamed on somebody else.
const IDLE_LIMIT: Duration = Duration::from_millis(1500);
/// Idle connections kept, where it is not said otherwise.
const MAX_IDLE: usize = 1024;

/// A connection to the upstream; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(crate) sender: SendRequest<Ask>,
    pub(crate) patience: Patience,
    task: TaskGuard,
    /// Who the upstream was told it is from: it carries nothing for anybody else.
    whose: Option<Who>,
}

/// A timeout that is set for every request and hardly ever fires.
///
/// Its timer is not moved when it is set anew, but when it fires too early: setting it costs a
/// clock reading instead of a place in the runtime's timer wheel.
#[derive(Debug)]
pub(crate) struct Patience {
    until: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { until: Instant::now(), sleep: None }
    }

    /// What `wait` comes to, or `None` after `limit`, counted from `since`: asked when the limit
    /// seems to be reached, it may say that the wait began later, or has not begun.
    pub(crate) async fn wait<T>(
        &mut self,
        limit: Duration,
        mut since: impl FnMut() -> Option<Instant>,
        wait: impl Future<Output = T>,
    ) -> Option<T> {
        self.until = Instant::now() + limit;
        tokio::pin!(wait);
        poll_fn(|cx| {
            if let Poll::Ready(out) = wait.as_mut().poll(cx) {
                return Poll::Ready(Some(out));
            }
            loop {
                ready!(self.poll(cx));
                let until = since().unwrap_or_else(Instant::now) + limit;
                if until <= self.until {
                    return Poll::Ready(None);
                }
                self.until = until;
            }
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }
}

/// Ends a connection's task, and so the connection, with whoever holds it. This also ends uploads
/// whose answer came early, which hyper 1.12 would leave open for ever (hyper issue 4176).
#[derive(Debug)]
pub(super) struct TaskGuard(JoinHandle<()>);

impl TaskGuard {
    pub(super) const fn new(task: JoinHandle<()>) -> Self {
        Self(task)
    }

    /// Waits for its end.
    pub(super) async fn over(&mut self) {
        let _however = (&mut self.0).await;
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pooled {
    pub(super) async fn new(io: Metered, whose: Option<Who>) -> Result<Self, hyper::Error> {
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .max_headers(256)
            .handshake(TokioIo::new(io))
            .await?;
        let task = tokio::spawn(async move {
            // Its failure reaches whoever waits for the answer.
            let _told = connection.with_upgrades().await;
        });
        Ok(Self { sender, patience: Patience::new(), task: TaskGuard::new(task), whose })
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
#[derive(Debug)]
pub(crate) struct Pool {
    most: usize,
    idle: Mutex<VecDeque<(Pooled, Instant)>>,
    /// Whether somebody comes by to close those that were idle for too long.
    swept: AtomicBool,
}

impl Default for Pool {
    fn default() -> Self {
        Self::of(MAX_IDLE)
    }
}

impl Pool {
    /// One that keeps so many at most.
    pub(super) fn of(most: usize) -> Self {
        Self { most, idle: Mutex::default(), swept: AtomicBool::default() }
    }

    /// A connection for this client that is open and ready, as far as can be known without sending.
    pub(crate) fn take(&self, whose: Option<Who>) -> Option<Pooled> {
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
        let at = idle.iter().rposition(|(connection, _)| {
            connection.whose == whose && connection.sender.is_ready()
        })?;
        idle.remove(at).map(|(connection, _)| connection)
    }

    /// Takes back a connection whose exchange is over.
    pub(crate) fn put(self: &Arc<Self>, connection: Pooled) {
        let mut idle = lock(&self.idle);
        if idle.len() < self.most && !connection.sender.is_closed() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_at_its_limit_however_often_it_was_set_before() {
        let mut patience = Patience::new();
        let limit = Duration::from_secs(10);
        for _ in 0..3 {
            let start = Instant::now();
            let short = sleep(Duration::from_secs(7));
            assert_eq!(patience.wait(limit, || Some(start), short).await, Some(()));
        }
        let set = Instant::now();

        let waited = patience.wait(limit, || Some(set), std::future::pending::<()>()).await;

        assert_eq!((waited, set.elapsed()), (None, limit));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_begins_when_the_wait_does() {
        let mut patience = Patience::new();
        let set = Instant::now();
        let begin = set + Duration::from_secs(25);
        let since = || (Instant::now() >= begin).then_some(begin);

        let wait = std::future::pending::<()>();
        let waited = patience.wait(Duration::from_secs(10), since, wait).await;

        assert_eq!((waited, set.elapsed()), (None, Duration::from_secs(35)));
    }
}
