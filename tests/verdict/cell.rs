//! One client in one outage.

use crate::world;
use firedrill::{
    demo::{self, Kind, Ledger, Policy, Tally},
    diag::{Look, Problems, Source, render},
    dice::Seed,
    event::{Event, Exchange},
    scenario::Scenario,
};
use std::{path::Path, sync::Arc, time::Duration};

/// A client of the catalogue, by name, in a scenario of `tests/verdict/scenarios`, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) client: &'static str,
    pub(crate) scenario: &'static str,
}

/// What happened.
#[derive(Debug)]
pub(crate) struct Played {
    /// Everything that was recorded, in no particular order.
    pub(crate) events: Vec<Event>,
    pub(crate) scenario: Arc<Scenario>,
    /// What was really so.
    pub(crate) truth: Truth,
}

/// What was really so: what a judge has to find out.
#[derive(Debug)]
pub(crate) struct Truth {
    /// What each user counted.
    pub(crate) users: Vec<Tally>,
    pub(crate) ledger: Ledger,
    /// What the names of all orders begin with.
    pub(crate) orders: String,
}

/// An operation of which at least one attempt was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    /// When its first attempt began.
    pub(crate) first: Duration,
    pub(crate) attempts: u64,
    pub(crate) success: Option<bool>,
}

impl Cell {
    pub(crate) const fn new(client: &'static str, scenario: &'static str) -> Self {
        Self { client, scenario }
    }

    /// Plays it. The world's `seed` decides when who wants what; whom the faults hit is decided by
    /// the scenario's.
    pub(crate) fn play(self, seed: u64) -> Played {
        world::play(self, Seed(seed))
    }

    pub(crate) fn policy(self) -> Policy {
        demo::find(self.client).unwrap_or_else(|| panic!("no client `{}`", self.client))
    }

    /// Reads its scenario.
    pub(crate) fn scenario(self) -> Scenario {
        let name = format!("{}.yaml", self.scenario);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdict/scenarios");
        let text = std::fs::read_to_string(folder.join(&name)).expect("a scenario");
        let source = Source::new(name, text);
        let mut problems = Problems::default();
        let scenario = Scenario::read(&source, None, &mut problems);
        scenario.unwrap_or_else(|| panic!("{}", render(&source, &problems, Look::Plain)))
    }
}

impl Played {
    /// The attempts.
    pub(crate) fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.events.iter().filter_map(|event| match event {
            Event::Exchange(exchange) => Some(&**exchange),
            _ => None,
        })
    }
}

impl Truth {
    /// All operations of which an attempt was made.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let of = |user: &Tally| {
            let mut firsts = vec![None; user.wanted.len()];
            for attempt in &user.log {
                let operation = usize::try_from(attempt.operation).expect("few");
                firsts[operation].get_or_insert(attempt.at);
            }
            let known = user.wanted.iter().zip(firsts).filter_map(|(wanted, first)| {
                let attempts = u64::from(wanted.attempts);
                Some(Operation {
                    kind: wanted.kind,
                    first: first?,
                    attempts,
                    success: wanted.success,
                })
            });
            known.collect::<Vec<_>>()
        };
        self.users.iter().flat_map(of).collect()
    }

    /// The requests that the clients sent.
    pub(crate) fn attempts(&self) -> u64 {
        self.users.iter().map(|user| user.attempts).sum()
    }

    /// The orders that were charged more than once.
    pub(crate) fn double_purchases(&self) -> u64 {
        self.ledger.charged_again(&self.orders)
    }
}
