//! The course of a drill: what played when, as far as a judge of clients cares.

use crate::{
    event::{Connection, EndedBy, PhaseEdge},
    scenario::Scenario,
    verdict::span::whole,
};

/// What comes later is not told apart by time: three days, in seconds.
const LONGEST: usize = 3 * 24 * 3600;

/// Where in a drill something falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Before the first phase with faults: the calm that everything is compared with.
    Base,
    /// In a phase with faults.
    Fault,
    /// In a phase without faults between two that have some.
    Between,
    /// After the last phase with faults.
    After,
}

/// A phase as it was played.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Its name.
    pub name: String,
    /// Whether something is wrong in it.
    pub is_faulty: bool,
    /// When it began, in microseconds since the drill's start.
    pub begun: Option<u64>,
    /// When it ended.
    pub ended: Option<u64>,
}

/// What played when.
#[derive(Clone, Debug)]
pub struct Course {
    legs: Vec<Leg>,
    first_faulty: Option<usize>,
    last_faulty: Option<usize>,
    /// The end of all that was seen.
    horizon: u64,
    drained: Vec<u32>,
    knocks: Vec<u32>,
}

impl Course {
    /// The course that a scenario will take.
    pub fn new(scenario: &Scenario) -> Self {
        let legs: Vec<Leg> = scenario
            .phases
            .iter()
            .map(|phase| Leg {
                name: phase.name.clone(),
                is_faulty: !phase.faults.is_empty(),
                begun: None,
                ended: None,
            })
            .collect();
        Self {
            first_faulty: legs.iter().position(|leg| leg.is_faulty),
            last_faulty: legs.iter().rposition(|leg| leg.is_faulty),
            legs,
            horizon: 0,
            drained: Vec::new(),
            knocks: Vec::new(),
        }
    }

    /// A phase began, or the timeline ended.
    pub fn edge(&mut self, edge: &PhaseEdge) {
        let at = u64::try_from(edge.actual.as_micros()).unwrap_or(u64::MAX);
        for leg in &mut self.legs {
            if leg.begun.is_some() && leg.ended.is_none() {
                leg.ended = Some(at);
            }
        }
        if let Some(leg) = edge.phase.and_then(|phase| self.legs.get_mut(phase)) {
            // One that is played again counts from its first beginning to its last end.
            leg.begun.get_or_insert(at);
            leg.ended = None;
        }
        self.see(at);
    }

    /// A connection ended.
    pub fn connection(&mut self, connection: &Connection) {
        self.see(connection.ended);
        if connection.ended_by == EndedBy::Drained {
            count(&mut self.drained, connection.ended);
        } else if connection.relay.is_none() {
            count(&mut self.knocks, connection.accepted);
        }
    }

    /// How many connections were made on which nothing was asked, by seconds: somebody tried, and nobody
    /// knows who.
    pub fn knocks(&self) -> &[u32] {
        &self.knocks
    }

    /// How many idle connections the edges of phases closed, by seconds.
    pub fn drained(&self) -> &[u32] {
        &self.drained
    }

    /// Something was seen as late as this.
    pub fn see(&mut self, at: u64) {
        self.horizon = self.horizon.max(at);
    }

    /// The end of all that was seen.
    pub fn horizon(&self) -> u64 {
        self.horizon
    }

    /// The phases.
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    /// Where in the drill a phase falls; `None` before the drill plays, or after it.
    pub fn stage(&self, phase: Option<u16>) -> Stage {
        let (Some(first), Some(last)) = (self.first_faulty, self.last_faulty) else {
            return Stage::Base;
        };
        let Some(phase) = phase.map(usize::from) else {
            let over = self.legs[last].ended.is_some();
            return if over { Stage::After } else { Stage::Base };
        };
        match phase {
            _ if phase < first => Stage::Base,
            _ if phase > last => Stage::After,
            _ if self.legs.get(phase).is_some_and(|leg| leg.is_faulty) => Stage::Fault,
            _ => Stage::Between,
        }
    }

    /// Whether a phase is one of those that a question is about: the one named, else all with faults.
    pub fn is_asked(&self, asked: Option<usize>, phase: Option<u16>) -> bool {
        match asked {
            Some(asked) => phase.map(usize::from) == Some(asked),
            None => self.stage(phase) == Stage::Fault,
        }
    }

    /// How long all phases of a stage were played, in seconds.
    pub fn seconds(&self, stage: Stage) -> f64 {
        let legs = (0..self.legs.len()).filter(|at| self.stage(u16::try_from(*at).ok()) == stage);
        legs.map(|at| self.seconds_of(at)).sum()
    }

    /// How long the phases that a question is about were played, in seconds.
    pub fn seconds_asked(&self, asked: Option<usize>) -> f64 {
        asked.map_or_else(|| self.seconds(Stage::Fault), |phase| self.seconds_of(phase))
    }

    /// How long a phase was played, in seconds.
    pub fn seconds_of(&self, phase: usize) -> f64 {
        let Some(leg) = self.legs.get(phase) else { return 0.0 };
        let Some(begun) = leg.begun else { return 0.0 };
        let ended = leg.ended.unwrap_or(self.horizon);
        ended.saturating_sub(begun) as f64 / 1e6
    }

    /// When the first phase with faults began.
    pub fn fault_begun(&self) -> Option<u64> {
        self.legs.get(self.first_faulty?)?.begun
    }

    /// When the last phase with faults ended; `None` while it has not.
    pub fn fault_ended(&self) -> Option<u64> {
        self.legs.get(self.last_faulty?)?.ended
    }

    /// When the outage ended that a phase belongs to: the phases with faults that follow on each
    /// other without a calm one between. `None` while it goes on, or if nothing is wrong in it.
    pub fn outage_end(&self, phase: Option<u16>) -> Option<u64> {
        let from = usize::from(phase?);
        let legs = self.legs.get(from..)?.iter();
        let played = legs.take_while(|leg| leg.is_faulty && leg.begun.is_some());
        played.last()?.ended
    }

    /// Whether anything was to go wrong.
    pub fn has_faults(&self) -> bool {
        self.first_faulty.is_some()
    }
}

/// One more in the second of this time.
fn count(seconds: &mut Vec<u32>, at: u64) {
    let second = whole(at).min(LONGEST);
    if seconds.len() <= second {
        seconds.resize(second + 1, 0);
    }
    seconds[second] += 1;
}
