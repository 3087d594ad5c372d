//! What the failures would have cost.

use crate::{
    report::{
        money::range,
        rounded,
        summary::{Summary, text::thousands},
    },
    verdict::impact::{Cost, Money},
};
use maud::{Markup, html};
use std::time::Duration;

pub(super) fn cost(summary: &Summary<'_>) -> Markup {
    let verdict = summary.verdict;
    html! {
        @match (&verdict.cost, &verdict.no_cost) {
            (Some(cost), _) => { h2 { "What it would have cost" } (told(cost)) }
            (None, Some(why)) => {
                h2 { "What it would have cost" }
                p { "That cannot be said: " (why) "." }
            }
            (None, None) => "",
        }
    }
}

fn told(cost: &Cost) -> Markup {
    let money = |money: Money| format!("{} {}", range(money), cost.currency);
    html! {
        p {
            b { (money(cost.exposure)) } " at most, in " (time(cost.minutes))
            " with faults. Buyers who came back later are not subtracted."
            @if let Some(avoidable) = cost.avoidable {
                " A better client could have saved " b { (money(avoidable)) } " of it."
            }
            @if cost.extra_effects > 0 {
                " On top come " (thousands(cost.extra_effects)) " effects too many, each to be refunded."
            }
        }
        div.wide {
            table {
                thead { tr { th { "phase" } th.number { "length" } th.number { "failed" } th.number { "exposure" } } }
                tbody {
                    @for phase in &cost.phases {
                        tr {
                            td { (phase.phase) }
                            td.number { (time(phase.minutes)) }
                            td.number { (failed(phase.failed)) }
                            td.number { (money(phase.exposure)) }
                        }
                    }
                }
            }
        }
    }
}

/// Scenario time.
fn time(minutes: f64) -> String {
    rounded(Duration::try_from_secs_f64(minutes * 60.0).unwrap_or_default())
}

/// Shares as a range, or as one where they are the same.
fn failed((low, high): (f64, f64)) -> String {
    if high - low < 0.000_5 {
        format!("{:.1} %", high * 100.0)
    } else {
        format!("{:.1} to {:.1} %", low * 100.0, high * 100.0)
    }
}
