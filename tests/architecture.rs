//! The floor plan, enforced: who may name whom, and which crates are named where.
//!
//! A single crate cannot say this to the compiler, so this test reads the source. Another part is
//! always named `crate::part::…`; what follows every `crate::` outside tests is checked against the
//! plan. When code doesn't fit the plan, change the plan on purpose, with a reason.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own source has failed")]

use std::{collections::BTreeSet, fs, path::Path};

/// Every part of the crate, and the parts it may name. Each row leans only on rows above it: that
/// is what keeps the plan free of cycles.
const FLOOR_PLAN: &[(&str, &[&str])] = &[
    // 0: words
    ("units", &[]),
    ("dice", &[]),
    ("ca", &[]),
    ("diag", &[]),
    ("yaml", &["diag"]),
    ("grpc", &[]),
    ("timeline", &["units"]),
    ("read", &["units", "diag", "yaml", "timeline"]),
    // 1: what, whom
    ("fault", &["units", "dice", "diag", "yaml", "timeline", "read", "grpc"]),
    ("select", &["units", "dice", "diag", "yaml", "read", "grpc"]),
    // 2: describe, name
    ("scenario", &["units", "dice", "diag", "yaml", "timeline", "read", "fault", "select"]),
    ("config", &["units", "ca", "diag", "yaml", "read", "select", "fault", "scenario"]),
    ("event", &["dice", "select", "grpc"]),
    // 3: play
    ("engine", &["units", "dice", "timeline", "fault", "select", "scenario", "event"]),
    // 4: act, tell; these two never meet but in `event`
    ("observe", &["dice", "event", "grpc"]),
    ("verdict", &["units", "dice", "timeline", "select", "scenario", "event", "observe", "grpc"]),
    (
        "proxy",
        &[
            "units", "dice", "ca", "fault", "select", "scenario", "config", "event", "engine",
            "grpc",
        ],
    ),
    (
        "report",
        &[
            "units", "dice", "diag", "timeline", "fault", "select", "scenario", "event", "engine",
            "observe", "verdict",
        ],
    ),
    // 5: an embedded shop and its clients; the doors through which a run is commanded
    ("demo", &["units", "dice"]),
    (
        "control",
        &[
            "units", "dice", "diag", "yaml", "timeline", "read", "fault", "select", "scenario",
            "config", "event", "engine", "observe", "proxy",
        ],
    ),
    // 6: a drill in somebody else's program
    (
        "drill",
        &[
            "units", "dice", "ca", "diag", "timeline", "fault", "select", "scenario", "config",
            "event", "engine", "observe", "verdict", "report", "control",
        ],
    ),
    // 7: wires everything
    (
        "cli",
        &[
            "units", "dice", "ca", "diag", "timeline", "read", "fault", "select", "scenario",
            "config", "event", "engine", "observe", "verdict", "proxy", "report", "demo",
            "control", "drill",
        ],
    ),
];

/// Crates that only these parts or files may name, so that each could be replaced in one place.
const CONFINED: &[(&str, &[&str])] = &[
    ("hyper::", &["proxy/", "demo/", "control/"]),
    ("hyper_util::", &["proxy/", "demo/", "control/"]),
    ("h2::", &["proxy/"]),
    ("axum::", &["control/"]),
    ("prometheus_client::", &["control/metrics.rs"]),
    ("serde_yaml::", &["yaml.rs"]),
    ("rustls::", &["proxy/upstream/", "proxy/tls/", "ca/"]),
    ("rcgen::", &["ca/"]),
    ("socket2::", &["proxy/listener/", "proxy/socket/stream.rs"]),
    ("ppp::", &["proxy/introduce/"]),
    ("rustix::", &["proxy/timer.rs", "cli/run/"]),
    ("annotate_snippets::", &["diag/render.rs"]),
    ("anstyle::", &["report/", "cli/", "diag/render.rs"]),
    ("anstream::", &["cli/"]),
    ("indicatif::", &["cli/run/view.rs"]),
    ("clap::", &["cli/"]),
    ("json_patch::", &["fault/body/"]),
    ("base64::", &["grpc/detail.rs", "proxy/upstream/websocket.rs"]),
    ("ring::", &["proxy/upstream/", "proxy/tls/", "ca/"]),
    ("siphasher::", &["dice.rs", "event/detail.rs"]),
    ("statrs::", &["verdict/stats/"]),
    ("plotters::", &["report/html/"]),
    ("maud::", &["report/html/"]),
    ("quick_junit::", &["report/junit.rs"]),
];

/// A file of `src`, by its path below it, and its text outside tests and comments.
struct File {
    path: String,
    code: String,
}

fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !is_test(&path) {
                let text = fs::read_to_string(&path).unwrap();
                let below = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.push(File { path: below, code: outside_tests(&text) });
            }
        }
    }
    files
}

fn is_test(path: &Path) -> bool {
    let names = ["tests.rs", "contract.rs", "fixture.rs"];
    path.file_name().is_some_and(|name| names.iter().any(|test| name == *test))
        || path.components().any(|part| part.as_os_str() == "tests")
}

/// The text up to the first inline test module, without comments.
fn outside_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn part_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The parts named after `crate::`, grouped imports included.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            // The first word of each item at the top level of the group.
            let mut depth = 0;
            let mut word = String::new();
            let mut first = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => first = true,
                    c if depth == 0 && first && (c.is_alphanumeric() || c == '_') => word.push(c),
                    _ if depth == 0 && first && !word.is_empty() => {
                        names.insert(std::mem::take(&mut word));
                        first = false;
                    }
                    _ => {}
                }
            }
        } else {
            let word: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(word);
        }
    }
    names
}

#[test]
fn every_part_leans_only_on_those_below_it() {
    let mut trespasses = Vec::new();
    for file in sources() {
        let part = part_of(&file.path);
        if matches!(part, "lib" | "main") {
            continue;
        }
        let Some((_, may)) = FLOOR_PLAN.iter().find(|(name, _)| *name == part) else {
            trespasses.push(format!("{}: `{part}` is not on the floor plan", file.path));
            continue;
        };
        for name in named(&file.code) {
            let known = FLOOR_PLAN.iter().any(|(part, _)| *part == name);
            if known && name != part && !may.contains(&name.as_str()) {
                trespasses.push(format!("{}: `{part}` must not name `{name}`", file.path));
            }
        }
    }
    assert!(trespasses.is_empty(), "{}", trespasses.join("\n"));
}

#[test]
fn the_plan_has_no_cycle() {
    for (at, (part, may)) in FLOOR_PLAN.iter().enumerate() {
        for name in *may {
            let below = FLOOR_PLAN[..at].iter().any(|(part, _)| part == name);
            assert!(below, "`{part}` leans on `{name}`, which is not above it in the table");
        }
    }
}

#[test]
fn crates_are_named_only_where_they_may_be_replaced() {
    let mut trespasses = Vec::new();
    for file in sources() {
        for (name, places) in CONFINED {
            let used = file.code.match_indices(name).any(|(at, _)| {
                !file.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            });
            if used && !places.iter().any(|place| file.path.starts_with(place)) {
                trespasses.push(format!("{}: names `{name}`", file.path));
            }
        }
    }
    assert!(trespasses.is_empty(), "{}", trespasses.join("\n"));
}

/// `proxy` knows effects and filters, never a fault: a new fault must not touch the data plane.
#[test]
fn the_data_plane_names_no_fault() {
    let faults: Vec<&str> =
        firedrill::fault::catalog::CATALOG.iter().map(|entry| entry.name).collect();
    assert!(!faults.is_empty());
    for file in sources().iter().filter(|file| part_of(&file.path) == "proxy") {
        for fault in &faults {
            let module = format!("fault::{fault}");
            let quoted = format!("\"{fault}\"");
            assert!(!file.code.contains(&module), "{} names `{module}`", file.path);
            assert!(!file.code.contains(&quoted), "{} names {quoted}", file.path);
        }
    }
}

/// Files keep to one subject; past this length there are two.
#[test]
fn files_stay_small() {
    for file in sources() {
        let lines = file.code.lines().count();
        assert!(lines <= 450, "{} has {lines} lines: what is its second subject?", file.path);
    }
}

#[test]
fn named_sees_through_groups() {
    let code = "use crate::{\n  units::{A, b::C},\n  dice,\n};\ncrate::event::X";
    let names: Vec<String> = named(code).into_iter().collect();
    assert_eq!(names, ["dice", "event", "units"]);
}
