//! Real clients in real outages: what curl, requests, axios and others do, measured through the proxy
//! and held to what was measured before.
//!
//! They need what a machine with nothing but Rust lacks, so `cargo test` names that test as ignored and
//! leaves it out. `.ci/run` installs it and runs it with `cargo test --test clients -- --ignored`.
//! How to add a client is in `docs/real-clients.md`.

mod class;
mod drill;
mod golden;
mod measure;
#[path = "../support/message.rs"]
mod message;
mod page;
mod record;
mod roster;
mod row;
mod service;
mod verdict;

use crate::{
    class::{CLASSES, Class},
    roster::{Client, ROSTER},
    row::Row,
    verdict::verdict_matches,
};
use std::env;

/// Which clients to measure, by their first letters; all without it.
const ONLY: &str = "CLIENTS_ONLY";

/// `rewrite` has what was measured written over what was measured before.
const GOLDEN: &str = "CLIENTS_GOLDEN";

#[test]
#[ignore = "needs curl, wget, Python, Node.js and clients from PyPI, npm and crates.io; .ci/run installs them and runs this"]
fn every_client_does_what_was_measured_of_it() {
    let only = env::var(ONLY).unwrap_or_default();
    let clients: Vec<_> = ROSTER.iter().filter(|c| c.name.starts_with(&*only)).collect();
    assert!(!clients.is_empty(), "no client's name begins with {only:?}");

    roster::prepare();
    let mut rows: Vec<Row> = clients.iter().map(|client| measure::nothing_yet(client)).collect();
    let everything = clients.iter().flat_map(|client| CLASSES.iter().map(|class| (*client, class)));
    let mut wrong = measure(&mut rows, everything.collect());
    if env::var(GOLDEN).is_ok_and(|what| what == "rewrite") {
        for row in rows {
            golden::write(&golden::read(&row).map_or(row.clone(), |before| before.widened(&row)));
        }
        page::rewrite();
    } else {
        // A machine that stands still for a moment moves all that happen in it: what is not as before
        // is played again, and has to differ again.
        let doubtful = clients.iter().zip(&rows).flat_map(|(client, row)| {
            let classes = CLASSES.iter().filter(|class| !differences(row, class).is_empty());
            classes.map(|class| (*client, class))
        });
        let doubtful: Vec<_> = doubtful.collect();
        for (client, class) in &doubtful {
            println!("{} is played {} again", client.name, class.name);
        }
        wrong.extend(measure(&mut rows, doubtful));
        let all = rows.iter().flat_map(|row| CLASSES.iter().map(move |class| (row, class)));
        wrong.extend(all.flat_map(|(row, class)| differences(row, class)));
        for (client, row) in
            clients.iter().zip(&rows).filter(|(_, row)| golden::read(row).is_none())
        {
            let told = format!("{}: no golden file, so it is held to nothing", row.key());
            println!("{told}");
            // The version of what comes with the machine is not ours to say.
            wrong.extend(client.from.is_pinned().then_some(told));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Plays these and puts what it measures into the rows; says where the program counted otherwise.
fn measure(rows: &mut [Row], these: Vec<(&'static Client, &'static Class)>) -> Vec<String> {
    let mut wrong = Vec::new();
    for run in drill::play_all(these) {
        let row = rows.iter_mut().find(|row| row.client == run.client.name).expect("its row");
        row.classes
            .insert(run.class.name.to_owned(), measure::methods(&run.attempts(), run.operations()));
        match verdict_matches(row, run.class, run.operations(), &run.summary()) {
            Ok(told) => drop(row.told.insert(run.class.name.to_owned(), told)),
            Err(what) => wrong.push(format!("{}, {}: {what}", row.key(), run.class.name)),
        }
    }
    wrong
}

/// What a client did in a class and did not do before.
fn differences(row: &Row, class: &Class) -> Vec<String> {
    golden::read(row).map_or_else(Vec::new, |before| before.differences(row, class.name))
}
