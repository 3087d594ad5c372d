//! Proxies and faults as JSON.

use crate::{
    config::misfit_of,
    control::{App, Proxied, api::settings::settings, origin},
    engine::{ByHand, FaultTally},
    fault::Tick,
    scenario::{FaultEntry, Per, Target},
};
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::{Value, json};
use std::time::Duration;

/// An answer in JSON.
#[derive(Debug)]
pub(super) struct Json(pub(super) Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/json")];
        (kind, format!("{}\n", self.0)).into_response()
    }
}

/// A time in milliseconds, as every key that ends in `_ms` has it.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How a proxy stands, with all that is in force on it.
pub(super) fn proxy(proxied: &Proxied, played: &Played<'_>) -> Value {
    let spec = proxied.spec();
    let metered = proxied.meters.read();
    let shown = json!({
        "name": spec.name,
        "listen": spec.listen.to_string(),
        "upstream": spec.upstream,
        "protocol": spec.protocol.name(),
        "enabled": spec.enabled,
        "connections": { "accepted": metered.accepted, "open": metered.open },
        "bytes": {
            "from_clients": metered.from_clients,
            "to_upstream": metered.to_upstream,
            "from_upstream": metered.from_upstream,
            "to_clients": metered.to_clients,
        },
        "faults": played.on(proxied),
    });
    let Value::Object(shown) = shown else { return shown };
    shown.into_iter().chain(settings(&spec)).collect()
}

/// What of the scenario is in force on all proxies, and what it did so far.
#[derive(Debug)]
pub(super) struct Played<'a> {
    app: &'a App,
    faults: &'a [FaultEntry],
    tallies: Vec<FaultTally>,
    now: Tick,
}

impl<'a> Played<'a> {
    pub(super) fn now(app: &'a App) -> Self {
        let now = app.controls.tick();
        // By what was published: a clock that waits for traffic stands in a phase not in force.
        let published = app.controls.changes().borrow().phase;
        let phase = published.and(app.controls.status().position).map(|position| position.phase);
        let phases = app.scenario.as_deref().map_or(&[][..], |scenario| &scenario.phases);
        let phase = phase.and_then(|at| phases.get(at));
        let faults = phase.map_or(&[][..], |phase| &phase.faults);
        let tallies = if faults.is_empty() { Vec::new() } else { app.controls.tallies() };
        Self { app, faults, tallies, now }
    }

    /// What is in force on a proxy: the scenario's, then those by hand.
    pub(super) fn on(&self, proxied: &Proxied) -> Vec<Value> {
        let spec = proxied.spec();
        let known = [spec.ground()];
        let acting = self.faults.iter().filter(|entry| misfit_of(entry, &known).is_none());
        let targets = self.app.scenario.as_deref().map_or(&[][..], |scenario| &scenario.targets);
        let scenario = acting.map(|entry| {
            let mut fault = fault(&proxied.name, "scenario", entry, targets);
            if let Some(known) = self.tallies.iter().find(|tally| *tally.name == *entry.name) {
                tally(&mut fault, known);
            }
            fault
        });
        let by_hand = proxied.hand.list();
        let by_hand = by_hand.iter().map(|fault| put(&proxied.name, fault, self.now));
        scenario.chain(by_hand).collect()
    }
}

/// A fault that was put on a proxy by hand.
pub(super) fn put(proxy: &str, by_hand: &ByHand, now: Tick) -> Value {
    let mut shown = fault(proxy, origin(by_hand), &by_hand.fault.entry, &by_hand.fault.targets);
    shown["since_ms"] = millis(by_hand.since).into();
    shown["ttl_ms"] = by_hand.fault.ttl.map(millis).into();
    shown["left_ms"] = by_hand.until().map(|until| millis(until.saturating_sub(now))).into();
    tally(&mut shown, &by_hand.tally());
    shown
}

fn fault(proxy: &str, origin: &str, entry: &FaultEntry, targets: &[Target]) -> Value {
    let names = entry.targets.iter().filter_map(|at| targets.get(*at));
    let names: Vec<&str> = names.map(|target| &*target.name).collect();
    let times = entry.times.map(|times| {
        let per = match times.per {
            Per::Operation => "operation",
            Per::User => "user",
            Per::Run => "run",
        };
        json!({ "first": times.first, "per": per })
    });
    json!({
        "proxy": proxy,
        "name": entry.name,
        "origin": origin,
        "kind": entry.kind,
        "what": entry.fault.describe(),
        "share": entry.share.show(),
        "targets": names,
        "pattern": entry.pattern.map(|pattern| pattern.show()),
        "times": times,
        "cohort": entry.cohort,
        "since_ms": null,
        "ttl_ms": null,
        "left_ms": null,
        "meant_for": 0,
        "hit": 0,
        "held_ms": 0,
    })
}

fn tally(fault: &mut Value, tally: &FaultTally) {
    fault["meant_for"] = tally.considered.into();
    fault["hit"] = tally.hit.into();
    fault["held_ms"] = millis(tally.held).into();
}
