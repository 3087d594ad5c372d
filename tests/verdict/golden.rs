//! Dump for now.
use crate::{
    cell::Cell,
    count::count,
    expected::SEED,
    judged::{judge, letters},
};

#[test]
#[ignore = "prints"]
fn dump() {
    let clients = std::env::var("CLIENTS").unwrap_or_default();
    let scenarios = std::env::var("SCENARIOS").unwrap_or_default();
    for client in clients.split(',') {
        for scenario in scenarios.split(',') {
            let cell = Cell::new(
                Box::leak(client.to_owned().into_boxed_str()),
                Box::leak(scenario.to_owned().into_boxed_str()),
            );
            let played = cell.play(SEED);
            let verdict = judge(&played);
            let numbers = count(&played);
            let a = verdict.parts[0]
                .findings
                .iter()
                .find(|f| f.detector == "amplification")
                .and_then(|f| f.figures.get("amplification").cloned());
            let dup = verdict.parts[0]
                .findings
                .iter()
                .find(|f| f.detector == "duplicates")
                .and_then(|f| f.figures.get("duplicated").cloned());
            println!(
                "{client}/{scenario}: [{}] A truth {:.3} judged {a:?} dup {dup:?} truth {} rho {:.4}",
                letters(&verdict),
                numbers.amplification,
                played.truth.double_purchases(),
                verdict.rho
            );
            if std::env::var("FULL").is_ok() {
                for f in &verdict.parts[0].findings {
                    println!(
                        "   {} {} {}: {} {:?} {}",
                        f.code,
                        f.detector,
                        f.grade,
                        f.said,
                        f.needs,
                        serde_json::Value::from(f.figures.clone())
                    );
                }
            }
        }
    }
}
