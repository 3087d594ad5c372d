//! What is thought of a client of tonic that tries again by itself.

use crate::{
    drill::{Drill, faults},
    service::{Client, number},
};
use firedrill::verdict::{Finding, Grade, Verdict};
use std::time::Duration;
use tokio::time::sleep;
use tonic::{Code, Status};

/// How a client waits before the next attempt.
#[derive(Clone, Copy)]
enum Waits {
    /// As long as it was told, and a bit.
    AsTold,
    /// This long, whatever it is told.
    Hasty,
}

/// Makes so many attempts at each of so many operations, one after the other.
async fn play(drill: &Drill, operations: u64, attempts: u32, waits: Waits) -> Vec<Status> {
    let client = drill.client().await;
    let mut met = Vec::new();
    for operation in 0..operations {
        met.extend(operate(&client, 100 + operation, attempts, waits).await);
    }
    met
}

async fn operate(client: &Client, value: u64, attempts: u32, waits: Waits) -> Vec<Status> {
    let mut met: Vec<Status> = Vec::new();
    for attempt in 0..attempts {
        let told = met.last().and_then(|status| {
            let told = status.metadata().get("grpc-retry-pushback-ms")?;
            told.to_str().ok()?.parse().ok().map(Duration::from_millis)
        });
        if attempt > 0 {
            let bit = Duration::from_millis(5 + value % 7);
            sleep(match waits {
                Waits::AsTold => told.unwrap_or_default() + bit,
                Waits::Hasty => Duration::from_millis(20) + bit,
            })
            .await;
        }
        let client = match attempt {
            0 => client.clone(),
            _ => client.clone().with("grpc-previous-rpc-attempts", &attempt.to_string()),
        };
        match client.double(number(value)).await {
            Ok(_) => break,
            Err(status) => met.push(status),
        }
    }
    met
}

fn finding<'v>(verdict: &'v Verdict, name: &str) -> &'v Finding {
    let found = verdict.parts[0].findings.iter().find(|finding| finding.detector == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn a_pushback_is_a_retry_after() {
    for (waits, grade) in [(Waits::AsTold, Grade::Pass), (Waits::Hasty, Grade::Fail)] {
        let text = faults("{ grpc: { code: UNAVAILABLE, pushback: 200ms } }");
        let drill = Drill::of(&text).await;
        let met = play(&drill, 6, 2, waits).await;
        assert!(met.len() == 12 && met.iter().all(|status| status.code() == Code::Unavailable));
        let verdict = drill.verdict(12).await;
        let told = finding(&verdict, "retry_after");
        assert_eq!(told.grade, grade, "{}", told.said);
        assert_eq!(told.figures["by"][0]["status"], "UNAVAILABLE", "{:?}", told.figures);
        // The service had taken none of them, so none was sent again in spite of that.
        let duplicates = finding(&verdict, "duplicates");
        assert_eq!(duplicates.figures["unsafe_resends"], 0, "{}", duplicates.said);
    }
}

#[tokio::test]
async fn what_is_final_is_not_to_be_asked_for_again() {
    let drill = Drill::of(&faults("{ grpc: NOT_FOUND }")).await;
    play(&drill, 6, 3, Waits::AsTold).await;
    let verdict = drill.verdict(18).await;
    let found = finding(&verdict, "final_errors");
    assert_eq!(found.grade, Grade::Fail, "{}", found.said);
    assert!(found.said.contains("NOT_FOUND"), "{}", found.said);
}

#[tokio::test]
async fn what_was_done_and_is_done_again_is_a_duplicate() {
    for fault in [
        "{ lose_response: 503, times: 1 }",
        "{ grpc: { code: UNAVAILABLE, after: 1 message }, times: 1 }",
    ] {
        let drill = Drill::of(&faults(fault)).await;
        play(&drill, 6, 2, Waits::Hasty).await;
        let count = drill.upstream.seen.lock().expect("no panic").len();
        let verdict = drill.verdict(count).await;
        let found = finding(&verdict, "duplicates");
        assert_eq!(found.grade, Grade::Fail, "{fault}: {}", found.said);
        assert!(found.figures["duplicated"].as_u64() > Some(0), "{fault}: {:?}", found.figures);
    }
}

#[tokio::test]
async fn a_service_that_fails_by_itself_is_no_success() {
    let drill = Drill::of(crate::drill::CALM).await;
    let client = drill.client().await;
    for _ in 0..3 {
        let failed = client.double(number(crate::service::UNLUCKY)).await;
        assert_eq!(failed.expect_err("it fails").code(), Code::FailedPrecondition);
        sleep(Duration::from_millis(20)).await;
    }
    let verdict = drill.verdict(3).await;
    assert_eq!(finding(&verdict, "duplicates").figures["duplicated"], 0);
}

/// A status that says that nothing was done is not believed of a call that had begun.
#[tokio::test]
async fn what_failed_in_the_middle_of_an_upload_is_ambiguous() {
    for (fault, cuts) in [
        ("{ grpc: { code: UNAVAILABLE, after: 1 message, side: request } }", 12),
        ("{ grpc: UNAVAILABLE }", 0),
    ] {
        let drill = Drill::of(&faults(fault)).await;
        play(&drill, 6, 2, Waits::AsTold).await;
        let verdict = drill.verdict(12).await;
        let found = finding(&verdict, "duplicates");
        assert_eq!(found.figures["cut"], cuts, "{fault}: {:?}", found.figures);
    }
}
