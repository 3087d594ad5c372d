//! The summary for scripts.

use crate::{
    event::{Outcome, Upstream},
    observe::Cell,
    report::{standing::Standing, summary::Summary},
    verdict::picture::{Step, Story},
};
use serde_json::{Value, json};
use std::time::Duration;

/// The version of its keys: a change that a script would notice makes another.
pub const SUMMARY_FORMAT: u32 = 1;

/// The JSON Schema of the summary.
pub fn json_schema() -> Value {
    // A file of this source, which a test parses.
    serde_json::from_str(include_str!("schema.json")).unwrap_or(Value::Null)
}

pub(super) fn json(summary: &Summary<'_>) -> Value {
    let seen = summary.observations;
    let standing = Standing::of(summary);
    let pictures = &summary.verdict.pictures;
    let mut value = json!({
        "format": SUMMARY_FORMAT,
        "version": env!("CARGO_PKG_VERSION"),
        "standing": { "word": standing.word, "grade": standing.grade, "said": standing.said },
        "scenario": summary.scenario.name,
        "run": summary.run,
        "seed": summary.seed.0,
        "speed": summary.speed.factor(),
        "start_at_ms": millis(summary.start_at),
        "longest_phase_ms": summary.longest_phase.map(millis),
        "end": summary.end,
        "took_ms": millis(summary.took),
        "requests": seen.exchanges,
        "ok": seen.ok,
        "injected": seen.injected,
        "users": seen.users.len(),
        "users_hit": seen.users_hit.len(),
        "dropped_events": seen.dropped,
        "genuine_failures": seen.genuine,
        "handshakes": { "dealt": seen.handshakes_dealt, "failed": seen.handshakes_failed },
        "worst_edge_ms": millis(seen.worst_edge()),
        "longest_retry_gap_ms": millis(seen.longest_retry_gap()),
        "phases": phases(summary),
        "connections": relays(summary),
        "faults": faults(summary),
        "silent_faults": summary.silences().iter().map(|silence| json!({
            "fault": &*silence.fault, "why": silence.why,
        })).collect::<Vec<_>>(),
        "cautions": summary.cautions(),
        "verdict": summary.verdict,
        "worst_operation": pictures.worst.as_ref().map(story),
        "duplicates": pictures.duplicates.iter().map(story).collect::<Vec<_>>(),
    });
    if summary.origin.records.len() > 1 {
        value["records"] = json!(summary.origin.records);
    }
    value
}

fn story(story: &Story) -> Value {
    json!({
        "client": story.client,
        "route": story.route,
        "duplicate": story.is_duplicate,
        "shared_key": story.has_key,
        "served": story.is_served,
        "attempts_made": story.count,
        "accepted": story.accepted,
        "attempts": story.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &Step) -> Value {
    let some = |number: u64| (number > 0).then_some(number);
    json!({
        "conn": step.conn.0,
        "seq": step.conn.1,
        "start_us": step.start,
        "forwarded_us": some(step.forwarded),
        "answered_us": some(step.answered),
        "end_us": step.end,
        "wait_ms": step.wait.map(millis),
        "status": some(u64::from(step.status)),
        "outcome": step.outcome.name(),
        "upstream_status": match step.upstream {
            Upstream::Status(status) => Some(status),
            Upstream::NotSent | Upstream::NoReply => None,
        },
        "made": step.made.map(|made| format!("{made:016x}")),
        "dealt": (!step.dealt.is_empty()).then_some(&step.dealt),
        "retry_after_ms": step.retry_after.map(millis),
    })
}

fn phases(summary: &Summary<'_>) -> Vec<Value> {
    let phases = summary.scenario.phases.iter().enumerate();
    phases
        .map(|(at, phase)| {
            let edge = summary.observations.edges.iter().find(|edge| edge.phase == Some(at));
            let cells = summary.observations.cells.iter();
            let targets: serde_json::Map<String, Value> = cells
                .filter(|((phase, _), _)| *phase == Some(at))
                .map(|((_, target), cell)| {
                    let name = target.map_or("all", |at| {
                        summary.scenario.targets.get(at).map_or("?", |target| &target.name)
                    });
                    (name.to_owned(), cell_json(cell))
                })
                .collect();
            json!({
                "phase": phase.name,
                "length_ms": millis(phase.length),
                "played_length_ms": millis(summary.timeline.length_of(at)),
                "planned_ms": edge.map(|edge| millis(edge.planned)),
                "actual_ms": edge.map(|edge| millis(edge.actual)),
                "targets": targets,
            })
        })
        .collect()
}

/// By proxy, those that pass bytes on.
fn relays(summary: &Summary<'_>) -> serde_json::Map<String, Value> {
    let relays = summary.observations.relays.iter();
    relays
        .map(|(name, relays)| {
            let value = json!({
                "ended": relays.connections,
                "injected": relays.injected,
                "without_upstream": relays.unconnected,
                "bytes_up": relays.up,
                "bytes_down": relays.down,
            });
            (name.to_string(), value)
        })
        .collect()
}

fn cell_json(cell: &Cell) -> Value {
    let outcomes: serde_json::Map<String, Value> = Outcome::ALL
        .iter()
        .map(|outcome| (outcome.name().to_owned(), json!(cell.count(*outcome))))
        .collect();
    json!({
        "requests": cell.requests,
        "injected": cell.injected,
        "outcomes": outcomes,
        "latency_ms": cell.latency().map(|latency| json!({
            "p50": millis(latency.p50),
            "p90": millis(latency.p90),
            "p99": millis(latency.p99),
            "max": millis(latency.max),
        })),
    })
}

fn faults(summary: &Summary<'_>) -> Vec<Value> {
    let tallies = summary.tallies.iter();
    tallies
        .map(|tally| {
            json!({
                "fault": &*tally.name,
                "kind": tally.kind,
                "what": summary.chief(&tally.name).map(|entry| entry.fault.describe()),
                "share": summary.chief(&tally.name).map(|entry| entry.share.show()),
                "meant_for": tally.considered,
                "hit": tally.hit,
                "held_ms": millis(tally.held),
            })
        })
        .collect()
}

/// Milliseconds, to the microsecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
