//! Files that mean harm, or were mangled on the way: never a panic, never a wait, always a place.

use firedrill::{
    config::File,
    diag::{Code, Look, Problems, Source, json, render, summary},
    scenario::Scenario,
};
use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

const VALID: &str = "name: slow-db
title: \"A database that answers late\"
about: |
  What happened.
seed: 7
targets:
  purchase: { method: POST, path: /purchase/** }
  items: [{ path: '/items/{id}' }, { host: '*.example.com', header: { x-a: 1 } }]
users: [{ header: x-user-id }, peer]
phases:
  - name: before
    for: 2m
  - &phase
    name: onset
    for: 1m30s
    compress: no
    faults:
      - respond: { status: 503, retry_after: 30s }
        target: purchase
        share: 0% -> 17% of users
        cohort: some
      - one_of:
          - { respond: 500, share: 10% }
          - { hang: {}, share: { curve: [[0s, 1%], [30s, 40%]], of: requests } }
        pattern: { every: 10s, on: 3s }
  - { <<: *phase, name: outage, for: 60m }
expect:
  - retry_amplification: { max: 1.5x, phase: outage }
  - recovery_time: 30s
stop_when:
  - upstream_errors: { above: 50%, for: 10s }
impact: { per_minute: [1, 2], currency: USD, target: items }
admin: { listen: '[::]:8474', token: { env: TOKEN }, hosts: [drill.example] }
proxies:
  shop: { listen: 8080, upstream: 'https://shop.example:3000', host: rewrite, tls: { verify: no } }
  db: { listen: 0.0.0.0:15432, upstream: 'tcp://[::1]:5432', protocol: tcp, enabled: no }
";

/// All that is said about a file.
fn said(text: &str) -> (Problems, String) {
    let source = Source::new("test.yaml", text);
    let mut problems = Problems::default();
    let file = File::read(&source, None, &mut problems);
    assert_eq!(file.is_none(), problems.has_errors());
    let mut out = render(&source, &problems, Look::Plain);
    out.push_str(&json(&source, &problems));
    out.push_str(&summary(&source, &problems));
    (problems, out)
}

fn codes(text: &str) -> Vec<Code> {
    said(text).0.sorted().iter().map(|problem| problem.code).collect()
}

/// The processor time that this thread took so far: how busy the machine is does not matter.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it does not run backwards")
}

#[track_caller]
fn is_fast(text: &str, expected: Code) {
    let start = worked();
    let found = codes(text);
    let took = worked().saturating_sub(start);
    assert_eq!(found, [expected]);
    // Milliseconds in practice; the worst parsers take half a minute.
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

#[test]
fn the_scenario_that_is_mangled_here_is_valid() {
    assert_eq!(codes(VALID), []);
}

#[test]
fn an_alias_bomb_fizzles() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    is_fast(&bomb, Code::E0002);
}

#[test]
fn bottomless_nesting_is_refused_at_once() {
    is_fast(&"[".repeat(200_000), Code::E0002);
    is_fast(&"{a: ".repeat(50_000), Code::E0002);
    is_fast(&"- ".repeat(100_000), Code::E0002);
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_refused_unread() {
    is_fast(&"# x\n".repeat(300_000), Code::E0002);
}

#[test]
fn ten_thousand_mistakes_are_found_in_the_time_of_a_few() {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| {
        (0..count).map(line).collect::<Vec<_>>().join("\n")
    };
    let keys = lines(9_000, &|n| format!("key{n}: 1"));
    let targets = lines(2_000, &|n| format!("  t{n}: {{ path: /a }}"));
    let faults = lines(2_000, &|n| format!("  - {{ hang: {{}}, target: u{n} }}"));
    let unknown =
        format!("name: x\ntargets:\n{targets}\nphases:\n- name: a\n  for: 1m\n  faults:\n{faults}");
    let proxies = lines(3_000, &|n| format!("  p{n}: {{ listen: 1, upstream: a }}"));
    let proxies = format!("proxies:\n{proxies}\n  last: {{}}\n");
    for text in [keys, "key: 1\n".repeat(9_000), unknown, proxies] {
        let start = worked();
        let (problems, _) = said(&text);
        let took = worked().saturating_sub(start);
        assert!(problems.sorted().len() >= 2_999 || text.contains("targets"));
        assert!(took < Duration::from_secs(10), "it took {took:?}");
    }
}

#[test]
fn a_byte_order_mark_and_windows_lines_do_no_harm() {
    assert_eq!(codes(&format!("\u{feff}{VALID}")), []);
    assert_eq!(codes(&VALID.replace('\n', "\r\n")), []);
    let (_, text) = said(&format!("\u{feff}{VALID}oops: 1\n").replace('\n', "\r\n"));
    let line = VALID.lines().count() + 1;
    assert!(text.contains(&format!("test.yaml:{line}:1")), "{text}");
}

#[test]
fn control_characters_and_tabs_are_told_with_their_place() {
    for (text, code, place) in [
        ("name: x\0y\n", Code::E0004, "test.yaml:1:8"),
        ("name: \"\u{1b}[2J\"\n", Code::E0004, "test.yaml:1:8"),
        ("name: \u{9b}31m\n", Code::E0004, "test.yaml:1:7"),
        ("name: x\nphases:\n\t- name: a\n", Code::E0001, "test.yaml:3:2"),
        ("name: x\nphases: *nothing\n", Code::E0001, "test.yaml:2:9"),
        ("name: x\n---\nname: y\n", Code::E0001, "test.yaml:2:1"),
    ] {
        let (problems, said) = said(text);
        assert_eq!(problems.sorted()[0].code, code, "{said}");
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn a_merged_mapping_tells_its_problems_where_it_is_used() {
    let text = "name: x
phases:
  - &a { name: a, for: 1m, faults: [{ latency: 300 }] }
  - { <<: *a, name: b }
";
    assert_eq!(codes(text), [Code::E0201, Code::E0201]);
}

#[test]
fn merged_keys_give_way_to_those_beside_them() {
    let source = Source::new("test.yaml", VALID);
    let scenario =
        Scenario::read(&source, None, &mut Problems::default()).expect("a valid scenario");

    assert_eq!(scenario.phases[2].name, "outage");
    assert_eq!(scenario.phases[2].length, Duration::from_secs(3_600));
    assert_eq!(scenario.phases[2].faults.len(), 3);
    assert!(!scenario.phases[2].compress);
}

/// Snippets that mean something to YAML or to us.
fn morsel() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            ":",
            "- ",
            "\n",
            "  ",
            "\t",
            "[",
            "]",
            "{",
            "}",
            "&a ",
            "*a",
            "<<: ",
            "!x ",
            "|",
            ">",
            "\"",
            "'",
            "#",
            "%",
            "->",
            " of ",
            "0%",
            "1/0",
            "9999999999999999999",
            "-1",
            "1e999",
            ".nan",
            "~",
            "null",
            "\u{feff}",
            "\0",
            "\r",
            "é",
            "日本",
            "curve",
            "one_of",
            "faults",
            "name: x",
            "share: 0% -> 200% of cats",
            "for: 1",
            "? ",
            "---\n",
            "...\n",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_mangled_scenario_is_never_a_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, morsel()), 1..6),
    ) {
        let mut text: Vec<char> = VALID.chars().collect();
        for (at, cut, put) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, put.chars());
        }
        said(&text.into_iter().collect::<String>());
    }

    #[test]
    fn arbitrary_bytes_are_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut problems = Problems::default();
        let source = Source::decode("test.yaml", &bytes, &mut problems);
        render(&source, &problems, Look::Coloured);
        said(&source.text);
    }

    #[test]
    fn arbitrary_yaml_is_never_a_panic(parts in prop::collection::vec(morsel(), 0..40)) {
        said(&parts.concat());
    }
}
