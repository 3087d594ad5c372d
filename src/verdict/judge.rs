//! The judge: takes a drill in as it goes, and says at the end what to think of its clients.

use crate::{
    dice::Seed,
    event::Event,
    observe::Listener,
    scenario::{Expectation, Scenario, vocabulary},
    verdict::{
        attempt::Attempt,
        bench::{Bench, Scope},
        benches::Benches,
        course::{Course, Stage},
        detect::Cx,
        doubt::is_count,
        expect::{self, Judged},
        finding::{Grade, Measured},
        gates::{Facts, Gates, Leans},
        identity::Identities,
        impact::{self, Cost},
        label::Labels,
        link::Linker,
        opening::Openings,
        operation::Operation,
        oracle::{Oracle, recoverable},
        outcome::{Part, Verdict},
        outlived,
        picture::Gathered,
        taken::Taken,
        window::Windows,
    },
};
use std::sync::Arc;

/// How sure a claim has to be unless the scenario says otherwise.
const LEVEL: f64 = 0.95;
/// The least number of operations of a quantitative claim unless the scenario says otherwise.
const OPERATIONS: u64 = 30;

/// See the module's documentation.
#[derive(Debug)]
pub struct Judge {
    scenario: Arc<Scenario>,
    seed: Seed,
    oracle: Box<dyn Oracle>,
    course: Course,
    labels: Labels,
    openings: Openings,
    linker: Linker,
    benches: Benches,
    identities: Identities,
    pictures: Gathered,
}

impl Judge {
    /// A judge of a drill that plays this scenario. `user_sources` is how many ways there are to
    /// tell a user before its address; the `oracle` knows what the drill would have done.
    pub fn new(
        scenario: Arc<Scenario>,
        seed: Seed,
        user_sources: usize,
        oracle: Box<dyn Oracle>,
    ) -> Self {
        Self {
            course: Course::new(&scenario),
            labels: Labels::new(user_sources),
            openings: Openings::default(),
            linker: Linker::default(),
            benches: Benches::new(&scenario),
            identities: Identities::default(),
            pictures: Gathered::default(),
            oracle,
            scenario,
            seed,
        }
    }

    /// Takes one event in.
    pub fn fold(&mut self, event: &Event) {
        match event {
            Event::Exchange(exchange) => {
                self.course.see(exchange.t_end);
                let is_first = self.openings.is_first(exchange);
                if let Some(attempt) = Attempt::of(exchange, is_first, &mut self.labels) {
                    self.attempt(attempt);
                }
            }
            Event::Tunnel(tunnel) => {
                self.course.see(tunnel.exchange.t_end);
                if let Some(attempt) = Attempt::of_tunnel(tunnel, &mut self.labels) {
                    self.attempt(attempt);
                }
            }
            Event::Edge(edge) => self.course.edge(edge),
            Event::Connection(connection) => {
                self.course.connection(connection);
                self.pictures.connection(connection);
                self.benches.connection(connection, &self.course);
            }
            // Copies are of our making; proxies and faults by hand say nothing of clients.
            Event::Duplicate(_) | Event::Proxy { .. } | Event::ByHand(_) => {}
        }
    }

    fn attempt(&mut self, attempt: Attempt) {
        self.identities.see(&attempt);
        self.pictures.attempt(&attempt);
        self.benches.attempt(&attempt, &self.course, &self.scenario, &self.labels);
        let attempt = outlived::linked(attempt, &self.course);
        let in_calm = self.course.stage(attempt.phase) == Stage::Base && !attempt.injected;
        let mut closed = Vec::new();
        self.linker.push(attempt, in_calm, &mut |operation| closed.push(operation));
        for operation in closed {
            self.operation(&operation);
        }
    }

    fn operation(&mut self, operation: &Operation) {
        let first = operation.first();
        let is_blind = self.linker.windows().is_blind(first.route)
            && !first.is_declared
            && !operation.attempts().iter().any(Attempt::is_numbered);
        self.identities.operation(operation, &self.course, is_blind && first.key.is_none());
        self.pictures.operation(operation, &self.course);
        let recoverable = recoverable(&*self.oracle, first, &self.course);
        self.benches.operation(operation, &self.course, recoverable);
    }

    /// What to think of it. `dropped` events are missing.
    pub fn finish(mut self, dropped: u64) -> Verdict {
        self.close();
        self.verdict(dropped)
    }

    /// Says that nothing more will come.
    pub fn close(&mut self) {
        let mut closed = Vec::new();
        self.linker.finish(&mut |operation| closed.push(operation));
        for operation in closed {
            self.operation(&operation);
        }
    }

    /// What is known of each term of the vocabulary, over all traffic and all phases with faults, each
    /// claim at this level; what nothing measures is left out.
    pub fn measures(&self, dropped: u64, level: f64) -> Vec<Taken> {
        let Some(bench) = self.benches.find(Scope::default()) else { return Vec::new() };
        let gates = Gates::of(bench.base(), self.facts(dropped));
        let cx = Cx { level, ..self.cx(bench, &gates) };
        let taken = vocabulary::VOCABULARY.iter().filter_map(|term| {
            let measured = bench.measure(term.name, None, &cx)?;
            Some(Taken { term, measured })
        });
        taken.collect()
    }

    fn facts(&self, dropped: u64) -> Facts {
        Facts {
            dropped,
            failed: self.identities.failed,
            blind: self.identities.blind,
            early: self.linker.early,
        }
    }

    /// What to think of it, once it is closed. `dropped` events are missing.
    pub fn verdict(&self, dropped: u64) -> Verdict {
        let facts = self.facts(dropped);
        let parts: Vec<Part> = self.told().map(|bench| self.part(bench, facts)).collect();
        let (cost, no_cost) = match self.cost(facts) {
            None => (None, None),
            Some(Ok(cost)) => (Some(cost), None),
            Some(Err(why)) => (None, Some(why)),
        };
        let mut expectations: Vec<Judged> = self
            .scenario
            .expect
            .iter()
            .map(|expectation| self.judged(expectation, facts, cost.as_ref(), no_cost.as_deref()))
            .collect();
        expect::correct(&mut expectations, 1.0 - self.level());
        let worst = expectations.iter().map(|judged| judged.grade).max();
        let pictures = self.pictures.clone();
        let flow = self.benches.whole().flow();
        let pictures = pictures.finish(flow, &self.course, &self.labels);
        let found = || parts.iter().map(|part| part.grade).max().unwrap_or_default();
        Verdict {
            grade: worst.unwrap_or_else(found),
            expectations,
            parts,
            cost,
            no_cost,
            level: self.level(),
            seed: self.seed.0,
            on_inconclusive: self
                .scenario
                .confidence
                .map(|c| c.on_inconclusive)
                .unwrap_or_default(),
            rho: self.windows().rho(),
            cautions: self.cautions(),
            pictures,
        }
    }

    fn windows(&self) -> &Windows {
        self.linker.windows()
    }

    /// The benches that a report tells of: that of the whole, those of programs if there are several,
    /// those of test cases.
    fn told(&self) -> impl Iterator<Item = &Bench> {
        let several = self.labels.programs().count() > 1;
        self.benches.iter().filter(move |bench| {
            let scope = bench.scope();
            scope.target.is_none() && (scope.program.is_none() || several)
        })
    }

    fn part(&self, bench: &Bench, facts: Facts) -> Part {
        let gates = Gates::of(bench.base(), facts);
        let findings = bench.findings(&self.cx(bench, &gates));
        let scope = bench.scope();
        let case = |at: u16| self.labels.cases().find(|(case, _)| *case == at);
        Part {
            client: scope.program.map(|at| self.labels.program_name(at).to_owned()),
            case: scope.case.and_then(case).map(|(_, name)| name.to_owned()),
            grade: Part::grade_of(&findings),
            findings,
            gates,
        }
    }

    fn judged(
        &self,
        expectation: &Expectation,
        facts: Facts,
        cost: Option<&Cost>,
        no_cost: Option<&str>,
    ) -> Judged {
        let Some(bench) = self.bench_of(expectation) else {
            let why = Measured::NotExercised("no such client came by".to_owned());
            return expect::judge(expectation, Some(why), &self.scenario, self.level());
        };
        let gates = Gates::of(bench.base(), facts);
        let cx = self.cx(bench, &gates);
        let (measured, leans) = if expectation.name == "revenue_at_risk" {
            let measured = match (cost, no_cost) {
                (Some(cost), _) => Measured::Number {
                    low: cost.exposure.low,
                    value: cost.exposure.high,
                    high: cost.exposure.high,
                    sample: format!(
                        "{:.1} minutes, deferred purchases not subtracted",
                        cost.minutes
                    ),
                },
                (None, Some(why)) => Measured::too_few(why, "traffic in calm and under faults"),
                (None, None) => Measured::NotExercised("the scenario has no `impact`".to_owned()),
            };
            // What was lost is what was served in calm and is not any more.
            (Some(measured), Leans { on_calm: true, on_links: false })
        } else {
            let known = bench.measure_with_leans(expectation.name, expectation.phase, &cx);
            known.map_or((None, Leans::default()), |(measured, leans)| (Some(measured), leans))
        };
        // A sighting decides; a figure that happens to have no bounds does not.
        let is_counted = is_count(expectation.name)
            && matches!(&measured, Some(Measured::Number { low, high, .. }) if low >= high);
        let mut judged = expect::judge(expectation, measured, &self.scenario, self.level());
        if let Some(gate) = gates.stops(judged.grade, leans, is_counted) {
            judged.grade = Grade::Inconclusive;
            judged.said = format!("{} (but: {})", judged.said, gate.said);
            judged.needs = Some(gate.needs.clone());
        }
        judged
    }

    fn cost(&self, facts: Facts) -> Option<Result<Cost, String>> {
        let impact = self.scenario.impact.as_ref()?;
        let bench = self.benches.find(Scope { target: impact.target, ..Scope::default() })?;
        let gates = Gates::of(bench.base(), facts);
        Some(impact::cost(impact, &self.scenario, bench, &self.cx(bench, &gates)))
    }

    /// The bench that looks at what an expectation is about.
    fn bench_of(&self, expectation: &Expectation) -> Option<&Bench> {
        let program = match &expectation.client {
            Some(name) => Some(self.labels.programs().find(|(_, known)| known == name)?.0),
            None => None,
        };
        self.benches.find(Scope { program, target: expectation.target, case: None })
    }

    /// How sure a claim has to be.
    pub fn level(&self) -> f64 {
        self.scenario.confidence.map_or(LEVEL, |confidence| confidence.level.fraction())
    }

    fn cautions(&self) -> Vec<String> {
        let mut cautions = self.identities.cautions();
        if self.benches.left_out {
            cautions.push("there were more test cases than are judged each for itself".to_owned());
        }
        cautions
    }

    fn cx<'c>(&'c self, bench: &'c Bench, gates: &'c Gates) -> Cx<'c> {
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
            rho: self.windows().rho(),
            gates,
        }
    }
}

impl Listener for Judge {
    fn hear(&mut self, event: &Event) {
        self.fold(event);
    }
}
