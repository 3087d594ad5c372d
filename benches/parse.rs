//! What it costs to read a scenario: a few lines, an outage that ships with the program, and a file
//! with a thousand faults.

use divan::{Bencher, counter::BytesCount};
use firedrill::{
    diag::{Problems, Source},
    scenario::{Scenario, bundled},
};

fn main() {
    divan::main();
}

/// The shortest scenario that does something.
#[divan::bench]
fn small(bencher: Bencher<'_, '_>) {
    let text =
        "name: slow\nphases:\n  - name: slow\n    for: 1m\n    faults:\n      - latency: 300ms\n";
    read(bencher, &Source::new("small.yaml", text));
}

/// An outage with six targets and four phases.
#[divan::bench]
fn bundled(bencher: Bencher<'_, '_>) {
    let bundled = bundled::find("apple-icloud-2013-08-21").expect("it ships with the program");
    read(bencher, &bundled.source());
}

/// A hundred phases with ten faults each.
#[divan::bench(sample_count = 20)]
fn a_thousand_faults(bencher: Bencher<'_, '_>) {
    read(bencher, &Source::new("large.yaml", thousand()));
}

fn read(bencher: Bencher<'_, '_>, source: &Source) {
    bencher.counter(BytesCount::of_str(&source.text)).bench_local(|| {
        let mut problems = Problems::default();
        let scenario = Scenario::read(source, None, &mut problems);
        assert!(scenario.is_some(), "{}", firedrill::diag::summary(source, &problems));
        scenario
    });
}

fn thousand() -> String {
    let mut text = String::from("name: large\ntargets:\n");
    for target in 0..10 {
        text.push_str(&format!("  route-{target}: {{ method: GET, path: /route/{target}/** }}\n"));
    }
    text.push_str("phases:\n");
    for phase in 0..100 {
        text.push_str(&format!("  - name: phase-{phase}\n    for: 1m\n    faults:\n"));
        for fault in 0..10 {
            text.push_str(&format!(
                "      - respond: {{ status: 503, retry_after: 30s }}\n        name: fault-{fault}\n        \
                 target: route-{fault}\n        share: 0% -> {}% of users\n",
                fault + 1
            ));
        }
    }
    text
}
