//! All benches of a drill: one for the whole traffic, and more as they are asked for or show up.

use crate::{
    event::Connection,
    scenario::{Expectation, Scenario},
    verdict::{
        attempt::Attempt,
        bench::{Bench, Scope},
        course::Course,
        label::Labels,
        operation::Operation,
    },
};

/// Client programs that are judged each for itself.
const PROGRAMS: usize = 12;
/// Test cases that are judged each for itself.
const CASES: usize = 100;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Benches {
    all: Vec<Bench>,
    /// Test cases that came when there was no room any more.
    pub(super) left_out: bool,
}

impl Benches {
    /// The bench of the whole, and those that the scenario asks for by a target.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let mut benches = Self { all: vec![Bench::new(Scope::default())], left_out: false };
        let asked = scenario.expect.iter().filter(|expectation| expectation.client.is_none());
        let targets = asked.map(|expectation| expectation.target);
        for target in targets.chain(scenario.impact.as_ref().map(|impact| impact.target)) {
            benches.open(Scope { target, ..Scope::default() });
        }
        benches
    }

    /// All of them; the first is of the whole.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Bench> {
        self.all.iter()
    }

    /// The one of the whole traffic.
    pub(super) fn whole(&self) -> &Bench {
        // It is always there.
        &self.all[0]
    }

    /// The one of this scope.
    pub(super) fn find(&self, scope: Scope) -> Option<&Bench> {
        self.all.iter().find(|bench| bench.scope() == scope)
    }

    pub(super) fn attempt(
        &mut self,
        attempt: &Attempt,
        course: &Course,
        scenario: &Scenario,
        labels: &Labels,
    ) {
        self.show_up(attempt, scenario, labels);
        for bench in self.all.iter_mut().filter(|bench| bench.scope().holds(attempt)) {
            bench.attempt(attempt, course);
        }
    }

    /// Nobody knows whose it was: it is for the whole alone.
    pub(super) fn connection(&mut self, connection: &Connection, course: &Course) {
        self.all[0].connection(connection, course);
    }

    pub(super) fn operation(
        &mut self,
        operation: &Operation,
        course: &Course,
        recoverable: Option<f64>,
    ) {
        let first = operation.first();
        for bench in self.all.iter_mut().filter(|bench| bench.scope().holds(first)) {
            bench.operation(operation, course, recoverable);
        }
    }

    /// A bench for each client program and each test case, as they show up.
    fn show_up(&mut self, attempt: &Attempt, scenario: &Scenario, labels: &Labels) {
        let program = Scope { program: Some(attempt.program), ..Scope::default() };
        if self.find(program).is_none() {
            let name = labels.program_name(attempt.program);
            let is_its = |expectation: &&Expectation| expectation.client.as_deref() == Some(name);
            let asked: Vec<&Expectation> = scenario.expect.iter().filter(is_its).collect();
            if self.count(|scope| scope.program.is_some()) < PROGRAMS || !asked.is_empty() {
                self.open(program);
            }
            for expectation in asked {
                self.open(Scope { target: expectation.target, ..program });
            }
        }
        let case = Scope { case: Some(attempt.case), ..Scope::default() };
        if attempt.case > 0 && self.find(case).is_none() {
            if self.count(|scope| scope.case.is_some()) < CASES {
                self.open(case);
            } else {
                self.left_out = true;
            }
        }
    }

    fn open(&mut self, scope: Scope) {
        if self.find(scope).is_none() {
            self.all.push(Bench::new(scope));
        }
    }

    fn count(&self, is: fn(&Scope) -> bool) -> usize {
        self.all.iter().filter(|bench| is(&bench.scope())).count()
    }
}
