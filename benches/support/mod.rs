//! What several benches need: scenarios from text, and a run that plays one.

#![allow(dead_code, reason = "each bench uses a part of it")]
#![allow(clippy::allow_attributes, reason = "which part is unused differs from bench to bench")]

use firedrill::{
    diag::{Problems, Source},
    dice::Seed,
    engine::{Injector, Play, Run},
    event::Recorder,
    scenario::Scenario,
    select::RequestView,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use std::{net::Ipv4Addr, sync::Arc};
use tokio::runtime::{Builder, Runtime};

/// A scenario with one phase of an hour in which `faults`, a line of YAML each, are in force.
pub(crate) fn scenario(faults: &[&str]) -> Arc<Scenario> {
    let mut text = String::from(
        "name: bench
targets:
  purchase: { method: POST, path: /purchase/** }
  items: { path: '/items/{id}' }
  search: { path: /search, query: { q: '*' } }
phases:
  - name: outage
    for: 1h
",
    );
    if !faults.is_empty() {
        text.push_str("    faults:\n");
    }
    for fault in faults {
        text.push_str(&format!("      - {fault}\n"));
    }
    Arc::new(read(&text))
}

/// Reads a scenario that has nothing wrong with it but, at most, warnings.
pub(crate) fn read(text: &str) -> Scenario {
    let source = Source::new("bench.yaml", text);
    let mut problems = Problems::default();
    let scenario = Scenario::read(&source, None, &mut problems);
    scenario.unwrap_or_else(|| panic!("{}", firedrill::diag::summary(&source, &problems)))
}

/// A run whose first phase is in force, and stays so while this lives.
#[derive(Debug)]
pub(crate) struct Played {
    /// The face that asks.
    pub(crate) injector: Injector,
    _run: Run,
    _runtime: Runtime,
}

impl Played {
    /// Plays a scenario.
    pub(crate) fn new(scenario: Arc<Scenario>) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let run = runtime.block_on(async {
            let recorder = Arc::new(Recorder::new(1_000, false));
            let run = Run::start(scenario, &Play::with_seed(Seed(20_130_821)), recorder);
            let mut changes = run.injector().changes();
            changes.wait_for(|change| change.phase.is_some()).await.expect("the run lives");
            run
        });
        Self { injector: run.injector(), _run: run, _runtime: runtime }
    }
}

/// A request as benches ask about it.
#[derive(Debug)]
pub(crate) struct Head {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

impl Head {
    /// A request by `user` that looks like one of a browser's.
    pub(crate) fn new(method: Method, path: &str, query: Option<&str>, user: &str) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "shop.example"),
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
            ("accept", "application/json"),
            ("accept-encoding", "gzip, deflate, br"),
            ("cookie", "theme=dark; session=9f8e7d6c5b4a39281706f5e4d3c2b1a0; lang=en"),
            ("x-user-id", user),
        ] {
            let value = HeaderValue::from_str(value).expect("a header's value");
            headers.append(HeaderName::from_static(name), value);
        }
        Self { method, path: path.to_owned(), query: query.map(str::to_owned), headers }
    }

    /// As matchers and cohorts see it.
    pub(crate) fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            version: Version::HTTP_11,
            headers: &self.headers,
            peer: Ipv4Addr::LOCALHOST.into(),
            body: None,
        }
    }
}
