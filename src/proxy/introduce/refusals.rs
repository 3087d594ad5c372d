//! Says why connections were refused, and not too often: who sends one wrong header sends a thousand.

use crate::proxy::ctl::lock;
use std::{net::SocketAddr, sync::Mutex, time::Duration};
use tokio::time::Instant;

/// How long nothing is said after something was.
const PAUSE: Duration = Duration::from_secs(60);

/// What was said, and when.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    said: Mutex<(Option<Instant>, u64)>,
}

impl Refusals {
    /// Notes that a connection was refused. Says so, unless it did within the last minute: then it is
    /// counted in what is said next.
    pub(crate) fn say(&self, peer: SocketAddr, why: &str) {
        if let Some(unsaid) = self.due() {
            tracing::warn!(%peer, unsaid, "closed a connection: {why}");
        }
    }

    /// How many were not told of, if it is time to tell.
    fn due(&self) -> Option<u64> {
        let mut said = lock(&self.said);
        if said.0.is_some_and(|at| at.elapsed() < PAUSE) {
            said.1 += 1;
            return None;
        }
        said.0 = Some(Instant::now());
        Some(std::mem::take(&mut said.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_told_of_once_a_minute_and_nobody_is_forgotten() {
        let refusals = Refusals::default();
        assert_eq!(refusals.due(), Some(0));
        for _ in 0..1000 {
            assert_eq!(refusals.due(), None);
        }
        tokio::time::advance(PAUSE).await;
        assert_eq!(refusals.due(), Some(1000));
        assert_eq!(refusals.due(), None);
    }
}
