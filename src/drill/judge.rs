//! The judge of a drill, with the drill's own knowledge of what it would have done.

use crate::{
    engine::{Forecast, Play, Site},
    fault::catalog::Protocol,
    scenario::Scenario,
    select::Users,
    timeline::{Speed, Timeline},
    verdict::{Judge, Oracle},
};
use std::{sync::Arc, time::Duration};

/// A judge of a drill. With several proxies nobody knows what might have been, since operations are
/// not told apart by them.
pub fn judge(
    scenario: &Arc<Scenario>,
    play: &Play,
    users: &Users,
    proxies: &[(String, Protocol)],
) -> Judge {
    // Of a scenario that needs TLS only one with TLS can be the only proxy.
    let site = |name: &str, protocol| Site {
        name: name.into(),
        protocol,
        tls: true,
        users: Arc::new(users.clone()),
    };
    let oracle: Box<dyn Oracle> = match proxies {
        [(name, protocol)] => Box::new(Foresight {
            forecast: Forecast::new(scenario, play, &site(name, *protocol)),
            timeline: scenario.timeline(play.longest_phase),
            speed: play.speed,
            start_at: play.start_at,
        }),
        _ => Box::new(()),
    };
    Judge::new(Arc::clone(scenario), play.seed, users.sources.len(), oracle)
}

/// A forecast that is asked in real time.
#[derive(Debug)]
struct Foresight {
    forecast: Forecast,
    timeline: Timeline,
    speed: Speed,
    start_at: Duration,
}

impl Oracle for Foresight {
    fn denied(
        &self,
        user: u64,
        targets: u64,
        phase: usize,
        elapsed: Duration,
        later: Duration,
    ) -> Option<f64> {
        let begins = self.timeline.start_of(phase);
        // The phase that a drill was started in is short of its beginning.
        let from = if self.start_at < self.timeline.start_of(phase + 1) {
            begins.max(self.start_at)
        } else {
            begins
        };
        let at = self.timeline.advance(from, elapsed + later, self.speed);
        // Beyond its end a drill lets everything pass.
        let Some(position) = self.timeline.position(at) else { return Some(0.0) };
        self.forecast.fails(user, targets, position.phase, position.elapsed)
    }
}
