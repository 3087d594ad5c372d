//! The dealings with one request: asked stage by stage, each at its own moment.

use crate::{
    engine::{
        active::stage_bit,
        armed::{Armed, FaultCount, Whom},
        counted::Counted,
        shared::{Change, Shared},
        station::{InForce, Station},
    },
    event::{Dealt, Did},
    fault::{Close, Cx, Effect, Loss, Stage},
    timeline::Moment,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How often somebody who is held by a fault whose share moves is looked at again.
const RECHECK: Duration = Duration::from_millis(50);

/// A request's dealings.
#[derive(Debug)]
pub struct Ticket {
    shared: Arc<Shared>,
    station: Arc<Station>,
    whom: Whom,
    /// Whether the request is a gRPC call.
    grpc: bool,
    /// The faults that were asked already.
    known: Vec<Known>,
    changes: Option<watch::Receiver<Change>>,
}

/// A fault counts a request once, however many stages it acts at and phases it is in.
#[derive(Debug)]
struct Known {
    /// What all phases that name the fault share.
    count: Arc<FaultCount>,
    has_times_left: Option<bool>,
    hit: Arc<AtomicBool>,
}

/// What is dealt at one stage.
#[derive(Debug)]
pub struct Dealing {
    /// What to do.
    pub effect: Effect,
    /// Whose doing it is.
    pub dealt: Dealt,
    /// The phase in which it was dealt; `None` for a fault by hand.
    pub phase: Option<usize>,
    armed: Arc<Armed>,
    /// Whether the request counts as one that the fault hit, by whatever it did.
    hit: Arc<AtomicBool>,
}

/// A fault that has a request in its hold.
#[derive(Debug)]
pub struct Hold {
    shared: Arc<Shared>,
    station: Arc<Station>,
    whom: Whom,
    armed: Arc<Armed>,
}

impl Dealing {
    /// Whether it comes about in any case. A loss needs an answer to lose, a duplicate a body that is
    /// short enough, a cut one that is long enough, and an edit something that it changes; whoever
    /// carries these out says when it came to them.
    pub fn is_certain(&self) -> bool {
        !matches!(
            self.effect,
            Effect::Lose(_)
                | Effect::Duplicate { .. }
                | Effect::Cut { .. }
                | Effect::Finish { .. }
                | Effect::EditHead(_)
                | Effect::EditBody(_)
                | Effect::Shape(_)
        )
    }

    /// Notes that it came about after all. Says whether it is the first that the fault did to the request.
    pub fn came_about(&self) -> bool {
        let first = !self.hit.swap(true, Ordering::AcqRel);
        if first {
            self.armed.count.hit();
        }
        first
    }

    /// Notes for how long it held the message.
    pub fn held(&self, time: Duration) {
        self.armed.count.held(time);
    }
}

impl Ticket {
    pub(super) fn new(shared: Arc<Shared>, station: Arc<Station>, whom: Whom) -> Self {
        Self { shared, station, whom, grpc: false, known: Vec::new(), changes: None }
    }

    /// The same for a request that is a gRPC call, if it `is` one.
    #[must_use]
    pub fn of_grpc(self, is: bool) -> Self {
        Self { grpc: is, ..self }
    }

    /// What is dealt at `stage` now: all delays, edits and shapes, but only the first that ends
    /// the exchange.
    pub fn ask(&mut self, stage: Stage) -> Vec<Dealing> {
        let mut dealings = Vec::new();
        // Most scenarios ask at two or three of the stages; the others take no look at the clock.
        if !self.station.ever_asks(stage_bit(stage)) {
            return dealings;
        }
        let in_force = self.shared.in_force(&self.station);
        for (armed, moment) in in_force.faults().filter(|(armed, _)| armed.acts_at(stage)) {
            if !self.hits(armed, &moment) {
                continue;
            }
            let (message, connection, shared) = armed.dice(&self.whom);
            let (user, now) = (self.whom.user.unwrap_or(0), self.shared.tick());
            let grpc = self.grpc;
            let cx = Cx { moment, message, connection, shared, user, now, grpc };
            let effect = armed.fault.decide(stage, &cx);
            let Some(did) = did(&effect) else {
                continue;
            };
            let ends = !matches!(
                effect,
                Effect::Delay(_)
                    | Effect::Queue(_)
                    | Effect::Duplicate { .. }
                    | Effect::EditHead(_)
                    | Effect::EditBody(_)
                    | Effect::Shape(_)
            );
            let dealt = Dealt { fault: Arc::clone(&armed.name), kind: armed.kind, did };
            let phase = armed.origin.phase();
            let at = self.place_of(armed);
            let hit = Arc::clone(&self.known[at].hit);
            let dealing = Dealing { effect, dealt, phase, armed: Arc::clone(armed), hit };
            if dealing.is_certain() {
                dealing.came_about();
            }
            dealings.push(dealing);
            // It fell to this slice; the others were meant for it as well.
            for (other, at) in in_force.faults().filter(|(other, _)| other.is_beside(armed)) {
                if other.is_meant_for(self.whom.targets) && other.is_on(&at) {
                    self.place_of(other);
                }
            }
            // Whoever loses the answer leaves the request to others that send it.
            if ends && stage != Stage::Upstream {
                break;
            }
        }
        dealings
    }

    /// Has the connection that the request made a tunnel of count each fault once with it.
    pub fn goes_on_in(&self, connection: &Counted) {
        for known in &self.known {
            connection.was_counted(&known.count, known.hit.load(Ordering::Acquire));
        }
    }

    /// Whether a fault that holds this request still does, at this moment.
    pub fn is_still_held(&mut self, by: &Dealing) -> bool {
        // Before looking, so that no change between a look and the wait after it is missed.
        self.changes.get_or_insert_with(|| self.station.change.subscribe());
        held_at(&self.shared.in_force(&self.station), &self.whom, &by.armed).is_some()
    }

    /// Whether and where in its phase a fault goes on, for a body that outlives this ticket.
    pub fn hold(&self, by: &Dealing) -> Hold {
        let (shared, station) = (Arc::clone(&self.shared), Arc::clone(&self.station));
        Hold { shared, station, whom: self.whom, armed: Arc::clone(&by.armed) }
    }

    /// Waits for the next moment at which a fault that holds this request may let go.
    pub async fn next_change(&mut self, by: &Dealing) {
        let until = self.recheck_at(by);
        let changes = self.changes.get_or_insert_with(|| self.station.change.subscribe());
        tokio::select! {
            _ = changes.changed() => {}
            () = async {
                match until {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }

    /// Waits for the end of the drill, which lets go of everything.
    pub async fn over(&mut self) {
        let changes = self.changes.get_or_insert_with(|| self.station.change.subscribe());
        // The sender lives as long as the run; its loss is an end as well.
        let _over = changes.wait_for(|change| change.over).await;
    }

    fn recheck_at(&self, by: &Dealing) -> Option<Instant> {
        let in_force = self.shared.in_force(&self.station);
        let (armed, moment) = going_on(&in_force, &by.armed)?;
        if armed.share_moves() {
            return Some(Instant::now() + RECHECK);
        }
        let change = moment.elapsed + armed.pattern()?.until_change(moment.elapsed);
        Some(self.shared.epoch + armed.origin.due(&self.shared, change)?)
    }

    fn hits(&mut self, armed: &Armed, moment: &Moment) -> bool {
        if !armed.is_meant_for(self.whom.targets) || !armed.is_on(moment) {
            return false;
        }
        let at = self.place_of(armed);
        // Asked each time, since the share may move; the point it is compared with never does.
        armed.includes(&self.whom, moment)
            && *self.known[at]
                .has_times_left
                .get_or_insert_with(|| armed.has_times_left(&self.whom, &self.shared.times))
    }

    /// Where a fault is among those that were asked already; counts if it was not.
    fn place_of(&mut self, armed: &Armed) -> usize {
        let is_it = |known: &Known| Arc::ptr_eq(&known.count, &armed.count);
        self.known.iter().position(is_it).unwrap_or_else(|| {
            armed.count.consider();
            let count = Arc::clone(&armed.count);
            self.known.push(Known { count, has_times_left: None, hit: Arc::default() });
            self.known.len() - 1
        })
    }
}

impl Hold {
    /// Where in its phase the fault is, if it is still in force for this request.
    pub fn moment(&self) -> Option<Moment> {
        held_at(&self.shared.in_force(&self.station), &self.whom, &self.armed)
    }
}

fn held_at(in_force: &InForce, whom: &Whom, by: &Armed) -> Option<Moment> {
    let (armed, moment) = going_on(in_force, by)?;
    let holds =
        armed.is_on(&moment) && armed.is_meant_for(whom.targets) && armed.includes(whom, &moment);
    holds.then_some(moment)
}

/// A fault that dealt something, as it is now: it may go on in the next phase under the same name, or
/// have been changed by hand. It is told by its count, since others may have its name.
fn going_on<'s>(in_force: &'s InForce, by: &Armed) -> Option<(&'s Arc<Armed>, Moment)> {
    let is_it = |armed: &Armed| Arc::ptr_eq(&armed.count, &by.count) && armed.kind == by.kind;
    in_force.faults().find(|(armed, _)| is_it(armed))
}

fn did(effect: &Effect) -> Option<Did> {
    Some(match effect {
        Effect::Pass => return None,
        Effect::Delay(time) => Did::Delayed(*time),
        Effect::Queue(time) => Did::Queued(*time),
        Effect::Respond(canned) => Did::Responded(canned.status.as_u16()),
        Effect::Hang { .. } => Did::Hung,
        Effect::Close(Close::Fin) => Did::Closed,
        Effect::Close(Close::Reset | Close::ResetStream(_)) => Did::Reset,
        Effect::GoAway(_) => Did::SentAway,
        Effect::Duplicate { .. } => Did::Duplicated,
        Effect::Say(_) | Effect::Lose(Loss::Say(_)) => Did::Malformed,
        Effect::Lose(Loss::Close(_) | Loss::Hang | Loss::Respond(_)) => Did::LostResponse,
        Effect::EditHead(_) | Effect::EditBody(_) => Did::Edited,
        Effect::Cut { .. } | Effect::Finish { .. } => Did::Cut,
        Effect::Handshake(flaw) => Did::Handshake(flaw.name()),
        Effect::Shape(_) => Did::Shaped,
    })
}
