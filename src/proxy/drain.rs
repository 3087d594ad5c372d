//! How the proxy ends: idle connections at once, busy ones when they are done, and after a while
//! whatever is left.

use std::time::Duration;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What everything that is served watches for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending {
    /// Cancelled when the proxy is to stop: idle connections end, busy ones finish.
    pub(crate) draining: CancellationToken,
    /// Cancelled when it has to stop: everything ends.
    pub(crate) stopping: CancellationToken,
    /// Everything that is served.
    pub(crate) tasks: TaskTracker,
}

impl Ending {
    /// Waits for exchanges under way for at most `patience`, then ends them. Says how many
    /// connections had to be ended.
    pub(crate) async fn drain(&self, patience: Duration) -> usize {
        self.draining.cancel();
        self.tasks.close();
        if timeout(patience, self.tasks.wait()).await.is_ok() {
            return 0;
        }
        let left = self.tasks.len();
        self.stopping.cancel();
        // Ending a connection takes no peer: this is a matter of being scheduled.
        self.tasks.wait().await;
        left
    }
}
