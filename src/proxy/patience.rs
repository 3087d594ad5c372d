//! A timeout that is set for every request and hardly ever fires.
//!
//! Its timer is not moved when it is set anew, but when it fires too early: setting it costs a clock
//! reading instead of a place in the runtime's timer wheel.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Patience {
    until: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// At its end; to be [`set`](Self::set) first.
    pub(crate) fn new() -> Self {
        Self { until: Instant::now(), sleep: None }
    }

    /// Lasts for `limit` from now.
    pub(crate) fn set(&mut self, limit: Duration) {
        self.until = Instant::now() + limit;
    }

    /// What `wait` comes to, or `None` after `limit`.
    pub(crate) async fn wait<T>(
        &mut self,
        limit: Duration,
        wait: impl Future<Output = T>,
    ) -> Option<T> {
        self.set(limit);
        tokio::pin!(wait);
        poll_fn(|cx| match wait.as_mut().poll(cx) {
            Poll::Ready(out) => Poll::Ready(Some(out)),
            Poll::Pending => self.poll(cx).map(|()| None),
        })
        .await
    }

    /// Ready at its end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_at_its_limit_however_often_it_was_set_before() {
        let mut patience = Patience::new();
        for _ in 0..3 {
            let short = sleep(Duration::from_secs(7));
            assert_eq!(patience.wait(Duration::from_secs(10), short).await, Some(()));
        }
        let set = Instant::now();

        let waited = patience.wait(Duration::from_secs(10), std::future::pending::<()>()).await;

        assert_eq!((waited, set.elapsed()), (None, Duration::from_secs(10)));
    }
}
