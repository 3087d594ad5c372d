//! The judge: takes a drill in as it goes, and says at the end what to think of its clients.

use crate::{
    dice::Seed,
    event::Event,
    observe::Listener,
    scenario::Scenario,
    verdict::{
        attempt::Attempt,
        bench::{Bench, Scope},
        course::{Course, Stage},
        detect::Cx,
        expect::{self, Judged},
        finding::{Finding, Grade, Weight},
        label::Labels,
        link::Linker,
        operation::Operation,
    },
};
use serde::Serialize;
use std::sync::Arc;

/// How sure a claim has to be unless the scenario says otherwise.
const LEVEL: f64 = 0.95;
/// The least number of operations of a quantitative claim unless the scenario says otherwise.
const OPERATIONS: u64 = 30;
/// Client programs that are judged each for itself.
const PROGRAMS: usize = 12;
/// Test cases that are judged each for itself.
const CASES: usize = 200;

/// See the module's documentation.
#[derive(Debug)]
pub struct Judge {
    scenario: Arc<Scenario>,
    seed: Seed,
    course: Course,
    labels: Labels,
    linker: Linker,
    benches: Vec<Bench>,
    attempts: u64,
}

/// What to think of the clients of a drill.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// The grade of the whole: the worst of its expectations, else of what weighs.
    pub grade: Grade,
    /// The parts of the traffic, each with what was found; the first is all of it.
    pub parts: Vec<Part>,
    /// The expectations of the scenario, in its order.
    pub expectations: Vec<Judged>,
}

/// What was found in one part of the traffic.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The client program, if it is only that one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The test case, if it is only that one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// The worst grade of what weighs.
    pub grade: Grade,
    /// What was found, in the order of the detectors.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Whether an expectation was not met.
    pub fn has_failed(&self) -> bool {
        self.expectations.iter().any(|judged| judged.grade == Grade::Fail)
    }
}

impl Judge {
    /// A judge of a drill that plays this scenario. `user_sources` is how many ways there are to
    /// tell a user before its address.
    pub fn new(scenario: Arc<Scenario>, seed: Seed, user_sources: usize) -> Self {
        let mut benches = vec![Bench::new(Scope::default())];
        for expectation in &scenario.expect {
            let scope = Scope { target: expectation.target, ..Scope::default() };
            if expectation.client.is_none() && !benches.iter().any(|b| b.scope() == scope) {
                benches.push(Bench::new(scope));
            }
        }
        Self {
            course: Course::new(&scenario),
            labels: Labels::new(user_sources),
            linker: Linker::default(),
            benches,
            attempts: 0,
            scenario,
            seed,
        }
    }

    /// Takes one event in.
    pub fn fold(&mut self, event: &Event) {
        match event {
            Event::Exchange(exchange) => {
                self.course.see(exchange.t_end);
                if let Some(attempt) = Attempt::of(exchange, &mut self.labels) {
                    self.attempt(attempt);
                }
            }
            Event::Edge(edge) => self.course.edge(edge),
            Event::Connection(connection) => self.course.see(connection.ended),
            // Copies are of our making; proxies and faults by hand say nothing of clients.
            Event::Duplicate(_) | Event::Proxy { .. } | Event::ByHand(_) => {}
        }
    }

    fn attempt(&mut self, attempt: Attempt) {
        self.attempts += 1;
        self.open_benches(&attempt);
        for bench in self.benches.iter_mut().filter(|bench| bench.scope().holds(&attempt)) {
            bench.attempt(&attempt, &self.course);
        }
        let in_calm = self.course.stage(attempt.phase) == Stage::Base && !attempt.injected;
        let (benches, course) = (&mut self.benches, &self.course);
        self.linker.push(attempt, in_calm, &mut |operation| take(benches, course, &operation));
    }

    /// A bench for each client program and each test case, as they show up.
    fn open_benches(&mut self, attempt: &Attempt) {
        let program = Scope { program: Some(attempt.program), ..Scope::default() };
        let case = Scope { case: Some(attempt.case), ..Scope::default() };
        let wanted = self.scenario.expect.iter().any(|expectation| {
            expectation.client.as_deref() == Some(self.labels.program_name(attempt.program))
        });
        let have = |benches: &[Bench], scope: Scope| benches.iter().any(|b| b.scope() == scope);
        let count = |benches: &[Bench], is: fn(&Scope) -> bool| {
            benches.iter().filter(|bench| is(&bench.scope())).count()
        };
        let programs = count(&self.benches, |scope| scope.program.is_some());
        if !have(&self.benches, program) && (programs < PROGRAMS || wanted) {
            self.benches.push(Bench::new(program));
            for expectation in &self.scenario.expect {
                let is_its = expectation.client.as_deref()
                    == Some(self.labels.program_name(attempt.program));
                let scope = Scope { target: expectation.target, ..program };
                if is_its && !have(&self.benches, scope) {
                    self.benches.push(Bench::new(scope));
                }
            }
        }
        let cases = count(&self.benches, |scope| scope.case.is_some());
        if attempt.case > 0 && !have(&self.benches, case) && cases < CASES {
            self.benches.push(Bench::new(case));
        }
    }

    /// What to think of it.
    pub fn finish(mut self) -> Verdict {
        let (benches, course) = (&mut self.benches, &self.course);
        self.linker.finish(&mut |operation| take(benches, course, &operation));
        let parts = self.parts();
        let expectations: Vec<Judged> = self
            .scenario
            .expect
            .iter()
            .map(|expectation| {
                let bench = self.bench_of(expectation);
                let measured = bench.and_then(|bench| {
                    bench.measure(expectation.name, expectation.phase, &self.cx(bench))
                });
                expect::judge(expectation, measured, &self.scenario, self.level())
            })
            .collect();
        let worst = expectations.iter().map(|judged| judged.grade).max();
        Verdict { grade: worst.unwrap_or(Grade::Pass), parts, expectations }
    }

    fn parts(&self) -> Vec<Part> {
        let several = self.labels.programs().count() > 1;
        let told = self.benches.iter().filter(|bench| {
            let scope = bench.scope();
            scope.target.is_none() && (scope.program.is_none() || several)
        });
        told.map(|bench| {
            let findings = bench.findings(&self.cx(bench));
            let weighs = findings.iter().filter(|finding| finding.weight >= Weight::Major);
            let name = |at: u16| self.labels.program_name(at).to_owned();
            let case =
                |at: u16| self.labels.cases().find(|(c, _)| *c == at).map(|(_, n)| n.to_owned());
            Part {
                client: bench.scope().program.map(name),
                case: bench.scope().case.and_then(case),
                grade: weighs.map(|finding| finding.grade).max().unwrap_or(Grade::NotApplicable),
                findings,
            }
        })
        .collect()
    }

    /// The bench that looks at what an expectation is about.
    fn bench_of(&self, expectation: &crate::scenario::Expectation) -> Option<&Bench> {
        let program = match &expectation.client {
            Some(name) => Some(self.labels.programs().find(|(_, known)| known == name)?.0),
            None => None,
        };
        let scope = Scope { program, target: expectation.target, case: None };
        self.benches.iter().find(|bench| bench.scope() == scope)
    }

    fn level(&self) -> f64 {
        self.scenario.confidence.map_or(LEVEL, |confidence| confidence.level.fraction())
    }

    fn cx<'c>(&'c self, bench: &'c Bench) -> Cx<'c> {
        let least = self.scenario.confidence.and_then(|confidence| confidence.min_operations);
        Cx {
            course: &self.course,
            flow: bench.flow(),
            base: bench.base(),
            tracks: bench.tracks(),
            labels: &self.labels,
            level: self.level(),
            min_operations: least.unwrap_or(OPERATIONS),
            seed: self.seed,
            timeout: bench.timeout(),
            rho: self.linker.windows().rho(),
        }
    }
}

impl Listener for Judge {
    fn hear(&mut self, event: &Event) {
        self.fold(event);
    }
}

fn take(benches: &mut [Bench], course: &Course, operation: &Operation) {
    for bench in benches.iter_mut().filter(|bench| bench.scope().holds(operation.first())) {
        bench.operation(operation, course);
    }
}
