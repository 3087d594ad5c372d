//! What users read when a scenario is wrong: every code, the whole text, carets and all.
//!
//! `tests/ui/CODE_what/scenario.yaml` goes with `expected.txt`. After a change of words run this
//! with `UI_BLESS=1` and read the difference.

use firedrill::{
    diag::{Code, Look, Problems, Source, render, summary},
    scenario::Scenario,
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
        let scenario = Scenario::read(&source, Some(folder.to_owned()), &mut problems);
        assert_eq!(scenario.is_none(), problems.has_errors(), "{}", folder.display());
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
