//! The one task that walks the timeline and says what is in force.

use crate::engine::shared::Shared;
use std::sync::{Arc, atomic::Ordering};
use tokio::time::{Instant, sleep_until};

/// Plays the timeline to its end, or until it is told to stop.
pub(super) async fn direct(shared: Arc<Shared>) {
    if !shared.wait_for_traffic {
        play(&shared);
    }
    let mut published: Option<usize> = None;
    let mut due = None;
    loop {
        let clock = shared.clock.load_full();
        let now = shared.tick();
        let position = clock.position(now);
        if shared.stop.load(Ordering::Acquire) || (position.is_none() && due.is_none()) {
            break;
        }
        let phase = position.map(|position| position.phase);
        let waiting = !clock.is_playing() && published.is_none() && shared.wait_for_traffic;
        if phase != published && !waiting {
            if phase.is_none() {
                break;
            }
            // An edge that a command brought about was due when it was commanded: now.
            shared.publish(phase, due.unwrap_or(now));
            published = phase;
        }
        due = None;
        // A paused clock has no next edge; a command wakes this wait like any other.
        match clock.next_edge(now) {
            Some(edge) => tokio::select! {
                () = sleep_until(shared.epoch + edge.at) => due = Some(edge.at),
                () = shared.commanded.notified() => {}
            },
            None => shared.commanded.notified().await,
        }
    }
    let planned = due.unwrap_or_else(|| shared.tick());
    shared.end(planned);
}

/// Sets the clock going.
pub(super) fn play(shared: &Shared) {
    let now = shared.tick();
    shared.clock.rcu(|clock| {
        let mut clock = (**clock).clone();
        clock.resume(now);
        clock
    });
}

/// The instant of a tick.
pub(super) fn instant(shared: &Shared, tick: std::time::Duration) -> Instant {
    shared.epoch + tick
}
