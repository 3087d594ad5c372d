//! The tables of the page.

use crate::{
    event::Outcome,
    report::{
        html::grade,
        rounded,
        summary::{
            Summary,
            text::{percent, thousands},
        },
    },
    verdict::{Grade, Part},
};
use maud::{Markup, html};
use std::time::Duration;

pub(super) fn expectations(summary: &Summary<'_>) -> Markup {
    let judged = &summary.verdict.expectations;
    html! {
        @if !judged.is_empty() {
            h2 { "What was expected" }
            div.wide {
                table.stack {
                    thead { tr { th { "verdict" } th { "expected" } th { "found" } } }
                    tbody {
                        @for judged in judged {
                            tr {
                                td { (grade(judged.grade)) }
                                td {
                                    code { (judged.name) } " " (judged.limit)
                                    @if !judged.scope.is_empty() { br; span.quiet { (judged.scope) } }
                                }
                                td {
                                    (judged.said)
                                    @if let Some(needs) = &judged.needs {
                                        br; span.quiet { "would settle it: " (needs) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// All findings: those of the whole open, those of each client and test case to be opened.
pub(super) fn findings(summary: &Summary<'_>) -> Markup {
    let parts = &summary.verdict.parts;
    html! {
        @if !parts.is_empty() {
            h2 { "Everything that was looked at" }
            @for (nth, part) in parts.iter().enumerate() {
                details open[nth == 0] {
                    summary {
                        @match (&part.case, &part.client) {
                            (Some(case), _) => { "Test case " code { (case) } }
                            (None, Some(client)) => { "Client " code { (client) } }
                            (None, None) => "All clients",
                        }
                    }
                    (part_of(part))
                }
            }
        }
    }
}

fn part_of(part: &Part) -> Markup {
    let shut: Vec<_> = part.gates.0.iter().filter(|gate| !gate.holds).collect();
    html! {
        @if !shut.is_empty() {
            p.quiet { "What has to hold before more can be concluded, and does not:" }
            ul.quiet { @for gate in shut { li { (gate.said) "; it takes " (gate.needs) } } }
        }
        div.wide {
            table.stack {
                thead { tr { th { "grade" } th { "respect" } th { "found" } } }
                tbody {
                    @for finding in &part.findings {
                        tr {
                            td { (grade(finding.grade)) }
                            td { code { (finding.detector) } }
                            td {
                                (finding.said)
                                @if finding.grade >= Grade::Warn && !finding.advice.is_empty() {
                                    br; span.quiet { "to do: " (finding.advice) }
                                }
                                @if let Some(needs) = &finding.needs {
                                    br; span.quiet { "would settle it: " (needs) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn phases(summary: &Summary<'_>) -> Markup {
    let cells = &summary.observations.cells;
    // What came before the first phase or after the last one is no part of the drill.
    let (outside, inside): (Vec<_>, Vec<_>) =
        cells.iter().partition(|((phase, _), _)| phase.is_none());
    let time = |time: Option<Duration>| time.map_or("–".to_owned(), rounded);
    html! {
        @if !cells.is_empty() {
            h2 { "Phase by phase" }
            div.wide {
                table {
                    thead {
                        tr {
                            th { "phase" } th { "target" }
                            @for name in ["requests", "ok", "4xx", "5xx", "broken", "gone", "p50", "p90", "p99"] {
                                th.number { (name) }
                            }
                        }
                    }
                    tbody {
                        @for ((phase, target), cell) in inside.into_iter().chain(outside) {
                            @let phase = phase.map_or("(outside)", |at| {
                                summary.scenario.phases.get(at).map_or("?", |phase| &phase.name)
                            });
                            @let target = target.map_or("all", |at| {
                                summary.scenario.targets.get(at).map_or("?", |target| &target.name)
                            });
                            @let latency = cell.latency();
                            tr {
                                td { (phase) } td { (target) }
                                td.number { (thousands(cell.requests)) }
                                @for outcome in Outcome::ALL {
                                    td.number {
                                        @if cell.count(outcome) == 0 { "–" }
                                        @else { (percent(cell.count(outcome), cell.requests)) }
                                    }
                                }
                                td.number { (time(latency.map(|latency| latency.p50))) }
                                td.number { (time(latency.map(|latency| latency.p90))) }
                                td.number { (time(latency.map(|latency| latency.p99))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn faults(summary: &Summary<'_>) -> Markup {
    html! {
        @if !summary.tallies.is_empty() {
            h2 { "Fault by fault" }
            div.wide {
                table {
                    thead {
                        tr {
                            th { "fault" } th { "what" } th { "share" }
                            th.number { "meant for" } th.number { "hit" } th.number { "rate" }
                        }
                    }
                    tbody {
                        @for tally in summary.tallies {
                            @let entry = summary.chief(&tally.name);
                            @let counted = |text: String| if tally.gate { "–".to_owned() } else { text };
                            tr {
                                td { code { (tally.name) } }
                                td {
                                    @match entry {
                                        Some(entry) => (entry.fault.describe()),
                                        None => (tally.describe),
                                    }
                                }
                                td {
                                    @match entry {
                                        Some(entry) if entry.share.is_all() => "all",
                                        Some(entry) => (entry.share.show()),
                                        None => "",
                                    }
                                }
                                td.number { (counted(thousands(tally.considered))) }
                                td.number { (counted(thousands(tally.hit))) }
                                td.number { (counted(percent(tally.hit, tally.considered))) }
                            }
                        }
                    }
                }
            }
        }
    }
}
