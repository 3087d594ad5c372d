//! One HTML file that says all: it asks for nothing from anywhere, runs nothing, and can be mailed,
//! kept and printed.
//!
//! Whatever comes from outside (names, paths, what a scenario says) passes through [`maud`], or
//! through the writer of the plots, and both escape it. That nothing is ever asked for is also said
//! to the browser, by a policy in the head of the page.

mod cost;
mod evidence;
mod plot;
mod tables;
mod theme;
mod words;

use crate::{
    report::{
        rounded,
        standing::{Standing, Worst, worst},
        summary::{
            Summary,
            text::{percent, thousands},
        },
    },
    timeline::Speed,
    verdict::{Grade, Sighting},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Findings that are told with their advice.
const WORST: usize = 3;
const STYLE: &str = include_str!("style.css");
/// Nothing may be fetched and nothing may run; style stands in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The summary as one page.
pub fn html(summary: &Summary<'_>) -> String {
    page(summary).into_string()
}

fn page(summary: &Summary<'_>) -> Markup {
    let standing = Standing::of(summary);
    let scenario = summary.scenario;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="content-security-policy" content=(POLICY);
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(concat!("firedrill ", env!("CARGO_PKG_VERSION")));
                title { (standing.word) ": " (scenario.name) }
                style { (PreEscaped(STYLE)) (PreEscaped(theme::rules())) }
            }
            body {
                header {
                    h1 { (scenario.title.as_deref().unwrap_or(&scenario.name)) }
                    p.quiet { (played(summary)) }
                    div class={ "standing " (class(standing.grade)) } {
                        b { (standing.word) } (standing.said)
                    }
                    (figures(summary))
                }
                main {
                    (what_to_do(summary))
                    (tables::expectations(summary))
                    (evidence::all(&summary.verdict.pictures))
                    (cost::cost(summary))
                    (tables::findings(summary))
                    (tables::phases(summary))
                    (tables::faults(summary))
                    (cautions(summary))
                    (about(summary))
                }
            }
        }
    }
}

/// How it was played, in a line.
fn played(summary: &Summary<'_>) -> Markup {
    html! {
        code { (summary.scenario.name) } ", played in " (rounded(summary.took))
        @if summary.speed != Speed::REAL { ", compressed " (summary.speed.to_string()) }
        ", run " code { (summary.run) } ", seed " (summary.seed.to_string())
    }
}

fn figures(summary: &Summary<'_>) -> Markup {
    let seen = summary.observations;
    let figure = |value: String, what: &str| html! { li { b { (value) } (what) } };
    html! {
        ul.figures {
            (figure(thousands(seen.exchanges), "requests"))
            (figure(percent(seen.ok, seen.exchanges), "answered well"))
            (figure(percent(seen.injected, seen.exchanges), "with a fault injected"))
            (figure(thousands(seen.users.len() as u64), "users"))
            (figure(thousands(seen.users_hit.len() as u64), "users hit"))
            @if seen.handshakes() > 0 {
                (figure(thousands(seen.handshakes()), "TLS handshakes failed"))
            }
        }
    }
}

fn what_to_do(summary: &Summary<'_>) -> Markup {
    let worst = worst(summary.verdict, WORST);
    html! {
        @if !worst.is_empty() {
            h2 { "What to do, the worst first" }
            ol.worst { @for worst in &worst { (one_to_do(worst)) } }
        }
    }
}

fn one_to_do(worst: &Worst<'_>) -> Markup {
    let finding = worst.finding;
    html! {
        li {
            (grade(finding.grade)) " "
            @if let Some(client) = worst.client { code { (client) } ": " }
            (finding.said) "."
            @if !finding.advice.is_empty() { p { b { "To do: " } (finding.advice) "." } }
            @if !finding.sightings.is_empty() {
                details {
                    summary.quiet { "Where to look it up in the record" }
                    ul.quiet { @for sighting in &finding.sightings { li { (place(sighting)) } } }
                }
            }
        }
    }
}

/// Where in the record.
fn place(sighting: &Sighting) -> Markup {
    html! {
        (format!("{:.3}", sighting.at as f64 / 1e6)) " s, connection " (sighting.conn)
        ", request " (sighting.seq) ": " (sighting.what)
    }
}

fn cautions(summary: &Summary<'_>) -> Markup {
    let (cautions, silences) = (summary.cautions(), summary.silences());
    html! {
        @if !cautions.is_empty() || !silences.is_empty() {
            h2 { "Before you believe it" }
            ul {
                @for silence in &silences {
                    li { b { "Inconclusive: " } code { (silence.fault) } " hit nothing: " (silence.why) }
                }
                @for caution in &cautions { li { (caution) } }
            }
        }
    }
}

fn about(summary: &Summary<'_>) -> Markup {
    let scenario = summary.scenario;
    html! {
        @if scenario.about.is_some() || !scenario.sources.is_empty() {
            h2 { "About the scenario" }
            @if let Some(about) = &scenario.about { p { (about) } }
            // Told, not linked: a scenario is somebody's file, and this page is trusted.
            ul.quiet { @for source in &scenario.sources { li { code { (source) } } } }
        }
        p.quiet {
            "Times are since the drill's start. Injected failures and genuine ones are counted apart. "
            "The same seed and the same traffic make the same drill: "
            code { "firedrill run " (scenario.name) " --seed " (summary.seed.to_string()) }
        }
    }
}

/// A grade, as a word with its colour.
fn grade(grade: Grade) -> Markup {
    html! { span class={ "grade " (class(grade)) } { (grade.name().to_uppercase()) } }
}

const fn class(grade: Grade) -> &'static str {
    match grade {
        Grade::Pass => "pass",
        Grade::Fail => "fail",
        Grade::Warn => "warn",
        Grade::Inconclusive => "inconclusive",
        Grade::NotApplicable => "none",
    }
}
