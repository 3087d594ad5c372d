//! What users read when a scenario is wrong: every code, the whole text, carets and all.
//!
//! `tests/ui/CODE_what/scenario.yaml` goes with `expected.txt`. After a change of words run this
//! with `UI_BLESS=1` and read the difference.

use firedrill::{
    config::File,
    diag::{Code, Look, Problems, Source, render, summary},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn folders() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let entries = fs::read_dir(here).expect("the folder of cases");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    folders
}

fn name(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).expect("a name")
}

/// What is said about a case, and in which codes.
fn said(folder: &Path) -> (String, Vec<Code>) {
    let bytes = fs::read(folder.join("scenario.yaml")).expect("a scenario");
    let mut problems = Problems::default();
    let source = Source::decode("scenario.yaml", &bytes, &mut problems);
    if problems.is_empty() {
        let read = File::read(&source, Some(folder.to_owned()), &mut problems);
        assert_eq!(read.is_none(), problems.has_errors(), "{}", folder.display());
    }
    let text = render(&source, &problems, Look::Plain) + &summary(&source, &problems) + "\n";
    (text, problems.sorted().iter().map(|problem| problem.code).collect())
}

#[test]
fn messages_are_what_they_were() {
    let bless = std::env::var_os("UI_BLESS").is_some();
    let mut changed = Vec::new();
    for folder in folders() {
        let (text, _) = said(&folder);
        let path = folder.join("expected.txt");
        if bless {
            fs::write(&path, &text).expect("written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != text {
            changed
                .push(format!("=== {}\n--- expected\n{expected}--- said\n{text}", name(&folder)));
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

#[test]
fn every_code_has_a_case_that_shows_it() {
    let mut shown = BTreeSet::new();
    for folder in folders() {
        let (_, codes) = said(&folder);
        let named = name(&folder).split('_').next().and_then(|code| code.parse::<Code>().ok());
        if let Some(code) = named {
            assert!(codes.contains(&code), "{} shows {codes:?}", name(&folder));
            shown.insert(code);
        }
    }
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !shown.contains(code)).collect();
    assert!(missing.is_empty(), "no case in tests/ui for {missing:?}");
}

#[test]
fn every_code_is_explained_with_a_wrong_and_a_right_example() {
    for code in Code::ALL {
        let page = code.explanation();
        assert!(!page.title.ends_with('.'), "{code}: {}", page.title);
        for part in ["\nWrong:\n\n    ", "\nRight:\n\n    "] {
            assert_eq!(page.text.matches(part).count(), 1, "{code} has no {part:?}");
        }
        let widest = page.text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{code} has a line of {widest:?} characters");
    }
}

/// An example of an explanation in the place it belongs to.
fn in_place(example: &str) -> String {
    let key = example.trim_start_matches("- ").split(':').next().unwrap_or_default();
    let indented = |by: &str| example.replace('\n', &format!("\n{by}"));
    let is_phase = example.starts_with("- ") && example.contains("for: ");
    match key {
        _ if is_phase => format!("name: x\nphases:\n{example}\n"),
        "share" | "pattern" => {
            let keys = indented("    ");
            format!(
                "name: x\nphases:\n- name: p\n  for: 5m\n  faults:\n  - respond: 503\n    {keys}\n"
            )
        }
        "for" => format!("name: x\nphases:\n- name: p\n  {}\n", indented("  ")),
        _ if example.starts_with("- ") => {
            let targets = "targets: { purchase: { path: /purchase } }";
            let faults = indented("  ");
            format!("name: x\n{targets}\nphases:\n- name: p\n  for: 5m\n  faults:\n  {faults}\n")
        }
        _ if example.lines().any(|line| line.starts_with("proxies:")) => format!("{example}\n"),
        _ => {
            let mut text = format!("{example}\n");
            for (key, line) in [("name:", "name: x"), ("phases:", "phases: [{ name: p, for: 5m }]")]
            {
                if !example.lines().any(|l| l.starts_with(key)) {
                    text.push_str(&format!("{line}\n"));
                }
            }
            text
        }
    }
}

#[test]
fn examples_of_explanations_are_as_wrong_and_as_right_as_they_say() {
    // Their examples are bytes, end in an ellipsis, name files, or are whole without what is put around.
    let unprintable = ["E0002", "E0004", "E0307", "E0708", "E0721"];
    let mut lies = Vec::new();
    for code in Code::ALL.iter().filter(|code| !unprintable.contains(&&*code.to_string())) {
        let (_, examples) =
            code.explanation().text.split_once("\nWrong:\n\n").expect("a wrong one");
        let (wrong, right) = examples.split_once("\nRight:\n\n").expect("a right one");
        let codes = |example: &str| {
            let lines: Vec<&str> =
                example.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
            let text = in_place(lines.join("\n").trim_end());
            let mut problems = Problems::default();
            let _read = File::read(&Source::new("x", &*text), None, &mut problems);
            let codes: Vec<Code> = problems.sorted().iter().map(|problem| problem.code).collect();
            (text, codes)
        };
        let (text, found) = codes(wrong);
        if !found.contains(code) {
            lies.push(format!("{code} is not wrong but {found:?}:\n{text}"));
        }
        let (text, found) = codes(right);
        // An example need not use the targets around it, and there is no file to name.
        let fine = |code: &Code| ["W0301", "E0418"].contains(&&*code.to_string());
        if !found.iter().all(fine) {
            lies.push(format!("{code} is not right but {found:?}:\n{text}"));
        }
    }
    assert!(lies.is_empty(), "{}", lies.join("\n"));
}

#[test]
fn all_problems_of_a_file_are_told_in_its_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/many_problems");
    let (text, codes) = said(&folder);

    assert!(codes.len() >= 15, "{codes:?}");
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("--> scenario.yaml:"));
    let lines: Vec<usize> = lines
        .map(|place| place.split(':').next().and_then(|line| line.parse().ok()).expect("a line"))
        .collect();
    assert_eq!(lines.len(), codes.len());
    assert!(lines.is_sorted(), "{lines:?}");
}
