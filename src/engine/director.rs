//! The one task that walks the timeline and says what is in force.

use crate::{
    engine::shared::{Shared, flag},
    fault::Tick,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// How long before an edge requests begin to be held against the clock, so that none slips through
/// between the edge and the moment at which a timer tells of it.
const LEAD: Duration = Duration::from_millis(10);

/// Plays the timeline to its end, or until it is told to stop.
pub(super) async fn direct(shared: Arc<Shared>) {
    let mut due = None;
    loop {
        let clock = shared.clock.load_full();
        let now = shared.tick();
        let position = clock.position(now);
        if shared.stop.load(Ordering::Acquire) {
            break;
        }
        let phase = position.map(|position| position.phase);
        if phase.is_none() {
            break;
        }
        let waiting = shared.flags() & flag::WAITING != 0 && !clock.is_playing();
        if !waiting {
            // An edge that a command brought about was due when it was commanded: now.
            shared.publish(phase, due.unwrap_or(now));
        }
        due = None;
        // A paused clock has no next edge; a command wakes this wait like any other.
        match clock.next_edge(now) {
            Some(edge) => {
                let lead = edge.at.saturating_sub(LEAD);
                if now < lead {
                    tokio::select! {
                        () = sleep_until(shared.epoch + lead) => {}
                        () = shared.commanded.notified() => {}
                    }
                } else {
                    shared.expect(edge.phase);
                    tokio::select! {
                        () = sleep_until(shared.epoch + edge.at) => due = Some(edge.at),
                        () = shared.commanded.notified() => {}
                    }
                }
            }
            None => shared.commanded.notified().await,
        }
    }
    let planned = due.unwrap_or_else(|| shared.tick());
    shared.end(planned);
}

/// Sets the clock going as of `now`, and puts the first phase in force.
pub(super) fn play(shared: &Shared, now: Tick) {
    shared.clock.rcu(|clock| {
        let mut clock = (**clock).clone();
        clock.resume(now);
        clock
    });
    if let Some(position) = shared.clock.load().position(now) {
        shared.publish(Some(position.phase), now);
    }
}

/// The instant of a tick.
pub(super) fn instant(shared: &Shared, tick: Duration) -> Instant {
    shared.epoch + tick
}
