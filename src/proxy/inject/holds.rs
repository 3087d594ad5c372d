//! What holds a request: delays, queues, silence.

use crate::{
    engine::Dealing,
    fault::{Effect, Stage},
    proxy::{
        ask::Ask,
        inject::{Ended, Injection},
    },
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

impl Injection {
    /// Holds for as long as all delays together say, unless the drill ends before.
    pub(super) async fn delay(&mut self, delays: &[Dealing]) {
        let asked = Instant::now();
        let time = |dealing: &Dealing| match dealing.effect {
            Effect::Delay(time) => time,
            _ => Duration::ZERO,
        };
        let total: Duration = delays.iter().map(time).sum();
        tokio::select! {
            () = self.shared.timer.until(asked + total) => {}
            () = self.ticket.over() => {}
        }
        // One after the other, as far as it came to them.
        let mut left = asked.elapsed();
        for dealing in delays {
            let own = time(dealing).min(left);
            dealing.held(own);
            left -= own;
        }
    }

    /// Lets it in, perhaps after a while, or turns it away.
    pub(super) async fn admit(&mut self, body: &mut Ask) -> Ended {
        for dealing in self.ask(Stage::Admission) {
            if let Effect::Queue(wait) = dealing.effect {
                body.held_until(self.queue(&dealing, wait)).await;
                continue;
            }
            let ended = self.end(&dealing, body).await;
            if !matches!(ended, Ended::LetGo) {
                return ended;
            }
        }
        Ended::LetGo
    }

    /// Reads the request first. If the drill ends before it did, nothing is done to it.
    pub(super) async fn is_let_go_while_read(&mut self, end: &Dealing, body: &mut Ask) -> bool {
        tokio::select! {
            biased;
            () = body.take_in() => {}
            () = self.ticket.over() => {}
        }
        let over = self.ctl.injector().is_over();
        if over {
            self.withdraw(end);
        }
        over
    }

    /// Waits for its turn, or until the fault lets go.
    pub(super) async fn queue(&mut self, by: &Dealing, wait: Duration) {
        let held = Held { by, since: Instant::now() };
        let ticket = &mut self.ticket;
        let let_go = async {
            while ticket.is_still_held(by) {
                ticket.next_change(by).await;
            }
        };
        tokio::select! {
            biased;
            () = self.shared.timer.until(held.since + wait) => {}
            () = let_go => {}
        }
    }

    /// Says nothing until the fault lets go (true) or the limit is reached (false).
    pub(super) async fn hang(&mut self, by: &Dealing, limit: Option<Duration>) -> bool {
        let _held = Held { by, since: Instant::now() };
        let ticket = &mut self.ticket;
        let held = async {
            while ticket.is_still_held(by) {
                ticket.next_change(by).await;
            }
        };
        let Some(limit) = limit else {
            held.await;
            return true;
        };
        timeout(limit, held).await.is_ok()
    }
}

/// Credits a fault with the time it held somebody, also if they gave up waiting.
struct Held<'d> {
    by: &'d Dealing,
    since: Instant,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.by.held(self.since.elapsed());
    }
}
