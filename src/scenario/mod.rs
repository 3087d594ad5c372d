//! The whole, as the user wrote it: read, checked, immutable.
//!
//! Reading goes in three steps: [`yaml`](crate::yaml) makes a tree, the files here make a draft
//! of it whose values still know their places, and `check` looks for what only shows between
//! values. Every step notes what is wrong and goes on, so that all problems are told at once.

mod alone;
pub mod bundled;
mod check;
mod draft;
mod entry;
mod expect;
mod file;
mod impact;
mod keys;
mod names;
mod phases;
mod schema;
mod share;
mod targets;
mod touched;
pub mod vocabulary;
mod when;

pub use crate::yaml::MAX_BYTES;
pub use alone::FaultAlone;
pub(crate) use file::KEYS;
pub(crate) use keys::entry_keys;
pub(crate) use schema::{mapping as schema_of, scenario_schema};
pub use touched::Touched;

use crate::{
    diag::Span,
    dice::Seed,
    fault::Fault,
    select::{Matcher, Unit, Users},
    timeline::{Moving, Pattern, Stretch, Timeline},
    units::Percent,
};
use std::{sync::Arc, time::Duration};

/// A scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its short name.
    pub name: String,
    /// One line for people.
    pub title: Option<String>,
    /// What happened, to whom, what clients saw.
    pub about: Option<String>,
    /// Where that is from.
    pub sources: Vec<String>,
    /// What its choices follow from, unless the command line says otherwise.
    pub seed: Option<Seed>,
    /// What it talks about, in the order of the file; matchers written in place come last.
    pub targets: Vec<Target>,
    /// Who is one user.
    pub users: Users,
    /// What happens, in order.
    pub phases: Vec<Phase>,
    /// What a good client does; judged from the record.
    pub expect: Vec<Expectation>,
    /// How sure a judgement has to be.
    pub confidence: Option<Confidence>,
    /// When to stop by ourselves.
    pub stop_when: Vec<StopRule>,
    /// What it costs.
    pub impact: Option<Impact>,
}

/// A set of requests with a name.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name; for a matcher written in place, what it matches.
    pub name: String,
    /// Any of these means it.
    pub matchers: Vec<Matcher>,
}

/// A stretch of the scenario.
#[derive(Clone, Debug)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// A remark for plans and reports.
    pub about: Option<String>,
    /// Scenario time it takes.
    pub length: Duration,
    /// Whether `--speed` and `--longest-phase` apply to it.
    pub compress: bool,
    /// What its beginning does to connections that are open.
    pub connections: OpenConnections,
    /// What is wrong during it, in the order of the file.
    pub faults: Vec<FaultEntry>,
}

/// What a phase's edge does to connections that are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenConnections {
    /// Nothing.
    #[default]
    Keep,
    /// They end after the exchange they carry.
    Drain,
    /// They end at once, with a RST.
    Reset,
}

/// One fault in one phase: what, whom, when.
#[derive(Clone, Debug)]
pub struct FaultEntry {
    /// What tells it apart in reports and in the dice: its `name`, or else `kind`, `kind:target`
    /// (`kind:word:target` if the kind's faults do unlike things), and `#2` for the second such in its phase. Equal names in different phases make equal
    /// choices, so that an onset that ramps up and the plateau after it hit the same users.
    pub name: String,
    /// Its key in the catalogue.
    pub kind: &'static str,
    /// The fault.
    pub fault: Arc<dyn Fault>,
    /// Which requests, by their place in [`Scenario::targets`]; empty means all.
    pub targets: Vec<usize>,
    /// On which proxy, if the drill has several.
    pub proxy: Option<String>,
    /// How many, and of what.
    pub share: Share,
    /// On and off inside the phase.
    pub pattern: Option<Pattern>,
    /// Only the first few times.
    pub times: Option<Times>,
    /// Faults of one cohort and one share hit the same users.
    pub cohort: Option<String>,
    /// The `one_of` group it is a slice of, numbered within the phase.
    pub group: Option<usize>,
    /// Where the file says so.
    pub places: Places,
}

/// Where the parts of a fault entry stand in their file, for what is found wrong with them later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The key that names the fault.
    pub fault: Span,
    /// The value of `proxy`.
    pub proxy: Option<Span>,
    /// The value of `target`.
    pub target: Option<Span>,
    /// The value of `share`.
    pub share: Option<Span>,
    /// The value of `times`.
    pub times: Option<Span>,
}

/// How many of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// How many.
    pub amount: Moving<Percent>,
    /// Of what.
    pub unit: Unit,
}

/// A fault that lets through after the first few times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How often it hits.
    pub first: u32,
    /// Counted for each of what.
    pub per: Per,
}

/// What `times` counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// One thing the client wants done, with all its attempts.
    Operation,
    /// One user.
    User,
    /// The whole drill.
    Run,
}

/// One line of `expect:`, checked against the vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Its name in the vocabulary.
    pub name: &'static str,
    /// The limit, as the file writes it.
    pub limit: String,
    /// What it means.
    pub bound: Bound,
    /// Only this phase, by its place in the file.
    pub phase: Option<usize>,
    /// Only this target, by its place in [`Scenario::targets`].
    pub target: Option<usize>,
    /// Only this client.
    pub client: Option<String>,
}

/// A limit in base units: seconds, fractions, ratios, counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// From this to that.
    Within(f64, f64),
    /// This word.
    Word(&'static str),
    /// This answer.
    Flag(bool),
    /// Requests like these.
    Route(Box<Matcher>),
    /// A circuit breaker like this.
    Breaker(Breaker),
}

/// What is expected of a circuit breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// How soon it opens at the latest.
    pub opens_within: Option<Duration>,
    /// After how many failures it opens at the latest.
    pub after_failures: Option<u64>,
    /// How often it probes at the most.
    pub probe_interval: Option<Duration>,
    /// How soon it closes at the latest.
    pub closes_within: Option<Duration>,
}

/// How sure a judgement has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// The level, as a fraction.
    pub level: Percent,
    /// The least number of operations.
    pub min_operations: Option<u64>,
    /// What to make of an expectation that nobody can say of whether it is met.
    pub on_inconclusive: OnInconclusive,
}

/// What to make of an expectation that nobody can say of whether it is met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInconclusive {
    /// It is told, and decides nothing.
    #[default]
    Warn,
    /// It was not met.
    Fail,
    /// It is told, and counts as met where only that can be said: in JUnit.
    Pass,
}

/// A condition that ends the drill.
#[derive(Clone, Debug, PartialEq)]
pub struct StopRule {
    /// What is watched.
    pub what: &'static str,
    /// The level above which it counts.
    pub above: Percent,
    /// For how long it has to stay there.
    pub lasting: Duration,
}

/// What an outage costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Impact {
    /// Money per minute of total failure: low and high.
    pub per_minute: (f64, f64),
    /// In what.
    pub currency: String,
    /// Which requests earn it, by their place in [`Scenario::targets`].
    pub target: Option<usize>,
}

impl Scenario {
    /// Nothing ever happens in it.
    pub fn empty() -> Self {
        Self {
            name: String::new(),
            title: None,
            about: None,
            sources: Vec::new(),
            seed: None,
            targets: Vec::new(),
            users: Users::default(),
            phases: Vec::new(),
            expect: Vec::new(),
            confidence: None,
            stop_when: Vec::new(),
            impact: None,
        }
    }

    /// Its phases as a timeline; plateaus (phases in which nothing moves) no longer than
    /// `longest`.
    pub fn timeline(&self, longest: Option<Duration>) -> Timeline {
        let stretch = |phase: &Phase| {
            let shorten = phase.compress && !phase.moves();
            let length = longest.filter(|_| shorten).map_or(phase.length, |l| l.min(phase.length));
            Stretch { length, compress: phase.compress }
        };
        Timeline::new(self.phases.iter().map(stretch).collect())
    }
}

impl FaultEntry {
    /// Whether it is meant for some requests and not others, so that it means nothing where there
    /// are none.
    pub fn chooses_requests(&self) -> bool {
        !self.targets.is_empty()
            || self.times.is_some()
            || self.share.unit == Unit::Requests && !self.share.is_all()
    }
}

impl Phase {
    /// Whether anything in it moves; if not, it is a plateau.
    pub fn moves(&self) -> bool {
        self.faults.iter().any(|entry| entry.share.amount.moves() || entry.fault.moves())
    }
}

#[cfg(test)]
mod tests;
