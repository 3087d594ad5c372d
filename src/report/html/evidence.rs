//! The evidence: plots, and what they cannot show as tables.

use crate::{
    report::{
        html::{
            plot,
            theme::{CLIENTS, HANDS, HEAT, Ink, OUTCOMES},
            words,
        },
        rounded,
        summary::text::thousands,
    },
    verdict::{
        Link,
        picture::{ENDS, Pictures, Recovery, Story, Waits},
        stats::Shape,
    },
};
use maud::{Markup, html};

/// How attempts ended, and their colours.
fn ends(pictures: &Pictures) -> impl Iterator<Item = (Ink, String)> {
    let names = ["ok", "4xx", "5xx", "broken off", "client gave up"];
    let bins = pictures.outcomes.iter().flat_map(|bins| bins.counts());
    let failed = bins.map(|counts| counts[ENDS - 1]).any(|count| count > 0);
    let hands = failed.then_some((HANDS, "no TLS handshake"));
    let all = OUTCOMES.into_iter().zip(names).chain(hands);
    all.map(|(ink, name)| (ink, name.to_owned()))
}

pub(super) fn all(pictures: &Pictures) -> Markup {
    let inks = inks(pictures);
    html! {
        @if let Some(plot) = plot::outcomes(pictures) {
            section {
                h2 { "What came of the requests" }
                p.quiet { "Attempts that ended in each moment. Phases with faults are shaded." }
                (legend(ends(pictures)))
                (plot)
            }
        }
        @if let Some(plot) = plot::heat(pictures) {
            section {
                h2 { "How long they took" }
                p.quiet { "From the beginning of an attempt to its end, whatever that was." }
                (legend([(0, "few"), (3, "many"), (6, "most")].map(|(at, name)| {
                    (HEAT[at], name.to_owned())
                })))
                (plot)
            }
        }
        section { (tries(pictures, &inks)) }
        @if let Some(worst) = pictures.worst.as_ref().filter(|worst| worst.count > 1 || !worst.is_served) {
            section {
                h2 { "The worst operation" }
                p { (told(worst)) }
                (plot::ladder(worst))
            }
        }
        section { (waits(pictures, &inks)) }
        section { (recovery(pictures.recovery.as_ref())) }
        (duplicates(&pictures.duplicates))
    }
}

/// The colour of each client: those with the most operations, as far as colours go.
fn inks(pictures: &Pictures) -> Vec<(Ink, &str)> {
    let mut clients: Vec<(u64, &str)> = pictures
        .tries
        .iter()
        .map(|tries| (tries.operations.iter().sum(), tries.client.as_str()))
        .collect();
    for waits in &pictures.waits {
        if clients.iter().all(|(_, known)| *known != waits.client) {
            clients.push((0, &waits.client));
        }
    }
    clients.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    CLIENTS.into_iter().zip(clients.into_iter().map(|(_, client)| client)).collect()
}

fn tries(pictures: &Pictures, inks: &[(Ink, &str)]) -> Markup {
    let of = |client: &str| pictures.tries.iter().find(|tries| tries.client == client);
    let coloured: Vec<_> =
        inks.iter().filter_map(|(ink, client)| Some((*ink, of(client)?))).collect();
    html! {
        @if let Some(plot) = plot::tries(&coloured) {
            h2 { "Attempts per operation, under faults" }
            p.quiet { "An operation is one thing a client wants done, with all its attempts at it. "
                "The scale is one of powers of ten, so that rare cases can be seen." }
            (legend(coloured.iter().map(|(ink, tries)| (*ink, tries.client.clone()))))
            @if pictures.tries.len() > coloured.len() {
                p.quiet { "Of " (pictures.tries.len()) " clients, those with the most operations." }
            }
            (plot)
        }
    }
}

fn waits(pictures: &Pictures, inks: &[(Ink, &str)]) -> Markup {
    let of = |client: &str| pictures.waits.iter().find(|waits| waits.client == client);
    let coloured: Vec<_> =
        inks.iter().filter_map(|(ink, client)| Some((*ink, of(client)?))).collect();
    html! {
        @if let Some(plot) = plot::waits(&coloured) {
            h2 { "Waits before each retry" }
            p.quiet {
                "Points are waits, thick lines their medians, a thin line is the shape that fits, "
                "where one can be named. Waits that a server asked for are left out."
            }
            (legend(coloured.iter().map(|(ink, waits)| {
                (*ink, format!("{}: {}", waits.client, shape(waits)))
            })))
            (plot)
        }
    }
}

/// The shape of a client's waits, in words.
fn shape(waits: &Waits) -> String {
    let Some(backoff) = &waits.shape else { return "no shape to speak of".to_owned() };
    let first = backoff.medians.first().map_or(String::new(), |median| {
        format!(
            ", at first {}",
            rounded(std::time::Duration::from_secs_f64(median.clamp(0.0, 1e6)))
        )
    });
    let growth = backoff.growth.unwrap_or(1.0);
    let name = match backoff.shape {
        Shape::Immediate => return "at once".to_owned(),
        Shape::Single => "a single retry".to_owned(),
        Shape::Constant => "constant".to_owned(),
        Shape::Linear => "linear".to_owned(),
        Shape::Exponential => format!("exponential (×{growth:.1})"),
        Shape::Growing => "growing".to_owned(),
        Shape::Ambiguous => "no shape to be sure of".to_owned(),
    };
    let jitter = backoff.cv.map_or(String::new(), |cv| format!(", variation {cv:.2}"));
    format!("{name}{first}{jitter}")
}

fn recovery(recovery: Option<&Recovery>) -> Markup {
    html! {
        @if let Some(recovery) = recovery && let Some(plot) = plot::recovery(recovery) {
            h2 { "Arrivals around recovery" }
            p.quiet {
                "Attempts in each tenth of a second. A peak right after the faults end is a herd."
                @if let Some(calm) = recovery.calm {
                    " The level line is the mean in calm, " (format!("{calm:.1}")) "."
                }
            }
            (plot)
        }
    }
}

/// What an operation was, in a sentence.
fn told(story: &Story) -> Markup {
    html! {
        code { (story.client) } " wanted " code { (story.route) } ": "
        (thousands(story.count)) @if story.count == 1 { " attempt" } @else { " attempts" }
        ", "
        @if story.is_duplicate {
            b.twice { "accepted " (story.accepted) " times by the upstream" }
        } @else if story.is_served { "served in the end" } @else { "never served" }
        ", " (if story.has_key { "with one idempotency key" } else { "without a shared idempotency key" })
        @match story.link {
            Link::Alone => "",
            Link::Key => " (linked by a key or a name of the operation)",
            Link::Print => " (linked by what they ask for)",
            Link::Near => " (linked by what they ask for, but for what is made anew each time)",
        }
        "."
        @if let Some(first) = story.steps.first() {
            " It began at " (time(first.start)) ": connection " (first.conn.0) ", request " (first.conn.1)
            " in the record."
        }
    }
}

/// Since the drill's start.
fn time(micros: u64) -> String {
    format!("{:.3} s", micros as f64 / 1e6)
}

/// Duplicates, with all answers of the upstream.
fn duplicates(stories: &[Story]) -> Markup {
    html! {
        @if !stories.is_empty() {
            h2 { "Done more than once" }
            p.quiet { "What the upstream answered each time, whether or not the client heard of it. "
                "What it made is a hash: different ones are different things." }
            div.wide {
                table.stack {
                    thead {
                        tr {
                            th { "operation" } th.number { "sent at" } th.number { "answered at" }
                            th { "upstream" } th { "the client met" } th { "dealt" }
                        }
                    }
                    tbody {
                        @for story in stories {
                            @for (nth, step) in story.steps.iter().filter(|step| step.is_accepted()).take(4).enumerate() {
                                tr {
                                    td {
                                        @if nth == 0 { code { (story.client) } " " code { (story.route) } }
                                    }
                                    td.number data-name="sent at" { (time(step.forwarded)) }
                                    td.number data-name="answered at" { (time(step.answered)) }
                                    td.twice data-name="upstream" { (words::upstream(step)) }
                                    td data-name="the client met" { (words::met(step)) }
                                    td data-name="dealt" {
                                        @if step.dealt.is_empty() { "nothing" } @else { code { (step.dealt) } }
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

fn legend(entries: impl IntoIterator<Item = (Ink, String)>) -> Markup {
    html! {
        ul.legend { @for (ink, name) in entries { li { i class={ "ink-" (ink.name) } {} (name) } } }
    }
}
