//! The one task that walks the timeline and says what is in force.

use crate::{engine::shared::Shared, fault::Tick};
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
    let mut commanded = false;
    loop {
        let clock = shared.clock.load_full();
        let now = shared.tick();
        let stopped = shared.stop.load(Ordering::Acquire);
        let phase = clock.position(now).map(|position| position.phase).filter(|_| !stopped);
        // An edge that a command brought about was due when it was commanded: now. Any other was
        // due when the clock says, however late we are.
        let start = shared.timeline.start_of(phase.unwrap_or(usize::MAX));
        let planned = if commanded || stopped { now } else { clock.due(start) };
        if phase.is_none() {
            return shared.end(planned);
        }
        let waiting = shared.waiting.load(Ordering::Acquire) && !clock.is_playing();
        if !waiting {
            shared.publish(phase, planned);
        }
        // A paused clock has no next edge; a command wakes this wait like any other.
        let Some(edge) = clock.next_edge(now) else {
            shared.commanded.notified().await;
            commanded = true;
            continue;
        };
        let lead = edge.at.saturating_sub(LEAD);
        let until = if now < lead {
            lead
        } else {
            shared.expect(edge.phase);
            edge.at
        };
        commanded = tokio::select! {
            () = sleep_until(shared.epoch + until) => false,
            () = shared.commanded.notified() => true,
        };
    }
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
