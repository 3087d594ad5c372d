//! Waiting for an instant to a fraction of a millisecond.
//!
//! tokio's timers tick in milliseconds and fire one to two of them late. A delay of 300 ms that
//! takes 302 is another delay, so the delays that a scenario asks for wait on a timer of the
//! kernel's (timerfd), which all of them share. In-memory connections keep tokio's timers, whose
//! clock a test can hold still.

use crate::proxy::ctl::lock;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    io,
    os::fd::OwnedFd,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::AbortHandle,
    time::{Instant, sleep_until},
};

/// How delays are waited for.
#[derive(Clone, Debug)]
pub(crate) enum Timer {
    /// By tokio, to a millisecond or two; in a test's own time.
    Coarse,
    /// By the kernel.
    Fine(Arc<Fine>),
}

impl Timer {
    /// A fine timer, or a coarse one where the kernel has none to give.
    pub(crate) fn fine() -> Self {
        match Fine::start() {
            Ok(fine) => Self::Fine(Arc::new(fine)),
            Err(error) => {
                tracing::warn!(%error, "no fine timer: delays will be up to 2 ms late");
                Self::Coarse
            }
        }
    }

    /// Waits until `at`, never less.
    pub(crate) async fn until(&self, at: Instant) {
        match self {
            Self::Coarse => sleep_until(at).await,
            Self::Fine(fine) => Wait { shared: Arc::clone(&fine.shared), at, key: None }.await,
        }
    }
}

/// One who waits for one instant after the other; costs nothing while it waits for none.
pub(crate) struct Alarm {
    timer: Timer,
    waits_for: Option<Instant>,
    wait: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").field("waits_for", &self.waits_for).finish_non_exhaustive()
    }
}

impl Alarm {
    pub(crate) fn new(timer: Timer) -> Self {
        // A box of something without a size is no allocation.
        Self { timer, waits_for: None, wait: Box::pin(async {}) }
    }

    /// Ready once `at` has come, never before.
    pub(crate) fn poll_at(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.waits_for != Some(at) {
            let timer = self.timer.clone();
            self.waits_for = Some(at);
            self.wait = Box::pin(async move { timer.until(at).await });
        }
        ready!(self.wait.as_mut().poll(cx));
        self.waits_for = None;
        Poll::Ready(())
    }
}

/// One kernel timer for everybody who waits.
#[derive(Debug)]
pub(crate) struct Fine {
    shared: Arc<Shared>,
    driver: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    fd: AsyncFd<OwnedFd>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By deadline; the number tells equal deadlines apart.
    wakers: BTreeMap<(Instant, u64), Waker>,
    next: u64,
}

impl Fine {
    fn start() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "what replaces it is `unsafe`, for types whose descriptor may change under \
                      it; an `OwnedFd` keeps its own until it is dropped, and so is sound"
        )]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
        let shared = Arc::new(Shared { fd, waiting: Mutex::default() });
        let driver = tokio::spawn(drive(Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, driver })
    }
}

impl Drop for Fine {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Shared {
    /// Has the kernel call at `at`, at the soonest.
    fn arm(&self, at: Instant) {
        // Zero would disarm it.
        let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let spec = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            },
        };
        if let Err(error) = timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &spec) {
            tracing::error!(%error, "cannot set a timer");
        }
    }
}

/// Wakes whoever is due, each time the kernel calls.
async fn drive(shared: Arc<Shared>) {
    loop {
        let Ok(mut ready) = shared.fd.readable().await else {
            return;
        };
        let mut count = [0; 8];
        // How often it fired does not matter, only that it is read away.
        let _count = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut count)?));
        drop(ready);
        let mut waiting = lock(&shared.waiting);
        let later = waiting.wakers.split_off(&(Instant::now(), u64::MAX));
        let due = std::mem::replace(&mut waiting.wakers, later);
        if let Some(((at, _), _)) = waiting.wakers.first_key_value() {
            shared.arm(*at);
        }
        drop(waiting);
        due.into_values().for_each(Waker::wake);
    }
}

struct Wait {
    shared: Arc<Shared>,
    at: Instant,
    key: Option<(Instant, u64)>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        let shared = Arc::clone(&self.shared);
        let mut waiting = lock(&shared.waiting);
        let key = self.key.unwrap_or_else(|| {
            waiting.next += 1;
            (self.at, waiting.next)
        });
        self.key = Some(key);
        waiting.wakers.insert(key, cx.waker().clone());
        if waiting.wakers.first_key_value().is_some_and(|(first, _)| *first == key) {
            shared.arm(self.at);
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            lock(&self.shared.waiting).wakers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_end_in_the_order_of_their_instants_and_never_early() {
        let timer = Timer::fine();
        let start = Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let waits = [30_u64, 5, 15, 5].map(|millis| {
            let (timer, order) = (timer.clone(), Arc::clone(&order));
            tokio::spawn(async move {
                timer.until(start + Duration::from_millis(millis)).await;
                lock(&order).push(millis);
                assert!(start.elapsed() >= Duration::from_millis(millis));
            })
        });

        for wait in waits {
            wait.await.unwrap();
        }

        assert_eq!(*lock(&order), [5, 5, 15, 30]);
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_leaves_nothing_behind() {
        let timer = Timer::fine();
        let Timer::Fine(fine) = &timer else { panic!("this kernel has timers") };
        let wait = timer.until(Instant::now() + Duration::from_secs(3600));
        let given_up = tokio::time::timeout(Duration::from_millis(1), wait).await;

        assert!(given_up.is_err());
        assert!(lock(&fine.shared.waiting).wakers.is_empty());
    }
}
